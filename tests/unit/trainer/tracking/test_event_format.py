from __future__ import annotations

import pytest

from sealyard_trainer.tracking.event_format import epoch_record, kept_bytes, version_record

VERSION = version_record(1.0)
EPOCHS = [epoch_record(2.0, step, {"metrics/mAP50(B)": step / 1000}) for step in (1, 2, 300)]
WHOLE = VERSION + b"".join(EPOCHS)
ENDS = [len(VERSION + b"".join(EPOCHS[:number])) for number in range(4)]


def test_the_bytes_of_a_file_that_tensorboard_reads() -> None:
    assert VERSION.hex() == (
        "1800000000000000" + VERSION[8:12].hex() + "09000000000000f03f"
        "1a0d627261696e2e4576656e743a32" + VERSION[-4:].hex()
    )
    # A length of 24 and its checksum begin every file of TensorFlow's own writer.
    assert VERSION[:12].hex() == "1800000000000000a37f4b22"


@pytest.mark.parametrize(
    ("content", "epochs", "kept"),
    [
        (b"", [], (0, 0)),
        (b"", [1], (0, 0)),
        (b"something else", [1], (0, 0)),
        (WHOLE, [], (0, ENDS[0])),
        (WHOLE, [1, 2, 300], (3, ENDS[3])),
        (WHOLE, [1, 2], (2, ENDS[2])),
        (WHOLE, [1, 3], (1, ENDS[1])),
        (WHOLE, [1, 2, 300, 301], (3, ENDS[3])),
        (WHOLE[:-1], [1, 2, 300], (2, ENDS[2])),
        (WHOLE[: ENDS[1] + 5], [1, 2, 300], (1, ENDS[1])),
        (WHOLE[: ENDS[1]] + bytes(64), [1, 2], (1, ENDS[1])),
        (WHOLE[:-9] + b"\xff" + WHOLE[-8:], [1, 2, 300], (2, ENDS[2])),
    ],
    ids=[
        *("nothing", "begun late", "no event file", "from the beginning", "all", "one was lost"),
        *("another epoch", "one is missing", "torn", "torn length", "zeros", "a byte is wrong"),
    ],
)
def test_what_stays_after_an_interruption(
    content: bytes, epochs: list[int], kept: tuple[int, int]
) -> None:
    assert kept_bytes(content, epochs) == kept
