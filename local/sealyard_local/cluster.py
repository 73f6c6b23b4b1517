"""Starts, uses and stops an embedded cluster: a real Kubernetes on this machine.

python -m sealyard_local.cluster build | up | down | status | kubectl ...
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from sealyard.errors import SealyardError, UnavailableError
from sealyard_local.build import build, cache_folder

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE_USER = 65532  # whom the images of Sealyard run as

Images = Mapping[str, Mapping[str, Any]]


class KubectlError(SealyardError):
    """kubectl ended with an error; the message is what it printed."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster. As a context manager it ends with the block."""

    directory: Path
    binary: Path
    server: str

    @classmethod
    def start(
        cls,
        directory: Path,
        images: Path | Images,
        *,
        detach: bool = False,
        with_pid: int | None = None,
    ) -> Self:
        """Starts a cluster whose state lies in `directory`, and waits until it works.

        Args:
            directory: empty or missing; only logs are left in it after the end.
            images: which environment of this machine stands for which image: a mapping such as
                `venv_images` makes, or a JSON file of one (docs/embedded-cluster.md).
            detach: leave the cluster running when this process has ended.
            with_pid: end it with that process rather than this one.

        Raises:
            UnavailableError: it cannot be built or does not start; the message ends with the log
                of the part that failed.
        """
        program = build()
        command = [str(program), "up", "--dir", str(directory), "--detach"]
        if not detach:
            command += ["--with-pid", str(with_pid or os.getpid())]
        with _as_file(images) as file:
            result = subprocess.run(
                [*command, "--images", str(file)], check=False, capture_output=True, text=True
            )
        if result.returncode:
            raise UnavailableError(result.stderr.strip())
        return cls(directory, program, json.loads(result.stdout)["server"])

    @property
    def kubeconfig(self) -> Path:
        """The administrator's; it needs no other file."""
        return self.directory / "kubeconfig"

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> str:  # noqa: A002 - subprocess.run's word for it
        """Runs kubectl against this cluster and returns what it printed.

        Raises:
            KubectlError: it ended with an error, unless `check` is false.
        """
        result = subprocess.run(
            [str(self.binary), "kubectl", *arguments],
            env=self.environment(),
            input=input,
            check=False,
            capture_output=True,
            text=True,
        )
        if check and result.returncode:
            raise KubectlError(result.stderr.strip())
        return result.stdout

    def environment(self) -> dict[str, str]:
        """This process's environment, with what points kubectl and other clients at the cluster."""
        return {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.directory / "kubectl-cache"),
        }

    def apply(self, manifest: str) -> str:
        """Applies YAML or JSON, any number of objects."""
        return self.kubectl("apply", "-f", "-", input=manifest)

    def stop(self) -> None:
        """Ends the cluster: no process, no mount and no Secret is left. Twice is harmless.

        Raises:
            UnavailableError: something of it does not end.
        """
        _stop(self.binary, self.directory)

    @staticmethod
    def stop_in(directory: Path) -> None:
        """Ends whatever cluster lies in `directory`, or cleans up after one that was killed."""
        if directory.exists():
            _stop(build(), directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _stop(binary: Path, directory: Path) -> None:
    result = subprocess.run(
        [str(binary), "down", "--dir", str(directory)], check=False, capture_output=True, text=True
    )
    if result.returncode:
        raise UnavailableError(result.stderr.strip())


class _as_file:  # noqa: N801 - used as a function
    """A mapping as a JSON file, as long as the block lasts; a path as it is."""

    def __init__(self, images: Path | Images) -> None:
        self._images = images
        self._made: Path | None = None

    def __enter__(self) -> Path:
        if isinstance(self._images, Path):
            return self._images
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
            json.dump(self._images, file)
        self._made = Path(file.name)
        return self._made

    def __exit__(self, *_: object) -> None:
        if self._made is not None:
            self._made.unlink()


def venv_images(extra_show: Iterable[Path] = ()) -> Images:
    """Lets every image stand for the environment that runs this: its programs and its Python.

    Args:
        extra_show: more folders that containers may read, and never write.
    """
    shown = {
        Path(sys.prefix),
        Path(sys.base_prefix),
        REPOSITORY / "operator",
        REPOSITORY / "images",
        REPOSITORY / "examples",
        *extra_show,
    }
    return {
        "*": {
            "path": [str(Path(sys.executable).parent)],
            "show": sorted(str(path) for path in shown if path.exists()),
            "user": IMAGE_USER,
        }
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: builds what is missing, then hands over to the cluster's own program."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in {"-h", "--help"}:
        print(__doc__)
        return 0 if given else 64
    try:
        program = build()
    except SealyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    command, rest = given[0], given[1:]
    if command == "build":
        print(program)
        return 0
    if command == "up" and not any(word.startswith("--images") for word in rest):
        rest = ["--images", str(_own_images()), *rest]
    return _become(program, [command, *rest])


def _become(program: Path, arguments: list[str]) -> NoReturn:
    """The same process goes on as the program: signals and the terminal are then its own."""
    os.execv(program, [str(program), *arguments])  # noqa: S606 - no shell is wanted


def _own_images() -> Path:
    """This environment's images as a file that outlives this process."""
    text = json.dumps(venv_images())
    file = cache_folder() / f"images-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    file.write_text(text)
    return file


if __name__ == "__main__":
    sys.exit(main())
