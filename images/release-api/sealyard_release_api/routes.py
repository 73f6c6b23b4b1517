"""All routes, put together over what they need."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse

from sealyard.api.release_api import Reason
from sealyard_release_api.admission import Admission
from sealyard_release_api.config import Settings
from sealyard_release_api.context import Clock, Context
from sealyard_release_api.contract import HEALTH_PATH, READY_PATH
from sealyard_release_api.devices.logins import DeviceLogins
from sealyard_release_api.devices.routes import DeviceRoutes
from sealyard_release_api.directory import Directory
from sealyard_release_api.grants.routes import GrantRoutes
from sealyard_release_api.logins import Logins
from sealyard_release_api.mounted import Mounted
from sealyard_release_api.release_routes import ReleaseRoutes
from sealyard_release_api.store import Store
from sealyard_release_api.tuf.routes import TufRoutes
from sealyard_release_api.user_routes import UserRoutes
from sealyard_release_api.wire import Refusal


class Api:
    """The routes, over what they need.

    Args:
        settings: how the server runs.
        mounted: users, keys and certificate.
        store: the database.
        origins: of this API as devices reach it.
        clock: Unix seconds.
        monotonic: seconds that never go back.

    Attributes:
        admission: what runs before a route.
        endpoints: which route answers what.
    """

    def __init__(
        self,
        settings: Settings,
        mounted: Mounted,
        store: Store,
        *,
        origins: Sequence[str],
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._context = Context(settings, store, clock)
        directory = Directory(lambda: mounted.credentials.accounts.users, store)
        self._logins = Logins(settings, mounted, directory, clock=clock, monotonic=monotonic)
        device_logins = DeviceLogins(self._context, mounted, origins, monotonic=monotonic)
        self.admission = Admission(self._context, mounted, directory)
        self.endpoints: Mapping[str, Callable[..., Any]] = {
            **UserRoutes(self._context, directory, self._logins).endpoints,
            **ReleaseRoutes(self._context).endpoints,
            **DeviceRoutes(self._context, device_logins).endpoints,
            **GrantRoutes(self._context).endpoints,
            **TufRoutes(self._context).endpoints,
            HEALTH_PATH: self.healthz,
            READY_PATH: self.readyz,
        }

    def close(self) -> None:
        """Let go of the threads that hash passwords."""
        self._logins.close()

    async def healthz(self) -> Response:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self) -> Response:
        """The process can serve: its database answers."""
        if not await self._context.in_thread(self._context.store.check):
            raise Refusal(Reason.UNAVAILABLE, "the database does not answer", {"Retry-After": "5"})
        return JSONResponse({"status": "ok"})
