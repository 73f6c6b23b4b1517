"""One variant's big part: sealed, split, uploaded, and remembered, so that a killed one goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sealyard.api.tasks import ExportedVariant, PublishTask
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.readers import FileReader, digest_of
from sealyard.delivery.record import Record, Uploaded, VariantRecord, encoded
from sealyard.delivery.s3_requests import UploadForgottenError
from sealyard.delivery.sealing_pipeline import seal_to
from sealyard.delivery.source import platform_of
from sealyard.delivery.upload import Upload, UploadState
from sealyard.errors import IntegrityError, SealyardError
from sealyard.jobs.workspace import below
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.formats import Sealer, format_named, object_key
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.manifest import Variant
from sealyard.sealing.split import SplitLimits

logger = logging.getLogger(__name__)

Check: TypeAlias = Callable[[], None]


@dataclass(frozen=True, slots=True)
class VariantPublisher:
    """Brings the big part of one variant to the CDN.

    Attributes:
        task: of the whole release.
        exported: the variant.
        record: of the whole release; knows what an earlier attempt did.
        cdn: with a credential that may write.
        read_keyring: gives the keyring, if something must be sealed.
        still_ours: called before anything is written; raises where another pod has taken over.
    """

    task: PublishTask
    exported: ExportedVariant
    record: Record
    cdn: Cdn
    read_keyring: Callable[[], Keyring]
    still_ours: Check

    @property
    def context(self) -> ReleaseContext:
        """Which variant of which release."""
        return ReleaseContext(self.task.model, self.task.version, self.exported.spec.name)

    def publish(self, workspace: Path) -> Uploaded:
        """Seal and upload, as far as it was not done yet.

        Raises:
            IntegrityError: the plaintext is not what was exported.
            MissingError: it, or a key, is not there.
            UnavailableError, RefusedError: as `Cdn.put`.
        """
        exported = self.exported
        known = self.record.of(exported)
        with FileReader.open(below(workspace, exported.path)) as plaintext:
            if plaintext.size != exported.size_bytes:
                raise IntegrityError(
                    f"{exported.path}: {plaintext.size} bytes, {exported.size_bytes} were exported"
                )
            if known is None:
                return self._begin(plaintext)
            # Before anything is sealed again: with another plaintext, nonces would repeat.
            self._check(digest_of(plaintext))
            if known.uploaded is not None:
                logger.info("%s: its big part is uploaded already", self.context)
                return known.uploaded
            return self._go_on(plaintext, known)

    def _begin(self, plaintext: FileReader) -> Uploaded:
        sealer = format_named(self.task.sealing_format).sealer(
            plaintext_bytes=self.exported.size_bytes,
            context=self.context,
            keyring=self.read_keyring(),
            limits=self._limits,
        )
        begun = VariantRecord(plaintext_sha256=self.exported.sha256, state=encoded(sealer.state))
        self._remember(begun)
        return self._upload(plaintext, sealer, begun)

    def _go_on(self, plaintext: FileReader, known: VariantRecord) -> Uploaded:
        try:
            sealer = self._resumed(known)
        except SealyardError as error:
            logger.info("%s: begins anew, its record does not serve: %s", self.context, error)
            if known.upload is not None:
                self.cdn.abort_upload(known.upload.key, known.upload.upload_id)
            return self._begin(plaintext)
        if known.upload is None:
            return self._upload(plaintext, sealer, known)
        try:
            return self._upload(plaintext, sealer, known, known.upload)
        except UploadForgottenError as error:
            logger.info("%s: uploads anew: %s", self.context, error)
            return self._upload(plaintext, self._resumed(known), known)

    def _resumed(self, known: VariantRecord) -> Sealer:
        return format_named(self.task.sealing_format).resume(
            known.state_bytes,
            plaintext_bytes=self.exported.size_bytes,
            context=self.context,
            keyring=self.read_keyring(),
            limits=self._limits,
        )

    def _upload(
        self,
        plaintext: FileReader,
        sealer: Sealer,
        begun: VariantRecord,
        state: UploadState | None = None,
    ) -> Uploaded:
        def keep(state: UploadState) -> None:
            self._remember(begun.model_copy(update={"upload": state}))

        key = object_key(self.task.cdn.prefix, sealer.object_id)
        size = sealer.layout.big_bytes
        logger.info("%s: uploading %d bytes to %s", self.context, size, key)
        with Upload(self.cdn, key, size, state=state, keep=keep) as upload:
            self._check(seal_to(sealer, plaintext, upload.write))
            upload.finish()
        logger.info("%s: uploaded, %d bytes of it by an earlier attempt", key, upload.adopted_bytes)
        uploaded = _uploaded(self.exported, sealer, key)
        self._remember(begun.model_copy(update={"upload": None, "uploaded": uploaded}))
        return uploaded

    def _check(self, sha256: str) -> None:
        if sha256 != self.exported.sha256:
            raise IntegrityError(
                f"{self.exported.path}: SHA-256 is {sha256}, {self.exported.sha256} was exported"
            )

    def _remember(self, known: VariantRecord) -> None:
        self.still_ours()
        self.record.keep(self.exported.spec.name, known)

    @property
    def _limits(self) -> SplitLimits:
        return SplitLimits(self.task.split.max_bytes, self.task.split.max_percent)


def _uploaded(exported: ExportedVariant, sealer: Sealer, key: str) -> Uploaded:
    sealed = sealer.finish()
    return Uploaded(
        small=encoded(sealed.small),
        variant=Variant(
            name=exported.spec.name,
            format=exported.spec.format,
            precision=exported.spec.precision,
            image_size=exported.image_size,
            platform=platform_of(exported),
            plaintext_bytes=exported.size_bytes,
            sealing=sealed.sealing,
            small=sealed.small_part,
            big=sealed.big_part(key),
        ),
    )
