"""What each credential may do, as the store itself enforces it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.programs import BUCKET, PREFIX
from support.stores import Stores

pytestmark = pytest.mark.stores

ACTIONS: dict[str, Callable[[Any, str], Any]] = {
    "put": lambda s3, key: s3.put_object(Bucket=BUCKET, Key=key, Body=b"x"),
    "start parts": lambda s3, key: s3.create_multipart_upload(Bucket=BUCKET, Key=key),
    "get": lambda s3, key: s3.get_object(Bucket=BUCKET, Key=key),
    "head": lambda s3, key: s3.head_object(Bucket=BUCKET, Key=key),
    "delete": lambda s3, key: s3.delete_object(Bucket=BUCKET, Key=key),
    "delete many": lambda s3, key: s3.delete_objects(
        Bucket=BUCKET, Delete={"Objects": [{"Key": key}]}
    ).get("Deleted"),
    "copy": lambda s3, key: s3.copy_object(
        Bucket=BUCKET, Key=f"{key}-copy", CopySource={"Bucket": BUCKET, "Key": key}
    ),
    "tag": lambda s3, key: s3.put_object_tagging(
        Bucket=BUCKET, Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    ),
    "list": lambda s3, _key: s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX),
    "list uploads": lambda s3, _key: s3.list_multipart_uploads(Bucket=BUCKET),
    "list buckets": lambda s3, _key: s3.list_buckets()["Buckets"],
    "make a bucket": lambda s3, _key: s3.create_bucket(Bucket="another"),
    "delete the bucket": lambda s3, _key: s3.delete_bucket(Bucket=BUCKET),
    "set a policy": lambda s3, _key: s3.put_bucket_policy(Bucket=BUCKET, Policy="{}"),
}
ALLOWED = {"writer": {"put", "start parts"}, "reader": {"get", "head"}, "nobody": set[str]()}


@pytest.fixture
def key(stores: Stores) -> str:
    name = f"{PREFIX}/objects/{secrets.token_hex(32)}"
    stores.boto3(stores.write).put_object(Bucket=BUCKET, Key=name, Body=b"sealed")
    return name


@pytest.mark.parametrize("who", ALLOWED)
@pytest.mark.parametrize("action", ACTIONS)
def test_each_credential_does_its_part_and_nothing_else(
    stores: Stores, key: str, who: str, action: str
) -> None:
    assert allowed(stores, who, action, key) == (action in ALLOWED[who])
    kept = stores.boto3(stores.read).get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert kept == (b"x" if (who, action) == ("writer", "put") else b"sealed")


@pytest.mark.parametrize("who", ["writer", "reader"])
@pytest.mark.parametrize("action", ["put", "get"])
def test_the_prefix_is_the_limit(stores: Stores, who: str, action: str) -> None:
    assert not allowed(stores, who, action, f"elsewhere/{secrets.token_hex(8)}")
    assert not allowed(stores, who, action, f"{PREFIX}-not/{secrets.token_hex(8)}")


def allowed(stores: Stores, who: str, action: str, key: str) -> bool:
    credential = {"writer": stores.write, "reader": stores.read, "nobody": None}[who]
    client = stores.boto3(credential)
    try:
        # A list that is empty, and a deletion of nothing, are refusals too.
        return ACTIONS[action](client, key) not in ([], None)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] not in {403, 405, 501}:
            raise
        return False
    finally:
        client.close()
