"""Publish what was sealed elsewhere, without any key: both parts as they are, then the manifest.

So one machine can seal without a network, and another publish without a key. The order is that of
`publish`: for each variant big, then small; then the manifest, which makes it a release. A
publication that was killed goes on from its state, a file in the folder of the parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from sealyard.api.digests import structure_sha256
from sealyard.api.model import Model, Sha256
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.kept import explained, private_file
from sealyard.delivery.kept_release import KeptRelease, KeptVariant
from sealyard.delivery.pull import Progress
from sealyard.delivery.readers import FileReader
from sealyard.delivery.refusals import NotPublishedError
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.s3_requests import UploadForgottenError
from sealyard.delivery.upload import Upload, UploadState
from sealyard.errors import InvalidError, MissingError

STATE_FILE: Final = "publishing.json"
_STATE_MAX_BYTES: Final = 4 << 20
_READ_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class KeptPublisher:
    """Publishes releases that lie in a folder.

    Attributes:
        folder: where the state lies, beside the parts.
        destination: names both stores; a state that was made for others does not count.
        api: with a login of role Publisher.
        cdn: with a credential that may write.
        progress: told how many bytes of how many the CDN has.
    """

    folder: Path
    destination: tuple[str, ...]
    api: ReleaseApi
    cdn: Cdn
    progress: Progress = lambda _done, _all: None

    def publish(self, kept: KeptRelease) -> bool:
        """Publish a release; False if it was published already, with this very manifest.

        Raises:
            InvalidError: the version is published already with other content.
            MissingError: nothing can be written to the folder.
            UnavailableError: a store fails.
            RefusedError: a store refuses the credentials.
        """
        state = _StateFile(self.folder, kept, self.destination)
        new = not self._is_published(kept)
        if new:
            before = 0
            for variant in kept.variants:
                self._upload(variant, state, before=before, total=kept.big_bytes)
                self.api.put_small(variant.entry.context, variant.small)
                before += variant.big.size
            self.api.put_manifest(kept.release, kept.raw)
        state.remove()
        return new

    def _is_published(self, kept: KeptRelease) -> bool:
        try:
            found = self.api.manifest(kept.release)
        except NotPublishedError:
            return False
        if found != kept.raw:
            raise InvalidError(
                f"{kept.release} is published already with other content on {self.api.name}; "
                "release another version"
            )
        return True

    def _upload(self, variant: KeptVariant, state: _StateFile, *, before: int, total: int) -> None:
        key = variant.entry.variant.big.key
        if not state.has(key):
            try:
                self._send(variant, state, before=before, total=total)
            except UploadForgottenError:
                state.forget(key)
                self._send(variant, state, before=before, total=total)
            state.done(key)
        self.progress(before + variant.big.size, total)

    def _send(self, variant: KeptVariant, state: _StateFile, *, before: int, total: int) -> None:
        key, big = variant.entry.variant.big.key, variant.big
        with Upload(
            self.cdn,
            key,
            big.size,
            state=state.upload(key),
            keep=state.keep,
            progress=lambda there, _size: self.progress(before + there, total),
        ) as upload:
            for offset in range(0, big.size, _READ_AT_ONCE):
                upload.write(offset, big.read_at(offset, _READ_AT_ONCE))
            upload.finish()


class _Stored(Model):
    """How far a publication is. An object's key is for one content only."""

    inputs: Sha256
    uploaded: tuple[str, ...] = ()
    upload: UploadState | None = None


class _StateFile:
    """The state of one publication, written anew at every step."""

    def __init__(self, folder: Path, kept: KeptRelease, destination: tuple[str, ...]) -> None:
        self._path = folder / STATE_FILE
        inputs = structure_sha256({"manifest": kept.sha256, "to": list(destination)})
        found = _read(self._path)
        self._stored = (
            found if found is not None and found.inputs == inputs else _Stored(inputs=inputs)
        )

    def has(self, key: str) -> bool:
        """Whether the CDN has this object."""
        return key in self._stored.uploaded

    def upload(self, key: str) -> UploadState | None:
        """How far the upload of this object is, if it was begun."""
        upload = self._stored.upload
        return upload if upload is not None and upload.key == key else None

    def keep(self, upload: UploadState) -> None:
        """Write down how far an upload is."""
        self._write(upload=upload)

    def forget(self, key: str) -> None:
        """The store does not know the upload of this object any more."""
        if self.upload(key) is not None:
            self._write(upload=None)

    def done(self, key: str) -> None:
        """Write down that the CDN has an object."""
        self._write(upload=None, uploaded=(*self._stored.uploaded, key))

    def remove(self) -> None:
        """It is published: the release API knows that from now on."""
        with explained(self._path):
            self._path.unlink(missing_ok=True)

    def _write(self, **changes: object) -> None:
        self._stored = self._stored.model_copy(update=changes)
        text = self._stored.model_dump_json(by_alias=True, exclude_none=True, indent=1)
        with explained(self._path), private_file(self._path) as file:
            file.write(text.encode())


def _read(path: Path) -> _Stored | None:
    try:
        with FileReader.open(path) as file:
            return _Stored.model_validate_json(file.read_at(0, _STATE_MAX_BYTES))
    except (MissingError, ValidationError):
        return None
