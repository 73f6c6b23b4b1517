"""`sealyard keyring`: the keys that seal."""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from sealyard.cli.keyring_document import STANDARD_INPUT, KeyringDocument
from sealyard.cli.options import JsonOption, key_in
from sealyard.errors import InvalidError
from sealyard.sealing.keyring import Key, Keyring, Use

keyring_app = typer.Typer(
    help="Make the keys that seal, and replace them. The commands that change a keyring read a "
    "Secret (or keyring.json itself) and print it changed; what was read stays as it is.",
    no_args_is_help=True,
)

FromOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--from",
        help="The Secret in JSON or YAML, or keyring.json itself; - is standard input.",
        metavar="FILE",
    ),
]
NameArgument: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="The key's name.")]

_MANIFEST = """\
apiVersion: v1
kind: Secret
metadata:
  name: {name}
type: Opaque
data:
  keyring.json: {content}
"""


@keyring_app.command("new")
def new(
    name: Annotated[str, typer.Option("--name", help="Of the Secret.")] = "keyring",
    key: Annotated[str, typer.Option("--key", help="Name of the sealed-v2 key.")] = "k1",
    fleet_key: Annotated[
        str | None,
        typer.Option("--fleet-key", help="Make a key for aes-256-cbc-v1 too, of this name."),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print keyring.json itself and not a Secret.")
    ] = False,
) -> None:
    """Print a Secret with a new keyring. Keep it where your other Secrets are kept.

    Pipe it into `kubectl apply -f -` or the tool that encrypts your Secrets. There is no second
    copy: without it, what it sealed opens no more.
    """
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", name):
        raise InvalidError(f"--name: {name!r} must be of a-z, 0-9, '-' and '.'")
    content = Keyring.new(v1=fleet_key, v2=key).to_json()
    if raw:
        sys.stdout.buffer.write(content)
        return
    print(_MANIFEST.format(name=name, content=base64.b64encode(content).decode()), end="")


@keyring_app.command("add")
def add(
    name: NameArgument,
    use: Annotated[
        Use, typer.Option("--use", help="v2 for sealed-v2, v1 for a fleet key (aes-256-cbc-v1).")
    ] = "v2",
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            help="An existing fleet key instead of a new one: 32 bytes, or their hex or base64.",
        ),
    ] = None,
    activate: Annotated[
        bool, typer.Option("--activate", help="Seal with it from now on, as `activate` does.")
    ] = False,
    source: FromOption = STANDARD_INPUT,
) -> None:
    """Print the keyring with one more key, which seals nothing until it is activated."""
    if key_file is not None and use != "v1":
        # Such a key lies on every legacy device; a v2 key lies nowhere but in the keyring.
        raise InvalidError("--key-file: only a fleet key may exist before; give --use v1 with it")
    document = KeyringDocument.read(source)
    material = None if key_file is None else key_in(key_file, "--key-file")
    changed = document.keyring.add(name, use, material=material)
    _print(document, changed.activate(name) if activate else changed)


@keyring_app.command("activate")
def activate(name: NameArgument, source: FromOption = STANDARD_INPUT) -> None:
    """Print the keyring with this key as the one that seals from now on.

    What another key sealed stays open to the keyring for as long as that key is in it.
    """
    document = KeyringDocument.read(source)
    _print(document, document.keyring.activate(name))


@keyring_app.command("retire")
def retire(name: NameArgument, source: FromOption = STANDARD_INPUT) -> None:
    """Print the keyring without this key. What only this key opens can be opened no more.

    So let every release have a slot of the active key before (docs/rotate-keys.md).
    """
    document = KeyringDocument.read(source)
    _print(document, document.keyring.retire(name))


@keyring_app.command("show")
def show(source: FromOption = STANDARD_INPUT, as_json: JsonOption = False) -> None:
    """Print what a keyring holds: names, uses and recipient ids, never a key."""
    keyring = KeyringDocument.read(source).keyring
    rows = [_row(keyring, key) for key in keyring.keys.values()]
    if as_json:
        print(json.dumps({"keys": rows}, indent=1))
        return
    width = max([4, *(len(row["name"]) for row in rows)])
    print(f"{'NAME':{width}}  USE  ACTIVE  RECIPIENT-ID")
    for row in rows:
        active = "yes" if row["active"] else "no"
        print(f"{row['name']:{width}}  {row['use']:3}  {active:6}  {row.get('recipientId', '-')}")


def _row(keyring: Keyring, key: Key) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": key.name,
        "use": key.use,
        "active": keyring.active.get(key.use) == key.name,
    }
    # Public: it stands in every small part. A v1 key has none.
    return row if key.use == "v1" else row | {"recipientId": key.id.hex()}


def _print(document: KeyringDocument, keyring: Keyring) -> None:
    sys.stdout.buffer.write(document.encode(keyring))
