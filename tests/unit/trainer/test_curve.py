from __future__ import annotations

from pathlib import Path

import pytest

from sealyard_trainer.curve import Curve, Point, read_points

HEADER = "epoch,time,train/box_loss,metrics/mAP50(B)"


def ultralytics(path: Path, *rows: str) -> Path:
    """Its own results.csv."""
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def test_each_epoch_stands_once_and_the_time_only_grows(tmp_path: Path) -> None:
    path, source = tmp_path / "results.csv", tmp_path / "work.csv"
    first = Curve(path, epochs=0)
    first.append(ultralytics(source, "1,10,0.9,0.1"))
    first.append(ultralytics(source, "1,10,0.9,0.1", "2,20,0.8,0.2"))
    first.append(ultralytics(source, "1,10,0.9,0.1", "2,20,0.8,0.2", "3,30,0.7,0.3"))
    first.write()
    # The checkpoint of epoch 3 was lost: it is trained again, by a clock that restarts.
    second = Curve(path, epochs=2)
    assert path.read_text() == f"{HEADER}\n1,10,0.9,0.1\n2,20,0.8,0.2\n"
    second.copy_to(source)
    assert source.read_text() == path.read_text()
    second.append(ultralytics(source, "1,10,0.9,0.1", "2,20,0.8,0.2", "3,11,0.6,0.4"))
    second.append(ultralytics(source, "3,11,0.6,0.4", "4,21.5,0.5,0.5"))
    second.write()
    assert path.read_text().splitlines() == [
        HEADER,
        *("1,10,0.9,0.1", "2,20,0.8,0.2", "3,31,0.6,0.4", "4,41.5,0.5,0.5"),
    ]


def test_from_the_beginning_nothing_of_an_earlier_life_stays(tmp_path: Path) -> None:
    path = ultralytics(tmp_path / "results.csv", "1,10,0.9,0.1")
    Curve(path, epochs=0)
    assert not path.exists()


def test_another_kind_of_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "work.csv").write_text("step,loss\n1,2\n")
    with pytest.raises(ValueError, match="epoch and time were expected"):
        Curve(tmp_path / "results.csv", epochs=0).append(tmp_path / "work.csv")


def test_its_points_leave_out_what_is_no_number(tmp_path: Path) -> None:
    path, source = tmp_path / "results.csv", tmp_path / "work.csv"
    curve = Curve(path, epochs=0)
    newest = curve.append(ultralytics(source, "1,10,nan,0.1"))
    curve.write()
    assert newest == Point(1, 10.0, {"metrics/mAP50(B)": 0.1})
    assert curve.points == read_points(path) == [newest]
