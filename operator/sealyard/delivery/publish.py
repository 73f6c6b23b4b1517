"""Seal, split and upload every variant of a release; the manifest goes last.

Until the manifest is there nothing is published, however far the parts are. So the order is: for
each variant big, then small; then the manifest. A publication that was killed goes on from its
record (`record`): it seals to the very same bytes again, if the plaintext is still the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sealyard.api.answers import PublishedVariant, PublishResult
from sealyard.api.tasks import ExportedVariant, PublishTask
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.publish_variant import Check, VariantPublisher
from sealyard.delivery.record import Record
from sealyard.delivery.refusals import NotPublishedError
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.source import platform_of, source_of
from sealyard.errors import IntegrityError, InvalidError
from sealyard.jobs.workspace import below
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.manifest import (
    Manifest,
    Variant,
    check_prefix,
)

logger = logging.getLogger(__name__)


def _nothing() -> None:
    """A workspace that is a volume has what is written to it."""


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
        kept: called after the record was written.
    """

    task: PublishTask
    workspace: Path
    api: ReleaseApi
    cdn: Cdn
    read_keyring: Callable[[], Keyring]
    still_ours: Check
    kept: Check = _nothing

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
        folder = below(self.workspace, self.task.release_path)
        record = Record(folder, self.task, kept=self.kept)
        manifest = Manifest.build(
            model=release.model,
            version=release.version,
            variants=[(self._deliver(v, record), v.sha256) for v in self.task.variants],
            source=source_of(self.task.source),
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
            source_of(self.task.source),
            sorted(
                (
                    exported.spec.name,
                    exported.sha256,
                    exported.size_bytes,
                    exported.spec.format,
                    exported.spec.precision,
                    exported.image_size,
                    platform_of(exported).model_dump_json(),
                    self.task.sealing_format,
                )
                for exported in self.task.variants
            ),
        )

    def _deliver(self, exported: ExportedVariant, record: Record) -> Variant:
        """Upload both parts of a variant, as far as they are not there yet."""
        variant = VariantPublisher(
            task=self.task,
            exported=exported,
            record=record,
            cdn=self.cdn,
            read_keyring=self.read_keyring,
            still_ours=self.still_ours,
        )
        uploaded = variant.publish(self.workspace)
        self.still_ours()
        self.api.put_small(variant.context, uploaded.small_bytes)
        return uploaded.variant


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
                variant.platform.model_dump_json(),
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
