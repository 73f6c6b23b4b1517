"""Find out whether each login and credential of a target does its part, and nothing else.

What can be judged is a result, whatever it is. A store that does not answer is asked nothing more:
its checks stay unknown, and are tried again by the operator.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Final, Literal, TypeVar

from sealyard.api.answers import ProbeResult
from sealyard.api.probe import (
    MAX_CHECK_MESSAGE_LENGTH,
    Check,
    CheckOutcome,
    CheckResult,
)
from sealyard.delivery.probe_object import CONTENT, Kind, ProbeObject, Said
from sealyard.delivery.release_api import ReleaseApi
from sealyard.delivery.retry import Retry
from sealyard.delivery.tls import UntrustedError
from sealyard.errors import InvalidError, RefusedError, UnavailableError

T = TypeVar("T")
Action = Literal["read", "write"]

SECONDS: Final = 15.0
"""The longest that one request of a probe may take."""
RETRY: Final = Retry(attempts=2, longest_wait_seconds=5.0)
_OF_THE_API: Final = frozenset(
    {
        Check.API_TLS,
        Check.PUBLISHER_LOGIN,
        Check.PUBLISHER_ROLE,
        Check.VERIFIER_LOGIN,
        Check.VERIFIER_ROLE,
    }
)
_OF_WRONG_KEYS: Final = ("InvalidAccessKeyId", "SignatureDoesNotMatch")

logger = logging.getLogger(__name__)


def probe(
    generation: int,
    *,
    publisher: ReleaseApi,
    verifier: ReleaseApi,
    writer: ProbeObject,
    reader: ProbeObject,
) -> ProbeResult:
    """Try everything that a target needs, and everything that it must not be able to do.

    Args:
        generation: of the spec that is probed.
        publisher: the release API with the login that writes.
        verifier: the same with the login that reads.
        writer: the probe's object under the write credential.
        reader: the same object under the read credential.

    Raises:
        UnavailableError: something could not be judged, and nothing else is wrong.
        MissingError: a key is missing.
    """
    api, cdn = _Store(Check.API_TLS), _Store(Check.CDN_TLS)
    _try_account(
        api,
        publisher,
        own="write",
        other="read",
        role="Publisher",
        checks=(Check.PUBLISHER_LOGIN, Check.PUBLISHER_ROLE),
    )
    _try_account(
        api,
        verifier,
        own="read",
        other="write",
        role="Verifier",
        checks=(Check.VERIFIER_LOGIN, Check.VERIFIER_ROLE),
    )
    refuses_overwriting = _try_credentials(cdn, writer, reader)
    checks = [(api if check in _OF_THE_API else cdn).outcome(check) for check in Check]
    for outcome in checks:
        logger.info("%s: %s %s", outcome.name, outcome.result, outcome.message or "")
    unknown = [outcome for outcome in checks if outcome.result == "Unknown"]
    if unknown and not any(outcome.result == "Failed" for outcome in checks):
        raise UnavailableError("; ".join(dict.fromkeys(str(one.message) for one in unknown)))
    return ProbeResult(
        generation=generation, refuses_overwriting=refuses_overwriting, checks=checks
    )


class _Store:
    """What is known of one store: the verdicts so far, and why there will be no more.

    Args:
        tls: the check that its certificate verifies; passed with the first answer.
    """

    def __init__(self, tls: Check) -> None:
        self._tls = tls
        self._outcomes: dict[Check, CheckOutcome] = {}
        self._silence: str | None = None

    def ask(
        self, check: Check, request: Callable[[], T], *, if_invalid: CheckResult = "Failed"
    ) -> T | None:
        """What the store answers; None where that is a verdict already, or will never come.

        Args:
            check: what the answer is for.
            request: asks the store.
            if_invalid: the verdict where the Secret holds what nothing can be asked with.
        """
        if self._silence is not None:
            return None
        try:
            answer = request()
        except UntrustedError as error:
            self.note(self._tls, "Failed", str(error))
            self._silence = f"not tried, because {self._tls} failed"
        except UnavailableError as error:
            self._silence = str(error)
        except InvalidError as error:
            self.note(check, if_invalid, str(error))
        except RefusedError as error:
            self.note(self._tls, "Passed")
            self.note(check, "Failed", str(error))
        else:
            self.note(self._tls, "Passed")
            return answer
        return None

    def note(self, check: Check, result: CheckResult, message: str | None = None) -> None:
        """A verdict."""
        short = _shortened(message) if message else None
        self._outcomes[check] = CheckOutcome(name=check, result=result, message=short)

    def passed(self, check: Check) -> bool:
        """Whether the verdict is that."""
        return self.outcome(check).result == "Passed"

    def outcome(self, check: Check) -> CheckOutcome:
        """The verdict, or why there is none."""
        if check in self._outcomes:
            return self._outcomes[check]
        why = self._silence or "not tried, because another check failed"
        return CheckOutcome(name=check, result="Unknown", message=_shortened(why))


def _try_account(
    store: _Store,
    api: ReleaseApi,
    *,
    own: Action,
    other: Action,
    role: str,
    checks: tuple[Check, Check],
) -> None:
    login, fits = checks
    # What the role must not do comes first: the client does not renew a token as fresh as this.
    may_too_much = store.ask(login, lambda: api.may(other))
    if may_too_much is None:
        return
    store.note(login, "Passed")
    if may_too_much:
        advice = f"give the account in {api.source} the role {role} alone"
        store.note(fits, "Failed", f"it may {other} small parts; {advice}")
        return
    may_do_its_part = store.ask(fits, lambda: api.may(own))
    if may_do_its_part:
        store.note(fits, "Passed")
    elif may_do_its_part is False:
        advice = f"give the account in {api.source} the role {role}"
        store.note(fits, "Failed", f"it may not {own} small parts; {advice}")


def _try_credentials(store: _Store, writer: ProbeObject, reader: ProbeObject) -> bool | None:
    """Everything about the CDN; gives whether it refuses to overwrite, if that can be told."""
    must_not = functools.partial(_must_not, store, writer, Check.WRITE_PUT)
    _judge_put(store, writer)
    must_not(Check.WRITE_NO_GET, writer.get, right="s3:GetObject")
    must_not(Check.WRITE_NO_LIST, writer.list, right="s3:ListBucket")
    _judge_get(store, reader)
    # Before anything is deleted that must not be.
    refuses_overwriting = _refuses_overwriting(store, writer)
    must_not(Check.WRITE_NO_DELETE, writer.delete, right="s3:DeleteObject")
    must_not = functools.partial(_must_not, store, reader, Check.READ_GET)
    must_not(Check.READ_NO_PUT, reader.put, right="s3:PutObject")
    must_not(Check.READ_NO_DELETE, reader.delete, right="s3:DeleteObject")
    return refuses_overwriting


def _judge_put(store: _Store, writer: ProbeObject) -> None:
    said = store.ask(Check.WRITE_PUT, writer.put)
    if said is None:
        return
    if said.is_done:
        store.note(Check.WRITE_PUT, "Passed")
    elif said.kind is Kind.ABSENT:
        message = f"there is no bucket {writer.bucket} ({said.code}); make it"
        store.note(Check.WRITE_PUT, "Failed", message)
    else:
        store.note(Check.WRITE_PUT, "Failed", _refused(said, writer, "s3:PutObject"))


def _judge_get(store: _Store, reader: ProbeObject) -> None:
    said = store.ask(Check.READ_GET, reader.get)
    if said is None:
        return
    if said.is_done and said.body == CONTENT:
        store.note(Check.READ_GET, "Passed")
    elif said.is_done:
        message = "it gets other bytes than were put; is something else between it and the store?"
        store.note(Check.READ_GET, "Failed", message)
    elif not store.passed(Check.WRITE_PUT):
        # Many stores refuse to say that there is nothing.
        message = f"there may be nothing to get, because {Check.WRITE_PUT} failed"
        store.note(Check.READ_GET, "Unknown", message)
    elif said.kind is Kind.ABSENT:
        message = f"it does not find what was put ({said.code}); is it a key of the same bucket?"
        store.note(Check.READ_GET, "Failed", message)
    else:
        store.note(Check.READ_GET, "Failed", _refused(said, reader, "s3:GetObject"))


def _must_not(
    store: _Store,
    subject: ProbeObject,
    ability: Check,
    check: Check,
    request: Callable[[], Said],
    *,
    right: str,
) -> None:
    """A refusal counts only where the same credential is let do its own part (`ability`)."""
    said = store.ask(check, request, if_invalid="Unknown")
    if said is None:
        return
    if said.is_done:
        message = f"it can, and must not; take {right} away from the credential in {subject.source}"
        store.note(check, "Failed", message)
    elif said.kind is Kind.ABSENT:
        store.note(check, "Unknown", f"the store finds nothing there ({said.code})")
    elif store.passed(ability):
        store.note(check, "Passed")
    else:
        store.note(check, "Unknown", f"refused, but {ability} did not pass either")


def _refuses_overwriting(store: _Store, writer: ProbeObject) -> bool | None:
    if not store.passed(Check.READ_GET) or not store.passed(Check.WRITE_PUT):
        return None
    try:
        said = writer.put(only_if_absent=True)
    except UnavailableError:
        # Reported, not required: a store may know nothing of conditions.
        return None
    return {Kind.PRESENT: True, Kind.DONE: False}.get(said.kind)


def _refused(said: Said, subject: ProbeObject, right: str) -> str:
    if said.code.startswith(_OF_WRONG_KEYS):
        return f"refused ({said.code}); correct the keys in {subject.source}"
    return f"refused ({said.code}); allow {right} to the credential in {subject.source}"


def _shortened(message: str) -> str:
    raw = message.encode()
    if len(raw) <= MAX_CHECK_MESSAGE_LENGTH:
        return message
    return raw[: MAX_CHECK_MESSAGE_LENGTH - len("…".encode())].decode(errors="ignore") + "…"
