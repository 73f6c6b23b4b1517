"""Where the updater keeps things: its memory, and the pointers to what runs and what ran before.

`current` and `previous` are links that are replaced by rename: whoever opens one sees the one
release or the other, never half of each.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from sealyard.delivery.kept import explained, private_file
from sealyard.device.state import MODELS_FOLDER
from sealyard.device.updater.decide import Choice, Memory
from sealyard.errors import IntegrityError
from sealyard.jobs.workspace import TEMPORARY_SUFFIX, read_record, sync_folder

CURRENT: Final = "current"
PREVIOUS: Final = "previous"
_RELEASES: Final = "releases"
_MEMORY_FILE: Final = "updater.json"


class Places:
    """The folder of one model in a state folder.

    Args:
        state: the state folder.
        model: its name.
    """

    def __init__(self, state: Path, model: str) -> None:
        self.folder = state / MODELS_FOLDER / model

    def remember(self) -> Memory:
        """What was kept last; nothing at first.

        Raises:
            IntegrityError: it cannot be read any more.
        """
        path = self.folder / _MEMORY_FILE
        try:
            return Memory.model_validate_json(read_record(path))
        except FileNotFoundError:
            return Memory()
        except (OSError, ValidationError):
            raise IntegrityError(f"{path} is damaged; delete it to begin anew") from None

    def keep(self, memory: Memory) -> None:
        """Write down what is remembered, then let the pointers follow.

        A process that is killed in between does the second when it comes again.

        Raises:
            MissingError: something cannot be written.
        """
        with explained(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with private_file(self.folder / _MEMORY_FILE) as file:
                file.write(memory.model_dump_json(by_alias=True, exclude_none=True).encode())
        self.point(memory)

    def point(self, memory: Memory) -> None:
        """Let the pointers be those of this memory.

        Raises:
            MissingError: one cannot be written.
        """
        for name, choice in ((PREVIOUS, memory.previous), (CURRENT, memory.current)):
            link = self.folder / name
            with explained(link):
                if choice is None:
                    link.unlink(missing_ok=True)
                else:
                    self._point_to(link, Path(_RELEASES) / folder_name(choice))

    def _point_to(self, link: Path, target: Path) -> None:
        if link.is_symlink() and link.readlink() == target:
            return
        temporary = link.with_name(f".{link.name}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}")
        temporary.symlink_to(target)
        temporary.replace(link)
        sync_folder(self.folder)

    def tidy(self, memory: Memory, coming: Choice | None = None) -> None:
        """Delete the releases that are neither current nor previous.

        Args:
            memory: what is remembered.
            coming: one that stays, though only a part of it may be there.

        Raises:
            MissingError: one cannot be deleted.
        """
        stay = (memory.current, memory.previous, coming)
        kept = {folder_name(one) for one in stay if one is not None}
        releases = self.folder / _RELEASES
        with explained(releases):
            for folder in releases.iterdir() if releases.is_dir() else ():
                if folder.name not in kept:
                    shutil.rmtree(folder)


def folder_name(choice: Choice) -> str:
    """The folder of a release below the model's."""
    return f"{choice.version}-{choice.manifest_sha256[:16]}"
