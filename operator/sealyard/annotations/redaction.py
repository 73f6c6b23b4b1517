"""Tokens in messages: whoever reads what is kept of a message must not be able to use its token."""

from __future__ import annotations

import json
import re
from typing import Any, Final

_CUT: Final = "[redacted]"
_LITERAL: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_JWT: Final = re.compile(
    # From where such letters begin, or a long run of them would be tried from each of them.
    rb"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.)[A-Za-z0-9_-]{16,}"
)


def redacted(body: bytes) -> bytes:
    """A message as it may be kept: its token can be looked at, and proves nothing any more.

    Signatures of tokens are cut out, and every other byte stays as it is. A line of JSON that
    spells one with escapes is written anew, where a key that stands twice stands once.
    """
    line, end, attached = body.partition(b"\n")
    try:
        _, tokens = _texts(line)
    except (ValueError, RecursionError):
        return _without_signatures(body)
    unsigned = {_quoted(token): _quoted(_unsigned(token)) for token in tokens}
    kept = _LITERAL.sub(lambda found: unsigned.get(found[0], found[0]), line)
    kept = _without_signatures(kept)
    texts, tokens = _texts(kept)
    is_unsigned = all(token == _unsigned(token) for token in tokens)
    if not is_unsigned or any(_JWT.search(_bytes(text)) for text in texts):
        kept = _written_anew(line)
    return kept + end + attached


def without_tokens(text: str) -> str:
    """A text as it may be shown: a token may stand in any field."""
    return _JWT.sub(b"[token]", text.encode()).decode()


def _texts(line: bytes) -> tuple[list[str], list[str]]:
    """All strings and keys of a line of JSON, and those that are said to be tokens."""
    texts: list[str] = []
    tokens: list[str] = []
    waiting: list[Any] = [json.loads(line, object_pairs_hook=lambda pairs: pairs)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            texts.append(one)
        elif isinstance(one, list | tuple):
            waiting += one
        if isinstance(one, tuple) and one[0] == "jwt" and isinstance(one[1], str):
            tokens.append(one[1])
    return texts, tokens


def _written_anew(line: bytes) -> bytes:
    document = json.loads(line)
    if isinstance(document, dict) and isinstance(document.get("proof"), dict):
        token = document["proof"].get("jwt")
        if isinstance(token, str):
            document["proof"]["jwt"] = _unsigned(token)
    # Now a token is spelled without escapes, wherever it is.
    return _without_signatures(json.dumps(document, separators=(",", ":")).encode())


def _unsigned(token: str) -> str:
    return f"{token.rpartition('.')[0]}.{_CUT}"


def _without_signatures(text: bytes) -> bytes:
    return _JWT.sub(rb"\1" + _CUT.encode(), text)


def _quoted(text: str) -> bytes:
    return b'"' + _bytes(text) + b'"'


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
