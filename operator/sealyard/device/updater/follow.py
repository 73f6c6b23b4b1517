"""Follow a channel: look, decide, act, report; for as long as the process lives."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sealyard.api.device_api import MESSAGE_MAX, Report, SeenReport, report_path
from sealyard.delivery.index.client import Index
from sealyard.delivery.index.errors import ExpiredReleaseError, NotListedError
from sealyard.device.pulling import Wanted, bring, listed_digests, open_device, trusted_manifest
from sealyard.device.stores import DeviceStores
from sealyard.device.updater.backoff import pause_seconds
from sealyard.device.updater.decide import (
    Action,
    Choice,
    Event,
    Keep,
    Memory,
    Prove,
    Switch,
    Withdraw,
    decide,
    health_of,
    instead,
    judged,
    switched,
    told,
    withdrawn,
)
from sealyard.device.updater.hook import Hook
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
            SealyardError: as `pulling.pull`. What ran before still does, if it is listed.
        """
        places = Places(self.state, self.wanted.model)
        memory = places.remember()
        places.point(memory)
        memory = self._tell(places, memory)
        index = stores.current_index()
        scene = _Scene(stores, index, listed_digests(index, self.wanted.model), places)
        with self._leaving(scene, memory, None):
            named = self._named(scene)
        memory = self._act(scene, memory, decide(memory, named, scene.listed))
        places.tidy(memory)
        self._report(stores, memory, named)
        return memory

    def _named(self, scene: _Scene) -> Choice | None:
        try:
            trusted = trusted_manifest(scene.stores, self.wanted, scene.index)
        except (NotListedError, ExpiredReleaseError) as error:
            logger.warning("%s", error)
            return None
        version = trusted.manifest.predicate.version
        return Choice(version=version, manifest_sha256=trusted.sha256)

    def _act(self, scene: _Scene, memory: Memory, action: Action) -> Memory:
        match action:
            case Switch(to=to):
                with self._leaving(scene, memory, to):
                    memory = self._switch(scene, memory, to)
                memory = self._judge(scene, memory)
            case Prove():
                memory = self._judge(scene, memory)
            case Withdraw():
                memory = withdrawn(memory)
                scene.places.keep(memory)
                logger.warning("%s: what ran is listed no longer", self.wanted.model)
                memory = self._tell(scene.places, memory)
            case Keep():
                pass
        return memory

    @contextmanager
    def _leaving(self, scene: _Scene, memory: Memory, to: Choice | None) -> Iterator[None]:
        """If the block fails, leave what is listed no longer all the same."""
        try:
            yield
        except SealyardError as error:
            action = instead(memory, to, scene.listed)
            if not isinstance(action, Keep):
                memory = self._act(scene, memory, action)
                scene.places.tidy(memory, to)
            self._report(scene.stores, memory, None, str(error))
            raise

    def _switch(self, scene: _Scene, memory: Memory, to: Choice) -> Memory:
        exact = Wanted(model=self.wanted.model, version=to.version, variant=self.wanted.variant)
        trusted = trusted_manifest(scene.stores, exact, scene.index)
        bring(scene.stores, exact, trusted, scene.index)
        memory = switched(memory, to, self.wanted.variant)
        scene.places.keep(memory)
        logger.info("%s: switched to %s", self.wanted.model, to.version)
        return memory

    def _judge(self, scene: _Scene, memory: Memory) -> Memory:
        tried = memory.current
        healthy = self._ask(Event.SWITCHED, scene.places, memory)
        memory = judged(memory, healthy=healthy, listed=scene.listed)
        scene.places.keep(memory)
        if memory.current != tried:
            back = "nothing" if memory.current is None else memory.current.version
            logger.warning("%s: rolled back to %s", self.wanted.model, back)
        return self._tell(scene.places, memory)

    def _tell(self, places: Places, memory: Memory) -> Memory:
        """Tell the hook what is owed, if anything is."""
        if memory.owed is not None:
            memory = told(memory, heard=self._ask(memory.owed, places, memory))
            places.keep(memory)
        return memory

    def _ask(self, event: Event, places: Places, memory: Memory) -> bool:
        version = None if memory.current is None else memory.current.version
        return self.hook.ask(event, model=self.wanted.model, version=version, folder=places.folder)

    def _report(
        self,
        stores: DeviceStores,
        memory: Memory,
        named: Choice | None,
        message: str | None = None,
    ) -> None:
        """Say what runs, or that nothing does. It is no reason to stop if nobody hears it."""
        current = memory.current
        report = Report(
            model=self.wanted.model,
            version=current.version if current else None,
            manifest_sha256=current.manifest_sha256 if current else None,
            channel=self.wanted.channel,
            health=health_of(memory, named, asked=bool(self.hook.command)),
            message=message and message[:MESSAGE_MAX],
        )
        path = report_path(stores.state.record.device_id)
        try:
            stores.api.session.put(path, "the report", report, SeenReport)
        except SealyardError as error:
            logger.warning("%s", error)

    def _wait(self, failures: int) -> None:
        chance = random.random()  # noqa: S311 - jitter, no secret
        self.sleep(pause_seconds(self.interval_seconds, failures, chance))


@dataclass(frozen=True, slots=True)
class _Scene:
    """What one look acts on.

    Attributes:
        stores: the device's.
        index: as it was seen.
        listed: the digests of the model's releases in it.
        places: the model's folder.
    """

    stores: DeviceStores
    index: Index
    listed: frozenset[str]
    places: Places
