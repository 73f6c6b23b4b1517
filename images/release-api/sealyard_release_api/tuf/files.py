"""The rules of the index's files, as pure functions: facts in, a change or a refusal out.

They keep what was put from being changed, and let the timestamp move by one version at a time, so
that two writers never undo each other. Who must have signed is in `signatures`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sealyard.api.index import (
    CHANNEL_MAX_BYTES,
    ROOT_MAX_BYTES,
    SNAPSHOT_MAX_BYTES,
    TARGETS_MAX_BYTES,
    TIMESTAMP_MAX_BYTES,
)
from sealyard.api.model import Name, SemVer
from sealyard.api.release_api import MANIFEST_MAX_BYTES, Reason
from sealyard_release_api.accounts import first_fault
from sealyard_release_api.releases import Change
from sealyard_release_api.wire import Refusal

VERSION_PATTERN = r"[1-9][0-9]{0,8}"
METADATA_PATTERN = rf"^(timestamp|{VERSION_PATTERN}\.(root|targets|snapshot))\.json$"
TARGET_PATTERN = r"^[0-9a-f]{64}\.[a-z0-9][-a-z0-9]{0,62}\.json$"
CHANNELS = "channels"
MANIFEST_FILE = "manifest"

_METADATA = re.compile(rf"(?:({VERSION_PATTERN})\.)?(root|timestamp|snapshot|targets)\.json")
_TARGET = re.compile(r"([0-9a-f]{64})\.([a-z0-9-]{1,63})\.json")
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_SEMVER: TypeAdapter[str] = TypeAdapter(SemVer)


class MetadataRole(StrEnum):
    """The roles of The Update Framework; also `signed._type`."""

    ROOT = "root"
    TARGETS = "targets"
    SNAPSHOT = "snapshot"
    TIMESTAMP = "timestamp"


MAX_BYTES: Mapping[MetadataRole, int] = {
    MetadataRole.ROOT: ROOT_MAX_BYTES,
    MetadataRole.TARGETS: TARGETS_MAX_BYTES,
    MetadataRole.SNAPSHOT: SNAPSHOT_MAX_BYTES,
    MetadataRole.TIMESTAMP: TIMESTAMP_MAX_BYTES,
}


@dataclass(frozen=True, slots=True)
class MetadataName:
    """A metadata file.

    Attributes:
        role: whose.
        version: as its name says; the timestamp's has none.
    """

    role: MetadataRole
    version: int | None

    @classmethod
    def parse(cls, name: str) -> MetadataName:
        """The file of a path.

        Raises:
            Refusal: `InvalidName`.
        """
        matched = _METADATA.fullmatch(name)
        if matched is None or (matched[1] is None) != (matched[2] == MetadataRole.TIMESTAMP):
            raise Refusal(
                Reason.INVALID_NAME,
                f"file: {name[:80]!r} must be timestamp.json, or N.root.json, N.targets.json or "
                "N.snapshot.json",
            )
        return cls(MetadataRole(matched[2]), int(matched[1]) if matched[1] else None)


@dataclass(frozen=True, slots=True)
class TargetName:
    """A target file: a manifest or a channel.

    Attributes:
        path: below `/tuf/targets`.
        sha256: the digest that stands in front of its name.
        max_bytes: the longest that it may be.
    """

    path: str
    sha256: str
    max_bytes: int

    @classmethod
    def parse(cls, model: str, folder: str, name: str) -> TargetName:
        """The file of a path: a version's manifest, or one of the channels.

        Args:
            model: checked before.
            folder: a version, or `channels`.
            name: the digest, and the rest of the name.

        Raises:
            Refusal: `InvalidName`.
        """
        matched = _TARGET.fullmatch(name)
        if matched is None or not _is_target(folder, matched[2]):
            raise Refusal(
                Reason.INVALID_NAME,
                f"target: {folder[:80]!r} {name[:160]!r} must be VERSION and "
                "SHA256.manifest.json, or channels and SHA256.CHANNEL.json",
            )
        longest = CHANNEL_MAX_BYTES if folder == CHANNELS else MANIFEST_MAX_BYTES
        return cls(f"{model}/{folder}/{name}", matched[1], longest)


class _Signed(BaseModel):
    """What the server looks at; all else is between the writer and the clients."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    type: Annotated[str, Field(alias="_type")]
    version: Annotated[int, Field(ge=1, lt=1_000_000_000)]


class _Envelope(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    signatures: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=64)]
    signed: _Signed


def read_version(raw: bytes, name: MetadataName) -> int:
    """The version of metadata that is what its name says.

    Raises:
        Refusal: `InvalidMetadata`.
    """
    try:
        signed = _Envelope.model_validate_json(raw).signed
    except ValidationError as error:
        raise Refusal(Reason.INVALID_METADATA, first_fault(error)) from None
    if signed.type != name.role:
        raise Refusal(
            Reason.INVALID_METADATA,
            f"signed._type: {signed.type[:40]!r} must be {name.role.value!r}",
        )
    if name.version not in {None, signed.version}:
        raise Refusal(
            Reason.INVALID_METADATA,
            f"signed.version: {signed.version}, the name says {name.version}",
        )
    return signed.version


def judge_timestamp(version: int, sha256: str, stored: tuple[int, str] | None) -> Change:
    """Whether a timestamp may take the place of the one that is there: compare and swap.

    Args:
        version: of the new one.
        sha256: its digest.
        stored: version and digest of the one that is there.

    Raises:
        Refusal: `TufVersion`.
    """
    if stored is not None and stored[1] == sha256:
        return Change.UNCHANGED
    following = stored[0] + 1 if stored is not None else 1
    if version != following:
        raise Refusal(Reason.TUF_VERSION, f"signed.version: {version}, must be {following}")
    return Change.CREATE if stored is None else Change.REPLACE


def judge_lasting(sha256: str, stored: str | None) -> Change:
    """Whether a file that never changes may be put.

    Args:
        sha256: its digest.
        stored: the digest of what is there under its name.

    Raises:
        Refusal: `TufExists`.
    """
    if stored is None:
        return Change.CREATE
    if stored != sha256:
        raise Refusal(
            Reason.TUF_EXISTS,
            f"there is one with SHA-256 {stored}, not {sha256}; take another number",
        )
    return Change.UNCHANGED


def check_chain(role: MetadataRole, version: int, newest: int | None) -> None:
    """Whether a file that is new has the root that it needs.

    A root follows upon the newest, as a client walks from one to the next; all else needs one.

    Args:
        role: of the new file.
        version: of the new file.
        newest: the version of the newest root that is there.

    Raises:
        Refusal: `TufVersion`.
    """
    following = (newest or 0) + 1
    if version != following if role is MetadataRole.ROOT else newest is None:
        raise Refusal(Reason.TUF_VERSION, f"put {following}.root.json first")


def check_digest(raw: bytes, name: TargetName) -> None:
    """Whether a target file is the one that its name says.

    Raises:
        Refusal: `InvalidMetadata`.
    """
    made = hashlib.sha256(raw).hexdigest()
    if made != name.sha256:
        raise Refusal(Reason.INVALID_METADATA, f"the SHA-256 is {made}, the name says another")


def _is_target(folder: str, stem: str) -> bool:
    try:
        if folder == CHANNELS:
            _NAME.validate_python(stem)
            return True
        _SEMVER.validate_python(folder)
    except ValidationError:
        return False
    return stem == MANIFEST_FILE
