"""Move the small part of every release to the active key, on the release API alone.

Each small part is read, judged and written by itself, and one that is right is not written. So a
rewrap that was killed goes on where it stopped, and one that is done again writes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sealyard.api.answers import RewrapResult
from sealyard.delivery.refusals import NotPublishedError, ReplacedError
from sealyard.delivery.release_api import Release, ReleaseApi
from sealyard.delivery.troubles import gravest, located
from sealyard.errors import IntegrityError, InvalidError, MissingError, SealyardError
from sealyard.sealing.context import ReleaseContext
from sealyard.sealing.keyring import Keyring
from sealyard.sealing.manifest import Entry, Manifest
from sealyard.sealing.rewrap import rewrap_small

_TRIES: Final = 5

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tally:
    rewrapped: int = 0
    unchanged: int = 0
    skipped: int = 0
    troubles: list[SealyardError] = field(default_factory=list)


def rewrap_releases(
    *, reader: ReleaseApi, writer: ReleaseApi, keyring: Keyring, tries: int = _TRIES
) -> RewrapResult:
    """Move every sealed-v2 small part to the active key of a keyring.

    What is wrong with one release does not keep the others waiting: it is told at the end. What is
    wrong with a store or a login ends the rewrap at once.

    Args:
        reader: with a login of role Verifier.
        writer: with a login of role Publisher.
        keyring: names the active key, and has those that open what is not moved yet.
        tries: how often a small part is read again that somebody else replaces meanwhile.

    Raises:
        IntegrityError: a manifest or small part is not what was published.
        InvalidError: a small part has no room for the active key; says which key to retire.
        MissingError: no key opens a small part, or it is not there; no v2 key is active.
        UnavailableError: the release API fails, or others replace a small part again and again.
        RefusedError: it refuses a login, or does not let one read or write a release.
    """
    active = keyring.active_v2.name
    releases = _releases(reader, writer)
    tally = _Tally()
    for release, manifest_sha256 in releases.items():
        for entry in _entries(reader, release, manifest_sha256, tally):
            if entry.variant.sealing.format != "sealed-v2":
                tally.skipped += 1
                continue
            try:
                moved = _move(entry, reader, writer, keyring, tries)
            except (IntegrityError, InvalidError, MissingError) as error:
                _note(tally, str(entry.context), error)
                continue
            if moved:
                logger.info("%s: moved to key %s", entry.context, active)
                tally.rewrapped += 1
            else:
                tally.unchanged += 1
    if tally.troubles:
        raise _failure(tally, active)
    return RewrapResult(
        key=active,
        releases=len(releases),
        rewrapped=tally.rewrapped,
        unchanged=tally.unchanged,
        skipped=tally.skipped,
    )


def _releases(reader: ReleaseApi, writer: ReleaseApi) -> dict[Release, str]:
    """Every release that either login is shown, with its manifest's digest.

    A list leaves out what its login may not read. What only the other one may would be left behind
    in silence, and lost with the key that is retired next; so it is asked for, and refused.
    """
    found: dict[Release, str] = {}
    for api in (reader, writer):
        for entry in api.releases():
            found.setdefault(Release(entry.model, entry.version), entry.manifest_sha256)
    return found


def _entries(
    reader: ReleaseApi, release: Release, manifest_sha256: str, tally: _Tally
) -> Iterator[Entry]:
    try:
        manifest = Manifest.parse(reader.manifest(release), sha256=manifest_sha256)
        entries = [
            manifest.entry(ReleaseContext(release.model, release.version, variant.name))
            for variant in manifest.predicate.variants
        ]
    except (IntegrityError, NotPublishedError) as error:
        _note(tally, str(release), error)
        return
    yield from entries


def _move(
    entry: Entry, reader: ReleaseApi, writer: ReleaseApi, keyring: Keyring, tries: int
) -> bool:
    """Whether the small part had to be written."""
    for attempt in range(1, tries + 1):
        known = reader.small(entry.context)
        wanted = rewrap_small(entry, known, keyring)
        if wanted == known:
            return False
        try:
            writer.replace_small(entry.context, wanted, known=known)
        except ReplacedError:
            if attempt == tries:
                raise
            logger.info("%s: somebody else replaced it; reading it again", entry.context)
        else:
            return True
    raise AssertionError("there is at least one try")


def _note(tally: _Tally, where: str, error: SealyardError) -> None:
    told = located(where, error)
    logger.warning("not moved: %s", told)
    tally.troubles.append(told)


def _failure(tally: _Tally, active: str) -> SealyardError:
    return gravest(
        tally.troubles,
        f"{len(tally.troubles)} not moved to key {active!r} ({tally.rewrapped} moved, "
        f"{tally.unchanged} there already, {tally.skipped} skipped)",
    )
