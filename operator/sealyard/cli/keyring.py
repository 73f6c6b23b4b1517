"""`sealyard keyring`: the keys that seal."""

from __future__ import annotations

import base64
import re
import sys
from typing import Annotated

import typer

from sealyard.errors import InvalidError
from sealyard.sealing.keyring import Keyring

keyring_app = typer.Typer(help="Make the keys that seal.", no_args_is_help=True)

_MANIFEST = """\
apiVersion: v1
kind: Secret
metadata:
  name: {name}
type: Opaque
data:
  keyring.json: {content}
"""


@keyring_app.callback()
def _keyring() -> None:
    pass


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
