"""The templates of a page. Everything is escaped that is not said to be safe."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sealyard.pages.wording import label, shown

STYLE: Final = Path(__file__).parent
"""Has page.css."""


def page_environment(templates: Path) -> Environment:
    """For the templates in a folder, which may include `page.css`."""
    environment = Environment(
        loader=FileSystemLoader([templates, STYLE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "label": label, "jpeg": _data_uri, "time": _time}
    return environment


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _time(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC")
