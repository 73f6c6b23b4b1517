"""`sealyard device`: make this machine one that may open releases, and keep it so."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
import yaml

from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.cli.options import JsonOption, key_in, read_file
from sealyard.cli.report import one_line, show_document
from sealyard.cli.stores import DEFAULT_REGION
from sealyard.delivery.http import check_url
from sealyard.delivery.secrets import Pair, SecretFiles
from sealyard.device.enrolment import Enrolment, device_document, enrol, rebind
from sealyard.device.hardware import HardwareFacts, fact_digest, read_facts, try_facts
from sealyard.device.level import LEVELS, LevelName
from sealyard.device.machine import DEFAULT_STATE, unlocked
from sealyard.device.platform import this_platform
from sealyard.device.state import CdnAddress, DeviceState, Keystore
from sealyard.errors import IntegrityError, InvalidError, MissingError

device_app = typer.Typer(
    help="Let this machine open releases. Its keys are made here, and only their public halves "
    "leave it.",
    no_args_is_help=True,
)

BOUND_ANEW = tuple(name for name in LEVELS if name != "legacy")
DIGEST_SECRET = "hardware-digests"  # noqa: S105 - its name
_FILE_MAX_BYTES = 1 << 20

StateOption: TypeAlias = Annotated[
    Path, typer.Option("--state", help="The device's state folder.", metavar="DIR")
]
LevelOption: TypeAlias = Annotated[
    str, typer.Option("--level", help=f"How the keys are kept: one of {', '.join(LEVELS)}.")
]
KeystoreOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--keystore-file",
        help="For level keystore: the mounted file with the key. Without it the system's keyring.",
    ),
]


@device_app.command("init")
def init(
    *,
    api: Annotated[str, typer.Option("--api", help="URL of the release API.")],
    models: Annotated[
        str, typer.Option("--models", help="The models to open, with commas in between.")
    ],
    channels: Annotated[
        str, typer.Option("--channels", help="Likewise the channels; none means any.")
    ] = "",
    level: LevelOption = "fingerprint",
    keystore_file: KeystoreOption = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of the Device; the host's name without it.")
    ] = None,
    target: Annotated[str, typer.Option("--target", help="The ReleaseTarget.")] = "stores",
    api_ca: Annotated[
        Path | None, typer.Option("--api-ca", help="CA bundle of the release API.")
    ] = None,
    cdn: Annotated[str | None, typer.Option("--cdn", help="URL of the S3-compatible CDN.")] = None,
    bucket: Annotated[str | None, typer.Option("--bucket", help="The bucket on the CDN.")] = None,
    region: Annotated[str, typer.Option("--region", help="Of the CDN.")] = DEFAULT_REGION,
    cdn_ca: Annotated[Path | None, typer.Option("--cdn-ca", help="CA bundle of the CDN.")] = None,
    cdn_credentials: Annotated[
        Path | None,
        typer.Option(
            "--cdn-credentials",
            help="A folder with the files cdn-read-access-key-id and cdn-read-secret-access-key; "
            "they are sealed into the state, and can be deleted.",
        ),
    ] = None,
    trust_root: Annotated[
        Path | None,
        typer.Option("--trust-root", help="The first root of the index, 1.root.json."),
    ] = None,
    fleet_key_file: Annotated[
        Path | None,
        typer.Option(
            "--fleet-key-file",
            help="For level legacy: the key of aes-256-cbc-v1, 32 bytes, or their hex or base64; "
            "it is sealed into the state, and the file can be deleted.",
        ),
    ] = None,
    digest_secret: Annotated[
        str | None,
        typer.Option(
            "--digest-secret",
            help="For level legacy: the Secret that will hold the hardware's digest.",
            show_default=DIGEST_SECRET,
        ),
    ] = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Make the keys of this machine, and print the Device.

    Applying it, once it was reviewed, is the authorisation. The private keys stay in the state
    folder, sealed by the level.
    """
    kept_by = _level(level)
    told = Enrolment(
        name=name or _host_name(),
        target=target,
        level=kept_by,
        keystore=_keystore(keystore_file),
        models=_names(models),
        channels=_names(channels),
        platform=this_platform(),
        api_url=check_url("release API", api),
        api_ca=_content(api_ca),
        cdn=_cdn(cdn, bucket, region),
        cdn_ca=_content(cdn_ca),
        cdn_pair=_cdn_pair(cdn_credentials),
        trust_root=_content(trust_root),
        fleet_key=None if fleet_key_file is None else key_in(fleet_key_file, "--fleet-key-file"),
        hardware_digest_secret=digest_secret or (DIGEST_SECRET if kept_by == "legacy" else None),
    )
    made = enrol(state, told, read_facts)
    if made.record.fingerprint_commitment is None:
        print(
            "sealyard: not every hardware fact can be read here, so there is no "
            "fingerprintCommitment; see `sealyard device facts`",
            file=sys.stderr,
        )
    if made.record.hardware_digest_secret is not None:
        print(
            f"sealyard: it opens nothing until Secret {made.record.hardware_digest_secret}, key "
            f"{SECRET_USES[Purpose.HARDWARE_DIGESTS].keys[0]}, a JSON object, has an entry "
            f"{made.record.device_id} with what `sealyard device facts --digest` prints here",
            file=sys.stderr,
        )
    _print_document(made)


