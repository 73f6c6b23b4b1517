"""Publish one annotated picture, as an annotation tool does.

The annotator logs in to the release API, which gives a token that proves who it is; the tool's own
user of the broker may write to the stream. Passwords are read from files.

    python publish.py tray.jpg --box coin 0.5 0.5 0.25 0.25 --operation validated \\
      --host rabbitmq.example.org --stream coins --user tool --password-file queue-password \\
      --ca ca.crt --api https://releases.example.org --annotator vera@example.org \\
      --login-file password
"""

from __future__ import annotations

import argparse
import asyncio
import mimetypes
import ssl
from datetime import UTC, datetime
from pathlib import Path

import httpx

from sealyard.annotations.message import Annotation, Box, Picture
from sealyard.annotations.publisher import AnnotationPublisher


def log_in(api: str, email: str, password: str, ca: Path | None) -> str:
    """A token for annotation routes; it is good for a quarter of an hour at most."""
    body = {"email": email, "password": password, "audience": "sealyard-annotations"}
    context = ssl.create_default_context(cafile=ca)
    answer = httpx.post(f"{api}/login", json=body, verify=context, trust_env=False)
    token: str = answer.raise_for_status().json()["token"]
    return token


async def main() -> None:
    """Publish what the command line says."""
    flags = arguments()
    content = flags.picture.read_bytes()
    annotation = Annotation(
        id=flags.id or flags.picture.stem,
        revision=flags.revision,
        operation=flags.operation,
        picture=Picture.of(content, mimetypes.guess_type(flags.picture)[0]),
        boxes=[
            Box(class_name=name, x=float(x), y=float(y), width=float(width), height=float(height))
            for name, x, y, width, height in flags.box
        ],
        annotator=flags.annotator,
        annotated_at=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    )
    password = flags.login_file.read_text().strip()

    async def token() -> str:
        return await asyncio.to_thread(log_in, flags.api, flags.annotator, password, flags.ca)

    async with AnnotationPublisher(
        flags.host,
        flags.stream,
        port=flags.port,
        username=flags.user,
        password=flags.password_file.read_text().strip(),
        name="example",
        ca_file=flags.ca,
        token=token,
    ) as publisher:
        await publisher.publish(annotation, content)
    print(f"{annotation.id} revision {annotation.revision} is published")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--box", nargs=5, action="append", default=[], metavar="CLASS|X|Y|W|H")
    parser.add_argument("--id")
    parser.add_argument("--revision", type=int, default=1)
    parser.add_argument("--operation", default="created")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, default=5551)
    parser.add_argument("--stream", default="annotations")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--ca", type=Path)
    parser.add_argument("--api", required=True)
    parser.add_argument("--annotator", required=True)
    parser.add_argument("--login-file", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
