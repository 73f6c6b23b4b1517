from __future__ import annotations

from dataclasses import replace

import pytest

from sealyard.api.release_api import Reason, etag
from sealyard.sealing.manifest import Manifest
from sealyard_release_api.releases import (
    Change,
    Release,
    Small,
    check_variant,
    judge_manifest,
    judge_small,
    read_manifest,
)
from sealyard_release_api.wire import STATUS_OF, Refusal
from support.releases import LEGACY, SEALED, other_core, rewrapped, sample

RELEASE = sample()
SMALLS = {name: Small.of(raw) for name, raw in RELEASE.smalls.items()}
V2 = SMALLS[SEALED]
V1 = SMALLS[LEGACY]
V2_REWRAPPED = Small.of(rewrapped(RELEASE.smalls[SEALED]))
V2_OTHER_CORE = Small.of(other_core(RELEASE.smalls[SEALED]))
V2_LONGER = Small.of(RELEASE.smalls[SEALED] + b"\0")
V1_OTHER = Small.of(RELEASE.smalls[LEGACY][:-1] + b"\0")
ANY = Small.of(b"x" * 400)

V2_TAG = etag(V2.sha256)
V1_TAG = etag(V1.sha256)
OLD_TAG = etag(ANY.sha256)


@pytest.mark.parametrize(
    ("new", "stored", "if_match", "expected"),
    [
        pytest.param(V2, None, None, Change.CREATE, id="first"),
        pytest.param(ANY, V2, None, Change.REPLACE, id="any replaces any"),
        pytest.param(V2, V2, None, Change.UNCHANGED, id="the same again"),
        pytest.param(V2, V2, OLD_TAG, Change.UNCHANGED, id="the same again, whatever If-Match"),
        pytest.param(ANY, V2, V2_TAG, Change.REPLACE, id="If-Match agrees"),
        pytest.param(ANY, V2, "*", Change.REPLACE, id="If-Match any"),
        pytest.param(ANY, V2, f"{OLD_TAG}, {V2_TAG}", Change.REPLACE, id="If-Match list"),
        pytest.param(ANY, V2, OLD_TAG, Reason.PRECONDITION_FAILED, id="If-Match names another"),
        pytest.param(ANY, V2, f"W/{V2_TAG}", Reason.PRECONDITION_FAILED, id="weak tag"),
        pytest.param(ANY, V2, V2.sha256, Reason.PRECONDITION_FAILED, id="no quotes"),
        pytest.param(ANY, V2, "", Reason.PRECONDITION_FAILED, id="empty If-Match"),
        pytest.param(V2, None, V2_TAG, Reason.PRECONDITION_FAILED, id="If-Match of nothing"),
        pytest.param(V2, None, "*", Reason.PRECONDITION_FAILED, id="If-Match any of nothing"),
    ],
)
def test_a_small_part_before_the_manifest(
    new: Small, stored: Small | None, if_match: str | None, expected: Change | Reason
) -> None:
    assert judged(new, stored, None, SEALED, if_match) == expected


@pytest.mark.parametrize(
    ("new", "stored", "variant", "if_match", "expected"),
    [
        pytest.param(V2, V2, SEALED, None, Change.UNCHANGED, id="the same again"),
        pytest.param(V1, V1, LEGACY, None, Change.UNCHANGED, id="the same again, v1"),
        pytest.param(V2_REWRAPPED, V2, SEALED, V2_TAG, Change.REPLACE, id="other slots"),
        pytest.param(V2_REWRAPPED, V2, SEALED, "*", Change.REPLACE, id="other slots, any"),
        pytest.param(V2, V2_REWRAPPED, SEALED, "*", Change.REPLACE, id="and back"),
        pytest.param(
            V2_REWRAPPED, V2, SEALED, None, Reason.SMALL_PART_FIXED, id="slots without If-Match"
        ),
        pytest.param(
            V2_REWRAPPED, V2, SEALED, OLD_TAG, Reason.PRECONDITION_FAILED, id="slots, lost race"
        ),
        pytest.param(V2_OTHER_CORE, V2, SEALED, V2_TAG, Reason.SMALL_PART_FIXED, id="other core"),
        pytest.param(V2_LONGER, V2, SEALED, V2_TAG, Reason.SMALL_PART_FIXED, id="other size"),
        pytest.param(V1_OTHER, V1, LEGACY, V1_TAG, Reason.SMALL_PART_FIXED, id="v1, any change"),
        pytest.param(ANY, None, "other", None, Reason.SMALL_PART_FIXED, id="a variant more"),
        pytest.param(ANY, V2, "other", V2_TAG, Reason.SMALL_PART_FIXED, id="of no variant"),
    ],
)
def test_a_small_part_after_the_manifest(
    new: Small,
    stored: Small | None,
    variant: str,
    if_match: str | None,
    expected: Change | Reason,
) -> None:
    assert judged(new, stored, RELEASE.manifest, variant, if_match) == expected


