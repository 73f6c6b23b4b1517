"""What is fuzzed: readers of bytes that a stranger may have made.

A target takes any bytes. What it refuses, it refuses with a `SealyardError` of one line; whatever
else comes out of it is a bug, and so is an accepted input that breaks a promise asserted here.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import rfc8785
from jsonschema import Draft202012Validator

from sealyard.annotations.message import digest, encode, parse
from sealyard.annotations.message_schema import schema as annotation_schema
from sealyard.annotations.redaction import redacted
from sealyard.cli.keyring_document import KEY, KeyringDocument
from sealyard.errors import SealyardError
from sealyard.sealing.formats import Entry, Keyring, OpeningKeys
from sealyard.sealing.header import CORE_BYTES, Core, Header
from sealyard.sealing.layout import MAX_PLAINTEXT_BYTES
from sealyard.sealing.manifest import Manifest
from sealyard.sealing.manifest_schema import schema
from sealyard.sealing.rewrap import rewrap
from sealyard.sealing.sealed_v2 import LEAF_BYTES, tree_digest
from support.annotations import PICTURE, a_body, a_line, a_picture
from support.sealing import KEYRING, V2, Artifact, manifest_of, seeded
from support.vectors import artifact_of
from vectors.generate import HERE

SEED_MAX_BYTES = 32 * 1024
"""Longer vectors differ in size alone, and would make every input long."""

# A key in base64 or hex.
_KEY = re.compile(r"[A-Za-z0-9+/]{43}=|[0-9a-fA-F]{64}")
_SCHEMA = Draft202012Validator(schema())
_ANNOTATION_SCHEMA = Draft202012Validator(annotation_schema())


@dataclass(frozen=True)
class Target:
    """A reader, and inputs from which the search begins."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    json: bool = False

    def __call__(self, raw: bytes) -> None:
        with refusing():
            self.run(raw)


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Lets an error of our tree pass, if it can be shown as it stands."""
    try:
        yield
    except SealyardError as error:
        said = str(error)
        assert said
        assert said.isprintable(), said
        assert len(said) < 1000, said


@functools.cache
def artifacts() -> tuple[Artifact, ...]:
    """Those of the vectors, in a fixed order."""
    made = (artifact_of(file.read_bytes())[1] for file in sorted(HERE.glob("*.vector")))
    return tuple(artifact for artifact in made if len(artifact.big) <= SEED_MAX_BYTES)


@functools.cache
def _opening_keys() -> tuple[OpeningKeys, ...]:
    return tuple(artifact.keys for artifact in artifacts())


def header(raw: bytes) -> None:
    """The small part of sealed-v2, and everything that is done with its slots."""
    parsed = Header.parse(raw)
    assert parsed.encode() == raw
    for keys in _opening_keys():
        with refusing():
            assert parsed.core.commits_to(keys.data_key(parsed))
        if isinstance(keys, Keyring):
            with refusing():
                assert Header.parse(rewrap(parsed, keys).encode()).slot_of(keys.active_v2.id)
    for slot in parsed.slots:
        if slot is not None:
            with refusing():
                assert parsed.without_slot(slot.recipient).slot_of(slot.recipient) is None


def manifest(raw: bytes) -> None:
    """The manifest as it came, and in the canonical spelling that a mutation seldom keeps."""
    with refusing():
        _manifest(raw)
    with contextlib.suppress(ValueError, RecursionError):
        _manifest(rfc8785.dumps(json.loads(raw)))


def _manifest(raw: bytes) -> None:
    parsed = Manifest.parse(raw)
    assert Manifest.parse(parsed.encode(), sha256=parsed.digest()) == parsed
    _SCHEMA.validate(json.loads(raw))


def keyring(raw: bytes) -> None:
    """keyring.json: whatever is wrong with it, no key of it is shown."""
    _keyring(lambda: Keyring.parse(raw))


def secret(raw: bytes) -> None:
    """A Secret with a keyring, as the command line reads it."""

    def read() -> Keyring:
        document = KeyringDocument.parse(raw, "input")
        again = KeyringDocument.parse(document.encode(document.keyring), "output")
        assert again == document
        return document.keyring

    _keyring(read)


def _keyring(read: Callable[[], Keyring]) -> None:
    try:
        parsed = read()
    except SealyardError as error:
        if _KEY.search(str(error)):
            raise AssertionError("a key is shown") from error
        raise
    assert Keyring.parse(parsed.to_json()) == parsed
    for change in (parsed.add, parsed.activate, parsed.retire):
        for name in ("kek", *parsed.keys):
            with refusing():
                change(name, "v2") if change == parsed.add else change(name)  # type: ignore[call-arg]


def open_parts(raw: bytes) -> None:
    """Both parts under a manifest: the vector's own, or one that agrees with what was changed.

    The first byte chooses the vector, the second whether the manifest is made to agree; then come
    the small part, of the length that the vector has, and the big part.
    """
    if len(raw) < 2:
        return
    base = artifacts()[raw[0] % len(artifacts())]
    cut = 2 + len(base.small)
    artifact = base.but(small=raw[2:cut], big=raw[cut:])
    if raw[1] & 1:
        artifact = artifact.but(entry=_agreeing(artifact))
    opened = artifact.open()
    assert hashlib.sha256(opened).hexdigest() == artifact.entry.plaintext_sha256


def annotation(raw: bytes) -> None:
    """A message of an annotation tool, which anybody may have sent."""
    raw = raw if b"\n" in raw else raw + b"\n"
    kept = redacted(raw)
    said, attached = parse(raw)
    assert parse(encode(said, attached)) == (said, attached)
    assert len(digest(said)) == 64
    line, _, rest = raw.partition(b"\n")
    _ANNOTATION_SCHEMA.validate(json.loads(line))
    assert kept.endswith(rest)
    if said.proof:
        assert json.loads(kept.partition(b"\n")[0])["proof"]["jwt"].endswith(".[redacted]")


def _agreeing(artifact: Artifact) -> Entry:
    """The entry that a manifest for just these parts would have."""
    entry, small, big = artifact.entry, artifact.small, artifact.big
    variant = entry.variant
    if variant.sealing.format == V2:
        core = Core.parse(small[:CORE_BYTES])
        leaves = big[-LEAF_BYTES * core.segments :] if core.segments < len(big) else b""
        changes = {
            "plaintext_bytes": core.plaintext_bytes,
            "small": {"core_sha256": core.digest().hex()},
            "big": {"segments": core.segments, "tree_sha256": tree_digest(core, leaves).hex()},
        }
    else:
        changes = {
            "plaintext_bytes": min(max(len(small) + len(big) - 17, 0), MAX_PLAINTEXT_BYTES),
            "small": {"sha256": hashlib.sha256(small).hexdigest()},
            "big": {"sha256": hashlib.sha256(big).hexdigest()},
        }
    return Entry(
        entry.context,
        variant.model_copy(
            update={
                "plaintext_bytes": changes["plaintext_bytes"],
                "small": variant.small.model_copy(
                    update={"size_bytes": len(small)} | changes["small"]
                ),
                "big": variant.big.model_copy(update={"size_bytes": len(big)} | changes["big"]),
            }
        ),
        entry.plaintext_sha256,
    )


def _smalls() -> Iterator[bytes]:
    for artifact in artifacts():
        if artifact.entry.variant.sealing.format == V2:
            yield artifact.small


def _manifests() -> Iterator[bytes]:
    for artifact in artifacts():
        yield manifest_of(artifact).encode()


def _keyrings() -> Iterator[bytes]:
    yield b'{"active":{},"keys":{}}'
    yield KEYRING.to_json()
    yield KEYRING.add("kek-2", "v2", random=seeded("fuzz")).activate("kek-2").to_json()
    for artifact in artifacts():
        if isinstance(artifact.keys, Keyring):
            yield artifact.keys.to_json()


def _annotations() -> Iterator[bytes]:
    token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
    yield a_body(proof={"jwt": token}, attached=PICTURE)
    yield a_body(operation="deleted", picture=None, boxes=None)
    yield a_body(picture=a_picture(uri="s3://trays/1.jpg"), group="film-7", boxes=[])
    yield json.dumps(a_line(), indent=1).encode()
    yield token.encode()


def _secrets() -> Iterator[bytes]:
    ring = KEYRING.to_json()
    metadata = {"name": "keyring", "namespace": "coins", "labels": {"a": "b"}}
    held = {"stringData": {KEY: ring.decode(), "other": "x"}, "metadata": metadata}
    yield ring
    yield json.dumps({"apiVersion": "v1", "kind": "Secret", **held}).encode()
    indented = ring.decode().replace("\n", "\n    ").encode()
    # Every way in which YAML can promise what a scalar does not hold.
    yield (
        b"!!int 1: !!bool yes\n!!float .1: 1:2.3\n2001-01-01: &a !!timestamp 2001-01-01\n"
        b'*a : !!binary aGk=\nb: "\\u00e9\\U0001f600"\n'
    )
    yield (
        b"apiVersion: v1\nkind: Secret\nmetadata: {name: keyring}\nstringData:\n"
        b"  keyring.json: |\n    " + indented
    )


def _parts() -> Iterator[bytes]:
    for index, artifact in enumerate(artifacts()):
        for agree in (0, 1):
            yield bytes([index, agree]) + artifact.small + artifact.big


TARGETS = {
    "header": Target(header, _smalls),
    "manifest": Target(manifest, _manifests, json=True),
    "keyring": Target(keyring, _keyrings, json=True),
    "secret": Target(secret, _secrets, json=True),
    "open": Target(open_parts, _parts),
    "annotation": Target(annotation, _annotations, json=True),
}
