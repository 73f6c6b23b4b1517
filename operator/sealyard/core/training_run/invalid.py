"""A spec that only the operator can judge: names and values that ultralytics would refuse."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.attempts import Failure
from sealyard.core.known_arguments import problems_of
from sealyard.core.plan import Plan
from sealyard.core.training_run.failed import give_up
from sealyard.core.training_run.situation import Situation


def invalid_spec(situation: Situation) -> Plan | None:
    """Judged before the first attempt; later ones run the image that accepted the spec."""
    if situation.work.ledger.started and not situation.reopening.granted:
        return None
    problems = problems_of(situation.run.spec)
    if not problems:
        return None
    return give_up(situation, Failure(Reason.INVALID_SPEC, "; ".join(problems)))
