"""Who loses a slot, by the input of a grant Job."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.grants import GrantedRelease, GrantInput
from sealyard.api.index import WithdrawnRelease
from sealyard.core.surplus import Surplus
from support.grants import authorised

ID, STRANGER = "1" * 32, "2" * 32
RELEASES = [
    GrantedRelease(model=model, version=version, manifest_sha256="0" * 64)
    for model, version in (("coins", "1.0.0"), ("coins", "2.0.0"), ("notes", "1.0.0"))
]
OVER = [WithdrawnRelease(model="coins", version="0.9.0")]

CASES: dict[str, tuple[dict[str, Any], tuple[str, str], bool]] = {
    "what it is to have": ({"releases": [0]}, ("coins", "1.0.0"), False),
    "what others are to have": ({"releases": [0]}, ("coins", "2.0.0"), True),
    "what nobody is to have": ({"releases": [0]}, ("coins", "0.1.0"), True),
    "nothing is to be had": ({}, ("coins", "1.0.0"), True),
    "a model of which not all is known": ({"releases": [0]}, ("notes", "1.0.0"), False),
    "what is over": ({"releases": [0]}, ("coins", "0.9.0"), True),
    "what is over, of whatever model": ({"restricted_models": []}, ("coins", "0.9.0"), True),
    "no channel, another release": ({"restricted_models": []}, ("coins", "2.0.0"), False),
    "a release that the input does not have": ({"releases": [7]}, ("coins", "2.0.0"), True),
}


@pytest.mark.parametrize("case", CASES)
def test_who_loses_a_slot(case: str) -> None:
    changes, (model, version), loses = CASES[case]
    device = authorised(**{"device_id": ID, "restricted_models": ["coins"], **changes})
    wanted = GrantInput(releases=RELEASES, devices=[device], withdrawn_releases=OVER)
    surplus = Surplus(wanted, {ID})
    assert surplus.among([STRANGER, ID], model, version) == [ID] * loses
    assert Surplus(wanted, set()).among([ID], model, version) == []
