"""`sealyard seal`: a file into both sealed parts and their manifest, in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from sealyard.cli.options import JsonOption, read_file
from sealyard.cli.progress import progress_of
from sealyard.cli.report import show_sealed
from sealyard.delivery.seal import Precision, Subject, seal_file
from sealyard.errors import InvalidError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.formats import FORMATS, format_named
from sealyard.sealing.keyring import KEYRING_MAX_BYTES, Keyring
from sealyard.sealing.manifest import check_prefix
from sealyard.sealing.split import (
    DEFAULT_LIMITS,
    MAX_BYTES_FROM_TO,
    MAX_PERCENT_FROM_TO,
    SplitLimits,
)

_PRECISIONS = ("fp32", "fp16", "int8")
_IMAGE_SIZE_MAX = 65536


def seal(
    file: Annotated[Path, typer.Argument(help="The ONNX model to seal.")],
    model: Annotated[str, typer.Argument(help="Its name.")],
    version: Annotated[str, typer.Argument(help="Its version.")],
    *,
    keyring: Annotated[
        Path, typer.Option("--keyring", help="The file keyring.json; its active key seals.")
    ],
    sealed_dir: Annotated[
        Path, typer.Option("--sealed-dir", help="The folder for the parts and the manifest.")
    ],
    image_size: Annotated[
        int, typer.Option("--image-size", help="Side of the pictures it takes, in pixels.")
    ],
    variant: Annotated[str, typer.Option("--variant", help="Name of the variant.")] = "onnx-fp32",
    precision: Annotated[
        str, typer.Option("--precision", help=f"One of {', '.join(_PRECISIONS)}.")
    ] = "fp32",
    sealing_format: Annotated[
        str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")
    ] = "sealed-v2",
    prefix: Annotated[
        str,
        typer.Option(
            "--prefix", help="Where on the CDN the big part will be; the manifest says it."
        ),
    ] = "sealyard",
    max_small_bytes: Annotated[
        int, typer.Option("--max-small-bytes", help="The most that the small part may have.")
    ] = DEFAULT_LIMITS.max_bytes,
    max_small_percent: Annotated[
        int, typer.Option("--max-small-percent", help="Likewise, in percent of both parts.")
    ] = DEFAULT_LIMITS.max_percent,
    as_json: JsonOption = False,
) -> None:
    """Seal a model into both parts and a manifest, without a network.

    `sealyard open` opens them again, `sealyard publish` uploads them. The manifest names the file
    as its own source.
    """
    if precision not in _PRECISIONS:
        raise InvalidError(f"--precision: {precision!r} must be one of {', '.join(_PRECISIONS)}")
    for option, value, (least, most) in (
        ("--image-size", image_size, (1, _IMAGE_SIZE_MAX)),
        ("--max-small-bytes", max_small_bytes, MAX_BYTES_FROM_TO),
        ("--max-small-percent", max_small_percent, MAX_PERCENT_FROM_TO),
    ):
        if not least <= value <= most:
            raise InvalidError(f"{option}: {value} must be from {least} to {most}")
    check_prefix(prefix, "--prefix")
    subject = Subject(
        context=ReleaseContext(model, version, variant),
        format="onnx",
        precision=cast("Precision", precision),
        image_size=image_size,
    )
    with progress_of(f"sealing {model} {version}", as_json=as_json) as progress:
        manifest = seal_file(
            file,
            sealed_dir,
            subject,
            keyring=Keyring.parse(read_file(keyring, KEYRING_MAX_BYTES)),
            sealing_format=format_named(sealing_format).name,
            prefix=prefix,
            limits=SplitLimits(max_small_bytes, max_small_percent),
            progress=progress,
        )
    show_sealed(manifest, sealed_dir, as_json=as_json)