def judged(
    new: Small, stored: Small | None, manifest: Manifest | None, variant: str, if_match: str | None
) -> Change | Reason:
    try:
        return judge_small(new, stored, manifest, variant, if_match)
    except Refusal as refusal:
        return refusal.reason


@pytest.mark.parametrize(
    ("stored", "smalls", "expected", "says"),
    [
        pytest.param(None, SMALLS, Change.CREATE, "", id="all there"),
        pytest.param(None, {**SMALLS, "more": ANY}, Change.CREATE, "", id="one more than it names"),
        pytest.param(
            None, {**SMALLS, SEALED: V2_REWRAPPED}, Change.CREATE, "", id="slots are not promised"
        ),
        pytest.param(RELEASE.sha256, {}, Change.UNCHANGED, "", id="the same again"),
        pytest.param("0" * 64, SMALLS, Reason.MANIFEST_EXISTS, "0" * 64, id="another exists"),
        pytest.param(
            None, {SEALED: V2}, Reason.SMALL_PART_MISSING, f"'{LEGACY}'", id="one missing"
        ),
        pytest.param(None, {}, Reason.SMALL_PART_MISSING, "before the manifest", id="all missing"),
        pytest.param(
            None,
            {**SMALLS, SEALED: V2_OTHER_CORE},
            Reason.SMALL_PART_DIFFERS,
            V2_OTHER_CORE.core_sha256,
            id="another core",
        ),
        pytest.param(
            None,
            {**SMALLS, LEGACY: V1_OTHER},
            Reason.SMALL_PART_DIFFERS,
            V1_OTHER.sha256,
            id="v1 with other bytes",
        ),
        pytest.param(
            None,
            {**SMALLS, SEALED: replace(V2, size_bytes=321)},
            Reason.SMALL_PART_DIFFERS,
            "321 bytes",
            id="another size",
        ),
    ],
)
def test_a_manifest(
    stored: str | None, smalls: dict[str, Small], expected: Change | Reason, says: str
) -> None:
    message = ""
    try:
        got: Change | Reason = judge_manifest(RELEASE.manifest, RELEASE.sha256, stored, smalls)
    except Refusal as refusal:
        got, message = refusal.reason, refusal.message
    assert says in message
    assert "\n" not in message
    assert got == expected


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not JSON"),
        (b"{}", "predicateType"),
        (b"[" * 100_000, "not JSON"),
        (RELEASE.raw + b"\n", "not canonical"),
        (RELEASE.raw.replace(b'"coins"', b'"coins2"', 1), "the manifest is of coins2 1.0.0"),
        (RELEASE.raw.replace(b'"fp32"', b'"fp64"', 1), "precision"),
        (b"\xff" + RELEASE.raw, "not JSON"),
        (RELEASE.raw.replace(b'"1.0.0"', b'"1.0.1"'), "the path of coins 1.0.0"),
    ],
)
def test_a_manifest_that_is_none(raw: bytes, says: str) -> None:
    with pytest.raises(Refusal) as refusal:
        read_manifest(raw, Release("coins", "1.0.0"))
    assert refusal.value.reason is Reason.INVALID_MANIFEST
    assert says in refusal.value.message


@pytest.mark.parametrize("length", [0, 319, 3073])
def test_sizes_that_no_small_part_has(length: int) -> None:
    with pytest.raises(Refusal, match="must be 320 to 3072") as refusal:
        Small.of(bytes(length))
    assert refusal.value.reason is Reason.INVALID_SMALL_PART


@pytest.mark.parametrize("length", [320, 3072])
def test_sizes_at_the_bounds(length: int) -> None:
    assert Small.of(bytes(length)).size_bytes == length


BAD_NAMES = ["", ".", "..", "-a", "a-", "A", "a_b", "a.b", "a/b", "a\n", "a" * 64, "a\0", "ä", " a"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_refused(name: str) -> None:
    for call in (lambda: Release.of(name, "1.0.0"), lambda: check_variant(name)):
        with pytest.raises(Refusal) as refusal:
            call()
        assert refusal.value.reason is Reason.INVALID_NAME
        assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    "version",
    ["", "1", "1.0", "01.0.0", "1.0.0+build", "v1.0.0", "1.0.0-", "1.0.0-01", "..", "1.0.0\n",
     "1.0.0-" + "a" * 64, "1.0.0/..", "\u0661.0.0"],
)  # fmt: skip
def test_versions_that_are_refused(version: str) -> None:
    with pytest.raises(Refusal) as refusal:
        Release.of("coins", version)
    assert refusal.value.reason is Reason.INVALID_NAME


@pytest.mark.parametrize("version", ["0.0.0", "1.2.3-rc.1", "10.20.30", "1.0.0--", "1.0.0-0a"])
def test_versions_that_are_taken(version: str) -> None:
    assert Release.of("a", version) == Release("a", version)


def test_every_reason_has_a_status() -> None:
    assert set(STATUS_OF) == set(Reason)
