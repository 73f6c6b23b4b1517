"""What a pod that trains or exports is given: a ComputeProfile, and what a run asks beside it.

`choice` says which profile it is, `overrides` what a run may not ask for, `merge` what comes of it.
"""

from sealyard.core.compute.merge import Compute, pods_of
from sealyard.core.compute.quantity import amount
from sealyard.core.compute.resolve import for_export, for_training

__all__ = ["Compute", "amount", "for_export", "for_training", "pods_of"]
