"""The folder in which a root is kept offline: its keys, and the chain of roots that is public.

root-1f2e3d4c.pem    a root key, named by its id; mode 0600
1.root.json          the first root, and those that followed
2.root.draft.json    one that is not signed by enough keys yet
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuf.api.metadata import Metadata, Root

from sealyard.api.index import ROOT_MAX_BYTES
from sealyard.cli.options import read_file
from sealyard.delivery.index.keys import KEY_MAX_BYTES, SigningKey, new_key
from sealyard.delivery.index.roots import (
    missing_signatures,
    parse_chain,
    parse_root,
    root_name,
    short_id,
)
from sealyard.delivery.kept import explained, private_file
from sealyard.errors import InvalidError, MissingError
from sealyard.jobs.workspace import write_atomic

_PASSPHRASE_MAX_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class TrustFolder:
    """Reads and writes the folder.

    Attributes:
        path: where it is.
        passphrase: opens the keys in it, and encrypts new ones; None where they are not encrypted.
    """

    path: Path
    passphrase: bytes | None

    def create(self) -> None:
        """Make the folder, readable by its owner alone.

        Raises:
            InvalidError: there is something in it already.
            MissingError: it cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            taken = any(self.path.iterdir())
        except OSError as error:
            raise MissingError(f"{self.path}: cannot be made ({error.strerror})") from None
        if taken:
            raise InvalidError(f"{self.path}: must be a new or an empty folder")

    def new_root_keys(self, count: int) -> list[SigningKey]:
        """Make root keys and keep them."""
        return [self._keep(new_key(self.passphrase)) for _ in range(count)]

    def _keep(self, pem: bytes) -> SigningKey:
        key = SigningKey.parse(pem, "a new key", self.passphrase)
        path = self.path / f"root-{short_id(key.keyid)}.pem"
        with explained(path), private_file(path) as file:
            file.write(pem)
        return key

    def root_keys(self, files: Sequence[Path]) -> list[SigningKey]:
        """The root keys in these files; without any, those in the folder.

        Raises:
            InvalidError: a file is no key, or the passphrase does not open it.
            MissingError: a file cannot be read, or there is none.
        """
        paths = files or sorted(self.path.glob("root-*.pem"))
        if not paths:
            raise MissingError(f"{self.path}: has no root-*.pem; name the root keys with --key")
        return [
            SigningKey.parse(read_file(path, KEY_MAX_BYTES), str(path), self.passphrase)
            for path in paths
        ]

    def chain(self) -> dict[str, bytes]:
        """The roots by their names, verified.

        Raises:
            MissingError: there is none, or one in between is missing.
            TrustError, InvalidError: they are no chain.
        """
        files = {
            path.name: read_file(path, ROOT_MAX_BYTES) for path in self.path.glob("*.root.json")
        }
        parse_chain(files, str(self.path))
        return files

    def newest(self) -> Metadata[Root]:
        """The last root of the chain."""
        return parse_chain(self.chain(), str(self.path))[-1]

    def draft(self) -> Metadata[Root]:
        """The root that is not signed by enough keys yet.

        Raises:
            MissingError: there is none.
            InvalidError: it is no root, or does not follow the newest one.
        """
        following = self.newest().signed.version + 1
        path = self._draft(following)
        root = parse_root(read_file(path, ROOT_MAX_BYTES))
        if root is None or root.signed.version != following:
            raise InvalidError(f"{path}: must be a root.json of TUF of version {following}")
        return root

    def refuse_draft(self) -> None:
        """Refuse to go on beside a draft.

        Raises:
            InvalidError: there is one.
        """
        draft = self._draft(self.newest().signed.version + 1)
        if draft.exists():
            raise InvalidError(f"{draft}: complete it with `sealyard trust sign`, or delete it")

    def keep_root(self, root: Metadata[Root], former: Metadata[Root] | None) -> str | None:
        """Keep a root, as a draft while it lacks signatures.

        Returns:
            What it lacks; None if it is complete.
        """
        lacking = missing_signatures(root, former)
        draft = self._draft(root.signed.version)
        path = draft if lacking else self.path / root_name(root.signed.version)
        with explained(path):
            write_atomic(path, root.to_bytes())
            if not lacking:
                draft.unlink(missing_ok=True)
        return lacking

    def _draft(self, version: int) -> Path:
        return self.path / f"{version}.root.draft.json"


def passphrase_in(path: Path | None) -> bytes | None:
    """The passphrase in a file, without the end of its line.

    Raises:
        InvalidError: the file is empty, or longer than a passphrase.
        MissingError: it cannot be read.
    """
    if path is None:
        return None
    raw = read_file(path, _PASSPHRASE_MAX_BYTES).removesuffix(b"\n").removesuffix(b"\r")
    if not 0 < len(raw) <= _PASSPHRASE_MAX_BYTES:
        raise InvalidError(f"{path}: must hold a passphrase of 1 to {_PASSPHRASE_MAX_BYTES} bytes")
    return raw
