"""Follow a channel: look, decide, act, report; for as long as the process lives."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sealyard.api.device_api import Report, SeenReport, report_path
from sealyard.delivery.index.client import Index
from sealyard.delivery.index.errors import ExpiredReleaseError, NotListedError
from sealyard.delivery.trust import TrustedManifest
from sealyard.device.pulling import Wanted, bring, listed_digests, open_device, trusted_manifest
from sealyard.device.stores import DeviceStores
from sealyard.device.updater.backoff import pause_seconds
from sealyard.device.updater.decide import (
    Choice,
    Keep,
    Memory,
    Prove,
    Switch,
    Withdraw,
    decide,
    health_of,
    judged,
    switched,
    withdrawn,
)
from sealyard.device.updater.hook import Event, Hook
from sealyard.device.updater.places import Places
from sealyard.errors import SealyardError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Updater:
    """Keeps one model of a device what its channel says.

    Attributes:
        state: the device's state folder.
        wanted: model and channel; may name a variant.
        hook: judges a release.
        interval_seconds: between two looks.
        sleep: what waits.
    """

    state: Path
    wanted: Wanted
    hook: Hook
    interval_seconds: float
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> None:
        """Look again and again. A failure is said, and tried again later.

        Raises:
            InvalidError, MissingError, IntegrityError: this folder has no device of this machine.
        """
        failures = 0
        with open_device(self.state):
            pass  # what no waiting mends is said at once
        while True:
            try:
                # A new session after a failure: a device that was refused may be authorised by now.
                with open_device(self.state) as stores:
                    while True:
                        self.look(stores)
                        failures = 0
                        self._wait(failures)
            except SealyardError as error:
                failures += 1
                logger.warning("%s", error)
            self._wait(failures)

    def look(self, stores: DeviceStores) -> Memory:
        """Once: see what the channel names, do what follows, and report it.

        Raises:
            SealyardError: as `pulling.pull`. What ran before still does.
        """
        places = Places(self.state, self.wanted.model)
        memory = places.remember()
        places.point(memory)
        index = stores.current_index()
        listed = listed_digests(index, self.wanted.model)
        trusted = self._named(stores, index)
        named = None if trusted is None else _choice(trusted)
        match decide(memory, named, listed):
            case Switch(to=to):
                memory = self._switch(stores, index, places, memory, to)
                memory = self._judge(places, memory, listed)
            case Prove():
                memory = self._judge(places, memory, listed)
            case Withdraw():
                memory = withdrawn(memory)
                places.keep(memory)
                logger.warning("%s: what ran is listed no longer", self.wanted.model)
                self._ask(Event.WITHDRAWN, places, memory)
            case Keep():
                pass
        places.tidy(memory)
        self._report(stores, memory, named)
        return memory

    def _named(self, stores: DeviceStores, index: Index) -> TrustedManifest | None:
        try:
            return trusted_manifest(stores, self.wanted, index)
        except (NotListedError, ExpiredReleaseError) as error:
            logger.warning("%s", error)
            return None

    def _switch(
        self, stores: DeviceStores, index: Index, places: Places, memory: Memory, to: Choice
    ) -> Memory:
        exact = Wanted(model=self.wanted.model, version=to.version, variant=self.wanted.variant)
        bring(stores, exact, trusted_manifest(stores, exact, index), index)
        memory = switched(memory, to, self.wanted.variant)
        places.keep(memory)
        logger.info("%s: switched to %s", self.wanted.model, to.version)
        return memory

    def _judge(self, places: Places, memory: Memory, listed: frozenset[str]) -> Memory:
        tried = memory.current
        memory = judged(memory, healthy=self._ask(Event.SWITCHED, places, memory), listed=listed)
        places.keep(memory)
        if memory.current != tried:
            back = "nothing" if memory.current is None else memory.current.version
            logger.warning("%s: rolled back to %s", self.wanted.model, back)
            self._ask(Event.ROLLED_BACK, places, memory)
        return memory

    def _ask(self, event: Event, places: Places, memory: Memory) -> bool:
        version = None if memory.current is None else memory.current.version
        return self.hook.ask(event, model=self.wanted.model, version=version, folder=places.folder)

    def _report(self, stores: DeviceStores, memory: Memory, named: Choice | None) -> None:
        """Say what runs. It is no reason to stop if nobody hears it."""
        if memory.current is None:
            return
        report = Report(
            model=self.wanted.model,
            version=memory.current.version,
            manifest_sha256=memory.current.manifest_sha256,
            channel=self.wanted.channel,
            health=health_of(memory, named, asked=bool(self.hook.command)),
        )
        path = report_path(stores.state.record.device_id)
        try:
            stores.api.session.put(path, "the report", report, SeenReport)
        except SealyardError as error:
            logger.warning("%s", error)

    def _wait(self, failures: int) -> None:
        chance = random.random()  # noqa: S311 - jitter, no secret
        self.sleep(pause_seconds(self.interval_seconds, failures, chance))


def _choice(trusted: TrustedManifest) -> Choice:
    version = trusted.manifest.predicate.version
    return Choice(version=version, manifest_sha256=trusted.sha256)
