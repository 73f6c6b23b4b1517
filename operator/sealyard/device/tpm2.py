"""Level `tpm2`: keys that follow from a secret which only this TPM gives out, and only as booted.

The secret is sealed below the TPM's owner hierarchy under a policy of PCR 7, the state of Secure
Boot: another machine's TPM cannot load it, and this one refuses it once keys or switches of Secure
Boot have changed. The programs of tpm2-tools do it; which TPM they talk to is theirs to know
(`TPM2TOOLS_TCTI`; without it the kernel's resource manager). The secret goes to and from them by
pipes, and from the TPM in an encrypted session, so that it does not cross the bus in clear.
"""

from __future__ import annotations

import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sealyard.delivery.kept import explained
from sealyard.device.level import SECRET_BYTES, LevelName
from sealyard.errors import IntegrityError, MissingError
from sealyard.jobs.workspace import read_record, write_atomic
from sealyard.sealing.resource import ResourceKeys

PUBLIC_FILE: Final = "tpm2.public"
PRIVATE_FILE: Final = "tpm2.private"

_PCRS: Final = "sha256:7"
_PARENT: Final = "primary.ctx"
_SESSION: Final = "session.ctx"
_BLOB_MAX_BYTES: Final = 4096
_SECONDS: Final = 60.0


class Tpm2Level:
    """Binds to a TPM 2.0.

    Args:
        state: the state folder; has the sealed secret, which is of use to this TPM only.
    """

    name: LevelName = "tpm2"

    def __init__(self, state: Path) -> None:
        self._state = state

    def create(self) -> None:
        """Seal a new secret to the TPM.

        Raises:
            MissingError: no TPM answers, or tpm2-tools are not installed.
        """
        with _talk() as tpm:
            tpm.run("startauthsession", "--session", _SESSION)
            try:
                tpm.run(
                    "policypcr", "--session", _SESSION, "--pcr-list", _PCRS, "--policy", "policy"
                )
            finally:
                tpm.run("flushcontext", _SESSION)
            tpm.run(
                *("create", "--parent-context", _PARENT, "--policy", "policy"),
                *("--attributes", "fixedtpm|fixedparent|noda", "--sealing-input", "-"),
                *("--public", PUBLIC_FILE, "--private", PRIVATE_FILE),
                given=secrets.token_bytes(SECRET_BYTES),
            )
            for name in (PRIVATE_FILE, PUBLIC_FILE):
                with explained(self._state):
                    write_atomic(self._state / name, (tpm.folder / name).read_bytes())

    def keys(self, purpose: str) -> ResourceKeys:
        """Of the secret that the TPM holds.

        Raises:
            MissingError: no TPM answers, tpm2-tools are not installed, or the state is not there.
            IntegrityError: the TPM does not give it out.
        """
        return ResourceKeys.derive(self._unsealed(), purpose)

    def _unsealed(self) -> bytes:
        with _talk() as tpm:
            for name in (PUBLIC_FILE, PRIVATE_FILE):
                (tpm.folder / name).write_bytes(self._blob(name))
            secret = b""
            try:
                tpm.run(
                    *("load", "--parent-context", _PARENT, "--key-context", "sealed.ctx"),
                    *("--public", PUBLIC_FILE, "--private", PRIVATE_FILE),
                )
                secret = self._given_out(tpm)
            except _ToolError:
                pass
        if len(secret) != SECRET_BYTES:
            raise IntegrityError(
                f"{self._state}: the TPM does not give out the key: this is another TPM, or the "
                "state of Secure Boot (PCR 7) is another one than when it was sealed"
            )
        return secret

    def _given_out(self, tpm: _Tpm) -> bytes:
        tpm.run(
            *("startauthsession", "--policy-session", "--session", _SESSION),
            *("--tpmkey-context", _PARENT),
        )
        try:
            tpm.run("sessionconfig", _SESSION, "--enable-encrypt")
            tpm.run("policypcr", "--session", _SESSION, "--pcr-list", _PCRS)
            return tpm.run(
                "unseal", "--object-context", "sealed.ctx", "--auth", f"session:{_SESSION}"
            )
        finally:
            tpm.run("flushcontext", _SESSION)

    def _blob(self, name: str) -> bytes:
        path = self._state / name
        try:
            return read_record(path, _BLOB_MAX_BYTES)
        except OSError as error:
            raise MissingError(f"{path}: cannot be read ({error.strerror})") from None


class _ToolError(MissingError):
    """A program of tpm2-tools failed. What it said is in its own words, and not repeated."""


class _Tpm:
    """The programs of tpm2-tools in a folder of their own, which has no secret in clear."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, action: str, *arguments: str, given: bytes = b"") -> bytes:
        """What a program prints.

        Raises:
            MissingError: it is not installed.
            _ToolError: it fails.
        """
        output = self._run(action, *arguments, given=given)
        # A TPM without a resource manager has room for three objects.
        self._run("flushcontext", "--transient-object")
        return output

    def _run(self, action: str, *arguments: str, given: bytes = b"") -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and no argument from outside
                [f"tpm2_{action}", *arguments],
                cwd=self.folder,
                input=given,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise MissingError(
                "level tpm2 needs the programs of tpm2-tools (tpm2_unseal and others); install them"
            ) from None
        except subprocess.TimeoutExpired:
            raise MissingError(
                f"level tpm2: the TPM gave no answer within {_SECONDS:g} s"
            ) from None
        if done.returncode:
            raise _ToolError(f"level tpm2: tpm2_{action} failed (exit code {done.returncode})")
        return done.stdout


@contextmanager
def _talk() -> Iterator[_Tpm]:
    """The TPM with its storage key at hand, which it derives anew, the same every time."""
    with tempfile.TemporaryDirectory(prefix="sealyard-tpm2-") as folder:
        tpm = _Tpm(Path(folder))
        try:
            tpm.run("createprimary", "--hierarchy", "o", "--key-algorithm", "ecc", "-c", _PARENT)
        except _ToolError:
            raise MissingError(
                "level tpm2: no TPM 2.0 answers; is there /dev/tpmrm0, and may this user open it?"
            ) from None
        yield tpm
