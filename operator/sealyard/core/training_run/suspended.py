"""spec.suspend: the pod is ended, and nothing is started until it is taken back."""

from __future__ import annotations

from sealyard.api.attempts import EndReason
from sealyard.api.conditions import Reason
from sealyard.core import attempts
from sealyard.core.conditions import under_way
from sealyard.core.plan import JobKey, Plan
from sealyard.core.training_run.situation import Situation


def suspended(situation: Situation) -> Plan | None:
    """Deletes the Job; the next attempt resumes from the last epoch that its pod has kept.

    The deadline is counted anew afterwards, as a Job's is.
    """
    if not situation.run.spec.suspend:
        return None
    job, ledger = situation.work.job, situation.work.ledger
    if job:
        ledger = attempts.interrupt(
            ledger,
            EndReason.SUSPENDED,
            "suspended by spec.suspend",
            now=situation.now,
            epoch=situation.epoch,
        )
    leaving = [one for one in (job, situation.ending) if one and not one.deleting]
    return situation.decide(
        "Suspended",
        under_way(
            Reason.SUSPENDED, "suspended; set spec.suspend to false, and it goes on where it was"
        ),
        ledger=ledger,
        status={"startTime": None, "summary": {"eta": None}},
        delete=tuple(JobKey.of(one, after_its_pods=True) for one in leaving),
    )
