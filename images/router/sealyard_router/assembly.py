"""The parts of a router, as its task and its mounts say."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealyard.annotations.broker import Address
from sealyard.annotations.layout import CHECKPOINTS, FOLDERS, JOURNAL, REJECTED, WITHDRAWN
from sealyard.annotations.message import MAX_LINE_BYTES, Annotation
from sealyard.api.filing import RouteTask
from sealyard.api.secrets import Purpose
from sealyard.api.tasks import RemoteFolder
from sealyard.delivery.object_folder import ObjectFolder
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.workspace import below, make_folder
from sealyard_router.addresses import Pictures
from sealyard_router.delivery import Delivery
from sealyard_router.filer import Filer, Judge
from sealyard_router.identity import Unproven, identity_rule, judge, name_of
from sealyard_router.identity_keys import KeySet, KeySetFile
from sealyard_router.index import Index
from sealyard_router.ledger import Ledger, Origin
from sealyard_router.metrics import Metrics
from sealyard_router.patience import Patience, PatientStore
from sealyard_router.store import Store
from sealyard_router.stream import RabbitmqSource
from sealyard_router.troubles import Troubles
from sealyard_router.verdict import PictureFolder, Rule, Standing
from sealyard_router.volume import Volume

_STALE_SECONDS: Final = 3600.0
"""A file that was begun so long ago is nobody's any more."""
_WRAPPING_BYTES: Final = 64 << 10
"""What AMQP may have around a message: its properties, and where it came from."""
_VOLUME_FOLDERS: Final = (
    *(f"{folder}/{kind}" for folder in FOLDERS for kind in ("images", "labels")),
    f"{WITHDRAWN}images",
    *(folder.rstrip("/") for folder in (JOURNAL, CHECKPOINTS, REJECTED)),
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a router is made of."""

    source: RabbitmqSource
    filer: Filer
    store: PatientStore
    index: Index
    troubles: Troubles
    metrics: Metrics
    stopped: threading.Event


@contextlib.contextmanager
def assembled(task: RouteTask, mounts: Mounts) -> Iterator[Parts]:
    """All parts, closed at the end.

    Raises:
        InvalidError, MissingError: the task or a Secret is not as it must be; one line says what.
    """
    metrics, troubles, stopped = Metrics(), Troubles(), threading.Event()
    with contextlib.ExitStack() as opened:
        patience = Patience("StoreUnavailable", troubles, stopped, metrics.store_errors)
        store = PatientStore(_storage(task, mounts, opened), patience)
        index = opened.enter_context(contextlib.closing(Index(mounts.scratch / "items.db")))
        waiting = Patience("PicturesUnavailable", troubles, stopped, metrics.store_errors)
        filer = Filer(
            store,
            patience,
            Ledger(store, index, origin=_origin(task), classes=task.classes),
            index,
            rule=_rule(task),
            judges=_judges(task, mounts),
            pictures=_pictures(task, mounts, opened, waiting),
        )
        opened.callback(filer.close)
        opened.callback(stopped.set)
        yield Parts(_source(task, mounts), filer, store, index, troubles, metrics, stopped)


def _origin(task: RouteTask) -> Origin:
    owner = task.owner
    return Origin(f"{owner.namespace}/{owner.name}", task.source.stream, task.validation_percent)


def _source(task: RouteTask, mounts: Mounts) -> RabbitmqSource:
    stream = task.source
    login = SecretFiles.mounted(Purpose.QUEUE, mounts.secrets, stream.secret_name)
    bundle = CaBundle.mounted(mounts.ca / Purpose.QUEUE.value, stream.ca_bundle_name)
    address = Address(stream.host, stream.port, stream.virtual_host, bundle)
    most = task.max_picture_bytes + MAX_LINE_BYTES + _WRAPPING_BYTES
    return RabbitmqSource(address, stream.stream, login.pair, most_bytes=most)


def _storage(task: RouteTask, mounts: Mounts, opened: contextlib.ExitStack) -> Store:
    if task.storage is not None:
        folder = _folder("annotation store", Purpose.ANNOTATIONS, task.storage, mounts)
        return opened.enter_context(folder)
    root = below(mounts.annotations, task.storage_path)
    make_folder(root, mounts.annotations)
    volume = Volume(root, "the claim for annotations")
    volume.remove_temporaries(_VOLUME_FOLDERS, time.time() - _STALE_SECONDS)
    return volume


def _pictures(
    task: RouteTask, mounts: Mounts, opened: contextlib.ExitStack, patience: Patience
) -> Pictures | None:
    if task.pictures is None:
        return None
    # An address names all of a key.
    whole = task.pictures.model_copy(update={"prefix": ""})
    folder = _folder("pictures store", Purpose.PICTURES, whole, mounts)
    return Pictures(opened.enter_context(folder), task.pictures.prefix, patience)


def _folder(what: str, purpose: Purpose, remote: RemoteFolder, mounts: Mounts) -> ObjectFolder:
    return ObjectFolder(
        what,
        S3Place(remote.endpoint, remote.region, remote.bucket),
        remote.prefix,
        SecretFiles.mounted(purpose, mounts.secrets, remote.secret_name),
        bundle=CaBundle.mounted(mounts.ca / purpose.value, remote.ca_bundle_name),
    )


def _rule(task: RouteTask) -> Rule:
    pictures = task.pictures
    return Rule(
        classes=tuple(task.classes),
        validated=frozenset(task.roles.validated),
        max_picture_bytes=task.max_picture_bytes,
        pictures=PictureFolder(pictures.bucket, pictures.prefix) if pictures else None,
    )


def _judges(task: RouteTask, mounts: Mounts) -> Callable[[], Judge]:
    keys = _keys(task, mounts.secrets)

    def judges() -> Judge:
        rule = identity_rule(task.identity, keys())

        def standing(annotation: Annotation, delivery: Delivery) -> Standing:
            found = judge(annotation, delivery, rule)
            if isinstance(found, Unproven):
                return Standing(None, found.reason)
            return Standing(found.role, identity=name_of(rule))

        return standing

    return judges


def _keys(task: RouteTask, secrets: Path) -> Callable[[], KeySet | None]:
    if task.key_set_secret_name is None:
        return lambda: None
    mounted = SecretFiles.mounted(Purpose.IDENTITY_KEYS, secrets, task.key_set_secret_name)
    return KeySetFile(mounted).current
