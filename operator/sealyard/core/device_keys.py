"""What is wrong with the keys of a Device, before anybody is told of it."""

from __future__ import annotations

import base64
from typing import Final

from sealyard.api.device import DeviceSpec
from sealyard.api.digests import device_id

_P: Final = 2**255 - 19
# The points of Curve25519 whose order is small: whatever is agreed upon with one of them is zero
# (https://cr.yp.to/ecdh.html#validate, less those that differ in the bit that X25519 ignores).
_SMALL_ORDER: Final = frozenset(
    {
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        _P - 1,
        _P,
        _P + 1,
    }
)


def fault_of_keys(spec: DeviceSpec) -> str | None:
    """What is wrong, and what to do about it; None if nothing can be seen from here.

    One device that no data key can be wrapped for would keep a grant Job from ending well, and so
    everything that is new from all the others.
    """
    made = device_id(spec.encryption_key, spec.signing_key)
    if spec.device_id != made:
        return (
            f"spec.deviceId is {spec.device_id}, and that of the two keys would be {made}: delete "
            "this Device and apply what `sealyard device init` printed"
        )
    point = int.from_bytes(base64.b64decode(spec.encryption_key), "little") % 2**255
    if point in _SMALL_ORDER:
        return (
            "spec.encryptionKey is a point of small order, which no key can be agreed upon with: "
            "delete this Device and make another one with `sealyard device init`"
        )
    return None
