from __future__ import annotations

import json

import pytest

from sealyard.api.release_api import Reason
from sealyard.delivery.index.roots import RELEASE_ROLES, RootKeys, root_name
from sealyard_release_api.tuf.files import MetadataName
from sealyard_release_api.tuf.signatures import SignedFile, check_signatures
from sealyard_release_api.wire import Refusal
from support.index import Trust, key

TRUST, STRANGER = Trust(), Trust()
for one in (TRUST, STRANGER):
    one.rotate({})
SECOND = root_name(2)


def parsed(name: str, raw: bytes) -> SignedFile:
    return SignedFile.parse(raw, MetadataName.parse(name))


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_the_newest_root_says_who_signs(role: str) -> None:
    name = "timestamp.json" if role == "timestamp" else f"5.{role}.json"
    check_signatures(parsed(name, TRUST.metadata(role, 5)), TRUST.first)
    with pytest.raises(Refusal, match=f"0 count, must be 1 of the keys .* for {role}") as error:
        check_signatures(parsed(name, STRANGER.metadata(role, 5)), TRUST.first)
    assert error.value.reason is Reason.INVALID_METADATA


def test_a_root_is_signed_by_the_one_before_and_by_itself() -> None:
    check_signatures(parsed(root_name(1), TRUST.first), None)
    check_signatures(parsed(SECOND, TRUST.chain[SECOND]), TRUST.first)
    with pytest.raises(Refusal, match=r"that 1\.root\.json names for root"):
        check_signatures(parsed(SECOND, STRANGER.chain[SECOND]), TRUST.first)
    trust = Trust()
    former = list(trust.root_keys)
    trust.root_keys = [key("another root key")]
    trust.rotate({("root",): RootKeys((trust.root_keys[0].public,))})
    trust.root_keys += former
    with pytest.raises(Refusal, match=r"that 1\.root\.json names for root"):
        check_signatures(parsed(SECOND, trust.chain[SECOND]), trust.first)


def test_a_first_root_that_nobody_signed_is_none() -> None:
    document = json.loads(TRUST.first)
    document["signatures"] = [{"keyid": TRUST.root_keys[0].keyid, "sig": "zz"}]
    with pytest.raises(Refusal, match="0 count, must be 1"):
        check_signatures(parsed(root_name(1), json.dumps(document).encode()), None)


def test_a_key_that_was_replaced_signs_no_more() -> None:
    trust = Trust()
    old = trust.metadata("targets", 2)
    trust.release = key("new release key")
    trust.rotate({RELEASE_ROLES: RootKeys((trust.release.public,))})
    with pytest.raises(Refusal, match=r"that 2\.root\.json names for targets"):
        check_signatures(parsed("2.targets.json", old), trust.chain[SECOND])
    check_signatures(parsed("2.targets.json", trust.metadata("targets", 2)), trust.chain[SECOND])


@pytest.mark.parametrize("change", [{"expires": "soon"}, {"targets": 1}, {"x": 0.5}])
def test_what_is_no_metadata_of_the_framework(change: dict[str, object]) -> None:
    document = json.loads(TRUST.metadata("targets", 3))
    document["signed"] |= change
    with pytest.raises(Refusal, match="must be a targets of The Update Framework"):
        parsed("3.targets.json", json.dumps(document).encode())
