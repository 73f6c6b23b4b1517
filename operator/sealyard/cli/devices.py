"""`sealyard devices`: which devices there are, and what each says that it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from sealyard.api.device_api import SeenDevice
from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.cli.options import JsonOption
from sealyard.cli.stores import ApiCaOption, ApiOption
from sealyard.delivery.device_registry import DeviceRegistry
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle

_LOGINS = (Purpose.API_VERIFIER, Purpose.API_PUBLISHER)
_COLUMNS = ("DEVICE", "STATE", "MODEL", "VERSION", "CHANNEL", "HEALTH", "REPORTED")


def devices(
    *,
    api: ApiOption,
    secrets_dir: Annotated[
        Path,
        typer.Option(
            "--secrets-dir",
            help="A folder with a login: the files api-verifier-email and api-verifier-password, "
            "or those of api-publisher.",
        ),
    ],
    api_ca: ApiCaOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the devices, and what each says that it runs."""
    bundle = None if api_ca is None else CaBundle(api_ca, f"CA bundle {api_ca}")
    source = f"folder {secrets_dir}"
    login = SecretFiles(_login_in(secrets_dir), secrets_dir, source)
    with ReleaseApi(api, login, bundle=bundle) as release_api:
        found = list(DeviceRegistry(release_api.session).devices())
    if as_json:
        print(json.dumps({"devices": [device.to_wire() for device in found]}, indent=1))
        return
    rows = [_COLUMNS, *(row for device in found for row in _rows(device))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _login_in(folder: Path) -> Purpose:
    """The login that is there; the first of both, whose absence is said, where none is."""
    found = (purpose for purpose in _LOGINS if (folder / SECRET_USES[purpose].keys[0]).exists())
    return next(found, _LOGINS[0])


def _rows(device: SeenDevice) -> list[tuple[str, ...]]:
    state = "suspended" if device.suspended else "-"
    if not device.reports:
        return [(device.device_id, state, "-", "-", "-", "-", "-")]
    return [
        (
            device.device_id,
            state,
            report.model,
            report.version or "-",
            report.channel or "-",
            report.health.value,
            report.reported_at,
        )
        for report in device.reports
    ]
