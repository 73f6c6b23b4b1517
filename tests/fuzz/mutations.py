"""Changes JSON as a document: with a changed byte it is seldom JSON, and hardly ever canonical."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Mutate: TypeAlias = Callable[[bytes, int], bytes]

VALUES: tuple[Any, ...] = (
    *(None, True, False, "", "x", "-", "\n", "\ud800", "é", "a" * 64, "0" * 64, [], {}, [[]]),
    *(0, 1, -1, 0.5, -0.0, 1e308, 1 << 20, (1 << 20) + 1, 1 << 40, (1 << 40) + 1, 1 << 53, 1 << 64),
)


def mutated_json(raw: bytes, max_size: int, seed: int, mutate: Mutate) -> bytes:
    """Another document in place of `raw`; now and then, just other bytes.

    Args:
        raw: the input that was chosen.
        max_size: how long the result may be.
        seed: decides all that happens here.
        mutate: libFuzzer's own way to change bytes.
    """
    chance = random.Random(seed)  # noqa: S311 - reproducible by design
    try:
        root = [json.loads(raw)]
    except (ValueError, RecursionError):
        return mutate(raw, max_size)
    if chance.random() < 0.1:
        return mutate(raw, max_size)
    for _ in range(chance.randint(1, 3)):
        _change(root, chance, mutate)
    made = json.dumps(root[0], sort_keys=True, separators=(",", ":")).encode()
    return made if len(made) <= max_size else mutate(raw, max_size)


def _change(root: list[Any], chance: random.Random, mutate: Mutate) -> None:
    """Change one node below `root`, each as likely as any other."""
    holder, at = chance.choice(list(_places(root)))
    how = 3 if holder is root else chance.randrange(6)
    if how == 0:
        del holder[at]
    elif how == 1 and isinstance(holder, dict):
        holder[_changed_text(at, chance, mutate)] = holder.pop(at)
    elif how == 1:
        holder.append(copy.deepcopy(holder[at]))
    elif how == 2 and isinstance(holder, dict):
        holder[chance.choice(list(holder))] = copy.deepcopy(holder[at])
    else:
        holder[at] = _other(holder[at], chance, mutate)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every node below this one, as its holder and where it stands there."""
    steps = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for at in steps:
        yield node, at
        yield from _places(node[at])


def _other(value: Any, chance: random.Random, mutate: Mutate) -> Any:
    if chance.random() < 0.4:
        return copy.deepcopy(chance.choice(VALUES))
    if isinstance(value, str):
        return _changed_text(value, chance, mutate)
    if isinstance(value, int | float):
        return chance.choice((value + 1, value - 1, -value, str(value), [value]))
    return chance.choice(([value], {"later": value}, None))


def _changed_text(text: str, chance: random.Random, mutate: Mutate) -> str:
    if text.startswith("{") and chance.random() < 0.8:
        # A document within: keyring.json in stringData.
        return mutated_json(text.encode(), 1 << 16, chance.getrandbits(32), mutate).decode(
            errors="replace"
        )
    raw = text.encode(errors="surrogatepass")
    return mutate(raw, len(raw) + 16).decode(errors="replace")
