"""What a command prints when it is done: a few lines for people, or one JSON document."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sealyard.delivery.pull import Pulled
from sealyard.sealing.manifest import Manifest


def show_pulled(pulled: Pulled, *, as_json: bool) -> None:
    """Print what was brought back or opened, and where the trust in it comes from."""
    if pulled.output is not None:
        print(
            f"sealyard: {pulled.output} is a plaintext: whoever has it keeps it, "
            "whatever is revoked later",
            file=sys.stderr,
        )
    _show(pulled_document(pulled), as_json=as_json)


def show_sealed(manifest: Manifest, folder: Path, *, as_json: bool) -> None:
    """Print what was sealed and where it lies."""
    (variant,) = manifest.predicate.variants
    _show(
        {
            "model": manifest.predicate.model,
            "version": manifest.predicate.version,
            "variant": variant.name,
            "manifestSha256": manifest.digest(),
            "sha256": manifest.subject[0].digest.sha256,
            "sizeBytes": variant.plaintext_bytes,
            "sealingFormat": variant.sealing.format,
            "smallBytes": variant.small.size_bytes,
            "bigBytes": variant.big.size_bytes,
            "sealed": str(folder),
        },
        as_json=as_json,
    )


def pulled_document(pulled: Pulled) -> dict[str, Any]:
    """The result as JSON has it."""
    variant = pulled.entry.variant
    document: dict[str, Any] = {
        "model": pulled.entry.context.model,
        "version": pulled.entry.context.version,
        "variant": variant.name,
        "trust": pulled.trust,
        "manifestSha256": pulled.manifest_sha256,
        "sha256": pulled.entry.plaintext_sha256,
        "sizeBytes": variant.plaintext_bytes,
        "sealingFormat": variant.sealing.format,
        "smallBytes": variant.small.size_bytes,
        "bigBytes": variant.big.size_bytes,
        "bigKey": variant.big.key,
    }
    if pulled.output is not None:
        document["output"] = str(pulled.output)
    if pulled.sealed is not None:
        document["sealed"] = str(pulled.sealed)
    return document


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(document, indent=1))
        return
    for label, value in document.items():
        print(f"{label:16} {value}")
