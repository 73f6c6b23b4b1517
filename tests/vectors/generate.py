"""Writes the test vectors; they change only with the format.

`PYTHONPATH=tests python -m vectors.generate`
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealyard.sealing.header import Header, Slot
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.legacy import seal_small_for_legacy
from sealyard.sealing.sealed_v2 import tree_digest
from sealyard.sealing.slots import device_recipient, wrap_for_keyring
from support.sealing import CONTEXT, V1, V2, S, content, seal, seeded
from vectors.stranger import sha256

HERE = Path(__file__).parent
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


def v2_that_open() -> dict[str, Vector]:
    base = vector(V2, 5000, "one segment, longer than the least body")
    header = Header.parse(base[1])
    data_key = bytes.fromhex(base[0]["data-key"])
    second = wrap_for_keyring(header.core, data_key, NEXT_KEK, seeded("vector rewrap"))
    public = DEVICE.public_key().public_bytes_raw()
    me = device_recipient(public, DEVICE_SIGNING_KEY)
    device_slot = Slot(
        me,
        hpke_seal(
            public,
            b"sealyard/v2/device-slot\0" + header.core.encode() + me,
            data_key,
            X25519PrivateKey.from_private_bytes(seeded("vector ephemeral")(32)),
        ),
    )
    for_device = {k: v for k, v in base[0].items() if k != "keyring-key"} | {
        "comment": "core, the device's own slot, 96 zeros: as the release API hands it out",
        "device-encryption-private-key": DEVICE.private_bytes_raw().hex(),
        "device-signing-key": DEVICE_SIGNING_KEY.hex(),
    }
    broken = Slot(KEYRING.active_v2.id, bytes(80))
    both = replace(header, slots=(header.slots[0], second)).encode()
    return {
        "v2-empty": vector(V2, 0, "empty plaintext: 4,096 zeros are sealed"),
        "v2-one-byte": vector(V2, 1, "padded to 4,096"),
        "v2-4096": vector(V2, 4096, "exactly the least body: no padding"),
        "v2-4097": vector(V2, 4097, "no padding"),
        "v2-5000": base,
        "v2-two-segments": vector(V2, S + 1, "two segments, the last of 1 byte"),
        "v2-segment-short": left_out(vector(V2, S - 1, "one segment, a byte short of whole")),
        "v2-segment-whole": left_out(vector(V2, S, "one whole segment")),
        "v2-many-segments": left_out(vector(V2, 3 * S + 17, "four segments, the last of 17 bytes")),
        "v2-both-slots-old-key": (
            base[0] | {"comment": "rewrapped for a second key; opened with the first"},
            both,
            base[2],
        ),
        "v2-both-slots-new-key": (
            base[0]
            | {"comment": "rewrapped; opened with the second", "keyring-key": NEXT_KEK.hex()},
            both,
            base[2],
        ),
        "v2-only-second-slot": (
            base[0] | {"comment": "the first is retired", "keyring-key": NEXT_KEK.hex()},
            replace(header, slots=(None, second)).encode(),
            base[2],
        ),
        "v2-own-slot-twice": (
            base[0] | {"comment": "two slots have this key's id; the first does not unwrap"},
            replace(header, slots=(broken, header.slots[0])).encode(),
            base[2],
        ),
        "v2-device-twice": (
            for_device | {"comment": "two slots have this device's id; the first does not unwrap"},
            replace(header, slots=(replace(device_slot, wrapped=bytes(80)), device_slot)).encode(),
            base[2],
        ),
        "v2-device": (for_device, replace(header, slots=(device_slot, None)).encode(), base[2]),
        "v2-device-no-slot": change(
            (for_device, *base[1:]), expect="no-slot", comment="the slot is the keyring's"
        ),
        "v2-device-other": (
            for_device
            | {
                "comment": "the slot has this device's id, but was wrapped for another device",
                "expect": "not-opened",
                "device-encryption-private-key": seeded("vector other device")(32).hex(),
            },
            replace(
                header,
                slots=(
                    Slot(other_recipient(), device_slot.wrapped),
                    None,
                ),
            ).encode(),
            base[2],
        ),
    }


def other_recipient() -> bytes:
    other = X25519PrivateKey.from_private_bytes(seeded("vector other device")(32))
    return device_recipient(other.public_key().public_bytes_raw(), DEVICE_SIGNING_KEY)


def v2_with_a_wrong_core() -> dict[str, Vector]:
    base = vector(V2, 100, "")
    patches = {
        "magic": (0, b"\x88", "another magic"),
        "version": (8, b"\x00\x03", "version 3"),
        "header-length": (10, b"\x01\x41", "header length 321"),
        "suite": (12, b"\x02", "suite 2"),
        "segment-size": (13, b"\x15", "segments of 2 MiB"),
        "flags": (14, b"\x80\x00", "a reserved flag"),
        "plaintext-length": (48, ((1 << 40) + 1).to_bytes(8, "big") * 2, "2^40 + 1 bytes"),
        "body-length-short": (56, (100).to_bytes(8, "big"), "a body of 100 bytes is too short"),
        "body-length-long": (56, (4097).to_bytes(8, "big"), "more padding than there may be"),
    }
    made = {
        f"v2-constants-{name}": change(patched_core(base, at, value), comment=comment)
        for name, (at, value, comment) in patches.items()
    }
    fields, small, big = base
    other = seal(V2, content(100, "other"), keyring=KEYRING, seed="other")
    return made | {
        "v2-small-short": change(
            (fields, small[:-1], big), expect="small-size", comment="319 bytes"
        ),
        "v2-small-long": change(
            (fields, small + b"\0", big), expect="small-size", comment="321 bytes"
        ),
        "v2-manifest-small-size": change(
            base, expect="small-size", small_size="319", comment="the manifest says 319 bytes"
        ),
        "v2-core-of-another": change(
            (fields, other.small, big),
            expect="core-digest",
            comment="a valid small part, but of another artifact of the same release",
        ),
        "v2-context-model": change(base, expect="context", model="coin", comment="other model"),
        "v2-context-shifted": change(
            base,
            expect="context",
            version="1.0.0-onnx",
            variant="fp32",
            comment="the same letters, divided otherwise",
        ),
        "v2-manifest-length": change(
            base,
            expect="plaintext-length",
            plaintext_bytes="101",
            comment="the manifest says another length",
        ),
    }


def v2_with_a_wrong_body() -> dict[str, Vector]:
    base = vector(V2, 100, "")
    fields, small, big = base
    header = Header.parse(small)
    core, data_key = header.core, bytes.fromhex(fields["data-key"])
    kek = KEYRING.active_v2.material
    payload = AESGCM(core.payload_key(data_key))
    last, middle = bytes(11) + b"\x01", bytes(12)
    body = content(100, "plaintext sealed-v2 100").ljust(4096, b"\0")
    strange = wrap_for_keyring(core, seeded("another data key")(32), kek, seeded("vector wrap"))
    return {
        "v2-big-short": change(
            (fields, small, big[:-1]), expect="big-size", comment="the last byte is missing"
        ),
        "v2-big-long": change(
            (fields, small, big + b"\0"), expect="big-size", comment="a byte follows"
        ),
        "v2-big-segments": change(
            base, expect="big-size", segments="2", comment="the manifest says two segments"
        ),
        "v2-leaf": change(
            (fields, small, flip(big, -1)), expect="leaves", comment="a bit of a leaf"
        ),
        "v2-no-slot": change(
            base, expect="no-slot", keyring_key=NEXT_KEK.hex(), comment="no slot for this key"
        ),
        "v2-slots-empty": change(
            (fields, small[:128] + bytes(192), big), expect="no-slot", comment="no slot in use"
        ),
        "v2-slot-salt": change(
            (fields, flip(small, 144), big), expect="not-opened", comment="a bit of the salt"
        ),
        "v2-slot-tag": change(
            (fields, flip(small, 223), big), expect="not-opened", comment="a bit of the slot's tag"
        ),
        "v2-commitment": change(
            (fields, replace(header, slots=(strange, None)).encode(), big),
            expect="not-opened",
            comment="the slot holds another data key than the core commits to",
        ),
        "v2-segment": change(
            (fields, small, flip(big, 50)), expect="segment-digest", comment="a bit of the segment"
        ),
        "v2-tag": change(
            signed_again(base, flip(big[:4112], 4111)), comment="a bit of the tag, but signed"
        ),
        "v2-not-last": change(
            signed_again(base, payload.encrypt(middle, body, None)),
            comment="the only segment is sealed as if more followed, and signed",
        ),
        "v2-padding": change(
            signed_again(base, payload.encrypt(last, body[:-1] + b"\1", None)),
            comment="padding that is not zero, but signed",
        ),
    }


def v1_all() -> dict[str, Vector]:
    base = vector(V1, 100, "small part of 20 percent")
    fields, small, big = base
    key = bytes.fromhex(fields["fleet-key"])
    stream = small + big
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(stream[:16])).encryptor()
    wrong = content(100, "plaintext aes-256-cbc-v1 100") + bytes(11) + b"\x0c"
    bad = (stream[:16] + encryptor.update(wrong))[len(small) :]
    return {
        "v1-empty": vector(V1, 0, "a block of padding; the split goes through the IV"),
        "v1-15": vector(V1, 15, "one byte of padding"),
        "v1-16": vector(V1, 16, "a whole block of padding"),
        "v1-100": base,
        "v1-20000": vector(V1, 20000, "small part of 3,072 bytes"),
        **{
            f"v1-{name}": left_out(vector(V1, length, comment))
            for name, length, comment in (
                ("segment-short", S - 1, "a byte short of 1 MiB"),
                ("segment-whole", S, "exactly 1 MiB, and a block of padding"),
                ("two-segments", S + 1, "a byte more than 1 MiB"),
                ("many-segments", 3 * S + 17, "a few MiB"),
            )
        },
        "v1-small-size": change(
            (fields, small + b"\0", big), expect="small-size", comment="longer"
        ),
        "v1-small-digest": change(
            (fields, flip(small, 0), big), expect="small-digest", comment="a bit of the IV"
        ),
        "v1-big-size": change((fields, small, big[:-16]), expect="big-size", comment="cut"),
        "v1-manifest-length": change(
            base, expect="big-size", plaintext_bytes="112", comment="does not fit both parts"
        ),
        "v1-big-digest": change(
            (fields, small, flip(big, 0)), expect="big-digest", comment="a bit of big"
        ),
        "v1-wrong-key": change(
            base, expect="not-opened", fleet_key=NEXT_KEK.hex(), comment="another fleet key"
        ),
        "v1-padding": change(
            (fields | {"big-sha256": sha256(bad).hex()}, small, bad),
            expect="not-opened",
            comment="only the last byte of the padding is right, but signed",
        ),
        "v1-plaintext-digest": change(
            base,
            expect="not-opened",
            plaintext_sha256="00" * 32,
            comment="the manifest promises another plaintext",
        ),
    }


def v1_for_a_legacy_device() -> dict[str, Vector]:
    """The small part as one legacy device gets it."""
    fields, small, big = vector(V1, 20000, "small part sealed for one legacy device")
    digest, device = seeded("vector hardware digest")(32), seeded("vector legacy device")(16)
    sealed = seal_small_for_legacy(small, digest, device, seeded("vector legacy IV"))
    fields |= {"hardware-digest": digest.hex(), "device-id": device.hex()}
    base = fields, sealed, big
    refused = "not-opened"
    return {
        "v1-legacy": base,
        "v1-legacy-hardware": change(
            base, expect=refused, comment="other hardware", hardware_digest="00" * 32
        ),
        "v1-legacy-device": change(
            base, expect=refused, comment="another device", device_id="00" * 16
        ),
        "v1-legacy-tag": change(
            (fields, flip(sealed, len(sealed) - 1), big), expect=refused, comment="a bit of the tag"
        ),
        "v1-legacy-plain": change(
            (fields, small, big), expect=refused, comment="the small part of everybody"
        ),
    }


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


def all_vectors() -> dict[str, bytes]:
    """Every vector file by name."""
    made = v2_that_open() | v2_with_a_wrong_core() | v2_with_a_wrong_body()
    made |= v1_all() | v1_for_a_legacy_device()
    return {f"{name}.vector": encode(one) for name, one in made.items()}


def main() -> None:
    for stale in HERE.glob("*.vector"):
        stale.unlink()
    for name, raw in all_vectors().items():
        (HERE / name).write_bytes(raw)


if __name__ == "__main__":
    main()
