"""What the release API's refusals mean to a caller: the class of error, and the advice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sealyard.api.release_api import Reason
from sealyard.errors import (
    IntegrityError,
    InvalidError,
    MissingError,
    RefusedError,
    SealyardError,
    UnavailableError,
)


class NotPublishedError(MissingError):
    """The release API has no such manifest or small part."""


class ReplacedError(UnavailableError):
    """Somebody else has replaced what was to be replaced: read it again."""


class ForbiddenError(RefusedError):
    """The login is let in, but its role or its models do not allow what was asked for."""


class MetadataExistsError(UnavailableError):
    """Somebody else has put other bytes under this name of the index, which never change."""


class MetadataVersionError(UnavailableError):
    """The index has moved on meanwhile, or the version before this one is not there."""


_TAKEN = "this version is published already with other content; release another version"
REFUSALS: Final[Mapping[str, tuple[type[SealyardError], str]]] = {
    Reason.INVALID_REQUEST: (InvalidError, "it refuses the request as malformed"),
    Reason.INVALID_NAME: (InvalidError, "it refuses the name or the version"),
    Reason.INVALID_SMALL_PART: (InvalidError, "it refuses the bytes as no small part"),
    Reason.INVALID_MANIFEST: (InvalidError, "it refuses the bytes as no manifest"),
    Reason.INVALID_DEVICE: (InvalidError, "it refuses a device: its id, a key or a time"),
    Reason.INVALID_GRANT: (InvalidError, "it refuses a slot: not its device's, or of that size"),
    Reason.INVALID_METADATA: (
        InvalidError,
        "it refuses the bytes as not what their name says, or not signed by whom its root names",
    ),
    Reason.TOO_LARGE: (InvalidError, "it refuses so many bytes"),
    Reason.NOT_FOUND: (NotPublishedError, "there is none; was it published there?"),
    Reason.NOT_GRANTED: (NotPublishedError, "the device has not been granted it"),
    Reason.SMALL_PART_FIXED: (InvalidError, _TAKEN),
    Reason.MANIFEST_EXISTS: (InvalidError, _TAKEN),
    Reason.UNKNOWN_DEVICE: (
        UnavailableError,
        "a device is not there, is suspended, or is not for this model",
    ),
    Reason.TUF_EXISTS: (MetadataExistsError, "it has other bytes there, which never change"),
    Reason.TUF_VERSION: (MetadataVersionError, "it is not the next version of what is there"),
    Reason.PRECONDITION_FAILED: (ReplacedError, "somebody else replaced it meanwhile"),
    Reason.SMALL_PART_MISSING: (IntegrityError, "it has not every small part that is named"),
    Reason.SMALL_PART_DIFFERS: (IntegrityError, "it has other small parts than are named"),
}
"""What is not here is unavailable: a newer server may refuse for reasons of its own."""