@device_app.command("show")
def show(
    *,
    state: StateOption = DEFAULT_STATE,
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print the Device once more, as `init` did.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print what the device is, and whether its keys open here.

    Never a key.
    """
    device = DeviceState.load(state)
    if as_yaml:
        _print_document(device)
        return
    document = _public(device)
    try:
        unlocked(device)
        document["opensHere"] = True
    except (IntegrityError, MissingError) as error:
        document["opensHere"] = False
        document["refusal"] = one_line(error)
    show_document(document, as_json=as_json)


@device_app.command("facts")
def facts(
    *,
    values: Annotated[
        bool, typer.Option("--values", help="Show the facts themselves, serials too.")
    ] = False,
    digest: Annotated[
        bool,
        typer.Option(
            "--digest",
            help="Print nothing but their digest, which a Secret holds for a device of level "
            "legacy: keep it as one.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the hardware facts that level fingerprint binds to.

    Without --values each is shown by the beginning of its SHA-256: enough to see which one changed.
    With --values --json they are what `rebind --facts` reads.
    """
    if digest:
        if values or as_json:
            raise InvalidError("--digest: give it without --values and --json")
        print(read_facts().digest().hex())
        return
    found = dict(try_facts())
    if as_json:
        rows = {
            name: _shown(value, values=values)
            for name, value in found.items()
            if isinstance(value, str)
        }
        print(json.dumps(rows, indent=1))
    else:
        for name, value in found.items():
            said = (
                f"missing: {value}"
                if isinstance(value, MissingError)
                else _shown(value, values=values)
            )
            print(f"{name:16} {said}")
    for value in found.values():
        if isinstance(value, MissingError):
            raise value


@device_app.command("rebind")
def rebind_command(
    *,
    state: StateOption = DEFAULT_STATE,
    level: Annotated[
        str | None, typer.Option("--level", help=f"Another one of {', '.join(BOUND_ANEW)}.")
    ] = None,
    keystore_file: KeystoreOption = None,
    facts_file: Annotated[
        Path | None,
        typer.Option(
            "--facts",
            help="The facts that this machine will have once its hardware is changed: what "
            "`device facts --values --json` prints, corrected by hand.",
        ),
    ] = None,
) -> None:
    """Seal the keys anew, while they still open here.

    Prints the Device as it is now, to be applied. The device keeps its keys, its id and its grants.
    With --facts, before the hardware is changed: until the next rebind the keys open with the facts
    of before and of after.
    """
    expected = None if facts_file is None else _facts_in(facts_file)
    changed = rebind(
        DeviceState.load(state),
        read_facts,
        level=None if level is None else _level(level),
        keystore=_keystore(keystore_file),
        expected=expected,
    )
    _print_document(changed)


def _print_document(device: DeviceState) -> None:
    print(yaml.safe_dump(device_document(device.record), sort_keys=False), end="")


def _public(device: DeviceState) -> dict[str, Any]:
    record = device.record
    document: dict[str, Any] = {
        "deviceId": record.device_id,
        "level": record.level,
        "models": record.models,
        "channels": record.channels,
        "api": record.api_url,
    }
    if record.cdn is not None:
        document["cdn"] = f"{record.cdn.endpoint}/{record.cdn.bucket}"
    platform = record.platform.model_dump(by_alias=True, exclude_none=True)
    document["platform"] = ", ".join(f"{key} {value}" for key, value in platform.items())
    return document


def _shown(value: str, *, values: bool) -> str:
    return value if values else fact_digest(value)


def _facts_in(path: Path) -> HardwareFacts:
    document: object = None
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(read_file(path, _FILE_MAX_BYTES))
    if not isinstance(document, dict):
        raise InvalidError(f"--facts: {path} must hold one JSON object, a string for each fact")
    return HardwareFacts.from_wire(document)


def _level(text: str) -> LevelName:
    if text not in LEVELS:
        raise InvalidError(f"--level: {text[:40]!r} must be one of {', '.join(LEVELS)}")
    return text


def _keystore(file: Path | None) -> Keystore | None:
    return None if file is None else Keystore(file=str(file.absolute()))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _content(path: Path | None) -> bytes | None:
    return None if path is None else read_file(path, _FILE_MAX_BYTES)


def _cdn(url: str | None, bucket: str | None, region: str) -> CdnAddress | None:
    if (url is None) != (bucket is None):
        raise InvalidError("give both of --cdn and --bucket, or none")
    if url is None or bucket is None:
        return None
    return CdnAddress(endpoint=check_url("CDN", url), region=region, bucket=bucket)


def _cdn_pair(folder: Path | None) -> Pair | None:
    if folder is None:
        return None
    return SecretFiles(Purpose.CDN_READ, folder, f"folder {folder}").pair()


def _host_name() -> str:
    return re.sub(r"[^a-z0-9.-]", "-", socket.gethostname().lower()).strip("-.") or "device"
