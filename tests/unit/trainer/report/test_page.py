"""The page needs nothing but itself, and nothing that comes from data is more than text in it."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from sealyard_trainer.report.model import Evaluation
from sealyard_trainer.report.page import render
from support.reports import make_report

MOST_BYTES = 6_000_000
ADDRESSES = {"href", "src", "xlink:href", "action", "srcset", "data"}


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def html() -> str:
    """Of a thousand classes."""
    return render(make_report(1000))


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_a_name_is_text_and_never_code(page: Page) -> None:
    assert not page.tags & {"script", "iframe", "object", "embed", "link", "base", "form", "img"}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "<script>alert('$1_0$')" in page.text
    assert not set(page.text) & {"\u202e", "\x1b"}


def test_nothing_is_fetched(page: Page) -> None:
    addresses = [value for name, value in page.attributes if name in ADDRESSES]
    assert addresses
    assert [each[:60] for each in addresses if not each.startswith(("#", "data:image/"))] == []
    used = re.findall(r"url\(([^)]*)\)", "".join(value for _, value in page.attributes))
    assert all(each.startswith("#") for each in used)


def test_the_policy_comes_before_all_that_it_is_for(html: str) -> None:
    head = html[: html.index("<style>")]
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in head


def test_its_size_is_bounded(html: str) -> None:
    assert len(html.encode()) < MOST_BYTES


def test_an_id_is_one_elements(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    used = {
        value[1:] for name, value in page.attributes if value.startswith("#") and "href" in name
    }
    assert used <= set(page.ids)


def test_every_chart_is_said_in_words(page: Page) -> None:
    said = [value for name, value in page.attributes if name == "aria-label"]
    for beginning in ("Boxes of each class: ", "Sizes of boxes; ", "Precision over recall"):
        assert [each for each in said if each.startswith(beginning)]


def test_the_same_values_make_the_same_page() -> None:
    assert render(make_report(3, "coin")) == render(make_report(3, "coin"))


def test_what_resumed_is_shown() -> None:
    text = Page(render(make_report(2, "coin"))).text
    assert "the checkpoint of epoch 480" in text
    assert "And 479 before them." in text
    assert "resumed" in text


def test_a_preview_has_the_datasets_part_alone() -> None:
    report = dataclasses.replace(make_report(2, "coin"), training=None)
    text = Page(render(report)).text
    assert "Dataset preview" in text
    assert "its default arguments" in text
    assert "Results" not in text


def test_what_was_not_counted_is_said() -> None:
    report = make_report(2, "coin")
    assert report.training
    training = dataclasses.replace(report.training, evaluation=Evaluation((), ()))
    text = Page(render(dataclasses.replace(report, training=training))).text
    assert "No confusion matrix" in text
