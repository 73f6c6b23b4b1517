"""The mounted Secret: users, token keys and the server's certificate, read again as they change."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from sealyard.errors import InvalidError, MissingError, SealyardError
from sealyard_release_api.accounts import Accounts
from sealyard_release_api.log import SERVER
from sealyard_release_api.tokens import KeySet

USERS, JWT_KEYS, TLS_CERT, TLS_KEY = FILES = ("users.json", "jwt-keys.json", "tls.crt", "tls.key")
_MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whom the server knows, with what it signs, and what it shows at a handshake."""

    accounts: Accounts
    keys: KeySet
    tls: ssl.SSLContext


class Mounted:
    """What the four files said when they were last all right.

    Reads them when made, and again at each `refresh`.

    Attributes:
        credentials: replaced as a whole, so take it once per request.
        tls: the listening socket's context. It hands every handshake to the context of the
            current credentials, so that a new certificate serves without a restart.

    Raises:
        MissingError: naming the file that is not there.
        InvalidError: naming the file and what in it is wrong.
    """

    def __init__(self, directory: Path, *, issuer: str | None = None) -> None:
        self._directory = directory
        self._issuer = issuer
        self._complaint = ""
        self._digest, contents = self._read()
        self.credentials = self._parse(contents)
        self.tls = _tls_context(self._snapshot())
        self.tls.sni_callback = self._hand_over  # also called where the client sends no name

    def refresh(self) -> bool:
        """Look at the files again; whether there is something new that is used from now on.

        What is wrong is logged once, and the old goes on being used. Blocks for a moment.
        """
        try:
            digest, contents = self._read()
            if digest == self._digest:
                self._complaint = ""
                return False
            self.credentials = self._parse(contents)
        except SealyardError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                SERVER.error("the Secret was not reloaded, the old one stays in use: %s", error)
            return False
        self._digest = digest
        self._complaint = ""
        SERVER.info("the Secret was reloaded")
        return True

    def _hand_over(
        self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        connection.context = self.credentials.tls

    def _snapshot(self) -> Path:
        """The kubelet swaps the link `..data`, so all files below its target are of one moment."""
        data = self._directory / "..data"
        return data.resolve() if data.is_symlink() else self._directory

    def _read(self) -> tuple[bytes, dict[str, bytes]]:
        snapshot = self._snapshot()
        contents = {name: _read_file(snapshot / name, self._directory / name) for name in FILES}
        digest = hashlib.sha256()
        for name in FILES:
            digest.update(hashlib.sha256(contents[name]).digest())
        return digest.digest(), contents

    def _parse(self, contents: dict[str, bytes]) -> Credentials:
        keys = KeySet.parse(contents[JWT_KEYS], issuer=self._issuer)
        tls = _tls_context(self._snapshot())
        return Credentials(Accounts.parse(contents[USERS]), keys, tls)


def read_accounts(directory: Path) -> Accounts:
    """The accounts of `users.json` alone, for a program that serves nothing.

    Raises:
        MissingError: it is not there.
        InvalidError: naming the field that is wrong.
    """
    path = directory / USERS
    return Accounts.parse(_read_file(path, path))


def _read_file(path: Path, shown: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise MissingError(
            f"{shown}: {error.strerror}; the mounted Secret must have the keys {', '.join(FILES)}"
        ) from None
    if len(raw) > _MAX_FILE_BYTES:
        raise InvalidError(f"{shown}: must have at most {_MAX_FILE_BYTES} bytes")
    return raw


def _tls_context(snapshot: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A key that asks for a password would otherwise ask on the terminal.
        context.load_cert_chain(snapshot / TLS_CERT, snapshot / TLS_KEY, password="")
    except (OSError, ValueError):
        raise InvalidError(
            "tls.crt, tls.key: must be a PEM certificate chain and its unencrypted PEM key"
        ) from None
    return context
