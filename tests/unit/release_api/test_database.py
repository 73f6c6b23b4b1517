from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.errors import InvalidError, MissingError
from sealyard_release_api.config import Settings
from sealyard_release_api.database import Postgres, Sqlite

SECRET = "hunter2-correct-horse"
GOOD = f"postgresql://owner:{SECRET}@db.example/releases"


def postgres(folder: Path, url: str) -> Postgres:
    (folder / "url").write_bytes(url.encode("utf-8", "surrogateescape"))
    (folder / "ca.crt").touch()
    return Postgres(folder / "url", folder / "ca.crt")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "rubbish",
        "postgresql://",
        "postgresql://db.example/releases",
        "postgresql://owner@db.example/releases",
        f"postgresql://owner:{SECRET}@db.example",
        f"postgresql://owner:{SECRET}@/releases",
        f"mysql://owner:{SECRET}@db.example/releases",
        f"sqlite:///{SECRET}",
        f"postgresql+psycopg2://owner:{SECRET}@db.example/releases",
        f"{GOOD}?sslmode=disable",
        f"{GOOD}?host=elsewhere",
        f"postgresql://owner:{SECRET}@db.example:x/releases",
        f"postgresql://owner:{SECRET}@db.example/{'a' * 5000}",
        "\udcff\udcfe",
    ],
)
def test_a_wrong_url_is_named_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidError) as error:
        postgres(tmp_path, url).engine()
    assert str(error.value).startswith(f"{tmp_path / 'url'}: must be postgresql://user:password@")
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    "url", [GOOD, f"{GOOD}\n", GOOD.replace("postgresql", "postgres"), "postgresql://a:%40@[::1]/d"]
)
def test_a_right_url_connects_to_nobody_yet(tmp_path: Path, url: str) -> None:
    engine = postgres(tmp_path, url).engine()
    assert SECRET not in repr(engine)
    engine.dispose()


@pytest.mark.parametrize("name", ["url", "ca.crt"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    database = postgres(tmp_path, GOOD)
    (tmp_path / name).unlink()
    with pytest.raises(MissingError, match=f"{tmp_path / name}: No such file"):
        database.engine()


def test_the_settings_choose_the_database() -> None:
    url, ca = Path("/url"), Path("/ca.crt")
    assert Settings(data_dir=Path("/d")).database() == Sqlite(Path("/d"))
    both = Settings(database_url_file=url, database_ca_file=ca)
    assert both.database() == Postgres(url, ca)
    for one in (Settings(database_url_file=url), Settings(database_ca_file=ca)):
        with pytest.raises(InvalidError, match="must be given both"):
            one.database()
