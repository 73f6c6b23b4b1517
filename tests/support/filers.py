"""What files batches, on a folder, without a broker: for tests of moments at which it may end."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter

from sealyard.annotations.message import Annotation
from sealyard_router.arrivals import Arrival
from sealyard_router.delivery import Delivery
from sealyard_router.filer import Filer, Filing, Judge
from sealyard_router.index import Index
from sealyard_router.ledger import Ledger, Origin
from sealyard_router.patience import Patience, PatientStore
from sealyard_router.reading import read
from sealyard_router.troubles import Troubles
from sealyard_router.verdict import Standing
from sealyard_router.volume import Volume
from support.filing import RULE

CLASSES = list(RULE.classes)


def believe(annotation: Annotation, _: Delivery) -> Standing:
    """Whatever role is named."""
    return Standing(annotation.role)


@dataclass
class Filers:
    """Routers on one folder; each has read the journal.

    Attributes:
        folder: of the test.
        volume: makes the store of each.
    """

    folder: Path
    volume: Callable[[Path, str], Volume] = Volume
    _made: list[Filer] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """Where they file."""
        return self.folder / "route"

    def start(
        self,
        *,
        route: str = "default/trays",
        stream: str = "trays",
        percent: int = 20,
        classes: list[str] = CLASSES,
        judge: Judge = believe,
    ) -> Filer:
        """Begin another one."""
        failures = Counter("failures", "", ["problem"], registry=CollectorRegistry())
        patience = Patience("StoreUnavailable", Troubles(), threading.Event(), failures)
        self.root.mkdir(exist_ok=True)
        store = PatientStore(self.volume(self.root, "the claim"), patience)
        index = Index(self.folder / f"items-{len(self._made)}.db")
        filer = Filer(
            store,
            patience,
            Ledger(store, index, origin=Origin(route, stream, percent), classes=classes),
            index,
            rule=dataclasses.replace(RULE, classes=tuple(classes)),
            judges=lambda: judge,
        )
        self._made.append(filer)
        filer.start()
        return filer


def begin(filer: Filer, bodies: Sequence[bytes], first: int, last: int) -> Filing:
    """Have it decide on some of the messages as one batch, and begin to write."""
    return filer.begin(
        [
            Arrival(Delivery(offset, 0, bodies[offset]), read(bodies[offset]))
            for offset in range(first, last)
        ]
    )


def file(filer: Filer, bodies: Sequence[bytes], first: int, last: int) -> None:
    """File some of the messages as one batch."""
    filer.file(begin(filer, bodies, first, last))
