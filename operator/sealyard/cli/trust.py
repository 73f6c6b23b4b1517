"""`sealyard trust`: the root that devices believe, kept offline, and the keys it names."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer
from tuf.api.metadata import Metadata, Root

from sealyard.api.secrets import Purpose
from sealyard.cli.options import JsonOption
from sealyard.cli.trust_folder import TrustFolder, passphrase_in
from sealyard.cli.trust_manifests import check_name, manifests_of
from sealyard.core.times import format_time
from sealyard.delivery.index.keys import SigningKey, new_key
from sealyard.delivery.index.roots import (
    FRESHNESS_ROLES,
    RELEASE_ROLES,
    RoleName,
    RootKeys,
    new_root,
    next_root,
    short_id,
    sign_root,
)
from sealyard.delivery.kept import explained, private_file
from sealyard.errors import InvalidError

trust_app = typer.Typer(
    help="Make the root that devices believe, and the keys that sign the index; replace them. The "
    "root is kept in a folder that belongs on a machine, or a medium, without a network.",
    no_args_is_help=True,
)

FolderArgument: TypeAlias = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Where the root is kept.")
]
_ROOT_KEYS: Final = typer.Option("--root-keys", min=1, max=32, help="How many root keys to make.")
_THRESHOLD: Final = typer.Option("--threshold", min=1, max=32, help="How many of them must sign.")
_NEW_ROOT_KEYS: Final = typer.Option(
    "--root-keys", min=1, max=32, help="How many root keys to make; as many as before without it."
)
_NEW_THRESHOLD: Final = typer.Option(
    "--threshold", min=1, max=32, help="How many of them must sign; as many as before without it."
)
PassphraseOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="Its one line encrypts the root keys, and opens them."),
]
DaysOption: TypeAlias = Annotated[
    int,
    typer.Option(
        "--root-days", min=1, max=7300, help="The root expires after so many days: renew it before."
    ),
]
NameOption: TypeAlias = Annotated[
    str, typer.Option("--name", help="What the names of the ConfigMap and the Secrets begin with.")
]
OutputOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Where the YAML goes (mode 0600) instead of standard output."
    ),
]
KeyOption: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option("--key", help="A root key's file; those in the folder without it."),
]

_NAME: Final = "trust"
_ROLES: Final[tuple[RoleName, ...]] = ("root", *RELEASE_ROLES, *FRESHNESS_ROLES)
_DAYS: Final = 730


class Which(StrEnum):
    """What `rotate` replaces."""

    ROOT = "root"
    RELEASE = "release-key"
    FRESHNESS = "freshness-key"


_ONLINE: Final[Mapping[Which, tuple[Purpose, tuple[RoleName, ...]]]] = {
    Which.RELEASE: (Purpose.RELEASE_KEY, RELEASE_ROLES),
    Which.FRESHNESS: (Purpose.FRESHNESS_KEY, FRESHNESS_ROLES),
}


@trust_app.command("init")
def init(
    folder: FolderArgument,
    *,
    root_keys: Annotated[int, _ROOT_KEYS] = 1,
    threshold: Annotated[int, _THRESHOLD] = 1,
    passphrase_file: PassphraseOption = None,
    root_days: DaysOption = _DAYS,
    name: NameOption = _NAME,
    output: OutputOption = None,
) -> None:
    """Make a first root, and print its ConfigMap and the Secrets of both online keys.

    The folder must be new or empty. The online keys are printed and kept nowhere else.
    """
    check_name(name)
    _check_threshold(threshold, root_keys)
    kept = TrustFolder(folder, passphrase_in(passphrase_file))
    kept.create()
    pems = {purpose: new_key() for purpose, _ in _ONLINE.values()}
    release, freshness = (
        SigningKey.parse(pems[purpose], purpose).public for purpose, _ in _ONLINE.values()
    )
    keys = kept.new_root_keys(root_keys)
    wanted = RootKeys(tuple(key.public for key in keys), threshold)
    root = new_root(wanted, release, freshness, expires=_expiry(root_days))
    sign_root(root, keys, None)
    kept.keep_root(root, None)
    _print(manifests_of(name, kept.chain(), pems), output)


@trust_app.command("rotate")
def rotate(
    which: Annotated[Which, typer.Argument(metavar="WHAT", help="What is replaced.")],
    folder: FolderArgument,
    *,
    leaked: Annotated[
        bool, typer.Option("--leaked", help="An online key counts no more from this root on.")
    ] = False,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="Only drop the former online keys, after both have counted."),
    ] = False,
    renew: Annotated[
        bool, typer.Option("--renew", help="Keep the root keys; the new root expires later.")
    ] = False,
    root_keys: Annotated[int | None, _NEW_ROOT_KEYS] = None,
    threshold: Annotated[int | None, _NEW_THRESHOLD] = None,
    key: KeyOption = None,
    passphrase_file: PassphraseOption = None,
    root_days: DaysOption = _DAYS,
    name: NameOption = _NAME,
    output: OutputOption = None,
) -> None:
    """Write the next root, and print the ConfigMap of the whole chain and the Secret of a new key.

    It is signed by keys of the former root and of its own. Where too few are at hand it is kept as
    a draft, which `sign` completes.
    """
    check_name(name)
    _refuse_together(which, leaked=leaked, finish=finish, renew=renew)
    kept = TrustFolder(folder, passphrase_in(passphrase_file))
    former = kept.newest()
    kept.refuse_draft()
    signing = kept.root_keys(key or [])
    pems: dict[Purpose, bytes] = {}
    changes: dict[tuple[RoleName, ...], RootKeys] = {}
    if which is not Which.ROOT:
        purpose, roles = _ONLINE[which]
        if not finish:
            pems[purpose] = new_key()
        changes[roles] = _online_keys(former.signed, roles[0], pems.get(purpose), leaked=leaked)
    elif not renew:
        role = former.signed.roles["root"]
        root_keys, threshold = root_keys or len(role.keyids), threshold or role.threshold
        _check_threshold(threshold, root_keys)
        made = kept.new_root_keys(root_keys)
        signing += made
        changes["root",] = RootKeys(tuple(one.public for one in made), threshold)
    root = next_root(former, changes, expires=_expiry(root_days))
    sign_root(root, signing, former)
    _finish(kept, root, former, name=name, pems=pems, output=output)


@trust_app.command("sign")
def sign(
    folder: FolderArgument,
    *,
    key: KeyOption = None,
    passphrase_file: PassphraseOption = None,
    name: NameOption = _NAME,
    output: OutputOption = None,
) -> None:
    """Add signatures to the draft of a root; print the ConfigMap once there are enough."""
    check_name(name)
    kept = TrustFolder(folder, passphrase_in(passphrase_file))
    former, draft = kept.newest(), kept.draft()
    sign_root(draft, kept.root_keys(key or []), former)
    _finish(kept, draft, former, name=name, pems={}, output=output)


@trust_app.command("show")
def show(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Print the roles of the newest root: their keys, how many must sign, and when it expires."""
    root = TrustFolder(folder, None).newest().signed
    if as_json:
        print(json.dumps(_document(root), indent=1))
        return
    print(f"root {root.version}, expires {format_time(root.expires)}")
    print("ROLE       THRESHOLD  KEYS")
    for name in _ROLES:
        role = root.roles[name]
        print(f"{name:9}  {role.threshold:<9}  {', '.join(map(short_id, role.keyids))}")


