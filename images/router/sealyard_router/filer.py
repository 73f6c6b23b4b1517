"""Files batches: decides, writes what comes before an entry, makes it, deletes what comes after.

For two threads: one decides on the next batch while another files the last. An item is what the
batches so far will make it, filed or not.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, TypeVar

from sealyard.annotations.items import Item
from sealyard.annotations.journal import Record
from sealyard.annotations.layout import FOLDERS, REJECTED, offset_of, rejected_keys
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

T = TypeVar("T")

Judge = Callable[[Annotation, Delivery], Standing]
"""Whether somebody is who he says."""

UPLOADS: Final = 16
"""A small file waits for the store more than for us."""
_DATA_YAML_BYTES: Final = 1 << 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Filing:
    """A batch that was decided on.

    Attributes:
        decisions: one for each message.
        plan: what they cost the store.
        lost: how many offsets before the first message the broker no longer had.
    """

    decisions: Sequence[Decision]
    plan: FilingPlan
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
        self._pool = ThreadPoolExecutor(UPLOADS, thread_name_prefix="upload")
        self._pending: dict[str, Item] = {}
        """What items will be once the batches that were decided on are filed."""
        self._pending_lock = threading.Lock()
        self._strays = Strays(ledger, store.delete)
        self._last_made: frozenset[str] = frozenset()
        self._left: frozenset[str] = frozenset()
        """Made for entries that are others', and not before the journal's end."""

    def start(self) -> None:
        """Read the journal, finish what its last entry left, and describe the folders.

        Raises:
            SealyardError: as `prove_creation`, and `Ledger.load`, `read_on` and `check_classes`.
        """
        prove_creation(self._store)
        self._patience.call(self.ledger.load)
        for _ in self.ledger.read_on():
            pass
        self.ledger.check_classes()
        self.ledger.finish()
        content = data_yaml(self._rule.classes).encode()
        for folder in FOLDERS:
            key = f"{folder}/data.yaml"
            try:
                is_there = self._store.read(key, _DATA_YAML_BYTES) == content
            except NoObjectError:
                is_there = False
            if not is_there:
                self._store.put(key, content)

    def sweep(self) -> None:
        """Delete what routers left that ended between writing files and making an entry.

        What they wrote for messages that are not filed yet is deleted once these are.
        """
        for folder in FOLDERS:
            for kind in ("images", "labels"):
                self._strays.judge(self._store.keys(f"{folder}/{kind}/"))
        first, _ = rejected_keys(self.ledger.known_from)
        self._strays.judge(self._store.keys(REJECTED, first.removesuffix(".json")))

    def decide(self, batch: Sequence[Arrival]) -> Filing:
        """What becomes of some messages, each after the one before.

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
        return Filing(decisions, plan(decisions, self._rule.classes), batch[0].lost)

    def file(self, filing: Filing) -> None:
        """Carry a batch out.

        Raises:
            OvertakenError: another router has filed these messages: `recover`.
            SealyardError: the store fails in a way that waiting does not mend.
        """
        self._last_made = filing.plan.made
        try:
            self._in_threads(filing.plan.copies.items(), self._copy)
        except NoObjectError as error:
            # Whoever is faster deletes what we would copy.
            raise self._gone(error) from error
        self._in_threads(filing.plan.writes.items(), self._put)
        offsets = [decision.record.offset for decision in filing.decisions]
        self.ledger.commit(
            filing.records, filing.plan, begin=offsets[0], end=offsets[-1] + 1, lost=filing.lost
        )
        self._settle(filing.plan.items)
        self.ledger.finish()
        self._strays.settle()
        self._left = self._not_passed(self._left)

    def recover(self) -> None:
        """After being overtaken: read what the other did, and undo what only we wrote.

        Raises:
            SealyardError: as `Ledger.read_on` and `Ledger.check_classes`.
        """
        self._pending.clear()
        made = self._left | self._last_made
        refused: list[Record] = []
        for entry in self.ledger.read_on():
            # The other has, and after that we may have written it once more.
            self.ledger.finish()
            refused += [record for record in entry.records if record.verdict == "rejected"]
        self._strays.judge(made)
        right = as_filed(made, self.index.get, refused, self.ledger.classes)
        self._in_threads(right.items(), self._put)
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
        self._pool.shutdown(cancel_futures=True)

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

    def _put(self, pair: tuple[str, bytes | bytearray]) -> None:
        key, content = pair
        self._store.put(key, content)

    def _copy(self, pair: tuple[str, str]) -> None:
        target, source = pair
        self._store.copy(source, target)

    def _in_threads(self, work: Iterable[T], action: Callable[[T], None]) -> None:
        futures = [self._pool.submit(action, one) for one in work]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)

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
