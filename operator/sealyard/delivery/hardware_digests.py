"""The digests of legacy devices' hardware, as Secrets hold them. They are shown to nobody."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from sealyard.api.secrets import Purpose
from sealyard.delivery.secrets import SecretFiles
from sealyard.errors import InvalidError, MissingError, SealyardError

_MAX_BYTES: Final = 1 << 20
"""Of a whole Secret."""
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")


class HardwareDigests:
    """What several Secrets say; one that says nothing concerns its own devices only.

    Args:
        found: by the name of the Secret, its JSON object or what is wrong with it.
    """

    def __init__(self, found: Mapping[str, Mapping[str, Any] | SealyardError]) -> None:
        self._found = found

    @classmethod
    def mounted(cls, secrets: Path, names: Iterable[str]) -> Self:
        """As the operator mounts them: a folder for each Secret."""
        return cls({name: _read(_files(secrets, name)) for name in sorted(set(names))})

    def of(self, secret_name: str | None, device_id: str) -> bytes:
        """The 32 bytes of a device.

        Raises:
            MissingError: the Secret, its key or the entry is not there.
            InvalidError: it is no JSON object, or the entry no digest; or no Secret is named.
        """
        if secret_name is None:
            raise InvalidError("its level is legacy, and it names no Secret with its digest")
        found = self._found[secret_name]
        if isinstance(found, SealyardError):
            # Each device has its own: an error keeps the traceback of whoever raised it last.
            raise type(found)(str(found))
        where = _files(Path(), secret_name).content_source
        digest = found.get(device_id)
        if digest is None:
            raise MissingError(
                f"{where}: has no entry {device_id}; add what `sealyard device facts --digest` "
                "prints there"
            )
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise InvalidError(f"{where}: entry {device_id} must be 64 hexadecimal digits")
        return bytes.fromhex(digest)


def _files(secrets: Path, name: str) -> SecretFiles:
    purpose = Purpose.HARDWARE_DIGESTS
    return SecretFiles(purpose, secrets / purpose / name, f"Secret {name}")


def _read(files: SecretFiles) -> Mapping[str, Any] | SealyardError:
    try:
        raw = files.content(_MAX_BYTES)
    except (MissingError, InvalidError) as error:
        return error
    document: object = None
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(raw, object_pairs_hook=_each_name_once)
    if isinstance(document, dict):
        return document
    return InvalidError(
        f"{files.content_source}: must be one JSON object, of 64 hexadecimal digits by device id, "
        "each once"
    )


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
