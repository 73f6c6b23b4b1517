"""Every variant is judged by its own figures before anything leaves the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sealyard.api.conditions import Reason
from sealyard.api.model_release import Gate, VariantStatus
from sealyard.core.conditions import stalled
from sealyard.core.model_release.situation import Situation
from sealyard.core.plan import Plan

MEASURED_ON_ONNX = " (measured on the ONNX file that it was built from)"


def gate_failed(situation: Situation) -> Plan | None:
    """Ends a release of which some variant is not good enough: other bytes need another version.

    What a publication has begun is not judged again: gates cannot change.
    """
    if situation.works.publish.ledger.started:
        return None
    failures = list(misses(situation.release.spec.gates, situation.variants))
    if not failures:
        return None
    return situation.decide(
        "GateFailed",
        stalled(
            Reason.GATE_FAILED,
            f"{'; '.join(failures)}. Nothing was published; release a better model, or other "
            "variants, under a new version",
        ),
        # The exports stay for whoever wants to look, until they are tidied away.
        status={"exportSha256": situation.export_sha256},
    )


def misses(gates: Iterable[Gate], variants: Iterable[VariantStatus]) -> Iterator[str]:
    """What each variant misses, one line for each gate. A figure that nobody took misses too."""
    gates = list(gates)
    for variant in variants:
        for gate in gates:
            found = _figure(gate, variant)
            wanted = _wanted(gate)
            whose = f"{variant.name}{MEASURED_ON_ONNX if variant.figures_of == 'onnx' else ''}"
            if found is None:
                yield f"{variant.name}: there is no {gate.metric}, and the gate wants {wanted}"
            elif not _passes(gate, found):
                yield f"{whose}: {gate.metric} is {found:.6g}, and the gate wants {wanted}"


def _figure(gate: Gate, variant: VariantStatus) -> float | None:
    if gate.metric == "maxDifference":
        return variant.max_difference
    return getattr(variant.metrics, gate.metric) if variant.metrics else None


def _passes(gate: Gate, found: float) -> bool:
    at_least = gate.min is None or found >= gate.min
    return at_least and (gate.max is None or found <= gate.max)


def _wanted(gate: Gate) -> str:
    bounds = [("at least", gate.min), ("at most", gate.max)]
    return " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
