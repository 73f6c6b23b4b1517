"""Seal a file, or a whole release, into a folder of kept parts, without any network."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from sealyard.api.tasks import PublishTask
from sealyard.delivery.kept import MANIFEST_FILE, explained, kept_parts, private_file, write_at
from sealyard.delivery.readers import FileReader
from sealyard.delivery.sealing_pipeline import seal_to
from sealyard.delivery.source import platform_of, source_of
from sealyard.errors import IntegrityError
from sealyard.jobs.workspace import below
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.formats import format_named, object_key
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.manifest import (
    ArtifactSource,
    FormatName,
    Manifest,
    Platform,
    Source,
    Variant,
    check_prefix,
)
from sealyard.sealing.split import DEFAULT_LIMITS, SplitLimits

ModelFormat: TypeAlias = Literal["onnx", "tensorrt", "tensorrt-rtx"]
Precision: TypeAlias = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is sealed, as the manifest will say it.

    Attributes:
        context: model, version and variant; sealed-v2 binds them.
        format: of the file.
        precision: of the model in it.
        image_size: that the model takes, in pixels.
        platform: the machines that it runs on; all if none are said.
    """

    context: ReleaseContext
    format: ModelFormat
    precision: Precision
    image_size: int
    platform: Platform = field(default_factory=Platform)


def seal_file(
    plaintext: Path,
    folder: Path,
    subject: Subject,
    *,
    keyring: Keyring,
    sealing_format: FormatName,
    prefix: str = "sealyard",
    limits: SplitLimits = DEFAULT_LIMITS,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Manifest:
    """Seal one file; the folder then has both parts and a manifest with this one variant.

    The manifest comes last, so a folder that has it has the parts that it names.

    Args:
        plaintext: the file.
        folder: made if it is not there.
        subject: what the manifest says of the file.
        keyring: has the active key for the format.
        sealing_format: how it is sealed.
        prefix: of the key that the big part gets on a CDN.
        limits: of the small part.
        progress: told how many bytes of how many are sealed.

    Raises:
        InvalidError: the file changed while it was read, or the subject cannot stand in a manifest.
        MissingError: the file, the folder, or an active key is not there.
    """
    variant, sha256 = _seal(
        plaintext,
        folder,
        subject,
        keyring=keyring,
        sealing_format=sealing_format,
        prefix=prefix,
        limits=limits,
        progress=progress,
    )
    context = subject.context
    # Only an ONNX file is a model by itself; an engine is known by its run, which nobody named.
    source = Source(artifact=ArtifactSource(sha256=sha256, type="onnx"))
    manifest = Manifest.build(
        model=context.model, version=context.version, variants=[(variant, sha256)], source=source
    )
    _keep_manifest(folder, manifest)
    return manifest


def seal_release(
    task: PublishTask,
    workspace: Path,
    folder: Path,
    *,
    keyring: Keyring,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Manifest:
    """Seal every variant of a release, as a publish Job would, and upload nothing.

    Args:
        task: what that Job would be given.
        workspace: has the exported files.
        folder: made if it is not there; gets the parts, and then the manifest.
        keyring: has the active key for the format.
        progress: told how many bytes of how many, of all variants, are sealed.

    Raises:
        IntegrityError: a file is not what was exported.
        InvalidError, MissingError: as `seal_file`.
    """
    check_prefix(task.cdn.prefix, "cdn.prefix")
    total, before = sum(exported.size_bytes for exported in task.variants), 0

    def sealed(done: int, _all: int) -> None:
        progress(before + done, total)

    variants = []
    for exported in task.variants:
        context = ReleaseContext(task.model, task.version, exported.spec.name)
        variant, sha256 = _seal(
            below(workspace, exported.path),
            folder,
            Subject(
                context=context,
                format=exported.spec.format,
                precision=exported.spec.precision,
                image_size=exported.image_size,
                platform=platform_of(exported),
            ),
            keyring=keyring,
            sealing_format=task.sealing_format,
            prefix=task.cdn.prefix,
            limits=SplitLimits(task.split.max_bytes, task.split.max_percent),
            progress=sealed,
        )
        if sha256 != exported.sha256:
            raise IntegrityError(
                f"{context}: {exported.path} has SHA-256 {sha256}, and was exported with "
                f"{exported.sha256}"
            )
        variants.append((variant, sha256))
        before += exported.size_bytes
    manifest = Manifest.build(
        model=task.model, version=task.version, variants=variants, source=source_of(task.source)
    )
    _keep_manifest(folder, manifest)
    return manifest


def _seal(
    plaintext: Path,
    folder: Path,
    subject: Subject,
    *,
    keyring: Keyring,
    sealing_format: FormatName,
    prefix: str,
    limits: SplitLimits,
    progress: Callable[[int, int], None],
) -> tuple[Variant, str]:
    """Both parts into the folder. What the manifest says of them, and the plaintext's digest."""
    context = subject.context
    small_path, big_path = kept_parts(folder, context.variant)
    with FileReader.open(plaintext) as reader, explained(folder):
        sealer = format_named(sealing_format).sealer(
            plaintext_bytes=reader.size, context=context, keyring=keyring, limits=limits
        )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with private_file(big_path) as big:
            write = functools.partial(write_at, big.fileno())
            sha256 = seal_to(sealer, reader, write, progress=progress)
        sealed = sealer.finish()
        with private_file(small_path) as small:
            small.write(sealed.small)
    variant = Variant(
        name=context.variant,
        format=subject.format,
        precision=subject.precision,
        image_size=subject.image_size,
        platform=subject.platform,
        plaintext_bytes=reader.size,
        sealing=sealed.sealing,
        small=sealed.small_part,
        big=sealed.big_part(object_key(prefix, sealer.object_id)),
    )
    return variant, sha256


def _keep_manifest(folder: Path, manifest: Manifest) -> None:
    with explained(folder), private_file(folder / MANIFEST_FILE) as file:
        file.write(manifest.encode())
