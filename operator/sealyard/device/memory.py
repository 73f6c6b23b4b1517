"""An opened model in memory, under a path that a runtime can open, and on no disk."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sealyard.delivery.kept import write_at
from sealyard.errors import MissingError

_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class MemoryFile:
    """A file in memory that has no name in any folder, and is gone when it is closed.

    It is written once and then sealed against every change. Other processes of the same user can
    reach it through /proc, as they can reach this process's memory; the kernel may swap it out.

    Args:
        name: shown in /proc, for people.

    Raises:
        MissingError: the system gives no memory, or no descriptor.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        with self._explained():
            self._descriptor = os.memfd_create(name[:200], os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)

    @property
    def path(self) -> str:
        """Opens it within this process: give it to whatever wants the name of a file."""
        return f"/proc/self/fd/{self._descriptor}"

    @property
    def size(self) -> int:
        """In bytes."""
        return os.fstat(self._descriptor).st_size

    def fileno(self) -> int:
        """Its descriptor, which a child process may be given."""
        return self._descriptor

    def write_at(self, offset: int, data: memoryview | bytes) -> None:
        """Write all of it at an offset, from any thread, until `freeze`.

        Raises:
            MissingError: there is no room for it.
        """
        with self._explained():
            write_at(self._descriptor, offset, data)

    def freeze(self) -> None:
        """Let nobody change it any more."""
        fcntl.fcntl(self._descriptor, fcntl.F_ADD_SEALS, _SEALS)

    def read(self) -> bytes:
        """A copy of all of it."""
        # One `pread` gives at most 2 GiB.
        return Path(self.path).read_bytes()

    def close(self) -> None:
        """Give the memory back, once nobody else has it open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MissingError(
                f"{self._name}: cannot be held in memory ({error.strerror})"
            ) from None
