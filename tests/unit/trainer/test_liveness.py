"""Who learns nothing for a while says all the same that it lives."""

from __future__ import annotations

from pathlib import Path

from sealyard.api.answers import TrainResult
from sealyard.api.dataset import DatasetStatus
from sealyard.api.training_run import Artifact, Metrics
from sealyard_trainer.liveness import repeating, so_far, trained
from sealyard_trainer.progress_client import start_progress
from support.progress_server import progress_server
from support.training_jobs import EPOCHS, train_task

FIGURES = Metrics(map50=0.9)


def test_what_was_reached_is_told_again_and_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a projected token")
    report = so_far(train_task(), 2)
    with progress_server(tmp_path / "server") as received:
        client = start_progress(received.endpoint, token)
        assert client is not None
        client._interval = 0.0
        with repeating(client, report, seconds=0.01):
            assert received.wait_for(3)[:3] == [report] * 3
        client.close()


def test_without_an_endpoint_nobody_is_told() -> None:
    with repeating(None, so_far(train_task(), 0)):
        pass


def test_how_far_it_is() -> None:
    begun, resumed = so_far(train_task(), 0), so_far(train_task(), 2)
    assert (begun.epoch, begun.fraction, begun.resumed_from_epoch) == (0, 0.0, None)
    assert (resumed.epoch, resumed.epochs, resumed.resumed_from_epoch) == (2, EPOCHS, 2)
    result = TrainResult(
        epochs=2,
        resumed_from_epoch=1,
        metrics=FIGURES,
        dataset=DatasetStatus(digest="a" * 64, images=4),
        artifacts=[Artifact(name="best.pt", path="coins/best.pt", sha256="b" * 64, size_bytes=1)],
    )
    done = trained(train_task(), result)
    assert (done.epoch, done.fraction, done.eta_seconds) == (2, 1.0, 0)
    assert (done.metrics, done.resumed_from_epoch) == (FIGURES, 1)
