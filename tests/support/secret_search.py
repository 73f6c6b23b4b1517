"""Looks for secrets in what programs say and leave behind, in whatever spelling they stand there.

This is the one list of spellings. A piece of a spelling is found too: a secret that was cut, or
broken over lines, has been said all the same.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sealyard.sealing.keyring import Keyring

SHORTEST = 16
"""What is shorter could stand in a log by chance."""
PIECE = 20
"""So many bytes in a row of a spelling are a find."""

_WINDOW = 8
_WHITESPACE = b" \t\r\n"
_WEB_TOKEN = re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}")


@dataclass(frozen=True, slots=True)
class _Spelling:
    name: str
    text: bytes


class SecretSearch:
    """Finds these secrets in any bytes, some 20 MB in a second.

    Args:
        secrets: by the name that a find is reported under; text counts as its UTF-8.

    Raises:
        ValueError: a secret is too short to be looked for.
    """

    def __init__(self, secrets: Mapping[str, bytes | str]) -> None:
        spellings = [
            _Spelling(f"{name}, {how}", text)
            for name, secret in secrets.items()
            for how, text in spellings_of(secret)
        ]
        # Every piece that counts as a find has a whole window at one of the places looked at.
        shortest = min((len(spelling.text) for spelling in spellings), default=PIECE)
        step = min(PIECE, shortest) - _WINDOW + 1
        self._places = struct.Struct(f"{_WINDOW}s{step - _WINDOW}x")
        self._windows: dict[bytes, list[tuple[_Spelling, int]]] = {}
        for spelling in spellings:
            for at in range(len(spelling.text) - _WINDOW + 1):
                window = spelling.text[at : at + _WINDOW]
                self._windows.setdefault(window, []).append((spelling, at))

    def found_in(self, said: bytes | str) -> set[str]:
        """The names of the secrets that stand there, each with how it is spelled."""
        raw = said.encode(errors="surrogatepass") if isinstance(said, str) else said
        joined = _joined(raw)
        return {*self._found(raw), *(self._found(joined) if joined != raw else ())}

    def assert_none_in(self, said: bytes | str, where: str = "the output") -> None:
        """None of the secrets stands there.

        Raises:
            AssertionError: one does; says which and where, and not the secret.
        """
        found = sorted(self.found_in(said))
        assert not found, f"{where} holds {', '.join(found)}"

    def _found(self, data: bytes) -> Iterator[str]:
        size, windows = self._places.size, self._windows
        places = self._places.iter_unpack(data + bytes(-len(data) % size))
        hits = [number for number, (window,) in enumerate(places) if window in windows]
        for at in (number * size for number in hits):
            for spelling, offset in windows.get(data[at : at + _WINDOW], ()):
                if _run(data, at, spelling.text, offset) >= min(PIECE, len(spelling.text)):
                    yield spelling.name


def has_web_token(said: bytes | str) -> bool:
    """Whether a JSON Web Token stands there, whoever it was issued by."""
    raw = said.encode(errors="surrogatepass") if isinstance(said, str) else said
    return _WEB_TOKEN.search(raw) is not None


def secrets_of_private_key(name: str, pem: bytes) -> dict[str, bytes]:
    """What is secret in the PEM of a private key: its number, and the base64 that has it there.

    The rest of it, public key and all, is no secret, and stands in the certificate too.
    """
    key = load_pem_private_key(pem, password=None)
    if isinstance(key, EllipticCurvePrivateKey):
        secret = key.private_numbers().private_value.to_bytes(32, "big")
    elif isinstance(key, RSAPrivateKey):
        prime = key.private_numbers().p
        secret = prime.to_bytes(-(-prime.bit_length() // 8), "big")
    else:
        assert isinstance(key, Ed25519PrivateKey)
        secret = key.private_bytes_raw()
    body = b"".join(line for line in pem.splitlines() if not line.startswith(b"-----"))
    at = base64.b64decode(body).index(secret)
    return {name: secret, f"{name} in PEM": _base64_within(secret, at % 3, b"+/")}


def keyring_secrets(keyring: Keyring) -> dict[str, bytes]:
    """Every key of a keyring, and as `keyring.json` has it, which a Secret encodes once more."""
    found = {}
    for key in keyring.keys.values():
        found[f"key {key.name}"] = key.material
        found[f"key {key.name} in keyring.json"] = base64.b64encode(key.material)
    return found


def spellings_of(secret: bytes | str) -> Iterator[tuple[str, bytes]]:
    """Every way to write a secret that is looked for: what it is called, and the bytes."""
    raw = secret.encode() if isinstance(secret, str) else secret
    if len(raw) < SHORTEST:
        raise ValueError(f"a secret of {len(raw)} bytes is too short to be looked for")
    seen: set[bytes] = set()
    for how, text in _spellings(raw):
        for form in (text, _joined(text)):
            if form not in seen and len(form) >= SHORTEST:
                seen.add(form)
                yield how, form


def _spellings(raw: bytes) -> Iterator[tuple[str, bytes]]:
    yield "raw", raw
    yield "hex", raw.hex().encode()
    yield "hex in capitals", raw.hex().upper().encode()
    for shift in range(3):
        for how, alphabet in (("base64", b"+/"), ("base64url", b"-_")):
            text = _base64_within(raw, shift, alphabet)
            yield f"{how}, {shift} bytes on", text
            yield f"percent-escaped {how}, {shift} bytes on", quote(text, safe="").encode()
    yield "percent-escaped", quote(raw, safe="").encode()
    yield "percent-escaped in small letters", _small_escapes(quote(raw, safe=""))
    yield "percent-escaped as in a form", quote_plus(raw).encode()
    yield "percent-escaped everywhere", "".join(f"%{byte:02X}" for byte in raw).encode()
    # A secret that is no text is one by accident: Latin-1 has a letter for each byte.
    text = raw.decode() if _is_text(raw) else raw.decode("latin-1")
    yield "as text", text.encode()
    yield "JSON", json.dumps(text)[1:-1].encode()
    yield "JSON in UTF-8", json.dumps(text, ensure_ascii=False)[1:-1].encode()
    yield "JSON as Go writes it", _go_json(text)
    yield "JSON in a JSON string", json.dumps(json.dumps(text)[1:-1])[1:-1].encode()
    yield "Python's repr", repr(raw)[2:-1].encode()
    yield "numbers", ", ".join(map(str, raw)).encode()


def _base64_within(raw: bytes, shift: int, alphabet: bytes) -> bytes:
    """What of base64 depends on `raw` alone, where `raw` begins `shift` bytes into a group."""
    encoded = base64.b64encode(bytes(shift) + raw, altchars=alphabet)
    return encoded[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]


def _go_json(text: str) -> bytes:
    escaped = json.dumps(text, ensure_ascii=False)[1:-1]
    for letter in "<>&":
        escaped = escaped.replace(letter, f"\\u{ord(letter):04x}")
    return escaped.encode()


def _small_escapes(text: str) -> bytes:
    return re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), text).encode()


def _is_text(raw: bytes) -> bool:
    try:
        return raw.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _joined(raw: bytes) -> bytes:
    """Without what breaks lines: PEM in YAML, base64 in columns, either of them in JSON."""
    return raw.translate(None, _WHITESPACE).replace(b"\\n", b"")


def _run(data: bytes, at: int, text: bytes, offset: int) -> int:
    """How many bytes in a row agree around `data[at]` and `text[offset]`."""
    before = min(at, offset)
    begin = 0
    while begin < before and data[at - begin - 1] == text[offset - begin - 1]:
        begin += 1
    after = min(len(data) - at, len(text) - offset)
    end = 0
    while end < after and data[at + end] == text[offset + end]:
        end += 1
    return begin + end
