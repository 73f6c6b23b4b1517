"""The vectors of the format sealed-v2."""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealyard.sealing.header import Header, Slot
from sealyard.sealing.slots import device_recipient, wrap_for_keyring
from support.sealing import V2, S, content, seal, seeded
from vectors.making import (
    DEVICE,
    DEVICE_SIGNING_KEY,
    KEYRING,
    NEXT_KEK,
    Vector,
    change,
    flip,
    hpke_seal,
    left_out,
    patched_core,
    signed_again,
    vector,
)


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
