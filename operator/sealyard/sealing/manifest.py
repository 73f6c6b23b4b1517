"""The manifest of a release: an in-toto Statement in canonical JSON (RFC 8785).

It says what was sealed, from what, and how both parts look. It never holds a key id, or anything
that may change: its digest is what the index signs. A reader ignores fields that it does not know
and checks every field that it knows.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NoReturn, Self

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from sealyard.errors import IntegrityError, InvalidError
from sealyard.sealing.context import NAME_PATTERN, VERSION_MAX, VERSION_PATTERN, ReleaseContext
from sealyard.sealing.layout import MAX_PLAINTEXT_BYTES

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://sealyard.io/attestation/release/v1"
MANIFEST_MAX_BYTES = 1 << 20
VARIANTS_MAX = 32

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Version = Annotated[str, Field(pattern=VERSION_PATTERN, max_length=VERSION_MAX)]
Hex256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9._+]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=512)]
MetricName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]{0,62}$")]
Metrics = Annotated[dict[MetricName, float], Field(max_length=64)]
FormatName = Literal["sealed-v2", "aes-256-cbc-v1"]
_KEY_PATTERN: Final = r"^([A-Za-z0-9][-A-Za-z0-9._]*/)*objects/[0-9a-f]{64}$"

PROVING_FIELDS: Final[Mapping[FormatName, frozenset[str]]] = MappingProxyType(
    {
        "sealed-v2": frozenset({"small.coreSha256", "big.segments", "big.treeSha256"}),
        "aes-256-cbc-v1": frozenset({"small.sha256", "big.sha256"}),
    }
)
"""By which fields a variant of each format proves its parts; it has these and no other's."""


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
    )


class Sealing(_Part):
    """How both parts were made."""

    format: FormatName


class SmallPart(_Part):
    """The part that the release API keeps. sealed-v2: `coreSha256`; aes-256-cbc-v1: `sha256`."""

    size_bytes: Annotated[int, Field(ge=1, le=3072)]
    core_sha256: Hex256 | None = None
    sha256: Hex256 | None = None


class BigPart(_Part):
    """The part on the CDN. sealed-v2: `segments`, `treeSha256`; aes-256-cbc-v1: `sha256`."""

    key: Annotated[str, Field(pattern=_KEY_PATTERN)]
    size_bytes: Annotated[int, Field(ge=1, le=MAX_PLAINTEXT_BYTES + (1 << 26))]
    segments: Annotated[int, Field(ge=1, le=1 << 20)] | None = None
    tree_sha256: Hex256 | None = None
    sha256: Hex256 | None = None


class Platform(_Part):
    """Where a variant runs. What is absent does not matter to it."""

    arch: Word | None = None
    compute_capability: Annotated[str, Field(pattern=r"^[0-9]{1,2}\.[0-9]$")] | None = None
    runtime: Word | None = None
    runtime_version: Word | None = None


class Variant(_Part):
    """One exported file of the release, and the two parts it was sealed into."""

    name: Name
    format: Literal["onnx", "tensorrt", "tensorrt-rtx"]
    precision: Literal["fp32", "fp16", "int8"]
    image_size: Annotated[int, Field(ge=1, le=65536)]
    platform: Platform = Platform()
    plaintext_bytes: Annotated[int, Field(ge=0, le=MAX_PLAINTEXT_BYTES)]
    sealing: Sealing
    small: SmallPart
    big: BigPart

    @model_validator(mode="after")
    def _parts_fit_the_format(self) -> Self:
        fields = {
            "small.coreSha256": self.small.core_sha256,
            "small.sha256": self.small.sha256,
            "big.segments": self.big.segments,
            "big.treeSha256": self.big.tree_sha256,
            "big.sha256": self.big.sha256,
        }
        wanted = PROVING_FIELDS[self.sealing.format]
        present = {name for name, value in fields.items() if value is not None}
        if present != wanted:
            raise ValueError(
                f"{self.sealing.format} has {', '.join(sorted(wanted))}, "
                f"not {', '.join(sorted(present)) or 'none of them'}"
            )
        return self


