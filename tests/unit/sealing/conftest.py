from __future__ import annotations

from hypothesis import settings

# A shared machine stalls for longer than any deadline that would tell something.
settings.register_profile("sealing", deadline=None)
settings.load_profile("sealing")
