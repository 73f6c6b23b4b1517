"""A private certificate authority, for the demo's stores and for tests.

Its certificates pass the strictest check of OpenSSL (`VERIFY_X509_STRICT`): key identifiers, key
usage and basic constraints are all there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Clocks of two machines differ; a certificate must not be of the future on either.
_BACKDATED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class CertPair:
    """A certificate and its private key, both PEM."""

    cert_pem: bytes
    key_pem: bytes

    def write(self, directory: Path, stem: str = "tls") -> None:
        """Write `<stem>.crt` and `<stem>.key`; the key can be read by its owner only."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{stem}.crt").write_bytes(self.cert_pem)
        key = directory / f"{stem}.key"
        key.touch(mode=0o600)
        key.write_bytes(self.key_pem)


class PrivateCA:
    """An authority that lives in memory. Make one with `create`, or `load` what `key_pem` saved."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, common_name: str = "Sealyard private CA", *, days: int = 3650) -> Self:
        """A new authority with a new key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def load(cls, ca_pem: bytes, key_pem: bytes) -> Self:
        """The authority of a certificate and key that `ca_pem` and `key_pem` gave earlier.

        Raises:
            ValueError: not PEM.
            TypeError: a key of another kind than this class makes.
        """
        key = serialization.load_pem_private_key(key_pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the CA's key must be an elliptic curve key")
        return cls(x509.load_pem_x509_certificate(ca_pem), key)

    @property
    def ca_pem(self) -> bytes:
        """The authority's certificate: what a client trusts (`ca.crt`)."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The authority's private key."""
        return _private_pem(self._key)

    def issue(
        self,
        *,
        dns_names: Sequence[str] = (),
        ips: Sequence[str] = (),
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> CertPair:
        """A server certificate for these names and addresses, with a new key.

        Args:
            dns_names: at least one, unless `ips` has one.
            ips: IPv4 or IPv6 addresses.
            not_before: five minutes ago if not given (earlier, if `not_after` is).
            not_after: in a year if not given; one in the past makes an expired certificate.

        Raises:
            ValueError: no name at all, or an address that is none.
        """
        names: list[x509.GeneralName] = [
            *(x509.DNSName(name) for name in dns_names),
            *(x509.IPAddress(ip_address(ip)) for ip in ips),
        ]
        if not names:
            raise ValueError("a server certificate needs at least one DNS name or address")
        now = datetime.now(UTC)
        end = not_after or now + timedelta(days=365)
        begin = not_before or min(now, end - timedelta(days=1)) - _BACKDATED
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            # Critical, because the subject is empty (RFC 5280, 4.2.1.6).
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return CertPair(
            certificate.public_bytes(serialization.Encoding.PEM),
            _private_pem(key),
        )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