class TrainingRunSource(_Part):
    """The run that trained the model."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
    uid: Word


class ArtifactSource(_Part):
    """The file that was released without a run."""

    sha256: Hex256
    type: Literal["pt", "onnx"]


class Source(_Part):
    """Where the release comes from: a run or an artifact, and what is known of it."""

    training_run: TrainingRunSource | None = None
    artifact: ArtifactSource | None = None
    dataset_digest: Text | None = None
    image: Text | None = None
    metrics: Metrics = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.training_run is None) == (self.artifact is None):
            raise ValueError("must have exactly one of trainingRun and artifact")
        return self


class Digest(_Part):
    """The digest set of a subject."""

    sha256: Hex256


class Subject(_Part):
    """A plaintext, named by its variant."""

    name: Name
    digest: Digest


class Predicate(_Part):
    """What is stated about the subjects."""

    model: Name
    version: Version
    variants: Annotated[tuple[Variant, ...], Field(min_length=1, max_length=VARIANTS_MAX)]
    source: Source


@dataclass(frozen=True, slots=True)
class Entry:
    """All that a manifest says about one variant; what `opener()` checks the parts against."""

    context: ReleaseContext
    variant: Variant
    plaintext_sha256: str


class Manifest(_Part):
    """A release. Make one with `build`, read one with `parse`."""

    type_: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    subject: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=VARIANTS_MAX)]
    predicate_type: Literal["https://sealyard.io/attestation/release/v1"]
    predicate: Predicate

    @model_validator(mode="after")
    def _subjects_are_the_variants(self) -> Self:
        names = [variant.name for variant in self.predicate.variants]
        if len(set(names)) != len(names):
            raise ValueError("predicate.variants: each name must stand there once")
        if sorted(names) != sorted(subject.name for subject in self.subject):
            raise ValueError("subject: must name each of predicate.variants, once")
        return self

    @classmethod
    def build(
        cls,
        *,
        model: str,
        version: str,
        variants: Iterable[tuple[Variant, str]],
        source: Source,
    ) -> Manifest:
        """The manifest of a release, the same for the same content in whatever order.

        Args:
            model: its name.
            version: a semantic version.
            variants: each with the hex SHA-256 of its plaintext.
            source: where it comes from.

        Raises:
            InvalidError: naming the field that cannot stand in a manifest.
        """
        ordered = sorted(variants, key=lambda pair: pair[0].name)
        try:
            return cls(
                type_=STATEMENT_TYPE,
                subject=tuple(
                    Subject(name=variant.name, digest=Digest(sha256=digest))
                    for variant, digest in ordered
                ),
                predicate_type=PREDICATE_TYPE,
                predicate=Predicate(
                    model=model,
                    version=version,
                    variants=tuple(variant for variant, _ in ordered),
                    source=source,
                ),
            )
        except ValidationError as error:
            raise InvalidError(f"manifest: {_first_fault(error)}") from None

    @classmethod
    def parse(cls, raw: bytes, *, sha256: str | None = None) -> Manifest:
        """Read a manifest.

        Args:
            raw: the bytes as received.
            sha256: the hex digest they must have, from a trusted place. `None` only where the
                caller itself is about to establish that trust.

        Raises:
            IntegrityError: another digest, not canonical JSON, or a field that is not as it must.
        """
        if len(raw) > MANIFEST_MAX_BYTES:
            _refuse(f"{len(raw)} bytes, must be at most {MANIFEST_MAX_BYTES}")
        if sha256 is not None:
            got = hashlib.sha256(raw).hexdigest()
            if not hmac.compare_digest(got, sha256):
                _refuse(f"SHA-256 is {got}, expected {sha256[:64]}")
        document = _canonical_json(raw)
        if not isinstance(document, dict):
            _refuse("must be a JSON object")
        kind = document.get("predicateType")
        if kind != PREDICATE_TYPE:
            _refuse(f"predicateType is {str(kind)[:120]!r}, must be {PREDICATE_TYPE!r}")
        try:
            # Strict JSON mode: arrays become tuples there, and strings never become numbers.
            return cls.model_validate_json(raw, strict=True)
        except ValidationError as error:
            raise IntegrityError(f"manifest: {_first_fault(error)}") from None

    def encode(self) -> bytes:
        """The canonical bytes: UTF-8, keys sorted, no spaces; absent fields left out."""
        return rfc8785.dumps(self.model_dump(mode="json", by_alias=True, exclude_none=True))

    def digest(self) -> str:
        """The hex SHA-256 of the canonical bytes (`manifestSha256`)."""
        return hashlib.sha256(self.encode()).hexdigest()

    def entry(self, context: ReleaseContext) -> Entry:
        """What the manifest says about the variant that was asked for.

        Raises:
            IntegrityError: this is the manifest of another release.
            InvalidError: the release has no such variant; names those that it has.
        """
        found = (self.predicate.model, self.predicate.version)
        if found != (context.model, context.version):
            _refuse(
                f"is of {found[0]} {found[1]}, expected {context.model} {context.version}",
            )
        for variant in self.predicate.variants:
            if variant.name == context.variant:
                digests = {subject.name: subject.digest.sha256 for subject in self.subject}
                return Entry(context, variant, digests[variant.name])
        names = ", ".join(variant.name for variant in self.predicate.variants)
        raise InvalidError(
            f"variant: {context.model} {context.version} has no {context.variant!r}; it has {names}"
        )


def object_key(prefix: str, object_id: str) -> str:
    """The key of a big part on the CDN: `{prefix}/objects/{id}`, or `objects/{id}`."""
    prefix = prefix.strip("/")
    return f"{prefix}/objects/{object_id}" if prefix else f"objects/{object_id}"


def check_prefix(prefix: str, field: str) -> None:
    """Refuse what no key on the CDN can begin with.

    Args:
        prefix: as `object_key` takes it.
        field: what the user calls it.

    Raises:
        InvalidError: says how it must be.
    """
    if not re.fullmatch(_KEY_PATTERN, object_key(prefix, "0" * 64)):
        raise InvalidError(
            f"{field}: {prefix[:80]!r} must be of letters, digits, '.', '_' and '-', each part "
            "between slashes beginning with a letter or digit"
        )


def _canonical_json(raw: bytes) -> Any:
    """Parse, and refuse what has a second reading: duplicate keys, other spellings, NaN."""
    try:
        document = json.loads(raw.decode())
        canonical = rfc8785.dumps(document)
    except (ValueError, RecursionError):
        _refuse("is not JSON that RFC 8785 can express")
    if canonical != raw:
        _refuse("is not canonical JSON (RFC 8785)")
    return document


def _refuse(why: str) -> NoReturn:
    raise IntegrityError(f"manifest: {why}") from None


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    # A step may be a key of the document: cut and made printable, so that the line stays one.
    where = ".".join(
        ascii(step)[1:-1] if isinstance(step, str) else str(step) for step in fault["loc"]
    )
    where = where[:160]
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
