"""What a router does where something is full, gone, wrong or somebody else's."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealyard.api.annotation_route import IdentitySpec, JwtIdentity
from sealyard.api.model import LocalObjectReference
from sealyard.api.tasks import RemoteFolder
from support.annotation_store import assert_each_filed_once, files_of, records_of
from support.annotations import a_body, a_picture
from support.dataset_store import DatasetStore, dataset_store
from support.filing import a_message, an_image
from support.identities import ED25519, OTHER_ED25519, claims, jwk, jwk_set, token
from support.rabbitmq import Broker
from support.router import CLASSES, Yard, a_yard, states_of
from support.stores import until

pytestmark = [pytest.mark.stores, pytest.mark.timeout(600)]

MIB = 1 << 20


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatasetStore]:
    with dataset_store(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def bucket(broker: Broker, store: DatasetStore, tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path, broker, store) as made:
        yield made


@pytest.fixture
def folder(broker: Broker, tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path, broker, None) as made:
        yield made


def big(number: int, size: int) -> bytes:
    """A picture with something behind it, as cameras leave there."""
    return an_image(number) + os.urandom(size)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a mount of its own")
def test_a_full_volume_is_waited_for(folder: Yard) -> None:
    bodies = [a_message(big(number, 100_000), id=f"tray-{number}") for number in range(60)]
    folder.volume.mkdir()
    mounted = f'mount -t tmpfs -o size=8m none "{folder.volume}" && exec "$@"'
    router = folder.start("unshare", "-Urm", "sh", "-c", mounted, "sh")
    until(lambda: router.get("/readyz")[0] == 200, "the router")
    seen = Path(f"/proc/{router.process.pid}/root{folder.volume}")
    (seen / "of-somebody-else").write_bytes(bytes(4 * MIB))
    folder.publish(bodies)
    until(lambda: "StorageFull" in router.get("/readyz")[1], "a full volume")
    assert router.get("/healthz")[0] == 200
    (seen / "of-somebody-else").unlink()
    until(lambda: router.metric("sealyard_router_offset") == len(bodies), "all", seconds=120)
    until(lambda: router.get("/readyz")[0] == 200, "no trouble")
    files = files_of(seen)
    assert assert_each_filed_once(files, dict(enumerate(bodies)), CLASSES) == {"seed": 60}


def test_pictures_lie_at_addresses(bucket: Yard, store: DatasetStore) -> None:
    large, small = big(1, 50 * MIB), an_image(2)
    store.put(f"{bucket.prefix}pictures/large.jpg", large)
    store.put(f"{bucket.prefix}pictures/other.jpg", an_image(3))
    bucket.changes["pictures"] = bucket.remote(f"{bucket.prefix}pictures/")
    address = f"s3://datasets/{bucket.prefix}pictures/"
    bodies = [
        a_body(id=f"tray-{number}", role="Validator", picture=a_picture(content, uri=uri))
        for number, (content, uri) in enumerate(
            [
                (large, f"{address}large.jpg"),
                (small, f"{address}none.jpg"),
                (an_image(300), f"{address}other.jpg"),
                (small, "s3://datasets/elsewhere.jpg"),
            ]
        )
    ]
    bucket.publish(bodies)
    router = bucket.start()
    bucket.wait_filed(len(bodies))
    files = bucket.files()
    assert files["validated/images/tray-0-000000000000.jpg"] == large
    reasons = [record.get("reason") for record in records_of(files)]
    assert reasons[0] is None
    assert "there is no object" in reasons[1]
    assert "picture.sha256" in reasons[2] or "picture.uri" in reasons[2]
    assert "must lie below s3://datasets/" in reasons[3]
    assert router.terminate() == 143


def test_what_retention_took_is_counted_and_filing_goes_on(bucket: Yard) -> None:
    bodies = [a_message(big(number, 30_000), id=f"tray-{number}") for number in range(200)]
    bucket.broker.delete_stream(bucket.stream)
    bucket.broker.create_stream(bucket.stream, max_bytes=500_000, segment_bytes=200_000)
    bucket.publish(bodies[:10])
    router = bucket.start()
    bucket.wait_filed(10)
    router.kill()
    bucket.publish(bodies[10:])
    router = bucket.start()
    bucket.wait_filed(len(bodies))
    records = records_of(bucket.files())
    lost = len(bodies) - len(records)
    assert lost > 0
    until(lambda: router.metric("sealyard_router_lost_total") == lost, "the count")
    assert "before they were filed; keep them longer" in router.log
    assert [one["offset"] for one in records] == [*range(10), *range(10 + lost, 200)]


@pytest.mark.parametrize("count", [1, 9])
def test_a_stream_that_was_made_anew_is_another(folder: Yard, count: int) -> None:
    folder.publish([a_message(id=f"tray-{number}") for number in range(5)])
    router = folder.start()
    folder.wait_filed(5)
    router.kill()
    folder.broker.delete_stream(folder.stream)
    folder.broker.create_stream(folder.stream)
    router = folder.start()
    until(lambda: "it shows nothing" in router.get("/readyz")[1], "an empty one", seconds=60)
    folder.publish([a_message(id=f"tray-{number}") for number in range(count)])
    assert router.ended() == 65, router.log
    assert "it was made anew; give the route a new storage" in router.message
    assert folder.end() == 5


def test_a_storage_of_another_stream_is_refused(folder: Yard) -> None:
    folder.publish([a_message()])
    router = folder.start()
    folder.wait_filed(1)
    router.kill()
    other = folder.stream + "-other"
    folder.broker.create_stream(other)
    folder.changes["source"] = folder.task().source.model_copy(update={"stream": other})
    router = folder.start()
    assert router.ended() == 64
    assert f"is of the stream {folder.stream}" in router.message


def test_classes_may_only_be_added_at_the_end(folder: Yard) -> None:
    folder.publish([a_message()])
    router = folder.start()
    folder.wait_filed(1)
    router.kill()
    folder.changes["classes"] = ["note", "coin"]
    router = folder.start()
    assert router.ended() == 64
    assert "these must come first, in this order" in router.message
    folder.changes["classes"] = [*CLASSES, "stamp"]
    folder.publish([a_message(id="tray-2")])
    folder.start()
    folder.wait_filed(2)
    assert files_of(folder.volume)["validated/data.yaml"].endswith(b'  2: "stamp"\n')


def test_a_token_says_where_its_message_is_filed(folder: Yard) -> None:
    now = int(time.time())
    times = {"iat": now - 60, "nbf": now - 60, "exp": now + 600}
    late = {"iat": now - 900, "nbf": now - 900, "exp": now - 300}
    tokens = {
        "valid": token(claims(**times)),
        "operator": token(claims(**times, role="Operator")),
        "forged": token(claims(**times), key=OTHER_ED25519),
        "expired": token(claims(**late)),
    }
    folder.key_set = jwk_set(jwk(ED25519, kid="ed"))
    folder.changes["identity"] = IdentitySpec(
        jwt=JwtIdentity(key_set_secret_ref=LocalObjectReference(name="keys"))
    )
    folder.changes["key_set_secret_name"] = "keys"
    folder.publish(
        [a_message(id=name, role="Validator", proof={"jwt": one}) for name, one in tokens.items()]
    )
    router = folder.start()
    folder.wait_filed(4)
    assert states_of(folder.files()) == {
        "valid": "validated",
        "operator": "seed",
        "forged": "seed",
        "expired": "seed",
    }
    until(lambda: router.metric("sealyard_router_unproven_total") == 2, "the unproven")
    assert not any(one in router.log for one in tokens.values())


def test_a_wrong_password_ends_it(folder: Yard) -> None:
    folder.password = "of-nobody"
    router = folder.start()
    assert router.ended() == 77
    assert "of-nobody" not in router.log


def test_a_store_that_refuses_ends_it(bucket: Yard) -> None:
    assert bucket.store is not None
    bucket.changes["storage"] = RemoteFolder(
        **{**bucket.remote("x/").model_dump(), "bucket": "none-of-ours"}
    )
    router = bucket.start()
    assert router.ended() == 66
    assert "there is no bucket none-of-ours" in router.message
