"""Who must have signed metadata, as pure functions: the rules are python-tuf's.

The server trusts nobody of itself. The first root is believed because it was put first; from there
on every root is signed by the one before, and all else by the keys that the newest root names. What
has expired is for clients to judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from sealyard.api.release_api import Reason
from sealyard_release_api.tuf.files import MetadataName, MetadataRole, read_version
from sealyard_release_api.wire import Refusal


@dataclass(frozen=True, slots=True)
class SignedFile:
    """Metadata that is what its name says.

    Attributes:
        role: whose.
        version: as it is signed.
        metadata: its content; not verified yet.
        message: what its signatures are over.
    """

    role: MetadataRole
    version: int
    metadata: Metadata[Any]
    message: bytes

    @classmethod
    def parse(cls, raw: bytes, name: MetadataName) -> SignedFile:
        """The file of a body.

        Raises:
            Refusal: `InvalidMetadata`.
        """
        version = read_version(raw, name)
        try:
            metadata = Metadata[Any].from_bytes(raw)
            return cls(name.role, version, metadata, metadata.signed_bytes)
        except RepositoryError:
            raise Refusal(
                Reason.INVALID_METADATA, f"signed: must be a {name.role} of The Update Framework"
            ) from None


def check_signatures(file: SignedFile, newest: bytes | None) -> None:
    """Whether enough keys have signed: those of the newest root, and of a root its own too.

    Args:
        file: is new.
        newest: the newest root that is there; None before the first.

    Raises:
        Refusal: `InvalidMetadata`.
    """
    if newest is not None:
        _check(file, Metadata[Root].from_bytes(newest).signed)
    if file.role is MetadataRole.ROOT:
        _check(file, file.metadata.signed)


def _check(file: SignedFile, root: Root) -> None:
    result = root.get_verification_result(file.role, file.message, file.metadata.signatures)
    if not result:
        raise Refusal(
            Reason.INVALID_METADATA,
            f"signatures: {len(result.signed)} count, must be {result.threshold} of the keys that "
            f"{root.version}.root.json names for {file.role}",
        )
