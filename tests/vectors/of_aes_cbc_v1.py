"""The vectors of the format aes-256-cbc-v1."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sealyard.sealing.legacy import seal_small_for_legacy
from support.sealing import V1, S, content, seeded
from vectors.making import NEXT_KEK, Vector, change, flip, left_out, vector
from vectors.stranger import sha256


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
