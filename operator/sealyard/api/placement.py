"""Where a pod may run, as Kubernetes has it: tolerations, node selectors and affinity.

The API server prunes what it does not know and judges the rest when a Job is created, so these are
typed to the last field: what is not meant as written is refused when it is applied.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from sealyard.api.kind import rules
from sealyard.api.model import Model, says

LABEL_KEY_PATTERN = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)
LABEL_VALUE_PATTERN = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"

LabelKey = Annotated[
    str,
    StringConstraints(pattern=LABEL_KEY_PATTERN, max_length=317),
    says("must be like example.com/pool, or pool"),
]
LabelValue = Annotated[
    str,
    StringConstraints(pattern=LABEL_VALUE_PATTERN, max_length=63),
    says("must be at most 63 letters, digits, dashes, dots and underscores"),
]
Priority = Annotated[int, Field(ge=1, le=100)]


KEYS = {
    "must have keys like example.com/pool, or pool": "self.all(key, key.size() <= 317 && "
    f"key.matches(r'{LABEL_KEY_PATTERN}'))"
}
"""The rule for a map whose keys are those of labels or annotations."""

Labels = Annotated[
    dict[str, LabelValue],
    Field(max_length=16, json_schema_extra=rules(KEYS)),
]


class Toleration(Model):
    """A taint of nodes that the pod may run on all the same."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "must have no value where the operator is Exists": "!has(self.operator) || "
                "self.operator != 'Exists' || !has(self.value) || self.value == ''",
                "must have a key, or the operator Exists, which means all taints": "has(self.key)"
                " || (has(self.operator) && self.operator == 'Exists')",
                "must have the effect NoExecute where there are tolerationSeconds": "!has("
                "self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            }
        )
    )

    key: LabelKey | None = None
    operator: Literal["Exists", "Equal"] | None = Field(
        default=None, description="Equal by default."
    )
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="All effects where none is given."
    )
    toleration_seconds: Annotated[int, Field(ge=0)] | None = None


class NodeRequirement(Model):
    """What a label of a node must be."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "must have values with In and NotIn, none with Exists and DoesNotExist, and one "
                "number with Gt and Lt": "self.operator in ['Exists', 'DoesNotExist'] ? "
                "!has(self.values) || self.values.size() == 0 : has(self.values) && "
                "self.values.size() > 0 && (!(self.operator in ['Gt', 'Lt']) || "
                "(self.values.size() == 1 && self.values[0].matches(r'^[0-9]+$')))"
            }
        )
    )

    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: Annotated[list[LabelValue], Field(max_length=16)] | None = None


class NodeTerm(Model):
    """All of these requirements."""

    match_expressions: Annotated[list[NodeRequirement], Field(min_length=1, max_length=8)]


class NodeTerms(Model):
    """One of these terms."""

    node_selector_terms: Annotated[list[NodeTerm], Field(min_length=1, max_length=8)]


class PreferredNodes(Model):
    """Nodes that are better than others."""

    weight: Priority
    preference: NodeTerm


class NodeAffinity(Model):
    """Nodes by their labels."""

    required_during_scheduling_ignored_during_execution: NodeTerms | None = None
    preferred_during_scheduling_ignored_during_execution: (
        Annotated[list[PreferredNodes], Field(max_length=8)] | None
    ) = None


class PodRequirement(Model):
    """What a label of another pod must be."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "must have values with In and NotIn, and none with Exists and DoesNotExist": "("
                "self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)"
            }
        )
    )

    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: Annotated[list[LabelValue], Field(max_length=16)] | None = None


class PodSelector(Model):
    """Other pods of the namespace."""

    match_labels: Labels | None = None
    match_expressions: Annotated[list[PodRequirement], Field(max_length=8)] | None = None


class PodTerm(Model):
    """Beside those pods, or away from them."""

    label_selector: PodSelector
    topology_key: LabelKey = Field(
        description="What counts as one place: kubernetes.io/hostname, say."
    )


class PreferredPods(Model):
    """Pods that it is better to be beside, or away from."""

    weight: Priority
    pod_affinity_term: PodTerm


class PodAffinity(Model):
    """Places by the pods that run there."""

    required_during_scheduling_ignored_during_execution: (
        Annotated[list[PodTerm], Field(max_length=8)] | None
    ) = None
    preferred_during_scheduling_ignored_during_execution: (
        Annotated[list[PreferredPods], Field(max_length=8)] | None
    ) = None


class Affinity(Model):
    """Which nodes must be taken, and which would be better."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None
