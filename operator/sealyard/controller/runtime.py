"""Puts the parts together on one event loop, and takes them apart again in order."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import signal
import ssl
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import kopf
from aiohttp import web
from kubernetes.aio.client import Configuration as ClientConfiguration

from sealyard.controller.apply import Applier, Foreign
from sealyard.controller.caches import Caches
from sealyard.controller.clients import load_client_configuration, make_client, watch_credentials
from sealyard.controller.configuration import Configuration, ProgressSection
from sealyard.controller.events import EventPoster, instance_name
from sealyard.controller.handlers import make_registry, make_settings
from sealyard.controller.health import make_health_app
from sealyard.controller.job_sets import JobSetLooker
from sealyard.controller.kubernetes_api import KubernetesApi, KubernetesClient
from sealyard.controller.listing import Lister
from sealyard.controller.loop import ControlLoop, Reconcile
from sealyard.controller.namespaces import Namespaces
from sealyard.controller.progress import ProgressEndpoint, server_context
from sealyard.controller.progress_auth import TokenReviewer
from sealyard.controller.progress_writer import ProgressWriter
from sealyard.controller.resources import (
    CHANNELS,
    DEVICES,
    RELEASES,
    ROUTES,
    RUNS,
    TARGETS,
    Key,
)
from sealyard.controller.workqueue import WorkQueue
from sealyard.core.annotation_route import reconcile as reconcile_route
from sealyard.core.device import reconcile as reconcile_device
from sealyard.core.model_release import reconcile as reconcile_release
from sealyard.core.release_channel import reconcile as reconcile_channel
from sealyard.core.release_target import reconcile as reconcile_target
from sealyard.core.training_run import reconcile as reconcile_run
from sealyard.errors import SealyardError, UnavailableError

RECONCILERS: dict[str, Reconcile] = {
    RUNS.kind: reconcile_run,
    RELEASES.kind: reconcile_release,
    TARGETS.kind: reconcile_target,
    CHANNELS.kind: reconcile_channel,
    DEVICES.kind: reconcile_device,
    ROUTES.kind: reconcile_route,
}
FINISH_SECONDS = 20.0
"""How long workers may finish what they do; the pod's grace period is longer."""
TLS_POLL_SECONDS = 30.0

logger = logging.getLogger(__name__)


