"""What a command prints when it is done: a few lines for people, or one JSON document."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sealyard.delivery.kept_release import KeptRelease
from sealyard.delivery.prove import Proofs
from sealyard.delivery.pull import Pulled
from sealyard.delivery.trust import TrustName
from sealyard.errors import SealyardError
from sealyard.sealing.manifest import Entry, Manifest


def show_error(error: SealyardError) -> None:
    """Print an error as one line."""
    print(f"sealyard: {one_line(error)}", file=sys.stderr)


def one_line(error: SealyardError) -> str:
    """What an error says, whatever it quotes."""
    return " ".join(str(error).split())


def show_pulled(pulled: Pulled, *, as_json: bool) -> None:
    """Print what was brought back or opened, and where the trust in it comes from."""
    if pulled.output is not None:
        warn_of_plaintext(pulled.output)
    show_document(pulled_document(pulled), as_json=as_json)


def warn_of_plaintext(output: Path) -> None:
    """Say what it means that a model was opened into a file."""
    print(
        f"sealyard: {output} is a plaintext: whoever has it keeps it, whatever is revoked later",
        file=sys.stderr,
    )


def show_sealed(manifest: Manifest, folder: Path, *, as_json: bool) -> None:
    """Print what was sealed and where it lies."""
    (variant,) = manifest.predicate.variants
    show_document(
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


def show_published(kept: KeptRelease, *, new: bool, as_json: bool) -> None:
    """Print what is published now."""
    show_document(
        {
            "model": kept.release.model,
            "version": kept.release.version,
            "variants": [variant.entry.variant.name for variant in kept.variants],
            "manifestSha256": kept.sha256,
            "bigBytes": kept.big_bytes,
            "publishedBefore": not new,
        },
        as_json=as_json,
    )


def show_verified(proofs: Proofs, *, as_json: bool) -> None:
    """Print what was proven of each variant, or why it was not."""
    documents = [
        _entry_document(proof.entry, proofs.manifest_sha256, proofs.trust)
        | {"opens": proof.refusal is None}
        | ({} if proof.refusal is None else {"refusal": one_line(proof.refusal)})
        for proof in proofs.variants
    ]
    if as_json:
        print(json.dumps({"variants": documents}, indent=1))
        return
    print("\n\n".join(_lines(document) for document in documents))


def pulled_document(pulled: Pulled) -> dict[str, Any]:
    """The result as JSON has it."""
    document = _entry_document(pulled.entry, pulled.manifest_sha256, pulled.trust)
    if pulled.output is not None:
        document["output"] = str(pulled.output)
    if pulled.sealed is not None:
        document["sealed"] = str(pulled.sealed)
    return document


def _entry_document(entry: Entry, manifest_sha256: str, trust: TrustName) -> dict[str, Any]:
    variant = entry.variant
    return {
        "model": entry.context.model,
        "version": entry.context.version,
        "variant": variant.name,
        "trust": trust,
        "manifestSha256": manifest_sha256,
        "sha256": entry.plaintext_sha256,
        "sizeBytes": variant.plaintext_bytes,
        "sealingFormat": variant.sealing.format,
        "smallBytes": variant.small.size_bytes,
        "bigBytes": variant.big.size_bytes,
        "bigKey": variant.big.key,
    }


def show_document(document: dict[str, Any], *, as_json: bool) -> None:
    """Print a result."""
    print(json.dumps(document, indent=1) if as_json else _lines(document))


def _lines(document: dict[str, Any]) -> str:
    return "\n".join(f"{label:16} {_words(value)}" for label, value in document.items())


def _words(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(value)
        case _:
            return str(value)
