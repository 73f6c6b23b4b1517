"""Copies a model's state out of the way of what trains on.

Tensors of a kind are copied as parts of one, which a GPU makes in a moment and hands over at once:
hundreds of small ones take longer to ask for than to copy.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

_PICTURES_DIM: Final = 4
"""Of tensors that may have the channels last."""


def host_copy(state: Any) -> Any:
    """The same with copies of its tensors, strides and all, in the processor's memory.

    Args:
        state: dictionaries and lists of tensors and anything else, as a `state_dict` is.
    """
    leaves, structure = tree_flatten(state)
    alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for place, leaf in enumerate(leaves):
        if not isinstance(leaf, torch.Tensor):
            continue
        if _is_dense(leaf):
            alike[leaf.dtype, leaf.device].append(place)
        else:
            leaves[place] = leaf.to("cpu", copy=True)
    for places in alike.values():
        tensors = [leaves[place] for place in places]
        # As they lie in memory.
        rows = [tensor.as_strided((tensor.numel(),), (1,)) for tensor in tensors]
        parts = torch.cat(rows).cpu().split([len(row) for row in rows])
        for place, tensor, part in zip(places, tensors, parts, strict=True):
            leaves[place] = part.as_strided(tensor.shape, tensor.stride())
    return tree_unflatten(leaves, structure)


def _is_dense(tensor: torch.Tensor) -> bool:
    """Whether its numbers lie side by side, in whatever order."""
    if tensor.dim() == _PICTURES_DIM and tensor.is_contiguous(memory_format=torch.channels_last):
        return True
    return bool(tensor.is_contiguous())
