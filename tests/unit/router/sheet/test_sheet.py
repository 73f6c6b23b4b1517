"""A sheet needs nothing but itself, and nothing that anybody publishes is more than text in it."""

from __future__ import annotations

import io
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from sealyard.annotations.message import Box
from sealyard.api.sheet import SheetTask
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.printed_file import parse
from sealyard_router.sheet import pod
from sealyard_router.sheet.collecting import MOST_JPEG_BYTES, collect, small_copy
from sealyard_router.sheet.folder import main
from sealyard_router.sheet.page import render
from support.filed_annotations import BOX, Filed, a_picture, a_record

HOSTILE = "</title><script>alert(1)</script><img src=//evil.test onerror=x>\u202e&amp;"


def a_storage() -> Filed:
    """Items of both kinds, a picture that is none, and messages that were refused."""
    storage = Filed(classes=("coin", HOSTILE[:64]))
    box = Box.model_validate(
        {"class": HOSTILE[:64], "x": 0.5, "y": 0.5, "width": 0.2, "height": 0.2}
    )
    storage.file(
        a_record(0, "first", picture=storage.picture(a_picture(1)), has_bytes=True),
        a_record(
            1,
            "second",
            "seed",
            picture=storage.picture(a_picture(2)),
            has_bytes=True,
            annotator=HOSTILE,
            role=None,
            boxes=[box, *[BOX] * 70],
        ),
        a_record(2, None, "rejected", reason="not JSON", annotator=None),
    )
    storage.file(
        a_record(3, "broken", picture=storage.picture(b"no picture"), has_bytes=True),
        a_record(4, "gone", picture=storage.picture(a_picture(4)), has_bytes=True),
        a_record(5, "gone", "deleted"),
        a_record(6, "bad", "rejected", reason=HOSTILE, annotator=HOSTILE),
        a_record(7, "awaited", picture=storage.picture(a_picture(5))),
    )
    return storage


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_newest_come_first() -> None:
    sheet = collect(a_storage(), "shop", pictures=9)
    assert (sheet.offset, sheet.validated, sheet.seed) == (8, 2, 1)
    assert [(shot.item, shot.folder) for shot in sheet.shots] == [
        ("broken", "validated"),
        ("second", "seed"),
        ("first", "validated"),
    ]
    assert [shot.problem for shot in sheet.shots] == ["cannot be decoded", None, None]
    assert (len(sheet.shots[1].marks), sheet.shots[1].marks_left_out) == (60, 11)
    assert [one.offset for one in sheet.rejections] == [6, 2]
    assert [shot.item for shot in collect(a_storage(), "shop", pictures=1).shots] == ["broken"]


def test_a_name_is_text_and_never_code() -> None:
    html = render(collect(a_storage(), HOSTILE, pictures=9))
    page = Page(html)
    assert not page.tags & {"script", "iframe", "object", "embed", "link", "base", "form", "img"}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.text.count("<script>alert(1)</script>") >= 4
    assert "\u202e" not in html
    addresses = [value for name, value in page.attributes if name in {"href", "src"}]
    assert all(each.startswith(("#", "data:image/jpeg;base64,")) for each in addresses)
    head = html[: html.index("<style>")]
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in head


def test_it_says_what_a_person_asks() -> None:
    text = " ".join(Page(render(collect(a_storage(), "shop", pictures=9))).text.split())
    for said in (
        "What was filed before offset 8",
        "3 of 3, the newest first",
        "ada@example.test · Validator revision 1 · offset 0 · 2026-11-26 09:00:00",
        "no proven role revision 2 · offset 1 · 2026-11-26 09:00:01 · 11 more boxes",
        "picture cannot be decoded",
        "2026-11-26 09:00:02not JSON",
    ):
        assert said in text
    nothing = Page(render(collect(Filed(), "shop", pictures=9))).text
    assert "Nothing is filed yet." in nothing
    assert "None in the newest entries" in nothing


def test_its_size_is_bounded() -> None:
    """Pictures that nothing compresses, as many as may be asked for."""
    storage, content = Filed(), io.BytesIO()
    Image.effect_noise((400, 400), 200).convert("RGB").save(content, "PNG")
    picture = storage.picture(content.getvalue())
    storage.file(*(a_record(n, f"i{n}", picture=picture, has_bytes=True) for n in range(150)))
    sheet = collect(storage, "shop", pictures=500)
    assert 40 < len(sheet.shots) < 150
    assert sum(len(shot.jpeg or b"") for shot in sheet.shots) < MOST_JPEG_BYTES


def test_a_copy_has_nothing_of_the_camera() -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    Image.new("RGB", (1000, 500)).save(stream, "JPEG", exif=exif)
    copy, problem = small_copy(stream.getvalue())
    assert problem is None
    assert copy is not None
    assert copy.size == (180, 360), "upright"


def test_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where only the extra `preview` is installed."""
    for name in ("botocore", "rstream", "matplotlib", "ultralytics"):
        monkeypatch.setitem(sys.modules, name, None)
    page = tmp_path / "page.html"
    arguments = [str(tmp_path / "shop"), "--output", str(page), "--pictures", "5"]
    assert main(arguments) == 66
    assert "has no journal/: is it the storage of an AnnotationRoute?" in capsys.readouterr().err
    a_storage().write(tmp_path / "shop")
    assert main(arguments) == 0
    assert "<h1>shop</h1>" in page.read_text()
    assert str(tmp_path) not in page.read_text()


def test_of_a_claim_in_a_pod(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_storage().write(tmp_path / "claim/shop")
    task = SheetTask(route="coins", pictures=9, storage_path="shop").model_dump_json(by_alias=True)
    mounts = Mounts(dataset=tmp_path / "claim")
    assert pod.main({"SEALYARD_TASK": task}, mounts) == 0
    assert b"<h1>coins</h1>" in parse(capsys.readouterr().out.encode())
    assert pod.main({"SEALYARD_TASK": "{}"}, mounts) == 64
    assert (
        capsys.readouterr().err
        == "SEALYARD_TASK: route: Field required; pictures: Field required\n"
    )
