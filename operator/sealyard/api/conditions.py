"""Conditions as kstatus reads them, and every reason that Sealyard writes, in one place.

kstatus (the convention that `kubectl wait`, ArgoCD and Flux follow): `Ready` says whether the
object is what its spec asks for, `Reconciling` that work is under way, `Stalled` that nothing more
will happen without somebody's help.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from sealyard.api.model import Model, Timestamp


class ConditionType(StrEnum):
    """The three conditions that every kind carries."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class RouteConditionType(StrEnum):
    """Two more of an AnnotationRoute, which `Ready` does not depend on."""

    IDENTITY_PROVEN = "IdentityProven"
    MESSAGES_LOST = "MessagesLost"


class Reason(StrEnum):
    """One CamelCase word per state. A message beside it says what to do next."""

    # Under way
    PENDING = "Pending"
    QUEUED = "Queued"
    PREEMPTED = "Preempted"
    TRAINING = "Training"
    WAITING_FOR_TRAINING = "WaitingForTraining"
    WAITING_FOR_ANNOTATIONS = "WaitingForAnnotations"
    WAITING_FOR_WORKSPACE = "WaitingForWorkspace"
    EXPORTING = "Exporting"
    PUBLISHING = "Publishing"
    VERIFYING = "Verifying"
    INDEXING = "Indexing"
    GRANTING = "Granting"
    SUSPENDING = "Suspending"
    REVOKING = "Revoking"
    WITHDRAWING = "Withdrawing"
    REWRAPPING = "Rewrapping"
    PROBING = "Probing"
    POD_NOT_STARTED = "PodNotStarted"
    NODE_LOST = "NodeLost"
    RETRYING = "Retrying"

    # Waiting for something that somebody has to create; recovers by itself
    CLAIM_MISSING = "ClaimMissing"
    JOB_SET_MISSING = "JobSetMissing"
    PROFILE_MISSING = "ProfileMissing"
    TRAINING_RUN_MISSING = "TrainingRunMissing"
    ROUTE_MISSING = "RouteMissing"
    TARGET_MISSING = "TargetMissing"
    TRUST_MISSING = "TrustMissing"
    NO_MATCH = "NoMatch"
    INPUT_MISSING = "InputMissing"
    REMOTE_UNAVAILABLE = "RemoteUnavailable"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    STORAGE_FULL = "StorageFull"
    NO_REPORT = "NoReport"

    # Done
    SUCCEEDED = "Succeeded"
    RELEASED = "Released"
    REVOKED = "Revoked"
    WITHDRAWN = "Withdrawn"
    CURRENT = "Current"
    AUTHORISED = "Authorised"
    SUSPENDED = "Suspended"
    PROBED = "Probed"
    REWRAPPED = "Rewrapped"
    FILING = "Filing"
    ROLES_PROVEN = "RolesProven"
    NONE_LOST = "NoneLost"

    # Nothing stalls for it, but somebody should know
    TIDY_FAILED = "TidyFailed"
    NOT_WITHDRAWN = "NotWithdrawn"
    NOT_GRANTED = "NotGranted"
    CLAIM_TRUSTED = "ClaimTrusted"
    BROKER_TRUSTED = "BrokerTrusted"
    MESSAGES_LOST = "MessagesLost"

    # Stalled
    INVALID_SPEC = "InvalidSpec"
    PROFILE_AMBIGUOUS = "ProfileAmbiguous"
    PROFILE_UNFIT = "ProfileUnfit"
    OVERRIDE_REFUSED = "OverrideRefused"
    CLAIM_NOT_SHARED = "ClaimNotShared"
    INVALID_INPUT = "InvalidInput"
    INTEGRITY_FAILED = "IntegrityFailed"
    BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"
    OUT_OF_MEMORY = "OutOfMemory"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    NO_PROGRESS = "NoProgress"
    GATE_FAILED = "GateFailed"
    TRAINING_FAILED = "TrainingFailed"
    SOURCE_REPLACED = "SourceReplaced"
    VERSION_TAKEN = "VersionTaken"
    NAME_TAKEN = "NameTaken"
    CHANNEL_TAKEN = "ChannelTaken"
    DEVICE_TAKEN = "DeviceTaken"
    STORAGE_TAKEN = "StorageTaken"
    INVALID_KEY = "InvalidKey"
    TOO_MANY_SECRETS = "TooManySecrets"
    EXPIRED = "Expired"
    PROBE_FAILED = "ProbeFailed"


