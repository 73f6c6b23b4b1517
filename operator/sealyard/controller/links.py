"""How custom resources hang together: what each depends on, and what a change of it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sealyard.controller.resources import (
    CHANNELS,
    DEVICES,
    PROFILES,
    RELEASES,
    ROUTES,
    RUNS,
    TARGETS,
    Key,
)
from sealyard.core.stores import place

Raw = Mapping[str, Any]


class Link(NamedTuple):
    """Something that a custom resource depends on: an object, or a name that several may use."""

    kind: str
    namespace: str
    name: str


CLAIM_LINK = "Claim"
VERSION_LINK = "Version"
"""A version of a model at a target: its releases."""
MODEL_LINK = "Model"
"""A model at a target: its channels, which look at all its releases."""
CHANNEL_LINK = "Channel"
"""A channel of a model at a target: those that say what it names."""
DEVICE_LINK = "DeviceId"
"""A device at a target: those that speak for it."""
STORAGE_LINK = "Storage"
"""Where annotations are filed: the routes that file there."""

DEFAULT_PROFILE = Link("DefaultProfile", "", "")
"""What a run or release uses that names no ComputeProfile."""
MARKED_DEFAULT = Link("MarkedDefault", "", "")
"""What makes a ComputeProfile one of those."""


def links(key: Key, spec: Raw, status: Raw) -> list[Link]:
    """What an object depends on. A spec that the API server let in has these fields."""
    namespace = key.namespace
    if key.kind == RUNS.kind:
        weights = spec["model"].get("weights") or {}
        named = [spec["dataset"], spec["workspace"], weights]
        pinned = (status.get("weights") or {}).get("claimName")
        claims = {
            *(part["persistentVolumeClaim"]["claimName"] for part in named if _is_claim(part)),
            # Pinned at the first attempt: from then on the run that made them may be deleted.
            *([pinned] if pinned else []),
            *_pinned_storage(status),
        }
        source, route = weights.get("trainingRunRef"), spec["dataset"].get("annotationRouteRef")
        return [
            *(Link(CLAIM_LINK, namespace, claim) for claim in sorted(claims)),
            *([Link(RUNS.kind, namespace, source["name"])] if source else []),
            *([Link(ROUTES.kind, namespace, route["name"])] if route else []),
            _profile(spec),
        ]
    if key.kind == RELEASES.kind:
        # Pinned once something is exported: from then on the run may be deleted.
        claim = (status.get("workspace") or {}).get("claimName")
        return [
            *([Link(CLAIM_LINK, namespace, claim)] if claim else []),
            Link(RUNS.kind, namespace, spec["source"]["trainingRunRef"]["name"]),
            _target(key, spec),
            _version(key, spec, spec["version"]),
            _profile(spec),
        ]
    if key.kind == CHANNELS.kind:
        return [_target(key, spec), _model(key, spec), _channel(key, spec)]
    if key.kind == DEVICES.kind:
        return [_target(key, spec), _device(key, spec)]
    if key.kind == ROUTES.kind:
        claim = spec["storage"].get("persistentVolumeClaim")
        named = [Link(CLAIM_LINK, namespace, claim["claimName"])] if claim else []
        return [*named, _storage(key, spec)]
    is_default = key.kind == PROFILES.kind and spec.get("default")
    return [MARKED_DEFAULT] if is_default else []


def touches(key: Key, spec: Raw, status: Raw) -> list[Link]:
    """What a change of an object concerns, beside itself and what names it."""
    if key.kind == RELEASES.kind:
        return [_version(key, spec, spec["version"]), _model(key, spec)]
    if key.kind == CHANNELS.kind:
        known = (status.get(field) for field in ("listed", "previous"))
        versions = sorted({named["version"] for named in known if named})
        return [_channel(key, spec), *(_version(key, spec, version) for version in versions)]
    if key.kind == DEVICES.kind:
        return [_device(key, spec)]
    if key.kind == ROUTES.kind:
        return [_storage(key, spec)]
    if key.kind == PROFILES.kind and spec.get("default"):
        return [DEFAULT_PROFILE]
    return []


def _is_claim(part: Raw) -> bool:
    return "persistentVolumeClaim" in part


def _pinned_storage(status: Raw) -> list[str]:
    """The claim that a run's annotations lie in; likewise, the route may be deleted."""
    storage = status["snapshot"]["storage"] if status.get("snapshot") else {}
    return [storage["persistentVolumeClaim"]["claimName"]] if _is_claim(storage) else []


def _target(key: Key, spec: Raw) -> Link:
    return Link(TARGETS.kind, key.namespace, spec["targetRef"]["name"])


def _profile(spec: Raw) -> Link:
    reference = spec.get("profileRef")
    return Link(PROFILES.kind, "", reference["name"]) if reference else DEFAULT_PROFILE


def _version(key: Key, spec: Raw, version: str) -> Link:
    return _at_target(VERSION_LINK, key, spec, spec["model"], version)


def _model(key: Key, spec: Raw) -> Link:
    return _at_target(MODEL_LINK, key, spec, spec["model"])


def _channel(key: Key, spec: Raw) -> Link:
    return _at_target(CHANNEL_LINK, key, spec, spec["model"], spec["channel"])


def _device(key: Key, spec: Raw) -> Link:
    return _at_target(DEVICE_LINK, key, spec, spec["deviceId"])


def _storage(key: Key, spec: Raw) -> Link:
    """By the place alone: the same one by two credentials is one."""
    storage = spec["storage"]
    claim, folder = storage.get("persistentVolumeClaim"), storage.get("s3")
    if claim:
        return Link(STORAGE_LINK, key.namespace, f"{claim['claimName']}/{claim.get('path', '')}")
    return Link(STORAGE_LINK, key.namespace, place(folder["endpoint"], folder["uri"]))


def _at_target(kind: str, key: Key, spec: Raw, *names: str) -> Link:
    return Link(kind, key.namespace, "/".join((*names, spec["targetRef"]["name"])))
