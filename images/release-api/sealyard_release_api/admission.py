"""What runs before anything else of a route: it opens the audit line and lets in, or does not."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request

from sealyard.api.release_api import Reason
from sealyard_release_api.context import Context
from sealyard_release_api.devices import rows as devices
from sealyard_release_api.devices.entries import check_device_id
from sealyard_release_api.directory import Directory
from sealyard_release_api.frame import audit_fields
from sealyard_release_api.mounted import Mounted
from sealyard_release_api.releases import Release, check_model, check_variant
from sealyard_release_api.roles import (
    INDEX_READS,
    OF_ALL_MODELS,
    WITHOUT_TOKEN,
    Action,
    Principal,
    Role,
)
from sealyard_release_api.tokens import Claims, TokenError
from sealyard_release_api.wire import Refusal

_ANONYMOUS = Refusal(Reason.TOKEN_REFUSED, "Authorization: must be 'Bearer' and a token of a login")


class Admission:
    """Knows who asks, and whether they may.

    Args:
        context: what the routes share.
        mounted: the keys of tokens.
        directory: the accounts.
    """

    def __init__(self, context: Context, mounted: Mounted, directory: Directory) -> None:
        self._context = context
        self._mounted = mounted
        self._directory = directory

    def to(self, action: Action) -> Callable[[Request], Awaitable[None]]:
        """What admits to an action.

        The order is who, role, names, model: a stranger learns nothing about names.
        """

        async def admit(request: Request) -> None:
            fields = audit_fields(request.scope)
            fields["event"] = action.value
            if action in WITHOUT_TOKEN:
                _check_names(request)
                return
            authorization = request.headers.get("authorization")
            principal = await self._context.in_thread(lambda: self.authenticate(authorization))
            fields.update(who=principal.name, role=principal.role.value)
            request.state.principal = principal
            if not principal.may(action):
                raise Refusal(Reason.FORBIDDEN, f"the role {principal.role} may not {action.value}")
            if action in OF_ALL_MODELS and not principal.covers_all:
                raise Refusal(
                    Reason.FORBIDDEN, f"{action.value} needs an account whose models are '*', all"
                )
            model = _check_names(request)
            if model is not None and action not in INDEX_READS and not principal.covers(model):
                raise Refusal(
                    Reason.FORBIDDEN, f"model {model!r} is not among those of the account"
                )

        return admit

    def authenticate(self, authorization: str | None) -> Principal:
        """The account or device of a bearer token, as it is now. Blocks: it asks the database.

        Raises:
            Refusal: `TokenRefused`.
            SQLAlchemyError: the database does not answer.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _ANONYMOUS
        now = self._context.clock()
        try:
            claims = self._mounted.credentials.keys.verify(token.strip(), now=now)
        except TokenError as error:
            raise Refusal(Reason.TOKEN_REFUSED, f"{error}; log in again") from None
        if Role(claims.role) is Role.DEVICE:
            return self._device(claims, now)
        account = self._directory.find(claims.sub)
        if (
            account is None
            or account.state.disabled
            or not hmac.compare_digest(account.generation, claims.generation)
        ):
            raise Refusal(Reason.TOKEN_REFUSED, "the account has changed; log in again")
        return account.user.principal

    def _device(self, claims: Claims, now: float) -> Principal:
        with self._context.store.reading() as transaction:
            device = devices.find(transaction, claims.sub)
        if device is None or not hmac.compare_digest(device.generation, claims.generation):
            raise Refusal(Reason.TOKEN_REFUSED, "the device has changed; log in again")
        obstacle = device.obstacle(now)
        if obstacle is not None:
            raise Refusal(Reason.TOKEN_REFUSED, obstacle)
        return device.principal


def _check_names(request: Request) -> str | None:
    """Check all names in the path, put them into the audit line; the model, if there is one."""
    names = request.path_params
    fields = audit_fields(request.scope)
    if "device" in names:
        fields["device"] = check_device_id(names["device"])
    if "model" not in names:
        return None
    if "version" in names:
        request.state.release = Release.of(names["model"], names["version"])
    model = check_model(names["model"])
    variant = names.get("variant")
    if variant is not None:
        check_variant(variant)
    fields.update(model=model, version=names.get("version"), variant=variant)
    return model
