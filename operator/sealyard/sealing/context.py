"""What a sealed artifact is: one variant of one version of one model."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from sealyard.errors import InvalidError

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
# Semantic versioning 2.0 without build metadata: two builds of one version would be two releases.
VERSION_PATTERN = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(\.(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?$"
)
VERSION_MAX = 64

_NAME = re.compile(NAME_PATTERN.removeprefix("^").removesuffix("$"))
_VERSION = re.compile(VERSION_PATTERN.removeprefix("^").removesuffix("$"))


def _lp(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


@dataclass(frozen=True, slots=True)
class ReleaseContext:
    """Names one sealed artifact. sealed-v2 binds it, so that one never opens as another.

    Raises:
        InvalidError: a name or the version is not of the form that contracts allow.
    """

    model: str
    version: str
    variant: str

    def __post_init__(self) -> None:
        for field, value in (("model", self.model), ("variant", self.variant)):
            if not _NAME.fullmatch(value):
                raise InvalidError(
                    f"{field}: {value[:80]!r} must be 1 to 63 of a-z, 0-9 and '-', "
                    "beginning and ending with a letter or digit"
                )
        if len(self.version) > VERSION_MAX or not _VERSION.fullmatch(self.version):
            raise InvalidError(
                f"version: {self.version[:80]!r} must be a semantic version without build "
                "metadata, such as 1.4.0 or 2.0.0-rc.1"
            )

    def digest(self) -> bytes:
        """The 32-byte `contextHash` of sealed-v2."""
        return hashlib.sha256(
            b"sealyard/v2/context\0" + _lp(self.model) + _lp(self.version) + _lp(self.variant)
        ).digest()

    def __str__(self) -> str:
        return f"{self.model} {self.version} {self.variant}"
