"""A test vector: made, changed, written and read."""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealyard.sealing.header import Header
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.sealed_v2 import tree_digest
from support.sealing import CONTEXT, V2, content, seal, seeded
from vectors.stranger import sha256

KEYRING = Keyring.new(v1="fleet", v2="kek-1", random=seeded("vector keyring"))
NEXT_KEK = seeded("vector next keyring key")(32)
DEVICE = X25519PrivateKey.from_private_bytes(seeded("vector device")(32))
DEVICE_SIGNING_KEY = seeded("vector device signing key")(32)

Vector = tuple[dict[str, str], bytes, bytes]


def vector(fmt: str, length: int, comment: str, **changes: str) -> Vector:
    """A vector that opens; `changes` replace header lines (`_` for `-`)."""
    seed, random = f"plaintext {fmt} {length}", f"random {fmt} {length}"
    made = seal(fmt, content(length, seed), keyring=KEYRING, seed=random)
    variant = made.entry.variant
    fields = {
        "format": fmt,
        "comment": comment,
        "expect": "success",
        "model": CONTEXT.model,
        "version": CONTEXT.version,
        "variant": CONTEXT.variant,
        "plaintext": f"SHAKE-256({seed!r})",
        "random": f"SHAKE-256({random!r})",
        "plaintext-bytes": str(length),
        "plaintext-sha256": made.entry.plaintext_sha256,
        "small-size": str(variant.small.size_bytes),
        "big-size": str(variant.big.size_bytes),
    }
    if fmt == V2:
        fields |= {
            "core-sha256": variant.small.core_sha256 or "",
            "segments": str(variant.big.segments),
            "tree-sha256": variant.big.tree_sha256 or "",
            "keyring-key": KEYRING.active_v2.material.hex(),
            "data-key": KEYRING.data_key(Header.parse(made.small)).hex(),
        }
    else:
        fields |= {
            "small-sha256": variant.small.sha256 or "",
            "big-sha256": variant.big.sha256 or "",
            "fleet-key": KEYRING.active_v1.material.hex(),
        }
    return change((fields, made.small, made.big), **changes)


def change(base: Vector, **changes: str) -> Vector:
    return base[0] | {k.replace("_", "-"): v for k, v in changes.items()}, base[1], base[2]


def left_out(base: Vector) -> Vector:
    """Without big, which would make the file long; its digest stands in the header."""
    fields, small, big = base
    return fields | {"left-out-big-sha256": sha256(big).hex()}, small, b""


def with_big(made: Vector) -> Vector:
    """The vector with its big part, made again from what the header says if it was left out."""
    fields, small, _ = made
    if "left-out-big-sha256" not in fields:
        return made
    plaintext = content(int(fields["plaintext-bytes"]), seed_in(fields["plaintext"]))
    again = seal(fields["format"], plaintext, keyring=KEYRING, seed=seed_in(fields["random"]))
    assert again.small == small
    assert sha256(again.big).hex() == fields["left-out-big-sha256"]
    return fields, small, again.big


def seed_in(said: str) -> str:
    """`text` of `SHAKE-256('text')`."""
    return said.removeprefix("SHAKE-256('").removesuffix("')")


def flip(raw: bytes, at: int, mask: int = 1) -> bytes:
    changed = bytearray(raw)
    changed[at] ^= mask
    return bytes(changed)


def patched_core(base: Vector, at: int, value: bytes) -> Vector:
    """Another core under a manifest that agrees with it, so that its fields are what is refused."""
    fields, small, big = base
    small = small[:at] + value + small[at + len(value) :]
    return fields | {"expect": "constants", "core-sha256": sha256(small[:128]).hex()}, small, big


def signed_again(base: Vector, segment: bytes) -> Vector:
    """One other segment, under leaves and a manifest that agree with it."""
    fields, small, _ = base
    leaf = sha256(b"\x00", segment)
    tree = tree_digest(Header.parse(small).core, leaf).hex()
    return fields | {"expect": "not-opened", "tree-sha256": tree}, small, segment + leaf


def hpke_seal(public: bytes, info: bytes, plaintext: bytes, ephemeral: X25519PrivateKey) -> bytes:
    """RFC 9180 base mode with a given ephemeral key, which no library offers."""

    def expand(key: bytes, suite: bytes, label: bytes, info: bytes, length: int) -> bytes:
        labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
        return hmac.digest(key, labeled + b"\x01", "sha256")[:length]

    def extract(salt: bytes, suite: bytes, label: bytes, key: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + key, "sha256")

    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    enc = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    eae = extract(b"", kem, b"eae_prk", shared)
    secret = expand(eae, kem, b"shared_secret", enc + public, 32)
    context = (
        b"\x00" + extract(b"", suite, b"psk_id_hash", b"") + extract(b"", suite, b"info_hash", info)
    )
    root = extract(secret, suite, b"secret", b"")
    key = expand(root, suite, b"key", context, 32)
    nonce = expand(root, suite, b"base_nonce", context, 12)
    return enc + AESGCM(key).encrypt(nonce, plaintext, None)


def encode(made: Vector) -> bytes:
    fields, small, big = made
    lines = {"sealyard-vector": "1", **fields, "small-bytes": str(len(small))}
    text = "".join(f"{name}: {value}\n" for name, value in lines.items())
    return text.encode() + b"\n" + small + big


def decode(raw: bytes) -> Vector:
    text, _, parts = raw.partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in text.decode().splitlines())
    cut = int(fields["small-bytes"])
    return fields, parts[:cut], parts[cut:]
