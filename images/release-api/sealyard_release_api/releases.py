"""The rules of what may be stored, as pure functions: facts in, a change or a refusal out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from pydantic import TypeAdapter, ValidationError

from sealyard.api.model import Name, SemVer
from sealyard.api.release_api import SMALL_MAX_BYTES, SMALL_MIN_BYTES, Reason, etag
from sealyard.errors import IntegrityError
from sealyard.sealing.header import CORE_BYTES
from sealyard.sealing.manifest import Manifest, SmallPart
from sealyard_release_api.wire import Refusal

_NAME: TypeAdapter[str] = TypeAdapter(Name)
_SEMVER: TypeAdapter[str] = TypeAdapter(SemVer)


class Change(Enum):
    """What a PUT that is allowed does."""

    CREATE = "create"
    REPLACE = "replace"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Release:
    """One version of one model. Make one with `of`, which checks both."""

    model: str
    version: str

    @classmethod
    def of(cls, model: str, version: str) -> Release:
        """The release of a path.

        Raises:
            Refusal: `InvalidName`.
        """
        check_model(model)
        try:
            _SEMVER.validate_python(version)
        except ValidationError:
            raise Refusal(
                Reason.INVALID_NAME,
                f"version: {version[:80]!r} must be a semantic version without build metadata, "
                "such as 1.4.0 or 2.0.0-rc.1, of at most 64 characters",
            ) from None
        return cls(model, version)

    def __str__(self) -> str:
        return f"{self.model} {self.version}"


def check_model(model: str) -> str:
    """The model's name.

    Raises:
        Refusal: `InvalidName`.
    """
    return _check_name("model", model)


def check_variant(variant: str) -> str:
    """The variant's name.

    Raises:
        Refusal: `InvalidName`.
    """
    return _check_name("variant", variant)


def _check_name(field: str, value: str) -> str:
    try:
        return _NAME.validate_python(value)
    except ValidationError:
        raise Refusal(
            Reason.INVALID_NAME,
            f"{field}: {value[:80]!r} must be 1 to 63 of a-z, 0-9 and '-', "
            "beginning and ending with a letter or digit",
        ) from None


@dataclass(frozen=True, slots=True)
class Small:
    """What the rules need to know of a small part's bytes."""

    sha256: str
    core_sha256: str
    size_bytes: int

    @classmethod
    def of(cls, body: bytes) -> Small:
        """The facts of a body.

        Raises:
            Refusal: `InvalidSmallPart`, the size is one that no small part has.
        """
        if not SMALL_MIN_BYTES <= len(body) <= SMALL_MAX_BYTES:
            raise Refusal(
                Reason.INVALID_SMALL_PART,
                f"{len(body)} bytes, must be {SMALL_MIN_BYTES} to {SMALL_MAX_BYTES}",
            )
        return cls(
            sha256=hashlib.sha256(body).hexdigest(),
            core_sha256=hashlib.sha256(body[:CORE_BYTES]).hexdigest(),
            size_bytes=len(body),
        )


def judge_small(
    new: Small, stored: Small | None, manifest: Manifest | None, variant: str, if_match: str | None
) -> Change:
    """Whether a small part may be put in the place of what is stored.

    Until the manifest exists, any replaces any. Afterwards only the slots of a sealed-v2 header
    may change, and only by somebody who names what they replace. The same bytes again are harmless
    whatever else the request says, so that a PUT whose answer was lost can be sent again.

    Args:
        new: what is put.
        stored: what is there.
        manifest: the release's, if it exists.
        variant: whose small part it is.
        if_match: the request's header, as it came.

    Raises:
        Refusal: `PreconditionFailed` or `SmallPartFixed`.
    """
    if stored is not None and stored.sha256 == new.sha256:
        return Change.UNCHANGED
    if if_match is not None and not _names(if_match, stored):
        there = f"its ETag is {etag(stored.sha256)}" if stored else "there is none yet"
        raise Refusal(Reason.PRECONDITION_FAILED, f"If-Match names another small part: {there}")
    if manifest is None:
        return Change.CREATE if stored is None else Change.REPLACE
    promised = _promised(manifest, variant)
    if promised is None or stored is None:
        raise Refusal(
            Reason.SMALL_PART_FIXED,
            f"the manifest exists and does not name the variant {variant!r}; publish a new version",
        )
    if if_match is None:
        raise Refusal(
            Reason.SMALL_PART_FIXED,
            f"the manifest exists: replacing needs If-Match, here {etag(stored.sha256)}",
        )
    if not _keeps(promised, new):
        raise Refusal(
            Reason.SMALL_PART_FIXED,
            "the manifest exists and promises other bytes; only the slots of a sealed-v2 header "
            "may change, else publish a new version",
        )
    return Change.REPLACE


def read_manifest(raw: bytes, release: Release) -> Manifest:
    """A manifest that is well-formed and of this release.

    Raises:
        Refusal: `InvalidManifest`.
    """
    try:
        manifest = Manifest.parse(raw)
    except IntegrityError as error:
        raise Refusal(Reason.INVALID_MANIFEST, str(error)) from None
    named = Release(manifest.predicate.model, manifest.predicate.version)
    if named != release:
        raise Refusal(Reason.INVALID_MANIFEST, f"the manifest is of {named}, the path of {release}")
    return manifest


def judge_manifest(
    manifest: Manifest, sha256: str, stored_sha256: str | None, smalls: Mapping[str, Small]
) -> Change:
    """Whether a manifest may be stored, which releases all that it names.

    Args:
        manifest: what is put, as `read_manifest` gave it.
        sha256: the digest of its bytes.
        stored_sha256: the digest of the one that is there, if any.
        smalls: the stored small parts by variant.

    Raises:
        Refusal: `ManifestExists`, `SmallPartMissing` or `SmallPartDiffers`.
    """
    if stored_sha256 is not None:
        if stored_sha256 == sha256:
            return Change.UNCHANGED
        raise Refusal(
            Reason.MANIFEST_EXISTS,
            f"the manifest exists with SHA-256 {stored_sha256}, not {sha256}; "
            "publish a new version",
        )
    for variant in manifest.predicate.variants:
        small = smalls.get(variant.name)
        if small is None:
            raise Refusal(
                Reason.SMALL_PART_MISSING,
                f"variant {variant.name!r}: put its small part before the manifest",
            )
        if not _keeps(variant.small, small):
            raise Refusal(
                Reason.SMALL_PART_DIFFERS,
                f"variant {variant.name!r}: the stored small part has {small.size_bytes} bytes, "
                f"SHA-256 {small.sha256}, core {small.core_sha256}; the manifest promises others",
            )
    return Change.CREATE


def _promised(manifest: Manifest, variant: str) -> SmallPart | None:
    named = (entry.small for entry in manifest.predicate.variants if entry.name == variant)
    return next(named, None)


def _keeps(promised: SmallPart, small: Small) -> bool:
    if promised.size_bytes != small.size_bytes:
        return False
    if promised.core_sha256 is not None:
        return promised.core_sha256 == small.core_sha256
    return promised.sha256 == small.sha256


def _names(if_match: str, stored: Small | None) -> bool:
    """RFC 9110, 13.1.1, by strong comparison: a weak tag (`W/`) never matches."""
    if stored is None:
        return False
    if if_match.strip() == "*":
        return True
    return etag(stored.sha256) in (tag.strip() for tag in if_match.split(","))
