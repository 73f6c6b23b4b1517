"""The operator's decisions with processes in the place of pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sealyard.errors import (
    IntegrityError,
    InvalidError,
    MissingError,
    RefusedError,
    SealyardError,
    UnavailableError,
)
from sealyard.laptop.container import Ended
from sealyard.laptop.manifests import read
from sealyard.laptop.objects import Objects
from sealyard.laptop.work import Work
from support.laptop import a_release, a_run, exported, failed, task, texts, trained

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
RUN, RELEASE = ("TrainingRun", "coins"), ("ModelRelease", "coins-1.0.0")
End = Callable[[Mapping[str, Any]], Ended]


class Bench:
    """A Work whose containers end as it is told, one after the other."""

    def __init__(self, folder: Path, *ends: End | Ended, documents: Any = None) -> None:
        self.jobs: list[Mapping[str, Any]] = []
        self.said: list[str] = []
        self.slept: list[float] = []
        self._ends: Iterator[End | Ended] = iter(ends)
        given = documents or [a_run(), a_release()]
        self.now = NOW
        self.objects = Objects(read(texts(*given), NOW), folder / "work" / "objects.json")
        self.work = Work(
            self.objects,
            self._end,
            say=self.said.append,
            clock=lambda: self.now,
            sleep=self._sleep,
        )

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)

    def _end(self, job: Mapping[str, Any]) -> Ended:
        self.jobs.append(job)
        end = next(self._ends)
        return end if isinstance(end, Ended) else end(job)


def test_a_run_is_trained_and_its_release_exported_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, trained, exported)
    bench.work.train(RUN)
    publish, claim = bench.work.export(RELEASE)
    assert (publish.model, publish.version, claim) == ("coins", "1.0.0", "workspace")
    assert [one.sha256 for one in publish.variants] == ["e" * 64]
    assert publish.source.dataset_digest == "d" * 64
    assert [task(job)["kind"] for job in bench.jobs] == ["train", "export"]
    # The next command finds all of it done, but for what a cluster would have published.
    again = Bench(tmp_path)
    again.work.train(RUN)
    assert again.objects.status(RUN)["phase"] == "Succeeded"
    assert again.work.export(RELEASE) == (publish, claim)
    assert again.jobs == []


def test_what_was_interrupted_is_tried_again_at_once_and_what_fails_later(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Ended(143, ""), failed(70), trained)
    bench.work.train(RUN)
    assert [task(job)["attempt"] for job in bench.jobs] == [1, 2, 3]
    assert len(bench.slept) == 1
    assert 0 < bench.slept[0] <= 20


def test_a_deadline_is_the_operators(tmp_path: Path) -> None:
    run = a_run()
    run["spec"]["activeDeadlineSeconds"] = 60
    bench = Bench(tmp_path, Ended(143, "", is_overdue=True), documents=[run])
    with pytest.raises(InvalidError, match=r"TrainingRun coins: .*deadline"):
        bench.work.train(RUN)
    assert bench.jobs[0]["spec"]["activeDeadlineSeconds"] == 60


@pytest.mark.parametrize(
    ("code", "error"),
    [(64, InvalidError), (65, InvalidError), (66, MissingError), (69, UnavailableError),
     (77, RefusedError)],
)  # fmt: skip
def test_what_a_person_must_mend_is_not_tried_again(
    tmp_path: Path, code: int, error: type[SealyardError]
) -> None:
    bench = Bench(tmp_path, failed(code))
    with pytest.raises(error, match="why it failed"):
        bench.work.train(RUN)
    assert (len(bench.jobs), bench.slept) == (1, [])
    # And once it is mended, the same command goes on.
    mended = Bench(tmp_path, trained)
    mended.work.train(RUN)
    assert mended.objects.status(RUN)["phase"] == "Succeeded"


def test_an_attempt_that_a_person_interrupts_does_not_count(tmp_path: Path) -> None:
    def interrupted(_job: Mapping[str, Any]) -> Ended:
        raise KeyboardInterrupt

    for _ in range(9):
        with pytest.raises(KeyboardInterrupt):
            Bench(tmp_path, interrupted).work.train(RUN)
    bench = Bench(tmp_path, trained)
    bench.work.train(RUN)
    assert task(bench.jobs[0])["attempt"] == 1


def test_a_gate_is_the_operators(tmp_path: Path) -> None:
    gated = a_release(gates=[{"metric": "map50", "min": 0.95}])
    bench = Bench(tmp_path, trained, exported, documents=[a_run(), gated])
    bench.work.train(RUN)
    with pytest.raises(InvalidError, match=r"map50 is 0.9, and the gate wants at least 0.95"):
        bench.work.export(RELEASE)


def test_a_release_of_a_run_that_is_not_there_waits(tmp_path: Path) -> None:
    bench = Bench(tmp_path, documents=[a_release()])
    with pytest.raises(MissingError, match=r"TrainingRun coins .* does not exist"):
        bench.work.export(RELEASE)


def test_another_spec_is_another_object(tmp_path: Path) -> None:
    Bench(tmp_path, trained).work.train(RUN)
    longer = Bench(tmp_path, trained, documents=[a_run(epochs=9)])
    longer.work.train(RUN)
    assert [task(job)["hyperparameters"]["epochs"] for job in longer.jobs] == [9]
    # What is kept of the first is still there.
    Bench(tmp_path).work.train(RUN)


def test_a_release_of_another_run_is_another_release(tmp_path: Path) -> None:
    first = Bench(tmp_path, trained, exported)
    first.work.train(RUN)
    first.work.export(RELEASE)
    changed = Bench(tmp_path, trained, exported, documents=[a_run(epochs=9), a_release()])
    changed.work.train(RUN)
    changed.work.export(RELEASE)
    assert [task(job)["kind"] for job in changed.jobs] == ["train", "export"]


def test_runs_that_wait_for_each_other_end(tmp_path: Path) -> None:
    def after(name: str, other: str) -> dict[str, Any]:
        run = a_run(name)
        run["spec"]["model"]["weights"] = {"trainingRunRef": {"name": other}}
        return run

    bench = Bench(tmp_path, documents=[after("coins", "notes"), after("notes", "coins")])
    with pytest.raises(MissingError):
        bench.work.train(RUN)


def test_a_run_comes_after_the_one_that_it_is_fine_tuned_from(tmp_path: Path) -> None:
    tuned = a_run("a")
    tuned["spec"]["model"]["weights"] = {"trainingRunRef": {"name": "z"}}
    bench = Bench(tmp_path, trained, trained, documents=[tuned, a_release(), a_run("z")])
    assert [name for _, name in bench.objects.of("TrainingRun")] == ["z", "a"]
    for run in bench.objects.of("TrainingRun"):
        bench.work.train(run)
    assert [task(job)["owner"]["name"] for job in bench.jobs] == ["z", "a"]


def test_a_request_to_train_on_what_is_there_now_is_passed_on(tmp_path: Path) -> None:
    run = a_run()
    run["metadata"]["annotations"] = {"sealyard.io/requestedAt": "2026-11-24T11:00:00Z", "a": "b"}
    bench = Bench(tmp_path, trained, documents=[run])
    bench.work.train(RUN)
    assert task(bench.jobs[0])["requestedAt"] == "2026-11-24T11:00:00Z"


def test_a_profile_counts(tmp_path: Path) -> None:
    profile = {
        "apiVersion": "sealyard.io/v1alpha1",
        "kind": "ComputeProfile",
        "metadata": {"name": "gpu"},
        "spec": {"default": True, "gpus": {"default": 1, "min": 1, "max": 1}},
    }
    bench = Bench(tmp_path, trained, documents=[a_run(), profile])
    bench.work.train(RUN)
    assert task(bench.jobs[0])["gpus"] == 1


def test_one_machine_is_one_node(tmp_path: Path) -> None:
    run = a_run()
    run["spec"]["compute"] = {"nodes": 2}
    bench = Bench(tmp_path, documents=[run])
    with pytest.raises(MissingError, match=r"spec.compute.nodes is 2, and .* has no JobSet"):
        bench.work.train(RUN)
    assert bench.jobs == []


def test_a_route_is_for_a_cluster(tmp_path: Path) -> None:
    run = a_run()
    run["spec"]["dataset"] = {"annotationRouteRef": {"name": "shop"}}
    said = r"TrainingRun coins: spec\.dataset\.annotationRouteRef is for a cluster; without one a"
    with pytest.raises(InvalidError, match=said):
        Bench(tmp_path, documents=[run])


def test_a_queue_counts_for_nothing(tmp_path: Path) -> None:
    run = a_run()
    run["spec"]["queueName"] = "team"
    bench = Bench(tmp_path, trained, documents=[run])
    bench.work.train(RUN)
    assert bench.objects.status(RUN)["phase"] == "Succeeded"


def test_what_is_kept_and_damaged_is_named(tmp_path: Path) -> None:
    kept = tmp_path / "work" / "objects.json"
    kept.parent.mkdir()
    kept.write_text("{")
    with pytest.raises(InvalidError, match=r"objects.json: is damaged; delete it"):
        Bench(tmp_path)


def test_two_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="TrainingRun coins: is there twice"):
        Bench(tmp_path, documents=[a_run(), a_run()])


def test_what_would_be_refused_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"coins.yaml:\d+: TrainingRun coins: .*epochs"):
        Bench(tmp_path, documents=[a_run(epochs=0)])
    with pytest.raises(InvalidError, match="no TrainingRun and no ModelRelease"):
        Bench(tmp_path, documents=[{"kind": "Namespace", "apiVersion": "v1"}])


def test_an_integrity_error_keeps_its_words(tmp_path: Path) -> None:
    bench = Bench(tmp_path, failed(65, "the dataset has changed"))
    with pytest.raises(InvalidError, match="the dataset has changed") as caught:
        bench.work.train(RUN)
    assert not isinstance(caught.value, IntegrityError)
