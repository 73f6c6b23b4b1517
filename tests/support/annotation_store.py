"""What lies in a route's storage, read without anything of the router's."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/bmp": "bmp"}


def files_of(root: Path) -> dict[str, bytes]:
    """All files below a folder, by key, but for what was being written when its writer died.

    What is deleted in the meantime is not there.
    """
    found: dict[str, bytes] = {}
    for path in root.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            with contextlib.suppress(FileNotFoundError):
                found[path.relative_to(root).as_posix()] = path.read_bytes()
    return found


def objects_of(client: Any, bucket: str, prefix: str) -> dict[str, bytes]:
    """All objects below a prefix, by the rest of their keys; not what is deleted meanwhile."""
    keys = _keys(client, bucket, prefix)

    def read(key: str) -> bytes | None:
        try:
            return bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
        except client.exceptions.NoSuchKey:
            return None

    with ThreadPoolExecutor(8) as pool:
        contents = pool.map(read, keys)
        return {
            key.removeprefix(prefix): content
            for key, content in zip(keys, contents, strict=True)
            if content is not None
        }


def newest_of(client: Any, bucket: str, prefix: str) -> bytes:
    """The last object below a prefix; nothing where there is none."""
    keys = _keys(client, bucket, prefix)
    return bytes(client.get_object(Bucket=bucket, Key=keys[-1])["Body"].read()) if keys else b""


def records_of(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """The lines of the journal, whose chain is whole."""
    records: list[dict[str, Any]] = []
    end, digest = 0, None
    entries = sorted(key for key in files if key.startswith("journal/"))
    for number, key in enumerate(entries):
        assert key == f"journal/{number:012d}.jsonl"
        header, *lines = map(json.loads, files[key].splitlines())
        assert header["sequence"] == number
        assert header.get("previous") == digest
        assert number == 0 or header["begin"] == end
        offsets = [line["offset"] for line in lines]
        assert offsets == sorted(set(offsets))
        assert header["begin"] <= offsets[0]
        assert offsets[-1] < header["end"]
        end, digest = header["end"], hashlib.sha256(files[key]).hexdigest()
        records += lines
    return records


def expected_files(records: list[dict[str, Any]], classes: list[str]) -> dict[str, str | None]:
    """What must be in the folders: the digest of each file, where the lines of the journal tell."""
    newest = {
        record["id"]: record
        for record in records
        if record["verdict"] in {"validated", "seed", "deleted"}
    }
    expected: dict[str, str | None] = {}
    for record in newest.values():
        if record["verdict"] == "deleted":
            continue
        stem = f"{record['id']}-{record['offset']:012d}"
        suffix = SUFFIXES[record["picture"]["mediaType"]]
        labels = "".join(
            f"{classes.index(box['class'])} {box['x']:.9g} {box['y']:.9g} "
            f"{box['width']:.9g} {box['height']:.9g}\n"
            for box in record["boxes"]
        )
        expected[f"{record['verdict']}/images/{stem}.{suffix}"] = record["picture"]["sha256"]
        expected[f"{record['verdict']}/labels/{stem}.txt"] = sha256(labels.encode())
    for record in records:
        if record["verdict"] == "rejected":
            for suffix in ("json", "message"):
                expected[f"rejected/{record['offset']:012d}.{suffix}"] = None
    return expected


def strays(files: Mapping[str, bytes], classes: list[str]) -> set[str]:
    """What is in the folders and should not be, or the other way round."""
    return set(_there(files)) ^ set(expected_files(records_of(files), classes))


def assert_each_filed_once(
    files: Mapping[str, bytes], sent: Mapping[int, bytes], classes: list[str]
) -> Counter[str]:
    """Every message of a stream has one line, and the folders hold what the lines come to.

    Args:
        files: all of a storage.
        sent: the messages of the stream, by offset; each brings its picture.
        classes: of the route.

    Returns:
        how many messages there are of each verdict.
    """
    records = records_of(files)
    assert [record["offset"] for record in records] == sorted(sent)
    assert not strays(files, classes)
    for key, digest in expected_files(records, classes).items():
        assert digest in {None, sha256(files[key])}, key
    for record in records:
        if record["verdict"] == "rejected":
            told = json.loads(files[f"rejected/{record['offset']:012d}.json"])
            assert told["reason"] == record["reason"]
    return Counter(record["verdict"] for record in records)


def sha256(content: bytes) -> str:
    """In hex."""
    return hashlib.sha256(content).hexdigest()


def _there(files: Mapping[str, bytes]) -> list[str]:
    folders = ("validated/", "seed/", "rejected/")
    return [key for key in files if key.startswith(folders) and not key.endswith(".yaml")]


def _keys(client: Any, bucket: str, prefix: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", ())]
