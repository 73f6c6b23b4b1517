"""A store that replaces what it was asked to create is no place for a journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.delivery.http import Buffer
from sealyard.delivery.s3_requests import UnsupportedError
from sealyard.errors import InvalidError
from sealyard_router.volume import Volume
from support.filers import Filers


class Replacing(Volume):
    """Ignores that there is one already, as a gateway that does not know the header."""

    def create(self, key: str, content: Buffer) -> bool:
        self.put(key, content)
        return True


class Refusing(Volume):
    """Says that it does not know the header."""

    def create(self, key: str, content: Buffer) -> bool:
        raise UnsupportedError(f"{key} with {len(content)} bytes (NotImplemented, status 501)")


@pytest.mark.parametrize("volume", [Replacing, Refusing])
def test_no_router_begins_where_nothing_is_certain(tmp_path: Path, volume: type[Volume]) -> None:
    with pytest.raises(InvalidError, match="the claim replaces an object in spite of If-None"):
        Filers(tmp_path, volume).start()


def test_it_is_tried_at_each_begin(tmp_path: Path) -> None:
    Filers(tmp_path).start()
    Filers(tmp_path).start()
    with pytest.raises(InvalidError):
        Filers(tmp_path, Replacing).start()
