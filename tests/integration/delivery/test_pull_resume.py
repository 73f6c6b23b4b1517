"""`sealyard pull` that is killed, disturbed or run twice, against the real stores."""

from __future__ import annotations

import fcntl
import functools
import logging
import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sealyard.api.model_release import SealingFormatName
from sealyard.delivery.readers import ObjectReader
from sealyard.sealing.formats import Layout, SplitLimits, format_named
from support.counting import CountingProxy
from support.programs import BUCKET, SEALYARD, Job
from support.stores import Stores, until

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.stores
FORMATS = pytest.mark.parametrize("sealing", ["sealed-v2", "aes-256-cbc-v1"])
MIB = 1 << 20
SIZE = 50 * MIB + 17
HELD_AFTER = 36 * MIB  # more than what is in flight at a time, so some of it has been stored
PEAK_MEBIBYTES = 160


@pytest.fixture
def sealing() -> SealingFormatName:
    return "sealed-v2"


@pytest.fixture(scope="module")
def released(
    stores: Stores, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[SealingFormatName], Job]:
    """A release of either format, published once: no test here changes it."""

    @functools.cache
    def release(sealing: SealingFormatName) -> Job:
        job = stores.release(tmp_path_factory.mktemp(sealing), sealing)
        job.add("onnx-fp32", os.urandom(SIZE))
        assert job.publish().code == 0
        return job

    return release


