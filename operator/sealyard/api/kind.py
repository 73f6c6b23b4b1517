"""What every kind has in common: group, metadata, columns, and CEL rules used more than once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from sealyard.api.model import Model

GROUP = "sealyard.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

REQUESTED_AT_ANNOTATION = f"{GROUP}/requestedAt"
"""Set it to a new time to reopen an object that Failed, or to have a target probed, what follows it
granted, and its index signed now."""

WITHDRAW_FINALIZER = f"{GROUP}/withdraw"
"""Holds a release whose deletionPolicy is Withdraw until no signed index lists it any more."""

OWNER_UID_LABEL = f"{GROUP}/owner-uid"
OWNER_KIND_LABEL = f"{GROUP}/owner-kind"
OWNER_NAME_ANNOTATION = f"{GROUP}/owner-name"
ROLE_LABEL = f"{GROUP}/role"
VARIANT_LABEL = f"{GROUP}/variant"
ATTEMPT_LABEL = f"{GROUP}/attempt"
TASK_VERSION_LABEL = f"{GROUP}/task-version"
APPLIED_ANNOTATION = f"{GROUP}/applied"
"""On a Deployment of ours, and on its pods: the digest of what was applied."""
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "sealyard"
"""Only Jobs, Deployments and Pods that carry `MANAGED_BY_LABEL: MANAGED_BY` are watched."""


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """One column of `kubectl get`: plain JSONPath; `wide` ones need `-o wide`."""

    name: str
    json_path: str
    type: str = "string"
    wide: bool = False


def ready_message() -> PrinterColumn:
    """The wide column that says what to do next."""
    return PrinterColumn("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True)


def immutable(field: str) -> dict[str, Any]:
    """The CEL rule that a required sub-object never changes."""
    return {
        "rule": f"self.{field} == oldSelf.{field}",
        "message": "cannot change, because it decides the result: create a new object instead",
        "fieldPath": f".{field}",
        "reason": "FieldValueForbidden",
    }


def rules(messages: Mapping[str, str]) -> dict[str, Any]:
    """The schema part with CEL rules, each by what is said where it does not hold."""
    return {
        "x-kubernetes-validations": [
            {"rule": rule, "message": message} for message, rule in messages.items()
        ]
    }


def immutable_optional(field: str) -> dict[str, Any]:
    """The same for one that may be left out: adding and removing it are changes too."""
    same = f"(!has(self.{field}) || self.{field} == oldSelf.{field})"
    rule = f"has(self.{field}) == has(oldSelf.{field}) && {same}"
    return immutable(field) | {"rule": rule}


class OwnerReference(Model):
    """metav1.OwnerReference, as far as it is read here."""

    uid: str
    kind: str = ""
    name: str = ""
    controller: bool | None = None


class ObjectMeta(Model):
    """metav1.ObjectMeta, as far as it is read here."""

    name: str
    namespace: str = Field(default="", description="Empty for kinds of the cluster.")
    uid: str
    generation: int = 1
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: Annotated[list[str], Field(default_factory=list)]
    owner_references: Annotated[list[OwnerReference], Field(default_factory=list)]


class CustomResource(Model):
    """A custom resource of the group; the subclass adds `spec`, `status` and what kubectl shows.

    A kind without a `status` is one that the operator reads and says nothing of.
    """

    KIND: ClassVar[str]
    PLURAL: ClassVar[str]
    SHORT_NAMES: ClassVar[tuple[str, ...]]
    SCOPE: ClassVar[Literal["Namespaced", "Cluster"]] = "Namespaced"
    COLUMNS: ClassVar[tuple[PrinterColumn, ...]]

    metadata: ObjectMeta
