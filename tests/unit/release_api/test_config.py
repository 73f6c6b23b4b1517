from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.errors import InvalidError
from sealyard_release_api.config import Parser, Settings, add_flags, read_settings


def settings(arguments: list[str], environment: dict[str, str] | None = None) -> Settings:
    parser = Parser(prog="serve")
    add_flags(parser)
    return read_settings(parser.parse_args(arguments), environment or {})


def test_nothing_given_is_the_default() -> None:
    assert settings([]) == Settings()


def test_the_command_line_wins_over_the_environment() -> None:
    environment = {
        "SEALYARD_RELEASE_API_PORT": "1",
        "SEALYARD_RELEASE_API_HOST": "::1",
        "SEALYARD_RELEASE_API_DATA_DIR": "/data",
    }
    got = settings(["--port", "2", "--secrets-dir=/secrets"], environment)
    assert (got.port, got.host) == (2, "::1")
    assert (got.data_dir, got.secrets_dir) == (Path("/data"), Path("/secrets"))


def test_origins_are_kept_as_devices_write_them() -> None:
    flags = ["--origin", "https://API.example:443", "--origin=https://[::1]:8443"]
    assert settings(flags).origins == ("https://api.example", "https://[::1]:8443")
    environment = {"SEALYARD_RELEASE_API_ORIGINS": "https://a.example, https://b.example:8443"}
    assert settings([], environment).origins == ("https://a.example", "https://b.example:8443")


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "api.example",
        "http://api.example",
        "https://",
        "https://api.example/",
        "https://api.example/path",
        "https://user@api.example",
        "https://api.example:x",
        "https://api.example:99999",
        "https://[::1",
        "https://:8443",
    ],
)
def test_an_origin_that_is_none_is_named(origin: str) -> None:
    with pytest.raises(InvalidError, match=r"^--origin: "):
        settings(["--origin", origin])


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["--port", "x"], {}, "--port: 'x' must be a whole number from 0 to 65535"),
        (["--port", "65536"], {}, "--port: '65536'"),
        (["--port=-1"], {}, "--port: '-1'"),
        (["--port", "\u0661"], {}, "--port"),
        (["--token-seconds", "901"], {}, "from 30 to 900"),
        (["--host", ""], {}, "--host: must not be empty"),
        (["--what"], {}, "serve: unrecognized arguments: --what"),
        ([], {"SEALYARD_RELEASE_API_PORT": "x"}, "SEALYARD_RELEASE_API_PORT: 'x'"),
    ],
)
def test_what_is_wrong_is_named(
    arguments: list[str], environment: dict[str, str], says: str
) -> None:
    with pytest.raises(InvalidError) as error:
        settings(arguments, environment)
    assert says in str(error.value)
