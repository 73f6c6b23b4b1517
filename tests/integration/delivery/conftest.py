from __future__ import annotations

from support.stores import own_stores, stores

__all__ = ["own_stores", "stores"]
