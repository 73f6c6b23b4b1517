"""Gates: each variant is judged by its own figures, and nothing leaves before all have passed."""

from __future__ import annotations

from typing import Any

import pytest

from sealyard.api.model_release import Gate, VariantStatus
from sealyard.api.secrets import Role
from sealyard.api.training_run import Metrics
from sealyard.core.model_release.gates import misses
from support.builders import a_job, a_model_release, at, job_names, says
from support.release_stages import DONE, EXPORT_RESULT, exporting, look, name, publishing, task

GOOD = {"map50": 0.97, "map50_95": 0.71, "precision": 0.95, "recall": 0.9}
LIMIT = {"metric": "map50_95", "min": 0.7}
EXPORTED = a_job(Role.EXPORT, variant="onnx-fp32").complete(EXPORT_RESULT | {"metrics": GOOD})


@pytest.mark.parametrize(
    ("gate", "missed"),
    [
        ({"metric": "map50_95", "min": 0.71}, None),
        ({"metric": "map50_95", "min": 0.710001}, "map50_95 is 0.71, and the gate wants at least"),
        ({"metric": "map50", "min": 0.98}, "map50 is 0.97, and the gate wants at least 0.98"),
        ({"metric": "precision", "max": 0.9}, "precision is 0.95, and the gate wants at most 0.9"),
        ({"metric": "recall", "min": 0.5, "max": 0.9}, None),
        (
            {"metric": "recall", "min": 0.2, "max": 0.5},
            "recall is 0.9, and the gate wants at least 0.2 and at most 0.5",
        ),
        ({"metric": "maxDifference", "max": 0.01}, None),
        (
            {"metric": "maxDifference", "max": 0.001},
            "maxDifference is 0.002, and the gate wants at most 0.001",
        ),
    ],
)
def test_a_gate(gate: dict[str, Any], missed: str | None) -> None:
    variant = VariantStatus(
        name="edge", phase="Exported", max_difference=0.002, metrics=Metrics.model_validate(GOOD)
    )
    found = list(misses([Gate.model_validate(gate)], [variant]))
    assert len(found) == (missed is not None)
    assert not missed or found[0].startswith(f"edge: {missed}")


def test_a_figure_that_nobody_took_passes_no_gate() -> None:
    bare = VariantStatus(name="edge", phase="Exported")
    gates = [Gate(metric="map50", min=0.1), Gate(metric="maxDifference", max=1)]
    assert list(misses(gates, [bare])) == [
        "edge: there is no map50, and the gate wants at least 0.1",
        "edge: there is no maxDifference, and the gate wants at most 1",
    ]


def test_a_figure_that_another_file_reached_is_said_to_be_that_files() -> None:
    engine = VariantStatus(
        name="edge", phase="Exported", metrics=Metrics(map50=0.4), figures_of="onnx"
    )
    (missed,) = misses([Gate(metric="map50", min=0.5)], [engine])
    assert missed == (
        "edge (measured on the ONNX file that it was built from): map50 is 0.4, and the gate wants "
        "at least 0.5"
    )


def test_what_passes_is_published() -> None:
    plan = look(exporting().with_spec("gates", [LIMIT]), EXPORTED)
    assert job_names(plan) == [name(Role.PUBLISH)]
    assert plan.status["variants"][0]["metrics"] == GOOD


def test_one_variant_that_misses_keeps_all_from_going_out() -> None:
    release = a_model_release("a", "b").with_spec("gates", [LIMIT, {"metric": "recall", "min": 1}])
    first = look(release)
    jobs = [
        a_job(Role.EXPORT, variant="a").complete(EXPORT_RESULT | {"variant": "a", "metrics": GOOD})
    ]
    second = look(release.after(first), *jobs)
    # Those that are still to be made are judged too: one look shows everything that is wrong.
    assert job_names(second) == [name(Role.EXPORT, variant="b")]
    poor = GOOD | {"map50_95": 0.4, "recall": 1.0}
    jobs += [
        a_job(Role.EXPORT, variant="b").complete(EXPORT_RESULT | {"variant": "b", "metrics": poor})
    ]
    plan = look(release.after(first).after(second), *jobs)
    assert plan.create == ()
    assert says(plan)[:3] == ("GateFailed", "FFT", "GateFailed")
    assert says(plan)[3] == (
        "a: recall is 0.9, and the gate wants at least 1; "
        "b: map50_95 is 0.4, and the gate wants at least 0.7. Nothing was published; release a "
        "better model, or other variants, under a new version"
    )
    assert [variant["phase"] for variant in plan.status["variants"]] == ["Exported"] * 2


def test_a_gate_that_failed_is_final() -> None:
    release = exporting().with_spec("gates", [{"metric": "map50", "min": 0.99}])
    ended = release.after(look(release, EXPORTED))
    for later in (ended, ended.requested_at(at(-1))):
        plan = look(later, EXPORTED)
        assert (plan.create, plan.status.get("phase", "GateFailed")) == ((), "GateFailed")


def test_what_is_being_published_is_judged_no_more() -> None:
    release = publishing().with_spec("gates", [LIMIT])
    plan = look(release, a_job(Role.PUBLISH).running())
    assert says(plan)[0] == "Publishing"
    tasks = [task("export-onnx-fp32", done=True, lastEnd=DONE)]
    assert says(look(release.with_status(tasks=tasks)))[0] == "GateFailed"
