"""From a release, or the manifest of a device, back to the annotations."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sealyard.annotations.journal import Identity
from sealyard.annotations.lineage import LINEAGE_FILE, UsedAnnotation
from sealyard.api.tasks import SourceRecord
from sealyard.cli.lineage_trace import (
    check_run,
    find_list,
    lineage_document,
    lineage_text,
    release_of_manifest,
    run_named,
    started_from,
)
from sealyard.core.snapshot import snapshot_of
from sealyard.delivery.source import source_of
from sealyard.errors import IntegrityError, MissingError, SealyardError
from sealyard.sealing.manifest import Manifest
from support.builders import (
    PINNED_IMAGE,
    ReleaseBuilder,
    RunBuilder,
    a_model_release,
    a_training_run,
)
from support.routes import a_route
from support.sealing import V2, content, manifest_of, seal
from support.specs import DIGEST, S3_DATASET, TRAIN_RESULT

LIST = {"name": LINEAGE_FILE, "path": f"runs/coins-1/{LINEAGE_FILE}", "sha256": DIGEST}
ARTIFACTS = [*TRAIN_RESULT["artifacts"], LIST | {"sizeBytes": 9}]
LINEAGE = {
    "trainingRun": "coins",
    "trainingRunUid": "run-uid",
    "datasetDigest": DIGEST,
    "image": PINNED_IMAGE,
}
MANIFEST = Manifest.build(
    model="coins",
    version="1.0.0",
    variants=[(entry.variant, entry.plaintext_sha256) for entry in [seal(V2, content(5000)).entry]],
    source=source_of(
        SourceRecord(
            training_run="coins", training_run_uid="run-uid", dataset_digest=DIGEST, metrics=None
        )
    ),
)
RELEASE = a_model_release().with_status(
    phase="Released", manifestSha256=MANIFEST.digest(), lineage=LINEAGE
)
RUN = a_training_run().succeeded()


def on_a_route() -> RunBuilder:
    run = RUN.with_spec("dataset", {"annotationRouteRef": {"name": "shop"}})
    snapshot = snapshot_of(run.build(), a_route().named("shop", uid="route-uid").reported().build())
    assert snapshot is not None
    return run.with_status(snapshot=snapshot.to_wire(), artifacts=ARTIFACTS)


def used(
    number: int,
    annotator: str,
    role: str | None = "Validator",
    identity: Identity | None = "jwt",
) -> UsedAnnotation:
    return UsedAnnotation(
        id=f"item-{number}",
        revision=2,
        offset=number,
        annotator=annotator,
        role=role,
        identity=identity,
        time="2026-11-26T09:00:00.000Z",
        sha256=DIGEST,
        split="val",
    )


USED = [used(1, "ada"), used(2, "ada"), used(3, "\x1b[2Jbob\u202e", None, None)]


def test_the_release_of_a_manifest_is_found() -> None:
    others = [a_model_release().with_spec("version", "2.0.0"), RELEASE]
    found = release_of_manifest(MANIFEST.encode(), [one.build() for one in others], "coins")
    assert found.metadata.name == "coins-1.0.0"


@pytest.mark.parametrize(
    ("raw", "release", "kind", "message"),
    [
        (
            MANIFEST.encode(),
            RELEASE.with_spec("version", "2.0.0"),
            MissingError,
            "the manifest is of coins 1.0.0, and namespace coins has no ModelRelease of it",
        ),
        (
            MANIFEST.encode(),
            RELEASE.with_status(manifestSha256="b" * 64),
            IntegrityError,
            f"SHA-256 {MANIFEST.digest()}, and ModelRelease coins-1.0.0 has published {'b' * 64}",
        ),
        (
            MANIFEST.encode(),
            RELEASE.with_status(manifestSha256=None),
            IntegrityError,
            "ModelRelease coins-1.0.0 has published none",
        ),
        (
            MANIFEST.encode(),
            RELEASE.with_status(lineage=LINEAGE | {"datasetDigest": "c" * 64}),
            IntegrityError,
            f"{DIGEST}, and the status of ModelRelease coins-1.0.0 says TrainingRun coins ",
        ),
        (b"{}", RELEASE, IntegrityError, "manifest"),
    ],
)
def test_a_manifest_that_is_of_no_release_is_refused(
    raw: bytes, release: ReleaseBuilder, kind: type[SealyardError], message: str
) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        release_of_manifest(raw, [release.build()], "coins")


def test_a_manifest_of_a_file_names_no_run() -> None:
    manifest = manifest_of(seal(V2, content(5000)))
    release = RELEASE.with_status(manifestSha256=manifest.digest())
    with pytest.raises(IntegrityError, match="comes from no TrainingRun, and the status"):
        release_of_manifest(manifest.encode(), [release.build()], "coins")


def test_what_is_not_exported_comes_from_nothing_yet() -> None:
    assert run_named(RELEASE.build()) == "coins"
    with pytest.raises(MissingError, match=r"ModelRelease coins/coins-1\.0\.0 is Pending; what it"):
        run_named(a_model_release().build())


@pytest.mark.parametrize(
    ("run", "kind", "message"),
    [
        (RUN.named("coins", uid="other"), MissingError, "is another one than the release was ma"),
        (
            RUN.with_status(dataset={"digest": "c" * 64, "images": 9}),
            IntegrityError,
            f"was trained on the dataset {'c' * 64}, and the release says {DIGEST}",
        ),
    ],
)
def test_another_run_is_refused(run: RunBuilder, kind: type[SealyardError], message: str) -> None:
    check_run(RELEASE.build(), RUN.build())
    with pytest.raises(kind, match=message):
        check_run(RELEASE.build(), run.build())


def test_the_list_of_the_annotations() -> None:
    assert find_list(RUN.build()) is None
    found = find_list(on_a_route().build())
    assert found is not None
    assert found.path == f"runs/coins-1/{LINEAGE_FILE}"
    with pytest.raises(MissingError, match=r"names no annotations\.jsonl among its artifacts"):
        find_list(on_a_route().with_status(artifacts=ARTIFACTS[:1]).build())


def test_all_that_is_known_of_a_route() -> None:
    document = lineage_document(RELEASE.build(), on_a_route().build(), USED)
    assert document["source"] == {
        "annotationRoute": "shop",
        "annotationRouteUid": "route-uid",
        "offset": 1200,
    }
    assert document["items"] == [
        {"annotator": "ada", "role": "Validator", "identity": "jwt", "items": 2},
        {"annotator": "\x1b[2Jbob\u202e", "role": None, "identity": None, "items": 1},
    ]
    assert document["manifestSha256"] == MANIFEST.digest()
    text = lineage_text(document, annotations=True)
    lines = text.splitlines()
    assert "annotated by  ada, Validator (by token): 2 items" in lines
    assert "source        annotationRoute shop, annotationRouteUid route-uid, offset 1200" in lines
    assert "metrics       map50 0.981, map50_95 0.861" in lines
    assert lines[-1].startswith("item-3\trevision 2\toffset 3\tval\t")
    assert not set(text) & {"\x1b", "\u202e"}, "what steers a terminal is shown as it looks"
    assert "item-3" not in lineage_text(document, annotations=False)


@pytest.mark.parametrize(
    ("role", "identity", "shown"),
    [
        ("Validator", "jwt", "Validator (by token)"),
        ("Validator", "brokerUser", "Validator (by the broker's user)"),
        ("Validator", "Trusted", "Validator (claimed)"),
        ("\x1b[2J", "Trusted", "\ufffd[2J (claimed)"),
        (None, None, "no proven role"),
    ],
)
def test_a_role_is_shown_with_why_it_counted(
    role: str | None, identity: Identity | None, shown: str
) -> None:
    items = [used(1, "ada", role, identity)]
    text = lineage_text(
        lineage_document(RELEASE.build(), on_a_route().build(), items), annotations=True
    )
    assert f"annotated by  ada, {shown}: 1 items" in text.splitlines()
    assert f"\tada\t{shown}\t" in text


@pytest.mark.parametrize(
    ("dataset", "source"),
    [
        (
            {"persistentVolumeClaim": {"claimName": "data"}},
            {"persistentVolumeClaim": "data", "path": "/"},
        ),
        ({"s3": S3_DATASET}, {"s3": S3_DATASET["uri"], "endpoint": S3_DATASET["endpoint"]}),
    ],
)
def test_where_a_dataset_was_that_no_route_filed(
    dataset: dict[str, Any], source: dict[str, Any]
) -> None:
    run = RUN.with_spec("dataset", dataset)
    document = lineage_document(RELEASE.build(), run.build(), None)
    assert document["source"] == source
    assert "items" not in document
    assert "annotated by" not in lineage_text(document, annotations=True)


def tuned(name: str, **weights: Any) -> RunBuilder:
    """A run of this name that started from some weights."""
    pinned = {"claimName": "workspace", "path": "best.pt", "sha256": DIGEST} | weights
    return RUN.named(name, uid=f"{name}-uid").with_status(weights=pinned)


def of(name: str) -> dict[str, str]:
    return {"trainingRun": name, "trainingRunUid": f"{name}-uid"}


BASE = on_a_route().named("base", uid="base-uid")
MIDDLE = tuned("middle", **of("base"))
ELSEWHERE = tuned("elsewhere")
NO_RUN = f"weights {DIGEST}, which no TrainingRun made"


@pytest.mark.parametrize(
    ("run", "there", "steps"),
    [
        (BASE, [], []),
        (
            MIDDLE,
            [BASE],
            [
                (
                    f"base (base-uid), dataset {DIGEST}, annotationRoute shop, "
                    "annotationRouteUid route-uid, offset 1200"
                )
            ],
        ),
        (
            tuned("last", **of("middle")),
            [MIDDLE],
            [
                f"middle (middle-uid), dataset {DIGEST}, persistentVolumeClaim dataset, path coins",
                "base (base-uid), which was deleted; what it learnt from is not known",
            ],
        ),
        (
            MIDDLE,
            [BASE.named("base", uid="another")],
            ["base (base-uid), which was deleted; what it learnt from is not known"],
        ),
        (
            ELSEWHERE,
            [],
            [f"{NO_RUN}: persistentVolumeClaim workspace, path best.pt"],
        ),
    ],
)
def test_what_a_run_was_fine_tuned_from(
    run: RunBuilder, there: list[RunBuilder], steps: list[str]
) -> None:
    runs = {one.metadata.name: one for one in (builder.build() for builder in there)}
    found = started_from(run.build(), runs.get)
    lines = lineage_text(
        lineage_document(RELEASE.build(), run.build(), None, found), annotations=False
    ).splitlines()
    said = [line.split(maxsplit=2)[2] for line in lines if line.startswith("starts from")]
    assert said == steps


def test_runs_that_start_from_each_other_are_refused() -> None:
    runs = {"a": tuned("a", **of("b")).build(), "b": tuned("b", **of("a")).build()}
    with pytest.raises(IntegrityError, match="starts from a, which starts from it"):
        started_from(runs["a"], runs.get)
