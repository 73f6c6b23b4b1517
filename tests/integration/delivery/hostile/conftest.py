"""A CA that the clients trust, and their credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.api.secrets import SECRET_USES, Purpose
from sealyard.delivery.tls import CaBundle
from sealyard_local.pki import CertPair, PrivateCA
from support.hostile_clients import SECRET


@pytest.fixture(scope="session")
def ca() -> PrivateCA:
    return PrivateCA.create()


@pytest.fixture(scope="session")
def pair(ca: PrivateCA) -> CertPair:
    return ca.issue(ips=["127.0.0.1"])


@pytest.fixture
def bundle(ca: PrivateCA, tmp_path: Path) -> CaBundle:
    (tmp_path / "ca.crt").write_bytes(ca.ca_pem)
    return CaBundle(tmp_path / "ca.crt", "ConfigMap stores-ca, key ca.crt,")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    for purpose in (Purpose.API_VERIFIER, Purpose.CDN_READ, Purpose.CDN_WRITE):
        name, secret = SECRET_USES[purpose].keys
        (tmp_path / name).write_text("somebody@example.org")
        (tmp_path / secret).write_text(SECRET)
    return tmp_path
