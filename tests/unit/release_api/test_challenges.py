from __future__ import annotations

import pytest

from sealyard.api.device_api import CHALLENGE_SECONDS, NONCE_BYTES
from sealyard.api.release_api import Reason
from sealyard_release_api.devices.challenges import forget_before, issued_at, new_nonce
from sealyard_release_api.wire import Refusal

NOW = 1_800_000_000
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
ME, ANOTHER = "0" * 32, "1" * 32
NONCE = new_nonce(KEY, ME, NOW)


def test_a_nonce_is_known_by_whoever_has_its_key() -> None:
    assert len(NONCE) == NONCE_BYTES
    assert issued_at([OTHER_KEY, KEY], ME, NONCE, NOW) == NOW


def test_no_two_are_the_same() -> None:
    assert len({new_nonce(KEY, ME, NOW) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("late", "good"),
    [
        (-31, False),
        (-30, True),
        (0, True),
        (CHALLENGE_SECONDS - 1, True),
        (CHALLENGE_SECONDS, False),
    ],
)
def test_a_nonce_is_good_for_a_minute(late: int, good: bool) -> None:
    if good:
        assert issued_at([KEY], ME, NONCE, NOW + late) == NOW
        return
    with pytest.raises(Refusal, match="expired") as error:
        issued_at([KEY], ME, NONCE, NOW + late)
    assert error.value.reason is Reason.NONCE_REFUSED


@pytest.mark.parametrize(
    ("device", "nonce"),
    [
        pytest.param(ANOTHER, NONCE, id="of another device"),
        pytest.param(ME, new_nonce(OTHER_KEY, ME, NOW), id="of another API"),
        pytest.param(ME, bytes(NONCE_BYTES), id="zeros"),
        *(
            pytest.param(
                ME, NONCE[:at] + bytes([NONCE[at] ^ 1]) + NONCE[at + 1 :], id=f"byte {at} differs"
            )
            for at in range(0, NONCE_BYTES, 5)
        ),
    ],
)
def test_a_nonce_that_is_none(device: str, nonce: bytes) -> None:
    with pytest.raises(Refusal, match="none of this API for this device") as error:
        issued_at([KEY], device, nonce, NOW)
    assert error.value.reason is Reason.NONCE_REFUSED


def test_no_nonce_is_forgotten_while_a_replica_may_take_it() -> None:
    newest_that_is_forgotten = forget_before(NOW) - 1
    nonce = new_nonce(KEY, ME, newest_that_is_forgotten)
    for clock in range(NOW - 30, NOW + 31):
        with pytest.raises(Refusal):
            issued_at([KEY], ME, nonce, clock)
