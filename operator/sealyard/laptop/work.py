"""What the operator would do, done here: its decisions, one process after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sealyard.api.answers import parse_answer
from sealyard.api.kind import ATTEMPT_LABEL, OWNER_UID_LABEL, ROLE_LABEL, VARIANT_LABEL
from sealyard.api.mounts import TASK_VARIABLE
from sealyard.api.secrets import Role
from sealyard.api.tasks import PublishTask
from sealyard.core.jobs.pod import EXIT_CODES_THAT_END_THE_JOB
from sealyard.core.model_release import reconcile as reconcile_release
from sealyard.core.observed import ObservedJob, ObservedPod
from sealyard.core.plan import Plan
from sealyard.core.settings import Images, Settings
from sealyard.core.times import parse_time
from sealyard.core.training_run import reconcile as reconcile_run
from sealyard.errors import (
    InvalidError,
    MissingError,
    RefusedError,
    SealyardError,
    UnavailableError,
)
from sealyard.laptop.container import Ended
from sealyard.laptop.objects import Key, Objects

SETTINGS: Final = Settings(images=Images("local", "local", "local", "local"))
WAITS_FOR_A_PERSON: Final = {
    error.exit_code: error for error in (MissingError, UnavailableError, RefusedError)
}
"""The operator tries these again and again, while somebody puts it right; here somebody waits."""


class Work:
    """Carries objects through, by the operator's own decisions.

    Args:
        objects: all that there are.
        container: runs the program of a Job.
        say: told in a line what happens.
        clock: the time.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        objects: Objects,
        container: Callable[[Mapping[str, Any]], Ended],
        *,
        say: Callable[[str], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._objects = objects
        self._container = container
        self._say = say
        self._clock = clock
        self._sleep = sleep

    def train(self, key: Key) -> None:
        """Train a TrainingRun, or find it trained.

        Raises:
            SealyardError: it failed, or something is missing that it needs.
        """
        self._carry(key, self._decide_run)
        if self._objects.status(key).get("phase") != "Succeeded":
            raise self._refusal(key)

    def export(self, key: Key) -> tuple[PublishTask, str]:
        """Export and judge every variant of a ModelRelease.

        Returns what would be published then, and the claim that its paths are in.

        Raises:
            SealyardError: a variant could not be exported, or is not good enough.
        """
        job = self._carry(key, self._decide_release)
        if job is None:
            raise self._refusal(key)
        spec = job["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        claims = (volume.get("persistentVolumeClaim") for volume in spec["volumes"])
        workspace = next((claim["claimName"] for claim in claims if claim), None)
        if workspace is None:
            raise InvalidError(
                f"{' '.join(key)}: the workspace of its run must be a persistentVolumeClaim here"
            )
        task = next(one["value"] for one in container["env"] if one["name"] == TASK_VARIABLE)
        return PublishTask.model_validate_json(task), workspace

    def _carry(
        self, key: Key, decide: Callable[[Key, tuple[ObservedJob, ...], datetime], Plan]
    ) -> Mapping[str, Any] | None:
        """Until nothing is to be done any more, or the Job is due that would publish."""
        jobs: list[ObservedJob] = []
        while True:
            now = self._clock()
            plan = decide(key, tuple(jobs), now)
            publish = next((one for one in plan.create if _role(one) is Role.PUBLISH), None)
            if publish is not None:
                self._objects.patch(key, _before_publishing(plan.status))
                return publish
            for event in plan.events:
                self._say(f"{' '.join(key)}: {event.message}")
            # Kept once they have ended: an attempt that a person interrupts does not count.
            jobs += map(self._run, plan.create)
            is_changed = self._objects.patch(key, plan.status)
            if plan.create or is_changed:
                continue
            pause = self._pause(key, now)
            if pause is None:
                return None
            self._say(f"{' '.join(key)}: the next attempt is in {pause:.0f} s")
            self._sleep(pause)

    def _decide_run(self, key: Key, jobs: tuple[ObservedJob, ...], now: datetime) -> Plan:
        return reconcile_run(self._objects.run(key, jobs), SETTINGS, now)

    def _decide_release(self, key: Key, jobs: tuple[ObservedJob, ...], now: datetime) -> Plan:
        return reconcile_release(self._objects.release(key, jobs), SETTINGS, now)

    def _run(self, job: Mapping[str, Any]) -> ObservedJob:
        labels, begun = job["metadata"]["labels"], self._clock()
        self._say(f"{job['metadata']['name']}: attempt {labels[ATTEMPT_LABEL]}")
        ended = self._container(job)
        if ended.exit_code in WAITS_FOR_A_PERSON:
            answer = parse_answer(ended.message)
            message = answer.message if answer else f"{job['metadata']['name']} ended so"
            raise WAITS_FOR_A_PERSON[ended.exit_code](message)
        return observed(job, ended, begun, self._clock())

    def _pause(self, key: Key, now: datetime) -> float | None:
        """Seconds until the next attempt at what has failed; None where none is to come."""
        if self._objects.status(key).get("phase") in {"Succeeded", "Failed", "GateFailed"}:
            return None
        tasks = self._objects.status(key).get("tasks", [])
        times = (parse_time(task.get("notBefore")) for task in tasks)
        waits = [(at - now).total_seconds() for at in times if at and at > now]
        return min(waits, default=None)

    def _refusal(self, key: Key) -> SealyardError:
        conditions = {one["type"]: one for one in self._objects.status(key).get("conditions", [])}
        said = conditions.get("Ready", {}).get("message", "nothing is known of it")
        is_stalled = conditions.get("Stalled", {}).get("status") == "True"
        message = f"{' '.join(key)}: {said}"
        return InvalidError(message) if is_stalled else MissingError(message)


def observed(
    job: Mapping[str, Any], ended: Ended, created_at: datetime, finished_at: datetime
) -> ObservedJob:
    """A Job as the operator would see it once its container has ended."""
    metadata, code = job["metadata"], ended.exit_code
    if ended.is_overdue:
        failure = "DeadlineExceeded"
    elif code in EXIT_CODES_THAT_END_THE_JOB:
        failure = "PodFailurePolicy"
    else:
        failure = "BackoffLimitExceeded"
    return ObservedJob(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["name"],
        owner_uid=metadata["labels"][OWNER_UID_LABEL],
        role=_role(job),
        variant=metadata["labels"].get(VARIANT_LABEL, ""),
        attempt=int(metadata["labels"][ATTEMPT_LABEL]),
        created_at=created_at,
        state="Failed" if code or ended.is_overdue else "Complete",
        finished_at=finished_at,
        failure_reason=failure if code or ended.is_overdue else None,
        pod=ObservedPod(
            name=metadata["name"],
            uid=metadata["name"],
            phase="Failed" if code else "Succeeded",
            exit_code=code,
            termination_reason="Error" if code else "Completed",
            termination_message=ended.message or None,
            started_at=created_at,
        ),
    )


def _before_publishing(status: Mapping[str, Any]) -> dict[str, Any]:
    """What a release's status says of its exports, once nothing is left but to publish them."""
    tasks = [task for task in status.get("tasks", []) if task["name"] != Role.PUBLISH]
    judged = {name: status[name] for name in ("variants", "exportSha256") if name in status}
    return judged | {"tasks": tasks}


def _role(job: Mapping[str, Any]) -> Role:
    return Role(job["metadata"]["labels"][ROLE_LABEL])
