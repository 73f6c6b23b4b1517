"""The one table of what Sealyard reads from Secrets: purpose, keys, and what mounts them.

Each purpose has key names of its own and a pod mounts only the keys of its purposes, so that a
Secret named in the wrong place gives away nothing (contracts.md section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SECRETS_DIRECTORY = "/run/sealyard/secrets"
"""Each purpose is mounted at `SECRETS_DIRECTORY/<purpose>/<key>`; hardware digests, of which there
may be several Secrets, at `SECRETS_DIRECTORY/<purpose>/<Secret>/<key>`."""
OF_WEIGHTS = "weights"
"""The folder of the keys of the workspace that has the weights, where that is in a store."""
DIGEST_SECRETS_MAX = 32
"""The most Secrets with hardware digests that one grant Job mounts."""


class Purpose(StrEnum):
    """Why a Secret is mounted; also the folder its keys lie in."""

    API_PUBLISHER = "api-publisher"
    API_VERIFIER = "api-verifier"
    CDN_WRITE = "cdn-write"
    CDN_READ = "cdn-read"
    KEYRING = "keyring"
    TRACKING = "tracking"
    DATASET = "dataset"
    WORKSPACE = "workspace"
    RELEASE_KEY = "release-key"
    FRESHNESS_KEY = "freshness-key"
    HARDWARE_DIGESTS = "hardware-digests"
    QUEUE = "queue"
    IDENTITY_KEYS = "identity-keys"
    ANNOTATIONS = "annotations"
    PICTURES = "pictures"


class Role(StrEnum):
    """The Jobs, by what they do, and the router of an AnnotationRoute."""

    TRAIN = "train"
    EXPORT = "export"
    PUBLISH = "publish"
    VERIFY = "verify"
    TIDY = "tidy"
    REWRAP = "rewrap"
    PROBE = "probe"
    GRANT = "grant"
    INDEX = "index"
    ROUTE = "route"


@dataclass(frozen=True, slots=True)
class SecretUse:
    """The keys of one purpose and the roles that may mount them."""

    keys: tuple[str, ...]
    roles: frozenset[Role]


SECRET_USES: dict[Purpose, SecretUse] = {
    Purpose.API_PUBLISHER: SecretUse(
        ("api-publisher-email", "api-publisher-password"),
        frozenset({Role.PUBLISH, Role.REWRAP, Role.PROBE, Role.GRANT, Role.INDEX}),
    ),
    Purpose.API_VERIFIER: SecretUse(
        ("api-verifier-email", "api-verifier-password"),
        frozenset({Role.VERIFY, Role.REWRAP, Role.PROBE, Role.GRANT}),
    ),
    Purpose.CDN_WRITE: SecretUse(
        ("cdn-write-access-key-id", "cdn-write-secret-access-key"),
        frozenset({Role.PUBLISH, Role.PROBE}),
    ),
    Purpose.CDN_READ: SecretUse(
        ("cdn-read-access-key-id", "cdn-read-secret-access-key"),
        frozenset({Role.VERIFY, Role.PROBE}),
    ),
    Purpose.KEYRING: SecretUse(
        ("keyring.json",), frozenset({Role.PUBLISH, Role.VERIFY, Role.REWRAP, Role.GRANT})
    ),
    Purpose.TRACKING: SecretUse(("mlflow-username", "mlflow-password"), frozenset({Role.TRAIN})),
    Purpose.DATASET: SecretUse(
        ("dataset-access-key-id", "dataset-secret-access-key"),
        frozenset({Role.TRAIN, Role.EXPORT}),
    ),
    Purpose.WORKSPACE: SecretUse(
        ("workspace-access-key-id", "workspace-secret-access-key"),
        frozenset({Role.TRAIN, Role.EXPORT, Role.PUBLISH, Role.TIDY}),
    ),
    Purpose.RELEASE_KEY: SecretUse(("release-key.pem",), frozenset({Role.INDEX})),
    Purpose.FRESHNESS_KEY: SecretUse(("freshness-key.pem",), frozenset({Role.INDEX})),
    Purpose.HARDWARE_DIGESTS: SecretUse(("hardware-digests.json",), frozenset({Role.GRANT})),
    Purpose.QUEUE: SecretUse(("queue-username", "queue-password"), frozenset({Role.ROUTE})),
    Purpose.IDENTITY_KEYS: SecretUse(("identity-keys.json",), frozenset({Role.ROUTE})),
    Purpose.ANNOTATIONS: SecretUse(
        ("annotations-access-key-id", "annotations-secret-access-key"), frozenset({Role.ROUTE})
    ),
    Purpose.PICTURES: SecretUse(
        ("pictures-access-key-id", "pictures-secret-access-key"), frozenset({Role.ROUTE})
    ),
}
