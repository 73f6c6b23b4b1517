"""ComputeProfiles and AnnotationRoutes that the API server refuses, in the form of `refusals`."""

from __future__ import annotations

from typing import Any

from support.routes import PICTURES, S3_STORAGE


def required_nodes(requirement: dict[str, Any]) -> dict[str, Any]:
    """The part of a pod that asks for this of the label `gpu` of its node."""
    terms = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", **requirement}]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    return {"affinity": {"nodeAffinity": required}}


OF_THE_PLATFORM: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "ComputeProfile",
        {"images": {"trainer": "sealyard/trainer:1"}},
        "spec.images.trainer",
        "must name an image by its digest: registry/repository@sha256:…, 64 digits",
    ),
    (
        "ComputeProfile",
        {"gpus": {"resource": "gpu"}},
        "spec.gpus.resource",
        "must be what a device plugin offers: nvidia.com/gpu",
    ),
    ("ComputeProfile", {"gpus": {"max": 0}}, "spec.gpus", "must have min ≤ default ≤ max"),
    ("ComputeProfile", {"gpus": {"max": 17}}, "spec.gpus.max", "less than or equal to 16"),
    (
        "ComputeProfile",
        {"memory": {"default": None, "max": "2Gi"}},
        "spec.memory",
        "must have a default that is at most max",
    ),
    (
        "ComputeProfile",
        {"overridable": ["image"]},
        "spec.overridable[0]",
        'supported values: "gpus", "cpu", "memory", "sharedMemory"',
    ),
    *(
        ("ComputeProfile", {"pod": pod}, f"spec.pod.{field}", right)
        for pod, field, right in (
            ({"nodeSelector": {"a b": "c"}}, "nodeSelector", "must have keys like"),
            ({"nodeSelector": {"a": "b c"}}, "nodeSelector[a]", "must be at most 63 letters"),
            (
                {"tolerations": [{"operator": "Exists", "value": "x"}]},
                "tolerations[0]",
                "must have no value where the operator is Exists",
            ),
            (
                {"tolerations": [{"value": "x"}]},
                "tolerations[0]",
                "must have a key, or the operator Exists, which means all taints",
            ),
            (
                {"tolerations": [{"key": "x", "tolerationSeconds": 9}]},
                "tolerations[0]",
                "must have the effect NoExecute where there are tolerationSeconds",
            ),
            *(
                ({"labels": {key: "x"}}, "labels", "must leave sealyard.io/, batch.kubernetes")
                for key in ("sealyard.io/role", "job-name", "batch.kubernetes.io/job-name")
            ),
            (
                {"annotations": {"sealyard.io/owner-name": "x"}},
                "annotations",
                "must leave sealyard.io/ and batch.kubernetes.io/ to those that own them",
            ),
            *(
                ({"annotations": {key: "unconfined"}}, "annotations", "must not loosen")
                for key in (
                    "container.apparmor.security.beta.kubernetes.io/main",
                    "seccomp.security.alpha.kubernetes.io/pod",
                )
            ),
            *(
                (required_nodes(requirement), "affinity.nodeAffinity", "must have values with")
                for requirement in (
                    {"operator": "In"},
                    {"operator": "Exists", "values": ["x"]},
                    {"operator": "Gt", "values": ["x"]},
                    {"operator": "Lt", "values": ["1", "2"]},
                )
            ),
        )
    ),
    *(
        ("AnnotationRoute", patch, f"spec.{field}", right)
        for patch, field, right in (
            (
                {"source": {"rabbitmqStream": {"host": "https://rabbitmq"}}},
                "source.rabbitmqStream.host",
                "must be a host name in lower case, without a port",
            ),
            (
                {"source": {"rabbitmqStream": {"stream": "a b"}}},
                "source.rabbitmqStream.stream",
                "must be the name of a stream",
            ),
            *(
                ({"identity": identity}, "identity", "must have exactly one of jwt, brokerUser")
                for identity in ({"jwt": None}, {"claim": "Trusted"})
            ),
            ({"identity": {"claim": "Believed"}}, "identity.claim", 'supported values: "Trusted"'),
            *(
                ({"storage": storage}, "storage", "must have either a persistentVolumeClaim or")
                for storage in ({"persistentVolumeClaim": None}, {"s3": S3_STORAGE})
            ),
            (
                {"storage": {"persistentVolumeClaim": None, "s3": {**S3_STORAGE, "uri": "x"}}},
                "storage.s3.uri",
                "must be s3://bucket/folder",
            ),
            (
                {"pictures": {"s3": {**PICTURES["s3"], "endpoint": "http://x"}}},
                "pictures.s3.endpoint",
                "must be https://host[:port][/path]",
            ),
            ({"roles": {"seed": ["a b"]}}, "roles.seed[0]", "must be the name of a role"),
            ({"classes": ["a\nb"]}, "classes[0]", "must have no control characters"),
            ({"validationPercent": 0}, "validationPercent", "should be greater than or equal to 1"),
        )
    ),
]
