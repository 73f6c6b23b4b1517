"""Everything that whoever catches an error could show: a log, a debugger, an error reporter."""

from __future__ import annotations

import contextlib
import pickle
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

_LOOKED_INTO = ("httpx", "httpcore", "botocore", "pydantic", "sealyard", "ssl")


def everything_an_error_says(error: BaseException) -> bytes:
    """Its traceback without locals, and whatever hangs on it and on the errors before it."""
    said = [text.encode(errors="replace") for text in traceback.format_exception(error)]
    waiting: list[Any] = [error]
    seen: set[int] = set()
    # The list keeps everything alive, so that no address is seen twice.
    for one in waiting:
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, bytes | bytearray | memoryview):
            said.append(bytes(one))
        elif isinstance(one, str):
            said.append(one.encode(errors="surrogatepass"))
        else:
            waiting += _parts(one)
    return b"\n".join(said)


def _parts(thing: Any) -> Iterator[Any]:
    if isinstance(thing, Mapping):
        yield from thing.keys()
        yield from thing.values()
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from thing
    elif isinstance(thing, BaseException):
        yield from (str(thing), repr(thing), thing.args, vars(thing))
        yield from (thing.__cause__, thing.__context__)
        if isinstance(thing, ValidationError):
            yield thing.errors(include_url=False)
        if isinstance(thing, UnicodeError):
            yield getattr(thing, "object", None)
        with contextlib.suppress(TypeError, AttributeError, pickle.PicklingError):
            yield pickle.dumps(thing)
    elif type(thing).__module__.split(".")[0].startswith(_LOOKED_INTO):
        yield repr(thing)
        yield getattr(thing, "__dict__", {})
