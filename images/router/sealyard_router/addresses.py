"""Pictures that messages name by an address: fetched, or why a message cannot have its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sealyard.delivery.s3_requests import (
    NoObjectError,
    PreconditionError,
    RequestRefusedError,
    UnsupportedError,
)
from sealyard.errors import IntegrityError, RefusedError, SealyardError
from sealyard_router.patience import Patience
from sealyard_router.verdict import Fetched, Wanted


class Bucket(Protocol):
    """What pictures lie in: `sealyard.delivery.object_folder.ObjectFolder` is one."""

    def read_whole(self, key: str, size: int) -> bytearray:
        """The content of an object whose size is known."""

    def check(self, prefix: str) -> None:
        """Raise what keeps this credential from listing what begins with `prefix`."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The store in which pictures lie that messages name by an address.

    Attributes:
        bucket: in it.
        prefix: of the folder that they are in.
        patience: with which it is asked.
    """

    bucket: Bucket
    prefix: str
    patience: Patience

    def fetch(self, wanted: Wanted) -> Fetched:
        """A picture, or why it cannot be had, where that is about this one object.

        Raises:
            SealyardError: the store refuses everything, in a way that waiting does not mend.
        """
        return self.patience.call(lambda: self._try(wanted))

    def _try(self, wanted: Wanted) -> Fetched:
        try:
            return Fetched(self.bucket.read_whole(wanted.key, wanted.size_bytes))
        except (NoObjectError, IntegrityError, PreconditionError) as error:
            return _without(error)
        except (RefusedError, RequestRefusedError, UnsupportedError) as error:
            # Of a credential that is good, it is this object that the store does not give.
            self.bucket.check(self.prefix)
            return _without(error)


def _without(error: SealyardError) -> Fetched:
    return Fetched(None, f"picture.uri: {error}")
