"""Seal, split and upload every variant of a release; the manifest goes last.

Until the manifest is there nothing is published, however far the parts are. So the order is: for
each variant big, then small; then the manifest. A publication that was killed goes on from its
record (`record`): it seals to the very same bytes again, if the plaintext is still the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sealyard.api.answers import PublishedVariant, PublishResult
from sealyard.api.tasks import ExportedVariant, PublishTask, SourceRecord
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.readers import FileReader, digest_of
from sealyard.delivery.record import Record, Uploaded, VariantRecord, encoded
from sealyard.delivery.release_api import NotPublishedError, Release, ReleaseApi
from sealyard.delivery.threads import in_threads
from sealyard.errors import IntegrityError, InvalidError, SealyardError
from sealyard.jobs.workspace import below
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.formats import Sealer, format_named, object_key, seal_stream
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.manifest import (
    Manifest,
    Source,
    TrainingRunSource,
    Variant,
    check_prefix,
)
from sealyard.sealing.split import SplitLimits

logger = logging.getLogger(__name__)

Check: TypeAlias = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes one release.

    Attributes:
        task: what to publish.
        workspace: where the plaintexts and the record lie.
        api: with a login of role Publisher.
        cdn: with a credential that may write.
        read_keyring: gives the keyring, when something must be sealed.
        still_ours: called before anything is written; raises where another pod has taken over.
    """

    task: PublishTask
    workspace: Path
    api: ReleaseApi
    cdn: Cdn
    read_keyring: Callable[[], Keyring]
    still_ours: Check

    def publish(self) -> PublishResult:
        """Publish, or find published what would be.

        Raises:
            InvalidError: the version is published already with other content.
            IntegrityError: a plaintext is not what was exported.
            MissingError: a plaintext, a key of the keyring or a mounted Secret is not there.
            UnavailableError: a store fails.
            RefusedError: a store refuses the credentials.
        """
        check_prefix(self.task.cdn.prefix, "cdn.prefix")
        release = Release(self.task.model, self.task.version)
        with contextlib.suppress(NotPublishedError):
            return self._adopt(release, self.api.manifest(release))
        record = Record(below(self.workspace, self.task.release_path), self.task)
        manifest = Manifest.build(
            model=release.model,
            version=release.version,
            variants=[(self._deliver(v, record), v.sha256) for v in self.task.variants],
            source=_source(self.task.source),
        )
        raw = manifest.encode()
        self.still_ours()
        self.api.put_manifest(release, raw)
        logger.info("%s is published; its manifest has SHA-256 %s", release, manifest.digest())
        return _result(manifest, raw)

    def _adopt(self, release: Release, raw: bytes) -> PublishResult:
        """The result of a publication whose end we do not remember."""
        try:
            found = Manifest.parse(raw)
        except IntegrityError as error:
            raise IntegrityError(f"{self.api.name}, {release}: {error}") from None
        if _content(found) != self._wanted(release):
            raise InvalidError(
                f"{release} is published already with other content on {self.api.name}; "
                "release another version"
            )
        logger.info("%s is published already, with this very content", release)
        return _result(found, raw)

    def _wanted(self, release: Release) -> object:
        return (
            (release.model, release.version),
            _source(self.task.source),
            sorted(
                (
                    exported.spec.name,
                    exported.sha256,
                    exported.size_bytes,
                    exported.spec.format,
                    exported.spec.precision,
                    exported.image_size,
                    self.task.sealing_format,
                )
                for exported in self.task.variants
            ),
        )

    def _deliver(self, exported: ExportedVariant, record: Record) -> Variant:
        """Upload both parts of a variant, as far as they are not there yet."""
        context = ReleaseContext(self.task.model, self.task.version, exported.spec.name)
        known = record.of(exported)
        with FileReader.open(below(self.workspace, exported.path)) as plaintext:
            if plaintext.size != exported.size_bytes:
                raise IntegrityError(
                    f"{exported.path}: {plaintext.size} bytes, {exported.size_bytes} were exported"
                )
            # Before anything is sealed again: with another plaintext, nonces would repeat.
            if known is not None:
                _check_plaintext(exported, digest_of(plaintext))
            if known is None or known.uploaded is None:
                uploaded = self._upload(exported, context, plaintext, known, record)
            else:
                logger.info("%s: its big part is uploaded already", context)
                uploaded = known.uploaded
        self.still_ours()
        self.api.put_small(context, uploaded.small_bytes)
        return uploaded.variant

    def _upload(
        self,
        exported: ExportedVariant,
        context: ReleaseContext,
        plaintext: FileReader,
        known: VariantRecord | None,
        record: Record,
    ) -> Uploaded:
        sealer = self._sealer(exported, context, known)
        key = object_key(self.task.cdn.prefix, sealer.object_id)
        begun = VariantRecord(plaintext_sha256=exported.sha256, state=encoded(sealer.state))
        self.still_ours()
        if known is not None and known.upload_id is not None:
            self.cdn.abort(key, known.upload_id)
        record.keep(exported.spec.name, begun)

        def remember(upload_id: str) -> None:
            record.keep(exported.spec.name, begun.model_copy(update={"upload_id": upload_id}))

        logger.info("%s: uploading %d bytes to %s", context, sealer.layout.big_bytes, key)
        self.cdn.put(
            key,
            _sealed_chunks(exported, sealer, plaintext),
            sealer.layout.big_bytes,
            on_upload=remember,
        )
        uploaded = _uploaded(exported, sealer, key)
        record.keep(exported.spec.name, begun.model_copy(update={"uploaded": uploaded}))
        return uploaded

    def _sealer(
        self, exported: ExportedVariant, context: ReleaseContext, known: VariantRecord | None
    ) -> Sealer:
        sealing = format_named(self.task.sealing_format)
        keyring = self.read_keyring()
        limits = SplitLimits(self.task.split.max_bytes, self.task.split.max_percent)
        size = exported.size_bytes
        if known is not None:
            try:
                return sealing.resume(
                    known.state_bytes,
                    plaintext_bytes=size,
                    context=context,
                    keyring=keyring,
                    limits=limits,
                )
            except SealyardError as error:
                logger.info("%s: begins anew, its record does not serve: %s", context, error)
        return sealing.sealer(plaintext_bytes=size, context=context, keyring=keyring, limits=limits)


