"""Races of sealing and opening files in memory.

What a round wrote is opened, compared with the plaintext, and removed before the next one begins;
so a row holds at most three times its size: the plaintext, one sealed file, one opened file.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.bare import Bare
from benchmarks.children import Program, run
from benchmarks.plaintext import Plaintext, plaintext
from benchmarks.sealers import Age, OpenSSL, Sealer, Sealyard, openssl, running_tink
from benchmarks.table import OpenRace, Race, Side

_VARIANTS: Final = 2

OpenSealer: TypeAlias = Callable[[Path], AbstractContextManager[Sealer]]


@contextmanager
def _seal_openssl(folder: Path, size_bytes: int) -> Iterator[Race]:
    plain = plaintext(folder / "plain", size_bytes)
    yield Race(
        what="seal a file (sealed-v2) and digest it",
        against="openssl enc -aes-256-cbc, no digest",
        least=1.2,  # docs/adr/0012-how-fast-sealing-can-be.md
        size_bytes=size_bytes,
        ours=_sealing(Sealyard(), [plain], folder / "ours"),
        theirs=_sealing(OpenSSL(), [plain], folder / "theirs"),
    )


@contextmanager
def _open_openssl(folder: Path, size_bytes: int) -> Iterator[Race]:
    plain = plaintext(folder / "plain", size_bytes)
    ours, sealed, encrypted = Sealyard(), folder / "ours", folder / "theirs"
    ours.seal(plain.path, sealed)
    OpenSSL().seal(plain.path, encrypted)
    plain.path.unlink()
    printed: list[bytes] = []

    def decrypt() -> None:
        printed[:] = [run(openssl("-d", "-in", encrypted), Program(["sha256sum"]))]

    def check_opens() -> None:
        ours.open(sealed, folder / "opened")
        plain.check(folder / "opened")

    yield Race(
        what="open a sealed-v2 file to nowhere, every check",
        against="openssl enc -d | sha256sum",
        least=1.5,
        size_bytes=size_bytes,
        ours=Side(run=lambda: ours.prove(sealed), check=check_opens),
        theirs=Side(
            run=decrypt,
            check=lambda: plain.check_digest("openssl | sha256sum", printed[0].decode().split()[0]),
        ),
    )


@contextmanager
def _seal_v1(folder: Path, size_bytes: int) -> Iterator[Race]:
    plains = [
        plaintext(folder / f"plain-{number}", size_bytes // _VARIANTS)
        for number in range(_VARIANTS)
    ]
    yield Race(
        what=f"seal {_VARIANTS} files (aes-256-cbc-v1) at once",
        against="openssl enc -aes-256-cbc, one after the other",
        least=1.3,
        size_bytes=size_bytes,
        ours=_sealing(Sealyard("aes-256-cbc-v1"), plains, folder / "ours", at_once=_VARIANTS),
        theirs=_sealing(OpenSSL(), plains, folder / "theirs"),
    )


def _seal_against(
    name: str, open_sealer: OpenSealer, *, digests: str = "no digest", least: float = 1.0
) -> OpenRace:
    @contextmanager
    def open_race(folder: Path, size_bytes: int) -> Iterator[Race]:
        with open_sealer(folder) as theirs:
            plain = plaintext(folder / "plain", size_bytes)
            yield Race(
                what="seal a file (sealed-v2) and digest it",
                against=f"{name}, {digests}",
                least=least,
                size_bytes=size_bytes,
                ours=_sealing(Sealyard(), [plain], folder / "ours"),
                theirs=_sealing(theirs, [plain], folder / "theirs"),
            )

    return open_race


def _open_against(name: str, open_sealer: OpenSealer) -> OpenRace:
    @contextmanager
    def open_race(folder: Path, size_bytes: int) -> Iterator[Race]:
        with open_sealer(folder) as theirs:
            plain = plaintext(folder / "plain", size_bytes)
            ours_side = _opening(Sealyard(), plain, folder / "ours")
            theirs_side = _opening(theirs, plain, folder / "theirs")
            plain.path.unlink()
            yield Race(
                what="open a sealed-v2 file to a file, every check",
                against=f"{name}, to a file",
                least=1.0,
                size_bytes=size_bytes,
                ours=ours_side,
                theirs=theirs_side,
            )

    return open_race


def _sealing(sealer: Sealer, plains: list[Plaintext], target: Path, *, at_once: int = 1) -> Side:
    """Sealing some files; checked by opening them."""

    def place(plain: Plaintext) -> Path:
        return target.with_name(f"{target.name}-{plain.path.name}")

    def seal(plain: Plaintext) -> None:
        sealer.seal(plain.path, place(plain))

    def seal_all() -> None:
        if at_once == 1:
            for plain in plains:
                seal(plain)
            return
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(seal, plains))

    def check() -> None:
        for plain in plains:
            opened = target.with_name("opened")
            sealer.open(place(plain), opened)
            plain.check(opened)
            _remove(place(plain))

    return Side(run=seal_all, check=check)


def _opening(sealer: Sealer, plain: Plaintext, sealed: Path) -> Side:
    """Opening what is sealed here, from the plaintext that is not needed after that."""
    sealer.seal(plain.path, sealed)
    opened = sealed.with_name("opened")
    return Side(run=lambda: sealer.open(sealed, opened), check=lambda: plain.check(opened))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _bare(_folder: Path) -> AbstractContextManager[Sealer]:
    return nullcontext(Bare())


def _age(folder: Path) -> AbstractContextManager[Sealer]:
    return nullcontext(Age(folder))


def _tink(_folder: Path) -> AbstractContextManager[Sealer]:
    return running_tink()


ROWS: Final[Mapping[str, OpenRace]] = {
    "seal-openssl": _seal_openssl,
    "seal-bare": _seal_against(
        "the bare operations on every core", _bare, digests="both digests", least=0.75
    ),
    "open-openssl": _open_openssl,
    "seal-v1": _seal_v1,
    # docs/adr/0020-who-hashes-nothing-seals-faster.md
    "seal-age": _seal_against("age -R recipient", _age, least=0.6),
    "open-age": _open_against("age -d -i identity", _age),
    "seal-tink": _seal_against("Tink AES256_GCM_HKDF_1MB", _tink, least=0.6),
    "open-tink": _open_against("Tink AES256_GCM_HKDF_1MB", _tink),
}
