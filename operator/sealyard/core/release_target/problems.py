"""What can be wrong with a ReleaseTarget that its schema cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from sealyard.api.conditions import Reason
from sealyard.api.release_target import ReleaseTarget
from sealyard.core.conditions import stalled
from sealyard.core.plan import Plan
from sealyard.core.release_target.situation import Situation


def invalid(situation: Situation) -> Plan | None:
    """Starts nothing that no Job could do."""
    problems = problems_of(situation.target)
    if not problems:
        return None
    return situation.decide(stalled(Reason.INVALID_SPEC, "; ".join(problems)), is_reachable=False)


def problems_of(target: ReleaseTarget) -> list[str]:
    """One clause per field that no Job could work with."""
    spec = target.spec
    return [
        *_address("spec.api.url", spec.api.url),
        *_address("spec.cdn.endpoint", spec.cdn.endpoint),
        *_bucket(spec.cdn.bucket),
    ]


def _address(field: str, url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        port_is_usable = parts.port is None or 0 < parts.port < 65_536
    except ValueError:
        yield f"{field}: {url} is no address: use https://host[:port], port 1 to 65535"
        return
    if not parts.hostname or not port_is_usable:
        yield f"{field}: {url} is no address: use https://host[:port], port 1 to 65535"


def _bucket(bucket: str) -> Iterator[str]:
    if ".." in bucket:
        yield f"spec.cdn.bucket: {bucket} is no bucket name: dots stand alone"
