"""A file of a workspace in a store, brought out through a pod's log as `printed_file` does.

`python -m sealyard.delivery.printed_object STORE PATH` prints it; STORE is a `RemoteFolder`, in
JSON.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sealyard.api.tasks import RemoteFolder
from sealyard.delivery.workspace_store import open_workspace
from sealyard.errors import SealyardError
from sealyard.jobs.mirror import Mirror
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.printed_file import print_file


def main(arguments: Sequence[str], mounts: Mounts | None = None) -> int:
    """Print the file that the arguments name, and give the exit code."""
    mounts = mounts or Mounts()
    store, path = arguments
    key, _, name = path.rpartition("/")
    try:
        with (
            tempfile.TemporaryDirectory(dir=mounts.scratch) as folder,
            open_workspace(RemoteFolder.model_validate_json(store), mounts) as opened,
        ):
            mirror = Mirror(opened, key, Path(folder), "")
            mirror.read()
            mirror.fetch([name])
            print_file(Path(folder, name))
    except SealyardError as error:
        print(error, file=sys.stderr)  # noqa: T201 - what the pod's status shows
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
