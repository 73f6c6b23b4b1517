"""TLS as every connection of ours has it: verified, always. There is no switch.

The roots are the ones of a mounted CA bundle and nothing else, or the system's where none is named.
Neither the environment nor a file in somebody's home adds to them.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import certifi

from sealyard.api.mounts import CA_KEY
from sealyard.errors import MissingError, UnavailableError

_SYSTEM_ROOTS = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian, Alpine, Arch
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Fedora, RHEL
    Path("/etc/ssl/ca-bundle.pem"),  # SUSE
)

_UNKNOWN_CA = "its certificate is not signed by a CA in {roots}; correct the bundle"
_WRONG_NAME = "its certificate is for another name; reissue it with this name, or correct the URL"
# By X509_V_ERR_* of OpenSSL, which Python passes on as numbers.
_ADVICE = {
    2: _UNKNOWN_CA,
    9: "its certificate is not valid yet; check both clocks",
    10: "its certificate has expired; renew it",
    18: _UNKNOWN_CA,
    19: _UNKNOWN_CA,
    20: _UNKNOWN_CA,
    21: _UNKNOWN_CA,
    62: _WRONG_NAME,
    64: _WRONG_NAME,
}


class UntrustedError(UnavailableError):
    """A server cannot prove by TLS that it is the one that was asked for."""


@dataclass(frozen=True, slots=True)
class CaBundle:
    """A file with PEM certificates of CAs.

    Attributes:
        path: where it lies.
        source: what a user calls it in messages, such as `ConfigMap stores-ca, key ca.crt`.
    """

    path: Path
    source: str

    @classmethod
    def mounted(cls, folder: Path, name: str | None) -> Self | None:
        """The CAs in a mounted ConfigMap of this name; None if there is no name."""
        return cls(folder / CA_KEY, f"ConfigMap {name}, key {CA_KEY},") if name else None


def client_context(bundle: CaBundle | None) -> ssl.SSLContext:
    """A context that verifies chain and name against the bundle, or the system's roots.

    Raises:
        MissingError: the bundle is not there or holds no certificate.
    """
    # Not `create_default_context`: that one writes session keys to a file that the environment
    # names, and takes roots from there.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if bundle is None:
        context.load_verify_locations(cafile=str(_system_roots()))
        return context
    try:
        context.load_verify_locations(cafile=str(bundle.path))
    except FileNotFoundError:
        raise MissingError(
            f"{bundle.source} is missing; it must hold the CA's certificate"
        ) from None
    except (ssl.SSLError, OSError):
        raise MissingError(f"{bundle.source} holds no PEM certificate that can be read") from None
    return context


def _system_roots() -> Path:
    return next((path for path in _SYSTEM_ROOTS if path.is_file()), Path(certifi.where()))


def explain(error: BaseException, bundle: CaBundle | None) -> str | None:
    """Which check of TLS failed and what to do about it; None if it was not TLS that failed."""
    fault = _tls_fault(error)
    if fault is None:
        return None
    roots = bundle.source if bundle else "the system's roots (no CA bundle is named)"
    if not isinstance(fault, ssl.SSLCertVerificationError):
        reason = re.sub(r"[^A-Z0-9_]", "", fault.reason or "") or "no reason given"
        return f"the TLS handshake failed ({reason}); a TLS 1.2 or 1.3 server is wanted there"
    advice = _ADVICE.get(fault.verify_code)
    if advice is None:
        return f"its certificate does not verify ({fault.verify_message}); reissue it"
    return advice.format(roots=roots)


def _tls_fault(error: BaseException) -> ssl.SSLError | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
