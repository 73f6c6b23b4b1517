"""What a download believes of what it finds, and of what a store sends."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sealyard.delivery.bucket import Bucket, ListedObject
from sealyard.delivery.folder_download import FolderDownload
from sealyard.errors import IntegrityError, MissingError, UnavailableError
from sealyard.jobs.process import Interrupted


class Objects(Bucket):
    """A store that sends what it likes, which no real one does for the asking."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return "dataset store"

    def read_into(self, listed: ListedObject, offset: int, out: memoryview) -> None:
        self.asked.append(listed.key)
        if listed.key not in self.contents:
            raise UnavailableError("gone away")
        out[:] = self.contents[listed.key][offset : offset + len(out)]


CONTENTS = {"a.jpg": b"a" * 10, "images/b.jpg": b"b" * (9 << 20), "c.txt": b""}


def listed(contents: dict[str, bytes] = CONTENTS) -> dict[str, ListedObject]:
    return {
        key: ListedObject(
            key, len(content), f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        )
        for key, content in contents.items()
    }


def files(folder: Path) -> dict[str, bytes]:
    root = folder / "files"
    paths = (path for path in root.rglob("*") if not path.is_dir() or path.is_symlink())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def test_all_of_it_and_nothing_twice(tmp_path: Path) -> None:
    store = Objects(CONTENTS)
    seen: list[tuple[int, int]] = []
    download = FolderDownload(
        store, tmp_path, listed(), fetched=lambda files, size: seen.append((files, size))
    )
    download.fetch({"a.jpg"})
    assert download.missing_bytes(CONTENTS) == 9 << 20
    download.fetch(CONTENTS)
    assert files(tmp_path) == CONTENTS
    assert sorted(store.asked) == ["a.jpg", "images/b.jpg", "images/b.jpg"]
    assert seen == [(1, 10), (1, 0), (2, 9 << 20)]
    seen.clear()
    again = FolderDownload(
        Objects({}), tmp_path, listed(), fetched=lambda files, size: seen.append((files, size))
    )
    again.fetch(CONTENTS)
    assert seen == [(0, 0)] * len(CONTENTS), "hashing takes its time, too"
    assert files(tmp_path) == CONTENTS
    again.keep_only({"a.jpg"})
    assert files(tmp_path) == {"a.jpg": CONTENTS["a.jpg"]}
    assert not (tmp_path / "files/images").exists()


def torn(folder: Path) -> None:
    (folder / "files/a.jpg").write_bytes(b"a" * 9)


def gone(folder: Path) -> None:
    (folder / "files/a.jpg").unlink()


def linked(folder: Path) -> None:
    (folder / "elsewhere").write_bytes(CONTENTS["a.jpg"])
    (folder / "files/a.jpg").unlink()
    (folder / "files/a.jpg").symlink_to(folder / "elsewhere")


def below_a_link(folder: Path) -> None:
    (folder / "files/images").rename(folder / "elsewhere")
    (folder / "files/images").symlink_to(folder / "elsewhere")


def unknown(folder: Path) -> None:
    journal = folder / "fetched.jsonl"
    lines = [line for line in journal.read_text().splitlines() if '"a.jpg"' not in line]
    journal.write_text("\n".join([*lines, '{"path": "a.jp']))


def of_another_object(folder: Path) -> None:
    journal = folder / "fetched.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        line["etag"] = '"other"' if line["path"] == "a.jpg" else line["etag"]
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        *((change, ["a.jpg"]) for change in (torn, gone, linked, unknown, of_another_object)),
        (below_a_link, ["images/b.jpg"] * 2),
    ],
)
def test_only_what_is_whole_and_known_is_kept(
    tmp_path: Path, change: Callable[[Path], None], asked: list[str]
) -> None:
    FolderDownload(Objects(CONTENTS), tmp_path, listed()).fetch(CONTENTS)
    change(tmp_path)
    (tmp_path / "files/.a.jpg.0123.part").write_bytes(b"half")
    (tmp_path / "files/stranger.jpg").write_bytes(b"of nobody")
    (tmp_path / "files/out").symlink_to("/")
    store = Objects(CONTENTS)
    FolderDownload(store, tmp_path, listed()).fetch(CONTENTS)
    assert store.asked == asked
    assert files(tmp_path) == CONTENTS


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / "files").symlink_to(outside)
    FolderDownload(Objects(CONTENTS), folder, listed()).fetch(CONTENTS)
    assert [path.name for path in outside.iterdir()] == ["kept"]


class Noisy(Objects):
    """Whose bytes arrive otherwise each time."""

    def read_into(self, listed: ListedObject, offset: int, out: memoryview) -> None:
        super().read_into(listed, offset, out)
        out[0] = len(self.asked)


def test_bytes_that_are_not_those_of_the_etag(tmp_path: Path) -> None:
    store = Noisy(CONTENTS)
    with pytest.raises(IntegrityError, match=r"a[.]jpg came with other bytes each time"):
        FolderDownload(store, tmp_path, listed()).fetch({"a.jpg"})
    assert store.asked == ["a.jpg"] * 2
    assert files(tmp_path) == {}


def test_a_store_whose_etags_only_look_like_an_md5(tmp_path: Path) -> None:
    """One that encrypts with keys of its own: the first file is fetched twice, and no other."""
    etag = '"0123456789abcdef0123456789abcdef"'
    objects = {path: ListedObject(path, 10, etag) for path in ("a.jpg", "b.jpg")}
    store = Objects({"a.jpg": b"x" * 10, "b.jpg": b"y" * 10})
    download = FolderDownload(store, tmp_path, objects)
    download.fetch({"a.jpg"})
    download.fetch({"b.jpg"})
    assert store.asked == ["a.jpg", "a.jpg", "b.jpg"]
    assert files(tmp_path) == store.contents


@pytest.mark.parametrize("etag", ['"0123456789abcdef0123456789abcdef-2"', '"whatever"'])
def test_an_etag_that_is_no_md5_is_not_compared(tmp_path: Path, etag: str) -> None:
    objects = {"a.jpg": ListedObject("a.jpg", 10, etag)}
    FolderDownload(Objects(CONTENTS), tmp_path, objects).fetch({"a.jpg"})
    assert files(tmp_path) == {"a.jpg": CONTENTS["a.jpg"]}


def test_the_first_failure_ends_it_and_what_came_stays(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="gone away"):
        FolderDownload(Objects({"a.jpg": CONTENTS["a.jpg"]}), tmp_path, listed()).fetch(CONTENTS)
    store = Objects(CONTENTS)
    FolderDownload(store, tmp_path, listed()).fetch(CONTENTS)
    assert "a.jpg" not in store.asked


class Stalled(Objects):
    """Its second object comes no further than the first range, until the download is left."""

    left: threading.Event

    def read_into(self, listed: ListedObject, offset: int, out: memoryview) -> None:
        super().read_into(listed, offset, out)
        if listed.key == "images/b.jpg":
            assert self.left.wait(60)


def test_whoever_is_superseded_does_not_wait_for_big_files(tmp_path: Path) -> None:
    def superseded(_files: int, _bytes: int) -> None:
        raise Interrupted("superseded by pod 2")

    store = Stalled(CONTENTS)
    download = FolderDownload(store, tmp_path, listed(), fetched=superseded)
    store.left = download._stopped
    with pytest.raises(Interrupted):
        download.fetch(CONTENTS)
    assert store.asked.count("images/b.jpg") <= 1


def test_a_folder_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "dataset").touch()
    with pytest.raises(MissingError, match="takes no more files"):
        FolderDownload(Objects(CONTENTS), tmp_path / "dataset", listed())
