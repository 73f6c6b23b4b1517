"""Kubernetes resource quantities, as far as `sealyard.api.model.Quantity` lets them in."""

from __future__ import annotations

import re
from fractions import Fraction

QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)$")
FACTORS = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    "k": Fraction(1000),
    "M": Fraction(1000**2),
    "G": Fraction(1000**3),
    "T": Fraction(1000**4),
    "Ki": Fraction(1024),
    "Mi": Fraction(1024**2),
    "Gi": Fraction(1024**3),
    "Ti": Fraction(1024**4),
}


def amount(quantity: str) -> Fraction:
    """The exact value of a quantity: cores, or bytes.

    Raises:
        ValueError: it is no quantity, which the API server lets nobody write.
    """
    matched = QUANTITY.match(quantity)
    if matched is None or matched[2] not in FACTORS:
        raise ValueError(f"{quantity!r} is no quantity")
    return Fraction(matched[1]) * FACTORS[matched[2]]
