"""A Job's container as a process of this machine: its volumes are folders that somebody named.

What the Job's manifest says of image, resources and rights does not count here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sealyard.api.mounts import POD_UID_VARIABLE, TASK_VARIABLE
from sealyard.errors import MissingError, UnavailableError
from sealyard.jobs.mounts import Mounts

SECRET_MODE: Final = 0o400
LOCK_FILE: Final = ".lock"
ROOT_PREFIX: Final = ".container-"


@dataclass(frozen=True, slots=True)
class Folders:
    """What stands for the volumes.

    Attributes:
        work: everything that nobody gave a place of its own.
        claims: by name, a folder for a PersistentVolumeClaim.
        secrets: by name, a folder with a file for each key of a Secret.
        config_maps: likewise for a ConfigMap.
    """

    work: Path
    claims: Mapping[str, Path] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    config_maps: Mapping[str, Path] = field(default_factory=dict)

    def claim(self, name: str, *, read_only: bool) -> Path:
        """The folder of a claim.

        Raises:
            MissingError: it is to be read, and is not there.
        """
        folder = self.claims.get(name, self.work / "claims" / name)
        if not read_only:
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.is_dir():
            raise MissingError(
                f"claim {name}: there is no folder {folder}; say where it is with "
                f"--claim {name}=FOLDER"
            )
        return folder.absolute()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a container ended."""

    exit_code: int
    message: str
    is_overdue: bool = False
    """It ran longer than the Job's deadline."""


@contextlib.contextmanager
def alone(work: Path) -> Iterator[None]:
    """Nobody else works in this folder until the block ends; what a killed command left is gone.

    Raises:
        UnavailableError: somebody does.
        MissingError: it cannot be written to.
    """
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock = (work / LOCK_FILE).open("wb")
    except OSError as error:
        raise MissingError(f"{work}: cannot be written to ({error.strerror})") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError(
                f"{work}: another `sealyard run` works there; wait for it, or give --work-dir"
            ) from None
        for left in work.glob(f"{ROOT_PREFIX}*"):
            shutil.rmtree(left)
        yield


def run_container(job: Mapping[str, Any], folders: Folders) -> Ended:
    """Run the program of a Job to its end; it says how far it is on standard error.

    A signal that interrupts this process is passed on, and waited for.

    Raises:
        MissingError: the program is not installed, or a folder is not there.
    """
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    program = _program(container["command"][0])
    with _root(folders.work) as root:
        places = _mounted(spec, container, folders, root)
        answer = root / str(Mounts().termination_message).lstrip("/")
        answer.parent.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(  # noqa: S603 - a program of ours
            [program, *_options(places, root)],
            env=os.environ | _environment(container, root),
            stdin=subprocess.DEVNULL,
            # A signal from the terminal is for this process, which passes it on.
            start_new_session=True,
        )
        code, is_overdue = _wait(
            process, job["spec"].get("activeDeadlineSeconds"), spec["terminationGracePeriodSeconds"]
        )
        with contextlib.suppress(FileNotFoundError):
            return Ended(code, answer.read_text(), is_overdue)
        return Ended(code, "", is_overdue)


def _program(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        extra = name.removeprefix("sealyard-")
        raise MissingError(f"{name} is not installed: `pip install 'sealyard[{extra}]'`")
    return found


@contextlib.contextmanager
def _root(work: Path) -> Iterator[Path]:
    """What stands for the container's own file system; gone when it has ended."""
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work, prefix=ROOT_PREFIX) as name:
        yield Path(name).absolute()


def _mounted(
    spec: Mapping[str, Any], container: Mapping[str, Any], folders: Folders, root: Path
) -> dict[str, Path]:
    """Where each mount path is on this machine."""
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    places = {}
    for mount in container["volumeMounts"]:
        volume, path = volumes[mount["name"]], mount["mountPath"]
        claim = volume.get("persistentVolumeClaim")
        if claim:
            places[path] = folders.claim(claim["claimName"], read_only=mount.get("readOnly", False))
            continue
        place = root / path.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        if "secret" in volume:
            secret = volume["secret"]
            _copy(folders.secrets.get(secret["secretName"]), secret.get("items"), place)
        if "configMap" in volume:
            config_map = volume["configMap"]
            _copy(folders.config_maps.get(config_map["name"]), config_map.get("items"), place)
    return places


def _copy(folder: Path | None, items: list[dict[str, str]] | None, place: Path) -> None:
    """The keys that are mounted. One that is not there is the program's to name."""
    if folder is None:
        return
    for item in items or [{"key": one.name, "path": one.name} for one in folder.iterdir()]:
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(folder / item["key"], place / item["path"])
            (place / item["path"]).chmod(SECRET_MODE)


def _options(places: Mapping[str, Path], root: Path) -> Iterator[str]:
    for one in dataclasses.fields(Mounts):
        default = str(one.default)
        yield f"--{one.name.replace('_', '-')}"
        yield str(places.get(default, root / default.lstrip("/")))


def _environment(container: Mapping[str, Any], root: Path) -> dict[str, str]:
    """The task, and the folders that are the container's own."""
    given = {one["name"]: one.get("value", "") for one in container["env"]}
    own = {name: str(root / path.lstrip("/")) for name, path in given.items() if path[:1] == "/"}
    return own | {TASK_VARIABLE: given[TASK_VARIABLE], POD_UID_VARIABLE: str(uuid.uuid4())}


def _wait(
    process: subprocess.Popen[bytes], deadline: float | None, grace: float
) -> tuple[int, bool]:
    """Its exit code, and whether it had to be ended. As Kubernetes has it: 128 and the signal."""
    try:
        code, is_overdue = process.wait(deadline), False
    except subprocess.TimeoutExpired:
        code, is_overdue = _end(process, grace), True
    except BaseException:
        _end(process, grace)
        raise
    return (128 - code if code < 0 else code), is_overdue


def _end(process: subprocess.Popen[bytes], grace: float) -> int:
    """Ask it to end, and end it once the grace is over, or whoever waits is interrupted again."""
    try:
        process.send_signal(signal.SIGTERM)
        return process.wait(grace)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            return code
        raise
