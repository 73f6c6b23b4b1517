"""The router files what comes."""

from __future__ import annotations

from sealyard.api.conditions import Reason
from sealyard.core.annotation_route.situation import Situation
from sealyard.core.conditions import ready
from sealyard.core.plan import Plan


def filing(situation: Situation) -> Plan:
    """The message holds no figure: each report would change it."""
    stream = situation.route.spec.source.rabbitmq_stream
    return situation.decide(
        ready(Reason.FILING, f"what is published to stream {stream.stream} is filed"),
        requeue_after=situation.seconds_until(situation.stale_at),
    )
