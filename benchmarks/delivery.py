"""Races of publishing and pulling through two real servers, both over TLS on this machine.

A row holds at most four times its size: the plaintext, two objects on the CDN, and one pulled file;
or the plaintext, the sealed file and one object. The CDN is emptied before each publication.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.bare import Bare, sealed_bytes
from benchmarks.children import Program, run
from benchmarks.others import python_programs
from benchmarks.plaintext import Plaintext, plaintext
from benchmarks.release import Releases
from benchmarks.sealers import Sealyard, openssl
from benchmarks.servers import MOUNTED, REGION, Servers, running_servers
from benchmarks.table import OpenRace, Race, Side
from sealyard.api.mounts import CA_KEY
from sealyard.api.secrets import Purpose
from sealyard.delivery.cdn import Cdn
from sealyard.delivery.kept import kept_parts
from sealyard.delivery.s3_requests import S3Place
from sealyard.delivery.secrets import SecretFiles
from sealyard.delivery.tls import CaBundle
from sealyard.delivery.upload import Upload
from sealyard_local.seaweedfs import Credential
from sealyard_local.stores import BUCKET, PREFIX

_READ_AT_ONCE: Final = 1 << 20
_THEIRS: Final = f"{PREFIX}/objects/theirs"


@contextmanager
def releases_of(folder: Path, size_bytes: int) -> Iterator[Releases]:
    """Both servers, and releases of a new plaintext of this size, the first one begun."""
    with running_servers(folder) as servers:
        plain = plaintext(servers.mounts.workspace / "plain", size_bytes)
        releases = Releases(servers, plain)
        releases.begin()
        yield releases


@contextmanager
def _publish_upload(folder: Path, size_bytes: int) -> Iterator[Race]:
    with releases_of(folder, size_bytes) as releases:
        sealed = folder / "sealed"
        Sealyard().seal(releases.plain.path, sealed)
        yield Race(
            what="publish a file: seal, split, upload",
            against="upload the same, sealed before, same client",
            least=0.75,
            size_bytes=size_bytes,
            ours=Side(before=releases.begin, run=releases.publish, check=releases.check_published),
            theirs=_uploading(kept_parts(sealed, "onnx-fp32")[1], releases.servers),
        )


@contextmanager
def _publish_bare(folder: Path, size_bytes: int) -> Iterator[Race]:
    with releases_of(folder, size_bytes) as releases:
        servers, plain = releases.servers, releases.plain

        def seal_and_upload() -> None:
            with (
                _writing(servers) as cdn,
                Upload(cdn, _THEIRS, sealed_bytes(plain.path.stat().st_size)) as uploading,
            ):
                Bare().seal_to(plain.path, uploading.write)
                uploading.finish()

        yield Race(
            what="publish a file: seal, split, upload",
            against="the bare operations, upload, same client",
            least=0.9,
            size_bytes=size_bytes,
            ours=Side(before=releases.begin, run=releases.publish, check=releases.check_published),
            theirs=Side(before=servers.empty_cdn, run=seal_and_upload),
        )


@contextmanager
def _publish_aws(folder: Path, size_bytes: int) -> Iterator[Race]:
    with releases_of(folder, size_bytes) as releases:
        servers, plain = releases.servers, releases.plain
        yield Race(
            what="sealyard-courier publish, start-up included",
            against="openssl enc | aws s3 cp - s3://…",
            least=1.1,
            size_bytes=size_bytes,
            ours=Side(
                before=releases.begin,
                run=lambda: run(releases.publish_program()),
                check=releases.check_published,
            ),
            theirs=Side(
                before=servers.empty_cdn,
                run=lambda: _encrypt_and_upload(plain, servers),
                check=lambda: _check_uploaded(plain, servers, openssl("-d")),
            ),
        )


@contextmanager
def _pull_aws(folder: Path, size_bytes: int) -> Iterator[Race]:
    with releases_of(folder, size_bytes) as releases:
        servers, plain, output = releases.servers, releases.plain, folder / "pulled"
        releases.publish()
        _encrypt_and_upload(plain, servers)

        def check() -> None:
            plain.check(output)

        yield Race(
            what="sealyard pull, every check, start-up included",
            against="aws s3 cp s3://… - | openssl enc -d",
            least=1.2,
            size_bytes=size_bytes,
            ours=Side(run=lambda: run(releases.pull_program(output)), check=check),
            theirs=Side(
                run=lambda: run(_download(servers), openssl("-d", "-out", output)), check=check
            ),
        )


def _uploading(big: Path, servers: Servers) -> Side:
    """Uploading the sealed bytes with the client that publish uses."""

    def upload() -> None:
        buffer, offset = memoryview(bytearray(_READ_AT_ONCE)), 0
        with (
            big.open("rb", buffering=0) as file,
            _writing(servers) as cdn,
            Upload(cdn, _THEIRS, big.stat().st_size) as uploading,
        ):
            while read := file.readinto(buffer):
                uploading.write(offset, buffer[:read])
                offset += read
            uploading.finish()

    def check() -> None:
        run(_download(servers), Program(["cmp", "-", big]))

    return Side(before=servers.empty_cdn, run=upload, check=check)


def _writing(servers: Servers) -> Cdn:
    """The CDN with the credential that writes."""
    mounts = servers.mounts
    return Cdn(
        S3Place(servers.stores.cdn_endpoint, REGION, BUCKET),
        SecretFiles.mounted(Purpose.CDN_WRITE, mounts.secrets, MOUNTED),
        bundle=CaBundle(mounts.ca / "cdn" / CA_KEY, "CA bundle of the CDN"),
    )


def _encrypt_and_upload(plain: Plaintext, servers: Servers) -> None:
    run(openssl("-in", plain.path), _aws(servers, servers.stores.write, "-", _url()))


def _check_uploaded(plain: Plaintext, servers: Servers, decrypt: Program) -> None:
    printed = run(_download(servers), decrypt, Program(["sha256sum"]))
    plain.check_digest("what aws uploaded", printed.decode().split()[0])


def _download(servers: Servers) -> Program:
    return _aws(servers, servers.stores.read, _url(), "-")


def _url() -> str:
    return f"s3://{BUCKET}/{_THEIRS}"


def _aws(servers: Servers, credential: Credential, source: str, target: str) -> Program:
    """`aws s3 cp`, with nothing of the user's own settings."""
    return Program(
        [
            python_programs() / "aws",
            *("s3", "cp", source, target, "--only-show-errors"),
            *("--endpoint-url", servers.stores.cdn_endpoint),
        ],
        environment={
            "AWS_ACCESS_KEY_ID": credential.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credential.secret_access_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CA_BUNDLE": str(servers.ca_file),
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        },
    )


ROWS: Final[Mapping[str, OpenRace]] = {
    "publish-upload": _publish_upload,
    "publish-bare": _publish_bare,
    "publish-aws": _publish_aws,
    "pull-aws": _pull_aws,
}
