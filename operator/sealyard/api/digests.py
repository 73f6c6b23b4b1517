"""Digests of structures, and the names that are made from them (contracts.md section 1)."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import rfc8785

from sealyard.api.model import Model

JOB_NAME_PREFIX_LENGTH = 40


def structure_sha256(structure: Any) -> str:
    """The lowercase hex SHA-256 over the RFC 8785 form of a JSON structure.

    Raises:
        rfc8785.CanonicalizationError: the structure holds what JSON cannot carry (NaN, an integer
            beyond 2^53).
    """
    return hashlib.sha256(rfc8785.dumps(structure)).hexdigest()


def spec_hash(build_inputs: dict[str, Any]) -> str:
    """The 10 hex digits that name the workspace folder of these immutable build inputs."""
    return structure_sha256(build_inputs)[:10]


def export_sha256(exports: list[tuple[str, str, int]]) -> str:
    """The digest of an exported set, given as (variant name, sha256, size in bytes)."""
    return structure_sha256(
        [
            {"name": name, "sha256": sha256, "sizeBytes": size}
            for name, sha256, size in sorted(exports)
        ]
    )


def device_id(encryption_key: str, signing_key: str) -> str:
    """The id of a device: the first 16 bytes of a SHA-256 over both public keys, in hex.

    Args:
        encryption_key: X25519, raw, in base64.
        signing_key: Ed25519, raw, in base64.

    Raises:
        ValueError: one of them is no base64.
    """
    keys = base64.b64decode(encryption_key) + base64.b64decode(signing_key)
    return hashlib.sha256(b"sealyard/device/v1\0" + keys).digest()[:16].hex()


def job_name(owner_name: str, owner_uid: str, role: str, variant: str, attempt: int) -> str:
    """The name of a Job: at most 40 characters of its owner's name, the role and a hash.

    The hash makes it the same for the same owner, role, variant and attempt (so that creating it
    twice is harmless) and different for an owner of the same name in another life.
    """
    digest = hashlib.sha256("\0".join((owner_uid, role, variant, str(attempt))).encode())
    prefix = owner_name[:JOB_NAME_PREFIX_LENGTH].rstrip("-.").replace(".", "-")
    return f"{prefix}-{role}-{digest.hexdigest()[:8]}"


def build_input_hash(*parts: Model) -> str:
    """`spec_hash` over several sub-objects of a spec, in the order given."""
    return spec_hash({str(index): part.to_wire() for index, part in enumerate(parts)})
