from __future__ import annotations

from pathlib import Path

import yaml
from kubernetes.aio.client import Configuration as ClientConfiguration

from sealyard.controller.configuration import load_configuration
from sealyard.controller.runtime import Operator
from support.controller import FakeApi, raw_run


async def test_nothing_grows_old_in_the_queue_before_the_first_listing_is_complete(
    tmp_path: Path,
) -> None:
    """Else the kubelet would kill an operator that waits for a role, again and again."""
    images = {"trainer": "t:1", "exporter": "e:1", "courier": "c:1"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"images": images}))
    configuration = load_configuration(str(tmp_path / "config.yaml"))
    operator = Operator(configuration, ClientConfiguration(), FakeApi(raw_run()))
    await operator._lister.fill()
    assert (len(operator._caches), len(operator._queue)) == (1, 0)
    operator._begin()
    assert len(operator._queue) == 1
    operator._stopping.cancel()
