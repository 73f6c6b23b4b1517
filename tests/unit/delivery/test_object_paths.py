"""Keys of objects that are paths of files, and keys that are none."""

from __future__ import annotations

import pytest

from sealyard.delivery.bucket import ListedObject
from sealyard.delivery.object_paths import object_paths
from sealyard.errors import InvalidError


def listed(*keys: str, size: int = 1) -> list[ListedObject]:
    return [ListedObject(key, size, '"e"') for key in keys]


@pytest.mark.parametrize(
    ("prefix", "keys", "paths"),
    [
        ("", ["data.yaml", "images/a b.jpg"], ["data.yaml", "images/a b.jpg"]),
        ("coins/v1/", ["coins/v1/data.yaml", "coins/v1/ä/é.png"], ["data.yaml", "ä/é.png"]),
        ("coins/", ["coins/..."], ["..."]),
        ("coins/", [], []),
    ],
)
def test_paths(prefix: str, keys: list[str], paths: list[str]) -> None:
    assert list(object_paths(prefix, listed(*keys))) == paths


def test_what_stands_for_a_folder_is_none() -> None:
    assert object_paths("coins/", listed("coins/", "coins/images/", size=0)) == {}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("../../x", "'coins/../../x': its key is no path below a folder"),
        ("images/../../../etc/passwd", "is no path below a folder"),
        ("..", "is no path below a folder"),
        ("./a.jpg", "is no path below a folder"),
        ("/etc/passwd", "is no path below a folder"),
        ("images//a.jpg", "is no path below a folder"),
        ("images/", "is no path below a folder"),
        ("", "is no path below a folder"),
        ("..\\x", "has a backslash or a character that cannot be printed"),
        ("a\0b", "has a backslash or a character that cannot be printed"),
        ("a\nb\ud800", r"'coins/a\nb\ud800': its key has a backslash or a character that"),
        (f"images/{'ä' * 101}", "a part of its key has more than 200 bytes"),
        ("/".join(["x" * 200] * 6), "its key has more than 1024 bytes"),
    ],
)
def test_what_is_no_path_is_refused(key: str, said: str) -> None:
    with pytest.raises(InvalidError) as caught:
        object_paths("coins/", listed(f"coins/{key}"))
    assert said in str(caught.value)
    assert str(caught.value).endswith("; rename or delete it")


@pytest.mark.parametrize("keys", [("a/b", "a"), ("a", "a/b"), ("a/b/c/d", "a/b")])
def test_nothing_is_a_file_and_a_folder(keys: tuple[str, ...]) -> None:
    with pytest.raises(InvalidError, match="is a file, and others are below it"):
        object_paths("", listed(*keys))


def test_there_are_not_too_many() -> None:
    assert len(object_paths("", listed("a", "b"), most=2)) == 2
    with pytest.raises(InvalidError, match="more than 2 objects"):
        object_paths("", listed("a", "b", "c"), most=2)
