"""Devices to make: what they are told."""

from __future__ import annotations

from sealyard.delivery.secrets import Pair
from sealyard.device.enrolment import Enrolment
from sealyard.device.level import LevelName
from sealyard.device.state import CdnAddress, Keystore
from sealyard.sealing.manifest import Platform

CDN_PAIR = Pair("reader", "the read key of the CDN")


def told(
    level: LevelName = "fingerprint",
    keystore: Keystore | None = None,
    *,
    url: str = "https://api:8443",
    fleet_key: bytes | None = None,
    digest_secret: str | None = None,
) -> Enrolment:
    """A device for one model and one channel."""
    return Enrolment(
        name="press-7",
        target="stores",
        level=level,
        keystore=keystore,
        models=["coins"],
        channels=["stable"],
        platform=Platform(arch="x86_64"),
        api_url=url,
        api_ca=None,
        cdn=CdnAddress(endpoint="https://cdn:8333", region="us-east-1", bucket="models"),
        cdn_ca=None,
        cdn_pair=CDN_PAIR,
        trust_root=b"{}",
        fleet_key=fleet_key,
        hardware_digest_secret=digest_secret,
    )