class Operator:
    """One replica.

    Args:
        configuration: what the platform team set.
        client_configuration: the way to the API server.
        api: the requests to it.
    """

    def __init__(
        self,
        configuration: Configuration,
        client_configuration: ClientConfiguration,
        api: KubernetesApi,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._configuration = configuration
        self._client_configuration = client_configuration
        self._caches = Caches()
        self._queue: WorkQueue[Key] = WorkQueue(loop)
        self._listed = False
        self._stop = asyncio.Event()
        self._stopping = asyncio.create_task(_wait(self._stop), name="stop")
        foreign = Foreign(loop.time)
        applier = Applier(
            api, self._caches, foreign, EventPoster(api, instance_name()), self._concerns
        )
        self._lister = Lister(api, self._caches, configuration.watch_namespaces, self._concerns)
        self._job_sets = JobSetLooker(self._lister, self._caches, self._concerns)
        self._control = ControlLoop(
            queue=self._queue,
            caches=self._caches,
            applier=applier,
            foreign=foreign,
            namespaces=Namespaces(api, loop.time),
            reconcilers=RECONCILERS,
            settings=replace(configuration.settings(), reachable_since=datetime.now(UTC)),
        )
        self._writer = ProgressWriter(
            api, self._caches, loop, lambda: datetime.now(UTC), self._concerns
        )
        self._endpoint = ProgressEndpoint(self._caches, TokenReviewer(api, loop.time), self._writer)

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT.

        Raises:
            UnavailableError: a part that should run for ever ended.
            MissingError: the progress endpoint has no certificate.
        """
        self._catch_signals()
        async with contextlib.AsyncExitStack() as stack:
            health = self._configuration.health
            health_app = make_health_app(self._queue.oldest_age, lambda: self._listed)
            await stack.enter_async_context(_served(health_app, health.host, health.port))
            filling = asyncio.create_task(self._fill(), name="first listing")
            if not await self._until_stopped({filling}, endless=False):
                return
            logger.info("the first listing is complete: %d objects", len(self._caches))
            progress = self._configuration.progress
            if progress is not None:
                tls = server_context(str(progress.certificate_file), str(progress.private_key_file))
                app = self._endpoint.make_app()
                await stack.enter_async_context(_served(app, progress.host, progress.port, tls))
            self._begin()
            await self._work()

    async def _fill(self) -> None:
        await self._lister.fill()
        await self._job_sets.fill()

    async def _work(self) -> None:
        workers = asyncio.create_task(
            self._control.run(self._configuration.workers), name="workers"
        )
        background = {
            asyncio.create_task(self._lister.sweep_forever(), name="sweeper"),
            asyncio.create_task(self._job_sets.look_forever(), name="looker for JobSets"),
            asyncio.create_task(self._writer.run(), name="progress writer"),
        }
        if self._configuration.progress is not None:
            watcher = _stop_on_change(self._configuration.progress, self._stop)
            background.add(asyncio.create_task(watcher, name="certificate watcher"))
        watches_stop = asyncio.Event()
        watches = set()
        try:
            watches.add(await self._start_watches(watches_stop))
            await self._until_stopped({workers, *watches, *background}, endless=True)
        finally:
            self._writer.close()
            self._queue.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(workers), FINISH_SECONDS)
            for task in (workers, *background):
                task.cancel()
            await asyncio.gather(workers, *background, return_exceptions=True)
            watches_stop.set()
            await asyncio.gather(*watches, return_exceptions=True)
            asyncio.get_running_loop().set_exception_handler(_on_a_stopped_loop)
            logger.info("stopped")

    async def _start_watches(self, stop: asyncio.Event) -> asyncio.Task[None]:
        namespaces = self._configuration.watch_namespaces
        credentials = partial(watch_credentials, self._client_configuration)
        # kopf ends every task that began after it; ours are older, or end before it does.
        ours = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            registry=make_registry(self._caches, self._concerns, credentials),
            settings=make_settings(),
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=stop,
            # kopf would make a name of the user's, which a bare uid in a container has none of.
            identity=instance_name(),
        )
        self._catch_signals()  # kopf took them for itself
        return asyncio.create_task(kopf.run_tasks(tasks, ignored=ours), name="watches")

    async def _until_stopped(self, tasks: set[asyncio.Task[None]], *, endless: bool) -> bool:
        """Wait for a signal (False), or for the tasks if they are to end (True)."""
        done, _ = await asyncio.wait({self._stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        if self._stopping in done:
            if not endless:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            return False
        for task in done:
            error = None if task.cancelled() else task.exception()
            if isinstance(error, SealyardError):
                raise error
            if error is not None or endless:
                raise UnavailableError(f"the {task.get_name()} ended: {error!r}") from error
        return True

    def _begin(self) -> None:
        """Queue everything, now that all of it is known.

        Not while it is listed: a key that waits for its turn from then on would let a listing that
        takes long (a role that lacks a right, an API server that is away) pass for a dead worker.
        """
        self._listed = True
        self._concerns(self._caches.keys())

    def _concerns(self, keys: Collection[Key]) -> None:
        if self._listed:
            for key in keys:
                self._queue.add(key)

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for caught in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(caught, self._stop.set)


def _on_a_stopped_loop(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of generators that collide while they are closed.

    kopf leaves its watches open where it ends them. asyncio closes all generators at once then,
    and one that is to close another finds that closing already.
    """
    if "asyncgen" not in context:
        loop.default_exception_handler(context)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


@contextlib.asynccontextmanager
async def _served(
    app: web.Application, host: str, port: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, ssl_context=tls).start()
        except OSError as error:
            raise UnavailableError(f"port {port} on {host} cannot be had: {error}") from error
        yield
    finally:
        await runner.cleanup()


async def _stop_on_change(progress: ProgressSection, stop: asyncio.Event) -> None:
    """End the operator when its certificate changes; it is started again with the new one.

    Trainers are told the CA in their task, so a changed file is more than a new certificate.
    """
    files = (progress.certificate_file, progress.private_key_file, progress.ca_file)
    first = await asyncio.to_thread(_digest, files)
    current = first
    while current == first:
        await asyncio.sleep(TLS_POLL_SECONDS)
        current = await asyncio.to_thread(_digest, files)
    logger.info("the certificate of the progress endpoint changed: starting anew")
    stop.set()
    await asyncio.Event().wait()


def _digest(files: Collection[Path]) -> list[str]:
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


async def run_operator(configuration: Configuration) -> None:
    """Connect to the API server and work until told to stop.

    Raises:
        SealyardError: what `Operator.run` and `load_client_configuration` raise.
    """
    client_configuration = await load_client_configuration()
    async with make_client(client_configuration) as client:
        await Operator(configuration, client_configuration, KubernetesClient(client)).run()