def _sealed_chunks(
    exported: ExportedVariant, sealer: Sealer, plaintext: FileReader
) -> Iterator[memoryview]:
    """Big's bytes; fails at their end, before a store has them whole, if the file was another."""
    digest = hashlib.sha256()
    yield from seal_stream(sealer, plaintext, in_order=in_threads, seen=digest.update)
    _check_plaintext(exported, digest.hexdigest())


def _uploaded(exported: ExportedVariant, sealer: Sealer, key: str) -> Uploaded:
    sealed = sealer.finish()
    return Uploaded(
        small=encoded(sealed.small),
        variant=Variant(
            name=exported.spec.name,
            format=exported.spec.format,
            precision=exported.spec.precision,
            image_size=exported.image_size,
            plaintext_bytes=exported.size_bytes,
            sealing=sealed.sealing,
            small=sealed.small_part,
            big=sealed.big_part(key),
        ),
    )


def _check_plaintext(exported: ExportedVariant, sha256: str) -> None:
    if sha256 != exported.sha256:
        raise IntegrityError(
            f"{exported.path}: SHA-256 is {sha256}, {exported.sha256} was exported"
        )


def _source(record: SourceRecord) -> Source:
    return Source(
        training_run=TrainingRunSource(name=record.training_run, uid=record.training_run_uid),
        dataset_digest=record.dataset_digest,
        image=record.image,
        metrics=record.metrics.to_wire() if record.metrics else {},
    )


def _content(manifest: Manifest) -> object:
    """What a manifest says, less what every sealing makes anew."""
    digests = {subject.name: subject.digest.sha256 for subject in manifest.subject}
    predicate = manifest.predicate
    return (
        (predicate.model, predicate.version),
        predicate.source,
        sorted(
            (
                variant.name,
                digests[variant.name],
                variant.plaintext_bytes,
                variant.format,
                variant.precision,
                variant.image_size,
                variant.sealing.format,
            )
            for variant in predicate.variants
        ),
    )


def _result(manifest: Manifest, raw: bytes) -> PublishResult:
    return PublishResult(
        manifest_sha256=hashlib.sha256(raw).hexdigest(),
        variants=[
            PublishedVariant(
                name=variant.name,
                small_bytes=variant.small.size_bytes,
                big_bytes=variant.big.size_bytes,
                object_id=variant.big.key.rsplit("/", 1)[-1],
            )
            for variant in manifest.predicate.variants
        ],
    )
