"""A folder of kept parts, compared with its manifest before anything is done with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealyard.delivery.kept_release import checked_release
from sealyard.errors import IntegrityError, MissingError, SealyardError
from support.sealing import BOTH, CONTEXT, Artifact, S, content, manifest_of, seal

OTHER = type(CONTEXT)(CONTEXT.model, CONTEXT.version, "other")


def kept(folder: Path, *artifacts: Artifact) -> Path:
    """A folder as `sealyard seal` and `sealyard pull` leave it."""
    for artifact in artifacts:
        name = artifact.entry.variant.name
        (folder / f"{name}.small").write_bytes(artifact.small)
        (folder / f"{name}.big").write_bytes(artifact.big)
    (folder / "manifest.json").write_bytes(manifest_of(*artifacts).encode())
    return folder


@pytest.mark.parametrize("fmt", BOTH)
def test_what_agrees_is_handed_out(tmp_path: Path, fmt: str) -> None:
    one = seal(fmt, content(2 * S + 5))
    other = seal(fmt, content(20_000), context=OTHER)
    told: list[tuple[int, int]] = []
    folder = kept(tmp_path, one, other)
    with checked_release(folder, progress=lambda done, all_: told.append((done, all_))) as release:
        assert str(release.release) == "coins 1.0.0"
        assert release.raw == (tmp_path / "manifest.json").read_bytes()
        assert release.sha256 == manifest_of(one, other).digest()
        assert [variant.entry.context for variant in release.variants] == [CONTEXT, OTHER]
        assert [variant.small for variant in release.variants] == [one.small, other.small]
        assert release.big_bytes == len(one.big) + len(other.big)
    assert {total for _, total in told} == {release.big_bytes}
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def changed(raw: bytes) -> bytes:
    return raw[:100] + bytes([raw[100] ^ 1]) + raw[101:]


@pytest.mark.parametrize("fmt", BOTH)
@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("onnx-fp32.small", "changed", "coins 1.0.0 onnx-fp32: small part: "),
        ("onnx-fp32.small", "longer", "coins 1.0.0 onnx-fp32: small part: "),
        ("onnx-fp32.big", "changed", "coins 1.0.0 onnx-fp32: big part: "),
        ("other.big", "changed", "coins 1.0.0 other: big part: "),
        ("other.big", "shorter", "coins 1.0.0 other: big part: "),
        ("other.big", "gone", "other.big: cannot be read"),
        ("other.small", "gone", "other.small: cannot be read"),
        ("manifest.json", "changed", "manifest: "),
        ("manifest.json", "longer", "manifest: "),
        ("manifest.json", "gone", "manifest.json: cannot be read"),
    ],
)
def test_what_does_not_agree_is_refused(
    *, tmp_path: Path, fmt: str, file: str, damage: str, said: str
) -> None:
    one, other = seal(fmt, content(S + 5)), seal(fmt, content(20_000), context=OTHER)
    path = kept(tmp_path, one, other) / file
    raw = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(
            {"changed": changed(raw), "longer": raw + b"x", "shorter": raw[:-1]}[damage]
        )
    error: type[SealyardError] = MissingError if damage == "gone" else IntegrityError
    with pytest.raises(error, match=said), checked_release(tmp_path):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = kept(tmp_path, seal("sealed-v2", content(5)))
    (folder / "onnx-fp32.small").rename(folder / "elsewhere")
    (folder / "onnx-fp32.small").symlink_to("elsewhere")
    with pytest.raises(IntegrityError, match="is a link"), checked_release(folder):
        pass
