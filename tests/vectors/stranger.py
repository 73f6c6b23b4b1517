"""An opener written from docs/format.md alone: it shares no line with the product."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

SEGMENT = 1 << 20
CONSTANTS = bytes.fromhex("89534c590d0a1a0a") + bytes.fromhex("0002 0140 01 14 0000")


class RefusedError(Exception):
    """Carries the name that docs/format.md gives to the failed check."""


def check(holds: bool, name: str) -> None:
    if not holds:
        raise RefusedError(name)


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    extracted = hmac.digest(salt or bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def lp(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


def segment_open(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, sealed, None)
    except InvalidTag:
        raise RefusedError("not-opened") from None


def open_slot(vector: dict[str, str], core: bytes, slots: list[bytes]) -> bytes:
    if "keyring-key" in vector:
        kek = bytes.fromhex(vector["keyring-key"])
        me = hkdf(kek, b"", b"sealyard/v2/key-id\0")[:16]
    else:
        private = X25519PrivateKey.from_private_bytes(
            bytes.fromhex(vector["device-encryption-private-key"])
        )
        public = private.public_key().public_bytes_raw()
        signing = bytes.fromhex(vector["device-signing-key"])
        me = sha256(b"sealyard/device/v1\0", public, signing)[:16]
    mine = [slot[16:] for slot in slots if slot[:16] == me and any(slot)]
    check(bool(mine), "no-slot")
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    bound = sha256(core[:96])
    for wrapped in mine:
        try:
            if "keyring-key" in vector:
                wrapping = hkdf(kek, wrapped[:32], b"sealyard/v2/wrap\0" + me)
                aad = b"sealyard/v2/slot\0" + core
                data_key = AESGCM(wrapping).decrypt(bytes(12), wrapped[32:], aad)
            else:
                info = b"sealyard/v2/device-slot\0" + core + me
                data_key = suite.decrypt(wrapped, private, info)
        except InvalidTag:
            continue
        if hkdf(data_key, core[16:48], b"sealyard/v2/commit\0" + bound) == core[96:]:
            return data_key
    raise RefusedError("not-opened")


def open_v2(vector: dict[str, str], small: bytes, big: bytes) -> bytes:
    check(len(small) == int(vector["small-size"]) == 320, "small-size")
    core, slots = small[:128], [small[128:224], small[224:]]
    plaintext_length, body_length = (int.from_bytes(core[o : o + 8], "big") for o in (48, 56))
    check(core[:16] == CONSTANTS, "constants")
    check(plaintext_length <= 1 << 40, "constants")
    check(body_length == max(plaintext_length, 4096), "constants")
    check(sha256(core).hex() == vector["core-sha256"], "core-digest")
    names = lp(vector["model"]) + lp(vector["version"]) + lp(vector["variant"])
    check(core[64:96] == sha256(b"sealyard/v2/context\0", names), "context")
    check(plaintext_length == int(vector["plaintext-bytes"]), "plaintext-length")

    n = -(-body_length // SEGMENT)
    size = body_length + 48 * n
    check(n == int(vector["segments"]), "big-size")
    check(size == int(vector["big-size"]) == len(big), "big-size")
    leaves = big[size - 32 * n :]
    tree = sha256(b"\x01", sha256(core), n.to_bytes(8, "big"), leaves)
    check(tree.hex() == vector["tree-sha256"], "leaves")

    data_key = open_slot(vector, core, slots)
    info = b"sealyard/v2/payload\0" + sha256(core[:96])
    payload_key = hkdf(data_key, core[16:48], info)
    body = b""
    for i in range(n):
        start = i * (SEGMENT + 16)
        sealed = big[start : min(start + SEGMENT + 16, size - 32 * n)]
        check(sha256(b"\x00", sealed) == leaves[32 * i : 32 * i + 32], "segment-digest")
        nonce = bytes(3) + i.to_bytes(8, "big") + bytes([i == n - 1])
        body += segment_open(payload_key, nonce, sealed)
    check(not any(body[plaintext_length:]), "not-opened")
    return body[:plaintext_length]


def open_small(vector: dict[str, str], sealed: bytes) -> bytes:
    device, digest = (bytes.fromhex(vector[name]) for name in ("device-id", "hardware-digest"))
    info = b"sealyard/device/resource/v1\0legacy-small"
    first = hkdf(digest, device, info)
    second = hmac.digest(hmac.digest(device, digest, "sha256"), first + info + b"\2", "sha256")
    body, tag = sealed[:-32], sealed[-32:]
    check(len(body) >= 32 and len(body) % 16 == 0, "not-opened")
    check(hmac.compare_digest(hmac.digest(second, body, "sha256"), tag), "not-opened")
    decryptor = Cipher(algorithms.AES256(first), modes.CBC(body[:16])).decryptor()
    padded = decryptor.update(body[16:])
    return padded[: -padded[-1]]


def open_v1(vector: dict[str, str], small: bytes, big: bytes) -> bytes:
    if "hardware-digest" in vector:
        small = open_small(vector, small)
    check(len(small) == int(vector["small-size"]), "small-size")
    check(sha256(small).hex() == vector["small-sha256"], "small-digest")
    length = int(vector["plaintext-bytes"])
    total = 16 + 16 * (length // 16 + 1)
    check(int(vector["small-size"]) + int(vector["big-size"]) == total, "big-size")
    check(len(big) == int(vector["big-size"]), "big-size")
    check(sha256(big).hex() == vector["big-sha256"], "big-digest")
    stream = small + big
    cipher = Cipher(algorithms.AES256(bytes.fromhex(vector["fleet-key"])), modes.CBC(stream[:16]))
    decryptor = cipher.decryptor()
    padded = decryptor.update(stream[16:]) + decryptor.finalize()
    padding = len(padded) - length
    check(padded[length:] == bytes([padding]) * padding, "not-opened")
    check(sha256(padded[:length]).hex() == vector["plaintext-sha256"], "not-opened")
    return padded[:length]


def open_vector(vector: dict[str, str], small: bytes, big: bytes) -> bytes:
    opener = {"sealed-v2": open_v2, "aes-256-cbc-v1": open_v1}[vector["format"]]
    return opener(vector, small, big)