def _document(root: Root) -> dict[str, Any]:
    return {
        "version": root.version,
        "expires": format_time(root.expires),
        "roles": [
            {"role": name, "threshold": root.roles[name].threshold, "keys": root.roles[name].keyids}
            for name in _ROLES
        ],
    }


def _check_threshold(threshold: int, root_keys: int) -> None:
    if threshold > root_keys:
        raise InvalidError(f"--threshold: {threshold} must be at most --root-keys, {root_keys}")


def _refuse_together(which: Which, *, leaked: bool, finish: bool, renew: bool) -> None:
    if which is Which.ROOT and (leaked or finish):
        raise InvalidError("--leaked and --finish are for online keys; a new root replaces all")
    if which is not Which.ROOT and renew:
        raise InvalidError("--renew: is for the root; every rotation renews it")
    if leaked and finish:
        raise InvalidError("--finish: a key that leaked counts no more already; give one of both")


def _online_keys(root: Root, role: RoleName, pem: bytes | None, *, leaked: bool) -> RootKeys:
    """The keys of an online role from the next root on: the former ones, and a new one if any."""
    former = [root.keys[keyid] for keyid in root.roles[role].keyids]
    if pem is None:
        return RootKeys((former[-1],))
    added = SigningKey.parse(pem, "the new key").public
    return RootKeys((added,) if leaked else (*former, added))


def _finish(
    kept: TrustFolder,
    root: Metadata[Root],
    former: Metadata[Root],
    *,
    name: str,
    pems: Mapping[Purpose, bytes],
    output: Path | None,
) -> None:
    """Keep a root, and print what there is to apply."""
    lacking = kept.keep_root(root, former)
    _print(manifests_of(name, {} if lacking else kept.chain(), pems), output)
    version = root.signed.version
    if lacking:
        said = f"root {version} is a draft, it lacks {lacking}: `sealyard trust sign` adds them"
    else:
        said = f"root {version} is complete and expires {format_time(root.signed.expires)}"
    print(f"sealyard: {said}", file=sys.stderr)


def _print(manifests: str, output: Path | None) -> None:
    if output is None:
        print(manifests, end="")
        return
    with explained(output), private_file(output) as file:
        file.write(manifests.encode())


def _expiry(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)
