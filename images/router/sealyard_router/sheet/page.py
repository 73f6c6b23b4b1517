"""Draws a sheet: values in, one HTML page out that needs nothing but itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sealyard.pages.colours import colour
from sealyard.pages.environment import page_environment
from sealyard_router.sheet.model import Sheet

TEMPLATES: Final = Path(__file__).parent / "templates"
MOST_LABELLED: Final = 14
"""Boxes up to which each on a picture is named."""


def render(sheet: Sheet) -> str:
    """The page."""
    environment = page_environment(TEMPLATES)
    environment.globals |= {"colour": colour}
    template = environment.get_template("sheet.html.j2")
    return template.render(sheet=sheet, most_labelled=MOST_LABELLED)
