"""Files batches: decides, writes what comes before an entry, makes it, deletes what comes after.

For two threads: one begins the next batch while another files the last. An item is what the
batches so far will make it, filed or not.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sealyard.annotations.items import Item
from sealyard.annotations.journal import Record
from sealyard.annotations.layout import FOLDERS, REJECTED, Folder, offset_of, rejected_keys
from sealyard.annotations.message import Annotation
from sealyard.delivery.s3_requests import NoObjectError
from sealyard.errors import IntegrityError, SealyardError
from sealyard_router.addresses import Pictures
from sealyard_router.arrivals import Arrival
from sealyard_router.creation import prove_creation
from sealyard_router.data_yaml import data_yaml
from sealyard_router.delivery import Delivery
from sealyard_router.index import Index
from sealyard_router.ledger import Ledger, OvertakenError
from sealyard_router.patience import Patience, PatientStore
from sealyard_router.plan import FilingPlan, as_filed, plan
from sealyard_router.reading import Unreadable
from sealyard_router.strays import Strays
from sealyard_router.uploads import Upload, Uploads
from sealyard_router.verdict import (
    Case,
    Decision,
    Fetched,
    Rule,
    Standing,
    Wanted,
    decide,
    unreadable,
)

Judge = Callable[[Annotation, Delivery], Standing]
"""Whether somebody is who he says."""

_DATA_YAML_BYTES: Final = 1 << 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Filing:
    """A batch that was decided on, and whose files are being written.

    Attributes:
        decisions: one for each message.
        plan: what they cost the store.
        upload: of the files that came with its messages.
        lost: how many offsets before the first message the broker no longer had.
    """

    decisions: Sequence[Decision]
    plan: FilingPlan
    upload: Upload
    lost: int

    @property
    def records(self) -> list[Record]:
        """Its lines in the journal."""
        return [decision.record for decision in self.decisions]


class Filer:
    """What files the batches of one route, in order.

    Args:
        store: where to.
        patience: with which `store` is asked.
        ledger: the journal in it.
        index: the items in that.
        rule: what the route says.
        judges: gives the judge of a batch, with the keys as they are then.
        pictures: None where messages may name no address.
    """

    def __init__(
        self,
        store: PatientStore,
        patience: Patience,
        ledger: Ledger,
        index: Index,
        *,
        rule: Rule,
        judges: Callable[[], Judge],
        pictures: Pictures | None = None,
    ) -> None:
        self.ledger = ledger
        self._store = store
        self._patience = patience
        self.index = index
        self._rule = rule
        self._judges = judges
        self._pictures = pictures
        self._uploads = Uploads("upload")
        # Of a batch that must not wait behind the next one's uploads.
        self._copies = Uploads("copy")
        self._descriptions = self._uploads.begin((), self._describe)
        """Each folder's `data.yaml`, which is there before anything is filed."""
        self._begun: deque[Filing] = deque()
        """Whose entries are to come, in order."""
        self._pending: dict[str, Item] = {}
        """What items will be once the batches that were decided on are filed."""
        self._pending_lock = threading.Lock()
        self._strays = Strays(ledger, store.delete)
        self._left: frozenset[str] = frozenset()
        """Made for entries that are others', and not before the journal's end."""

    def start(self) -> None:
        """Read the journal, finish what its last entry left, and begin to describe the folders.

        Raises:
            SealyardError: as `prove_creation`, and `Ledger.load`, `read_on` and `check_classes`.
        """
        prove_creation(self._store)
        self._patience.call(self.ledger.load)
        for _ in self.ledger.read_on():
            pass
        self.ledger.check_classes()
        self.ledger.finish()
        # A new store takes its time for the first file, and the broker for the first message.
        self._descriptions = self._uploads.begin(FOLDERS, self._describe)

    def sweep(self) -> None:
        """Delete what routers left that ended between writing files and making an entry.

        What they wrote for messages that are not filed yet is deleted once these are.

        Raises:
            SealyardError: the store fails in a way that waiting does not mend.
        """
        self._descriptions.finish()
        for folder in FOLDERS:
            for kind in ("images", "labels"):
                self._strays.judge(self._store.keys(f"{folder}/{kind}/"))
        first, _ = rejected_keys(self.ledger.known_from)
        self._strays.judge(self._store.keys(REJECTED, first.removesuffix(".json")))

    def begin(self, batch: Sequence[Arrival]) -> Filing:
        """Decide what becomes of some messages, each after the one before, and begin to write.

        Only what came is written, under the offset that it came with, so no entry before that of
        this batch has a file of such a name, or deletes one. What is copied waits: it may lie
        where the batch before is about to write it.

        Raises:
            SealyardError: a picture cannot be fetched, in a way that waiting does not mend, or
                there are no keys to judge by.
        """
        decisions = []
        judge = self._judges()
        for arrival in batch:
            decision = self._decision(arrival, judge)
            decisions.append(decision)
            if decision.after is not None and decision.after is not decision.before:
                with self._pending_lock:
                    self._pending[decision.after.id] = decision.after
        planned = plan(decisions, self._rule.classes)
        upload = self._uploads.begin(planned.writes.items(), self._put)
        filing = Filing(decisions, planned, upload, batch[0].lost)
        self._begun.append(filing)
        return filing

    def file(self, filing: Filing) -> None:
        """Make the entry of the batch that was begun first, once its files are there.

        Raises:
            OvertakenError: another router has filed these messages: `recover`.
            SealyardError: the store fails in a way that waiting does not mend.
        """
        self._descriptions.finish()
        filing.upload.finish()
        try:
            self._copies.begin(filing.plan.copies.items(), self._copy).finish()
        except NoObjectError as error:
            # Whoever is faster deletes what we would copy.
            raise self._gone(error) from error
        offsets = [decision.record.offset for decision in filing.decisions]
        self.ledger.commit(
            filing.records, filing.plan, begin=offsets[0], end=offsets[-1] + 1, lost=filing.lost
        )
        self._begun.popleft()
        self._settle(filing.plan.items)
        self.ledger.finish()
        self._strays.settle()
        self._left = self._not_passed(self._left)

    def recover(self) -> None:
        """After being overtaken: read what the other did, and undo what only we wrote.

        Raises:
            SealyardError: as `Ledger.read_on` and `Ledger.check_classes`.
        """
        for filing in self._begun:
            filing.upload.give_up()
        made = self._left.union(*(filing.plan.made for filing in self._begun))
        self._begun.clear()
        self._pending.clear()
        refused: list[Record] = []
        for entry in self.ledger.read_on():
            # The other has, and after that we may have written it once more.
            self.ledger.finish()
            refused += [record for record in entry.records if record.verdict == "rejected"]
        self._strays.judge(made)
        right = as_filed(made, self.index.get, refused, self.ledger.classes)
        self._uploads.begin(right.items(), self._put).finish()
        self._left = self._not_passed(made)
        self.ledger.check_classes()

    def checkpoint(self) -> Callable[[], None] | None:
        """What writes a checkpoint of the items as they are now, if one is due."""
        due = self.ledger.checkpoint()
        if due is None:
            return None

        def write() -> None:
            try:
                due.write(self._store)
            except SealyardError as error:
                # It only spares reading; what is wrong with the store, filing meets as well.
                logger.info("no checkpoint this time: %s", error)

        return write

    def close(self) -> None:
        """Wait for requests that are on their way."""
        self._uploads.close()
        self._copies.close()

    def _decision(self, arrival: Arrival, judge: Judge) -> Decision:
        message, delivery = arrival.reading, arrival.delivery
        if isinstance(message, Unreadable):
            return unreadable(delivery, message)
        name = message.annotation.id
        item = self._pending.get(name) or self.index.get(name)
        standing = judge(message.annotation, delivery)
        case = Case(delivery, message, standing, item, self._rule)
        decided = decide(case)
        return decided(self._fetch(decided)) if isinstance(decided, Wanted) else decided

    def _fetch(self, wanted: Wanted) -> Fetched:
        if self._pictures is None:
            return Fetched(None, "the route names no store for pictures")
        return self._pictures.fetch(wanted)

    def _describe(self, folder: Folder) -> None:
        key, content = f"{folder}/data.yaml", data_yaml(self._rule.classes).encode()
        try:
            is_there = self._store.read(key, _DATA_YAML_BYTES) == content
        except NoObjectError:
            is_there = False
        if not is_there:
            self._store.put(key, content)

    def _put(self, pair: tuple[str, bytes | bytearray]) -> None:
        key, content = pair
        self._store.put(key, content)

    def _copy(self, pair: tuple[str, str]) -> None:
        target, source = pair
        self._store.copy(source, target)

    def _settle(self, items: Mapping[str, Item]) -> None:
        """What these items are is in the index now."""
        with self._pending_lock:
            for name, item in items.items():
                if self._pending.get(name) is item:
                    del self._pending[name]

    def _not_passed(self, keys: frozenset[str]) -> frozenset[str]:
        """Those of some files that the journal's end has not passed."""
        end = self.ledger.end
        return frozenset(key for key in keys if (offset_of(key) or 0) >= end)

    def _gone(self, error: NoObjectError) -> Exception:
        if self.ledger.is_behind():
            return OvertakenError()
        return IntegrityError(
            f"{error}, which the journal has and only its router deletes; bring it back, from "
            "withdrawn/ or a backup"
        )
