"""One Job after the other on a claim that one node alone can mount."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealyard.api.secrets import Role
from sealyard.core.observed import ClaimUse, ObservedClaim
from sealyard.core.workspace_claims import waits_for_claim
from support.builders import CLAIMS, SHARED_CLAIMS, a_job, a_model_release, a_training_run, says
from support.release_stages import RUN, TARGET, exporting, look, plan_of, publishing, released
from support.run_attempts import plan_of as run_plan_of

ONE_NODE = ("ReadWriteOnce",)
OTHER = ClaimUse(
    owner_uid="another",
    kind="Job",
    name="apples-train-1",
    workspace="workspace",
    claims=frozenset({"workspace", "apples"}),
)
SAID = (
    "PersistentVolumeClaim workspace is ReadWriteOnce, and Job apples-train-1 has it: the {} goes "
    "on when that has ended"
)


@pytest.mark.parametrize(
    ("claim", "modes", "workspace", "wanted", "waits"),
    [
        pytest.param("workspace", ONE_NODE, "workspace", (), True, id="both-write"),
        pytest.param("workspace", ONE_NODE, None, ("workspace",), True, id="we-read-it"),
        pytest.param("apples", ONE_NODE, "apples", (), True, id="they-read-it"),
        pytest.param("apples", ONE_NODE, "mine", ("apples",), False, id="both-read"),
        pytest.param("workspace", ONE_NODE, "mine", (), False, id="not-ours"),
        pytest.param("workspace", ("ReadWriteMany",), "workspace", (), False, id="many-nodes"),
        pytest.param("workspace", ("ReadWriteOnce", "ReadWriteMany"), "workspace", (), False),
        pytest.param("apples", ("ReadWriteOncePod",), "mine", ("apples",), True, id="one-pod"),
        pytest.param("pears", ONE_NODE, "pears", (), False, id="nobody-has-it"),
    ],
)
def test_who_waits_for_whom(
    *,
    claim: str,
    modes: tuple[str, ...],
    workspace: str | None,
    wanted: tuple[str, ...],
    waits: bool,
) -> None:
    state = waits_for_claim(
        "run", [ObservedClaim(claim, modes, "Bound")], [OTHER], workspace=workspace, wanted=wanted
    )
    assert (state is not None) == waits


def test_a_run_starts_once_the_claim_is_free() -> None:
    observed = a_training_run().observed(claims=CLAIMS)
    waiting = run_plan_of(replace(observed, uses=(OTHER,)))
    assert waiting.create == ()
    assert says(waiting) == ("Pending", "FTF", "WaitingForWorkspace", SAID.format("run"))
    assert len(run_plan_of(observed).create) == 1
    shared = replace(observed, claims=SHARED_CLAIMS, uses=(OTHER,))
    assert len(run_plan_of(shared).create) == 1


def test_a_release_starts_nothing_in_a_workspace_that_another_has() -> None:
    for release in (a_model_release(), publishing().with_status(tasks=[])):
        observed = release.observed(run=RUN, target=TARGET)
        waiting = plan_of(replace(observed, uses=(OTHER,)))
        assert waiting.create == ()
        assert says(waiting)[1:] == ("FTF", "WaitingForWorkspace", SAID.format("release"))
        assert len(plan_of(observed).create) == 1


def test_what_runs_already_is_told_and_goes_on() -> None:
    job = a_job(Role.EXPORT, variant="onnx-fp32").running()
    observed = exporting().observed(job, run=RUN, target=TARGET)
    plan = plan_of(replace(observed, uses=(OTHER,)))
    assert says(plan)[1:3] == ("FTF", "Exporting")


def test_plaintext_is_deleted_when_the_workspace_is_free() -> None:
    observed = released().observed(run=RUN, target=TARGET)
    assert plan_of(replace(observed, uses=(OTHER,))).create == ()
    [job] = look(released()).create
    assert job["metadata"]["labels"]["sealyard.io/role"] == "tidy"
