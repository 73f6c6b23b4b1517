"""`sealyard annotations`: what an AnnotationRoute has taken in."""

from __future__ import annotations

import importlib.util
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from sealyard.api.annotation_route import AnnotationRoute
from sealyard.cli.cluster import Cluster
from sealyard.core.jobs import router_name
from sealyard.core.reading_pod import DEADLINE_SECONDS
from sealyard.core.settings import PodSettings
from sealyard.core.sheet_pod import sheet_pod
from sealyard.errors import InvalidError, MissingError
from sealyard.jobs.printed_file import parse
from sealyard.jobs.workspace import write_atomic

PROGRAM = "sealyard_router.sheet.folder"
NEEDED = ("jinja2", "PIL")
"""What the program imports: of the extra `preview`."""

annotations_app = typer.Typer(help="Look at what was annotated.", no_args_is_help=True)


@annotations_app.command("preview")
def preview(
    route: Annotated[
        str | None, typer.Argument(metavar="ROUTE", help="The name of the AnnotationRoute.")
    ] = None,
    *,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="A route's storage on this machine, in the place of ROUTE."),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="Its namespace; the context's without it."),
    ] = None,
    pictures: Annotated[
        int, typer.Option("--pictures", min=1, max=500, help="How many at most.")
    ] = 60,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the page goes.")] = Path(
        "annotations.html"
    ),
) -> None:
    """Show what a route filed and refused last, as one HTML page: pictures with their boxes, who
    annotated them in which role, where they were filed, and reasons of rejection.

    A pod with the router's image reads the route's storage, by the credential that may only read,
    and is deleted again. It needs a kubeconfig and the right to get the route and its Deployment,
    to create, get and delete pods, and to read their logs.
    """
    if (route is None) == (folder is None):
        raise InvalidError("give exactly one of ROUTE and --folder")
    if not output.absolute().parent.is_dir():
        raise MissingError(f"{output.parent}: there is no such folder")
    if folder is not None:
        _of_folder(folder, output, pictures)
    elif route is not None:
        _write(output, _of_route(route, namespace, pictures))
    print(output)


def _of_folder(folder: Path, output: Path, pictures: int) -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingError(
            f"sealyard annotations preview --folder needs {', '.join(missing)}; "
            "install sealyard with its extra preview"
        )
    # A process of its own: the command line itself needs nothing that decodes pictures.
    arguments = [f"--output={output}", f"--pictures={pictures}", "--", str(folder)]
    done = subprocess.run([sys.executable, "-m", PROGRAM, *arguments], check=False)  # noqa: S603 - no shell; the arguments are paths
    if done.returncode:
        raise typer.Exit(done.returncode)


def _of_route(name: str, namespace: str | None, pictures: int) -> bytes:
    cluster = Cluster()
    where = namespace or cluster.namespace
    route = cluster.get(AnnotationRoute, where, name)
    image = cluster.deployed_image(where, router_name(route))
    pod = sheet_pod(
        route, PodSettings(), image=image, pictures=pictures, suffix=secrets.token_hex(4)
    )
    return parse(cluster.log_of(pod, seconds=DEADLINE_SECONDS))


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomic(path, content)
    except OSError as error:
        raise MissingError(f"{path}: cannot be written ({error.strerror})") from None
