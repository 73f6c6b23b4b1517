"""A sheet of a route's storage, printed: `python -m sealyard_router.sheet.pod`.

`sealyard annotations preview` runs it in a pod, with its task in the environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydantic import ValidationError

from sealyard.api.mounts import TASK_VARIABLE
from sealyard.api.secrets import Purpose
from sealyard.api.sheet import SheetTask
from sealyard.delivery.annotation_bucket import BucketStorage
from sealyard.delivery.annotation_storage import AnnotationStorage, FolderStorage
from sealyard.delivery.bucket import Bucket
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.errors import InvalidError, SealyardError
from sealyard.jobs.harness import describe_validation
from sealyard.jobs.mounts import Mounts
from sealyard.jobs.printed_file import format_file
from sealyard.jobs.workspace import below
from sealyard_router.sheet.collecting import collect
from sealyard_router.sheet.page import render


def main(environment: Mapping[str, str], mounts: Mounts) -> int:
    """Print the sheet and give the exit code."""
    try:
        print(_sheet(environment, mounts), end="")  # noqa: T201 - what it is for
    except SealyardError as error:
        print(" ".join(str(error).split()), file=sys.stderr)  # noqa: T201 - likewise
        return error.exit_code
    return 0


def _sheet(environment: Mapping[str, str], mounts: Mounts) -> str:
    try:
        task = SheetTask.model_validate_json(environment.get(TASK_VARIABLE, ""))
    except ValidationError as error:
        raise InvalidError(f"{TASK_VARIABLE}: {describe_validation(error)}") from error
    with _storage(task, mounts) as storage:
        sheet = collect(storage, task.route, pictures=task.pictures)
    return format_file(render(sheet).encode())


@contextmanager
def _storage(task: SheetTask, mounts: Mounts) -> Iterator[AnnotationStorage]:
    remote = task.storage
    if remote is None:
        yield FolderStorage(below(mounts.dataset, task.storage_path))
        return
    credential = SecretFiles.mounted(Purpose.DATASET, mounts.secrets, remote.secret_name)
    bundle = CaBundle.mounted(mounts.ca / "dataset", remote.ca_bundle_name)
    place = S3Place(remote.endpoint, remote.region, remote.bucket)
    with Bucket("annotation store", place, credential, bundle=bundle) as bucket:
        yield BucketStorage(bucket, remote.prefix)


if __name__ == "__main__":
    sys.exit(main(os.environ, Mounts()))