MEANINGS = {
    Reason.PENDING: "Accepted; its first Job, or its router, is about to run.",
    Reason.QUEUED: "Kueue has not admitted its Job yet. The message names the queue.",
    Reason.PREEMPTED: "Kueue took back what its Job had; it is queued again, and then resumes.",
    Reason.TRAINING: "A pod trains.",
    Reason.WAITING_FOR_TRAINING: "The TrainingRun has not succeeded yet.",
    Reason.WAITING_FOR_ANNOTATIONS: "The AnnotationRoute has not filed what is to be trained on.",
    Reason.WAITING_FOR_WORKSPACE: "Another Job has a claim that one node alone can mount.",
    Reason.EXPORTING: "Variants are exported and compared with the checkpoint.",
    Reason.PUBLISHING: "The artifacts are sealed, split and uploaded.",
    Reason.VERIFYING: "The verifier's login fetches both parts and opens them.",
    Reason.INDEXING: "A signed index that lists it is about to be published.",
    Reason.GRANTING: "The release API is told of the device, and given what it may open.",
    Reason.SUSPENDING: "The release API is told to let the device in no more.",
    Reason.REVOKING: "A signed index without the release is about to be published.",
    Reason.WITHDRAWING: "Deleted as soon as a signed index without the release is published.",
    Reason.REWRAPPING: "The small parts of all releases are moved to the active key.",
    Reason.PROBING: "The logins and credentials of a new or changed target are tried.",
    Reason.POD_NOT_STARTED: "A pod cannot be scheduled, or its image cannot be pulled.",
    Reason.NODE_LOST: "A pod's node does not answer. Bring it back, or taint it out of service.",
    Reason.RETRYING: "An attempt failed, was interrupted or lost; the next one is due.",
    Reason.CLAIM_MISSING: "A PersistentVolumeClaim does not exist. Create it.",
    Reason.JOB_SET_MISSING: "More than one node is asked for, and JobSet is not installed.",
    Reason.PROFILE_MISSING: "The ComputeProfile does not exist. Create it.",
    Reason.TRAINING_RUN_MISSING: "The TrainingRun does not exist. Create it.",
    Reason.ROUTE_MISSING: "The AnnotationRoute does not exist. Create it.",
    Reason.TARGET_MISSING: "The ReleaseTarget does not exist. Create it.",
    Reason.TRUST_MISSING: "The ReleaseTarget has no spec.trust, so no index lists channels.",
    Reason.NO_MATCH: "No release fits the channel's version; the index lists none for it.",
    Reason.INPUT_MISSING: "A Job, or a router, found a Secret, a key or a file missing. Create it.",
    Reason.REMOTE_UNAVAILABLE: "A store does not answer as it should; tried again.",
    Reason.CREDENTIALS_REFUSED: "A store refused the login. Mend the Secret.",
    Reason.STORAGE_FULL: "No more can be filed. Make room; the router goes on by itself.",
    Reason.NO_REPORT: "The router of an AnnotationRoute runs and has not reported for minutes.",
    Reason.SUCCEEDED: "Trained. Final.",
    Reason.RELEASED: "Published, proven to open, and (with spec.trust) listed. Final.",
    Reason.REVOKED: "No signed index lists it any more. Final.",
    Reason.WITHDRAWN: "Listed no more, or let in no more; the object goes (an event).",
    Reason.CURRENT: "The signed index says what the channel's version means.",
    Reason.AUTHORISED: "The device is let in, and may open what was granted to it.",
    Reason.SUSPENDED: "As spec.suspend wants it: a device is let in no more and what was granted "
    "to it is deleted; a run waits, and keeps what it learnt; a route's router is stopped.",
    Reason.PROBED: "Every check of the last probe passed.",
    Reason.REWRAPPED: "Probed, and the last rewrap that was asked for is done.",
    Reason.FILING: "The router files what comes.",
    Reason.ROLES_PROVEN: "A role counts if it is proven as spec.identity says.",
    Reason.NONE_LOST: "Every message of the stream was taken in.",
    Reason.TIDY_FAILED: "Plaintext exports were not deleted (an event; the release stands).",
    Reason.NOT_WITHDRAWN: "Deleted with its namespace, and still listed or let in (an event).",
    Reason.NOT_GRANTED: "Some devices or releases were not granted, all others are (an event).",
    Reason.CLAIM_TRUSTED: "Whoever may publish names any role (`spec.identity.claim: Trusted`).",
    Reason.BROKER_TRUSTED: "Who may publish can name any user, but on RabbitMQ 3.10.",
    Reason.MESSAGES_LOST: "The broker deleted messages before they were filed. See retention.",
    Reason.INVALID_SPEC: "The spec holds what no retry can mend.",
    Reason.PROFILE_AMBIGUOUS: "Several ComputeProfiles are the default. Leave one.",
    Reason.PROFILE_UNFIT: "The ComputeProfile gives no GPU, and something can be made on one "
    "alone.",
    Reason.OVERRIDE_REFUSED: "spec.compute asks for what the ComputeProfile does not allow.",
    Reason.CLAIM_NOT_SHARED: "More than one node is asked for, and one alone can mount a claim.",
    Reason.INVALID_INPUT: "A Job refused its input (exit code 64): a broken dataset, say.",
    Reason.INTEGRITY_FAILED: "A digest, tag, artifact or stream was not what was promised (65).",
    Reason.BACKOFF_LIMIT_EXCEEDED: "Too many attempts failed.",
    Reason.OUT_OF_MEMORY: "Too many attempts failed, the last for lack of memory.",
    Reason.DEADLINE_EXCEEDED: "Not done within activeDeadlineSeconds.",
    Reason.GATE_FAILED: "An exported variant does not reach what spec.gates wants. Final.",
    Reason.NO_PROGRESS: "Five attempts in a row ended without a new epoch.",
    Reason.TRAINING_FAILED: "The TrainingRun failed; goes on if that is opened again.",
    Reason.SOURCE_REPLACED: "The TrainingRun was replaced by another of its name.",
    Reason.VERSION_TAKEN: "An older ModelRelease has this model, version and target.",
    Reason.NAME_TAKEN: "Somebody else's Job has the name that the next one needs.",
    Reason.CHANNEL_TAKEN: "An older ReleaseChannel has this model, channel and target.",
    Reason.DEVICE_TAKEN: "An older Device has this id and target.",
    Reason.STORAGE_TAKEN: "An older AnnotationRoute files into this storage.",
    Reason.INVALID_KEY: "The id is not that of the keys: paste what the device printed.",
    Reason.TOO_MANY_SECRETS: "Older Devices name 32 other Secrets with digests: share one.",
    Reason.EXPIRED: "spec.notAfter has passed. Final for a release.",
    Reason.PROBE_FAILED: "A login or credential cannot do its part, or can do more. Mend that.",
}
"""One line per reason, for the reference."""


class Condition(Model):
    """metav1.Condition."""

    type: Annotated[str, StringConstraints(max_length=64)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, StringConstraints(max_length=64)]
    message: Annotated[str, StringConstraints(max_length=2048)]
    last_transition_time: Timestamp
    observed_generation: Annotated[int, Field(ge=0)] | None = None
