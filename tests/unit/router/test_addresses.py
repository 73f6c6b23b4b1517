"""What the store says of one picture, or of everything."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry, Counter

from sealyard.delivery.s3_requests import (
    NoObjectError,
    PreconditionError,
    RequestRefusedError,
    StorageFullError,
)
from sealyard.errors import IntegrityError, MissingError, RefusedError, UnavailableError
from sealyard_router import patience
from sealyard_router.addresses import Pictures
from sealyard_router.patience import Patience
from sealyard_router.troubles import Troubles
from sealyard_router.verdict import Decision, Wanted, decide
from support.annotations import a_picture
from support.filing import IMAGE, a_case, a_message

URI = "s3://pictures/trays/1.jpg"


@dataclass
class Store:
    """Answers the first requests with errors."""

    of_picture: list[Exception]
    of_listing: Exception | None = None

    def read_whole(self, _key: str, _size: int) -> bytearray:
        if self.of_picture:
            raise self.of_picture.pop(0)
        return bytearray(IMAGE)

    def check(self, prefix: str) -> None:
        assert prefix == "trays/"
        if self.of_listing is not None:
            raise self.of_listing


def decided(store: Store, monkeypatch: pytest.MonkeyPatch) -> Decision:
    monkeypatch.setattr(patience, "pauses", lambda: iter([0.0] * 3))
    wanted = decide(a_case(a_message(attached=False, picture=a_picture(IMAGE, uri=URI))))
    assert isinstance(wanted, Wanted)
    failures = Counter("failures", "", ["problem"], registry=CollectorRegistry())
    waits = Patience("PicturesUnavailable", Troubles(), threading.Event(), failures)
    return wanted(Pictures(store, "trays/", waits).fetch(wanted))


OF_THIS_ONE = [
    NoObjectError("there is no object"),
    IntegrityError("it has 3 bytes"),
    PreconditionError("a condition does not hold (status 412)"),
    RequestRefusedError("it refuses the request (KeyTooLongError, status 400)"),
    RefusedError("it refuses the credential (InvalidObjectState, status 403)"),
]


@pytest.mark.parametrize("error", OF_THIS_ONE, ids=lambda error: type(error).__name__)
def test_what_is_refused_of_one_picture_refuses_its_message(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = decided(Store([error]), monkeypatch).record
    assert (record.verdict, record.reason) == ("rejected", f"picture.uri: {error}")


OF_ALL = {
    "a wrong credential": (RefusedError("refused"), RefusedError("refused"), RefusedError),
    "a bucket that is gone": (MissingError("no bucket"), None, MissingError),
}


@pytest.mark.parametrize(("of_picture", "of_listing", "kind"), OF_ALL.values(), ids=OF_ALL)
def test_what_is_refused_of_everything_ends_the_router(
    of_picture: Exception,
    of_listing: Exception | None,
    kind: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(kind):
        decided(Store([of_picture], of_listing), monkeypatch)


WAITED_FOR = {
    "it is away": ([UnavailableError("away")], None),
    "it is full": ([StorageFullError("full")], None),
    "a token that ran out, and is made anew": (
        [RequestRefusedError("ExpiredToken")],
        RequestRefusedError("ExpiredToken"),
    ),
}


@pytest.mark.parametrize(("of_picture", "of_listing"), WAITED_FOR.values(), ids=WAITED_FOR)
def test_what_may_pass_is_waited_for(
    of_picture: list[Exception], of_listing: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert decided(Store(of_picture, of_listing), monkeypatch).record.verdict == "validated"
