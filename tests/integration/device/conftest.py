from __future__ import annotations

from support.stores import stores
from support.tpm import OBTAINABLE

__all__ = ["stores"]

# Only Debian, and what descends from it, has the TPM where no root is needed to get it.
collect_ignore = [] if OBTAINABLE else ["test_tpm2.py"]
