"""`sealyard run`: train, export and seal what manifests say, without any cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from sealyard.cli.options import JsonOption, read_file
from sealyard.cli.progress import progress_of
from sealyard.cli.report import show_document
from sealyard.cli.texts import FilesArgument, texts_of
from sealyard.delivery.seal import seal_release
from sealyard.errors import InvalidError, MissingError
from sealyard.laptop.container import Folders
from sealyard.sealing.keyring import KEYRING_MAX_BYTES, Keyring


def run_command(
    files: FilesArgument,
    *,
    claim: Annotated[
        list[str] | None,
        typer.Option("--claim", help="NAME=FOLDER: what stands for a PersistentVolumeClaim."),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option("--secret", help="NAME=FOLDER with a file for each key of a Secret."),
    ] = None,
    config_map: Annotated[
        list[str] | None, typer.Option("--config-map", help="The same for a ConfigMap.")
    ] = None,
    work_dir: Annotated[
        Path,
        typer.Option("--work-dir", help="What is kept: how far all is, and claims not named."),
    ] = Path(".sealyard"),
    keyring: Annotated[
        Path | None, typer.Option("--keyring", help="The file keyring.json; its active key seals.")
    ] = None,
    sealed_dir: Annotated[
        Path | None,
        typer.Option("--sealed-dir", help="Gets a folder with the sealed parts of each release."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train every TrainingRun of some manifests, and export, judge and seal every ModelRelease.

    The operator's own decisions and the programs of its Jobs, as processes of this machine. What
    was interrupted goes on where it was, when the same command is given again.
    """
    if (keyring is None) != (sealed_dir is None):
        raise InvalidError("give both --keyring and --sealed-dir, or neither")
    key = Keyring.parse(read_file(keyring, KEYRING_MAX_BYTES)) if keyring else None
    folders = Folders(
        work_dir,
        claims=_places("--claim", claim),
        secrets=_places("--secret", secret),
        config_maps=_places("--config-map", config_map),
    )
    results: list[dict[str, Any]] = []
    try:
        for made in _carry().carry_out(texts_of(files), folders, say=_say):
            result = summary(made.name, made.status, is_release=made.task is not None)
            if key is not None and sealed_dir is not None and made.task is not None:
                folder = sealed_dir / made.name
                with progress_of(f"sealing {made.name}", as_json=as_json) as progress:
                    manifest = seal_release(
                        made.task, made.workspace, folder, keyring=key, progress=progress
                    )
                sealed = {"manifestSha256": manifest.digest(), "sealed": str(folder)}
                result |= {"phase": "Sealed", **sealed}
            results.append(result)
            if not as_json:
                show_document(result, as_json=False)
    finally:
        # What was done before something failed stands.
        if as_json and results:
            show_document({"results": results}, as_json=True)


def summary(name: str, status: Mapping[str, Any], *, is_release: bool) -> dict[str, Any]:
    """What is shown of an object: where it stands, and its figures."""
    shown = {"name": name, "phase": "Exported" if is_release else status["phase"]}
    progress = status.get("progress", {})
    if "metrics" in progress:
        shown |= {"epochs": progress.get("epochs"), **progress["metrics"]}
    for variant in status.get("variants", []):
        shown[variant["name"]] = ", ".join(
            f"{label} {value}" for label, value in _figures(variant).items()
        )
    return shown


def _figures(variant: Mapping[str, Any]) -> dict[str, Any]:
    figures = {"sha256": variant.get("sha256"), "bytes": variant.get("sizeBytes")}
    figures |= {"difference": variant.get("maxDifference")} | dict(variant.get("metrics", {}))
    return {label: value for label, value in figures.items() if value is not None}


def _carry() -> Any:
    try:
        return import_module("sealyard.laptop.carry")
    except ModuleNotFoundError as error:
        raise MissingError(
            f"run needs what sealyard[lint] installs ({error.name} is missing)"
        ) from None


def _say(line: str) -> None:
    print(f"sealyard: {line}", file=sys.stderr, flush=True)


def _places(option: str, given: list[str] | None) -> dict[str, Path]:
    places = {}
    for one in given or []:
        name, separator, folder = one.partition("=")
        if not name or not separator or not folder:
            raise InvalidError(f"{option}: {one!r} must be NAME=FOLDER")
        places[name] = Path(folder)
    return places
