"""What the program is told that makes a sheet of a route's newest annotations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sealyard.api.model import Model, RelativePath
from sealyard.api.tasks import RemoteFolder


class SheetTask(Model):
    """As `tasks.TASK_VARIABLE` has it."""

    route: str
    pictures: Annotated[int, Field(ge=1, le=500)] = Field(description="How many at most.")
    storage: RemoteFolder | None = Field(
        default=None, description="None where it is the claim that is mounted at /dataset."
    )
    storage_path: RelativePath | None = Field(
        default=None, description="Below /dataset; its root where none is given."
    )