@pytest.fixture
def job(released: Callable[[SealingFormatName], Job], sealing: SealingFormatName) -> Job:
    return released(sealing)


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The folder that is pulled to, with nothing else in it."""
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


@contextmanager
def proxy(stores: Stores, *, hold_after: int | None = None) -> Iterator[CountingProxy]:
    pair = stores.ca.issue(ips=["127.0.0.1"])
    with CountingProxy(stores.cdn.endpoint, stores.api.ca_path, pair, hold_after=hold_after) as it:
        yield it


def places(job: Job, there: Path, kept: bool) -> tuple[list[str], Path]:
    """What `pull` is told, and where the big part goes, or what is made of it."""
    keyring = ["--keyring", str(job.secrets / "keyring" / "keyring.json")]
    if kept:
        return [*keyring, "--sealed-dir", str(there)], there / "onnx-fp32.big"
    return [*keyring, "--output", str(there / "model.onnx")], there / "model.onnx"


def layout_of(job: Job) -> Layout:
    return format_named(job.sealing).plan(SIZE, SplitLimits())


def big_key(job: Job) -> str:
    key: str = job.stores.manifest(job)["predicate"]["variants"][0]["big"]["key"]
    return key


def big_part(job: Job) -> bytes:
    client = job.stores.boto3(job.stores.read)
    content: bytes = client.get_object(Bucket=BUCKET, Key=big_key(job))["Body"].read()
    return content


def partial_of(job: Job, place: Path) -> Path:
    return place.with_name(f".{place.name}.{big_key(job).rsplit('/', 1)[-1]}.part")


def assert_fetched(job: Job, cdn: CountingProxy, begin: int) -> None:
    """That what lies before `begin` was not asked for, and everything else once.

    A request that was tried again, as on a busy machine, counts as one.
    """
    layout = layout_of(job)
    asked = sorted({(one.begin, one.end) for one in cdn.asked})
    if layout.trailer_bytes:
        # The leaves come first, and are not fetched again as the end of the part.
        assert (cdn.asked[0].begin, cdn.asked[0].end) == (layout.trailer_range.offset, asked[-1][1])
        asked.remove((cdn.asked[0].begin, cdn.asked[0].end))
    end = layout.trailer_range.offset
    assert [one[0] for one in asked] == ([begin] if begin < end else []) + [
        one[1] for one in asked[:-1]
    ]
    assert (asked[-1][1] if asked else begin) == end


def assert_pulled(job: Job, there: Path, kept: bool) -> None:
    """That what was asked for is there, and nothing else."""
    if kept:
        names = ["manifest.json", "onnx-fp32.big", "onnx-fp32.small"]
        assert (there / "onnx-fp32.big").read_bytes() == big_part(job)
    else:
        names = ["model.onnx"]
        assert (there / "model.onnx").read_bytes() == job.content(job.variants[0])
    assert sorted(path.name for path in there.iterdir()) == names
    assert {stat.S_IMODE(path.stat().st_mode) for path in there.iterdir()} == {0o600}


@FORMATS
@pytest.mark.parametrize(
    ("how", "kept"),
    [(signal.SIGKILL, True), (signal.SIGKILL, False), (signal.SIGTERM, False)],
)
def test_a_killed_pull_goes_on_where_it_was(
    *, job: Job, there: Path, kept: bool, how: signal.Signals
) -> None:
    arguments, place = places(job, there, kept)
    partial = partial_of(job, place)
    with proxy(job.stores, hold_after=HELD_AFTER) as cdn:
        running = job.start_pull(*arguments, "--cdn", cdn.url)
        until(cdn.holds.is_set, "the fetch to be under way")
        until(lambda: partial.exists() and partial.stat().st_size > 0, "something to be stored")
        running.process.send_signal(how)
        cdn.release()
        assert running.wait().code != 0

    # Nothing but what was fetched: no plaintext under any name.
    assert list(there.iterdir()) == [partial]
    assert stat.S_IMODE(partial.stat().st_mode) == 0o600
    left = partial.read_bytes()
    assert big_part(job).startswith(left)

    with proxy(job.stores) as cdn:
        ended = job.pull(*arguments, "--cdn", cdn.url)
    assert ended.code == 0, ended.output
    layout = layout_of(job)
    whole = layout.whole_segments(len(left))
    assert whole > 0
    assert_fetched(job, cdn, layout.end_of(whole) if layout.trailer_bytes else len(left))
    assert_pulled(job, there, kept)


@FORMATS
def test_a_pull_that_loses_the_cdn_goes_on_later(job: Job, there: Path) -> None:
    arguments, place = places(job, there, kept=False)
    with proxy(job.stores, hold_after=HELD_AFTER) as cdn:
        running = job.start_pull(*arguments, "--cdn", cdn.url)
        until(cdn.holds.is_set, "the fetch to be under way")
        until(lambda: partial_of(job, place).exists(), "something to be stored")
    ended = running.wait()
    assert ended.code == 69
    assert len(ended.said) == 1
    left = partial_of(job, place).stat().st_size
    assert left > 0
    with proxy(job.stores) as cdn:
        assert job.pull(*arguments, "--cdn", cdn.url).code == 0
    assert_fetched(job, cdn, left)
    assert_pulled(job, there, kept=False)


SECOND, EIGHTH = 1 * MIB + 500, 8 * MIB + 500


@pytest.mark.parametrize(
    ("sealing", "damaged_at", "length", "goes_on_at"),
    [
        # A damaged segment, and all that follows, is fetched anew.
        ("sealed-v2", SECOND, 9 * MIB, MIB + 16),
        ("sealed-v2", 5, 9 * MIB, 0),
        # Half a segment is fetched anew; what came of a v1 part is kept to the byte.
        ("sealed-v2", None, 8 * (MIB + 16) + 4321, 8 * (MIB + 16)),
        ("aes-256-cbc-v1", None, EIGHTH, EIGHTH),
        # Longer than the part: what is too much is cut off.
        ("sealed-v2", None, SIZE + 2 * MIB, 50 * (MIB + 16) + 17 + 16),
        ("aes-256-cbc-v1", None, SIZE + 2 * MIB, None),
        ("sealed-v2", EIGHTH, SIZE + 2 * MIB, 8 * (MIB + 16)),
        ("aes-256-cbc-v1", EIGHTH, SIZE + 2 * MIB, 0),
    ],
)
def test_whatever_is_left_is_never_trusted(
    *,
    job: Job,
    there: Path,
    damaged_at: int | None,
    length: int,
    goes_on_at: int | None,
) -> None:
    arguments, place = places(job, there, kept=True)
    content = bytearray((big_part(job) + os.urandom(3 * MIB))[:length])
    if damaged_at is not None:
        content[damaged_at] ^= 1
    partial_of(job, place).write_bytes(content)
    partial_of(job, place).chmod(0o644)
    with proxy(job.stores) as cdn:
        ended = job.pull(*arguments, "--cdn", cdn.url)
    assert ended.code == 0, ended.output
    assert_pulled(job, there, kept=True)
    assert_fetched(job, cdn, layout_of(job).big_bytes if goes_on_at is None else goes_on_at)


@pytest.mark.parametrize("sealing", ["aes-256-cbc-v1"])
def test_a_part_that_is_wrong_as_a_whole_is_fetched_anew(job: Job, there: Path) -> None:
    arguments, place = places(job, there, kept=False)
    length, at_once = 41 * MIB, ObjectReader.at_once
    partial_of(job, place).write_bytes(bytes(length))
    with proxy(job.stores) as cdn:
        ended = job.pull(*arguments, "--cdn", cdn.url)
    assert ended.code == 0, ended.output
    rest = [one for one in cdn.asked if one.begin in {length, length + at_once}]
    assert {one.end for one in rest} == {length + at_once, layout_of(job).big_bytes}
    cdn.asked = [one for one in cdn.asked if one not in rest]
    assert_fetched(job, cdn, 0)
    assert_pulled(job, there, kept=False)


def test_what_is_left_of_another_object_is_removed(job: Job, there: Path) -> None:
    arguments, place = places(job, there, kept=False)
    other = place.with_name(f".{place.name}.{'ab' * 32}.part")
    other.write_bytes(big_part(job)[: 9 * MIB])
    neighbour = place.with_name(f".{place.name}.onnx.{'ab' * 32}.part")
    neighbour.write_bytes(b"of another place")
    with proxy(job.stores) as cdn:
        assert job.pull(*arguments, "--cdn", cdn.url).code == 0
    assert_fetched(job, cdn, 0)
    assert neighbour.exists()
    neighbour.unlink()
    assert_pulled(job, there, kept=False)


def test_a_second_pull_to_the_same_place_is_refused(job: Job, there: Path) -> None:
    arguments, place = places(job, there, kept=False)
    with proxy(job.stores, hold_after=HELD_AFTER) as cdn:
        first = job.start_pull(*arguments, "--cdn", cdn.url)
        until(partial_of(job, place).exists, "the first pull to begin")
        until(cdn.holds.is_set, "the first pull to fetch")
        second = job.pull(*arguments)
        assert second.code == 69
        assert second.output == (
            f"sealyard: {place}: another pull to it is under way; "
            "wait for its end, or choose another place\n"
        )
        cdn.release()
        assert first.wait().code == 0
    assert_pulled(job, there, kept=False)


def test_so_is_one_of_another_object(job: Job, there: Path) -> None:
    arguments, place = places(job, there, kept=False)
    other = place.with_name(f".{place.name}.{'ab' * 32}.part")
    with other.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ended = job.pull(*arguments)
    assert ended.code == 69
    assert "another pull to it is under way" in ended.output
    assert list(there.iterdir()) == [other]


@FORMATS
def test_what_is_not_what_was_released_leaves_nothing(
    stores: Stores, tmp_path: Path, there: Path, sealing: SealingFormatName
) -> None:
    job = stores.release(tmp_path, sealing)
    job.add("onnx-fp32", os.urandom(9 * MIB))
    assert job.publish().code == 0
    arguments, _ = places(job, there, kept=False)
    changed = bytearray(big_part(job))
    changed[EIGHTH] ^= 1
    store = job.stores.boto3(job.stores.write)
    store.put_object(Bucket=BUCKET, Key=big_key(job), Body=bytes(changed))
    ended = job.pull(*arguments)
    assert ended.code == 65, ended.output
    assert len(ended.said) == 1
    assert list(there.iterdir()) == []


@FORMATS
@pytest.mark.parametrize(("kept", "mebibytes"), [(True, 4), (False, 4), (False, 53)])
def test_a_full_disk_is_said_in_one_line(
    *, job: Job, there: Path, kept: bool, mebibytes: int
) -> None:
    """The larger size has room for the big part, and not for the plaintext beside it."""
    arguments, _ = places(job, there, kept)
    mounted = f'mount -t tmpfs -o size={mebibytes}m none "$0" && exec "$@"'
    command = [SEALYARD, *job.pull_arguments(), *arguments]
    ended = job.program("unshare", "-Urm", "sh", "-c", mounted, str(there), *command)
    assert ended.code == 66, ended.output
    assert len(ended.said) == 1
    assert "cannot be written (No space left on device)" in ended.output


@pytest.mark.parametrize("option", ["--output", "--sealed-dir"])
def test_a_folder_that_takes_nothing_is_said_in_one_line(job: Job, option: str) -> None:
    keyring = ("--keyring", str(job.secrets / "keyring" / "keyring.json"))
    ended = job.pull(*keyring, option, "/proc/model")
    assert ended.code == 66, ended.output
    assert len(ended.said) == 1
    assert "/proc/model: cannot be written" in ended.output


@FORMATS
def test_memory_stays_bounded(stores: Stores, tmp_path: Path, sealing: SealingFormatName) -> None:
    job = stores.release(tmp_path, sealing)
    job.add("onnx-fp32", os.urandom(MIB) * 300)
    published = job.publish()
    there = tmp_path / "there"
    arguments, _ = places(job, there, kept=True)
    both = [*arguments, "--output", str(tmp_path / "model.onnx")]
    pulled = job.start_pull(*both).wait()
    verified = job.verify(published.result["manifestSha256"])
    for name, ended in (("pull", pulled), ("verify", verified)):
        assert ended.code == 0, ended.output
        logger.info("%s of 300 MiB: peak %d MiB", name, ended.peak_mebibytes)
        assert ended.peak_mebibytes < PEAK_MEBIBYTES
