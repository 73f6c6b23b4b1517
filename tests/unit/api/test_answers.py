from __future__ import annotations

from sealyard.api.answers import (
    MAX_ANSWER_BYTES,
    MAX_FAILURE_LENGTH,
    MAX_FAILURES,
    Answer,
    GrantResult,
    ProbeResult,
    parse_answer,
)
from sealyard.api.probe import MAX_CHECK_MESSAGE_LENGTH, Check, CheckOutcome


def test_the_longest_answer_of_a_probe_fits() -> None:
    checks = [
        CheckOutcome(name=check, result="Unknown", message="x" * MAX_CHECK_MESSAGE_LENGTH)
        for check in Check
    ]
    result = ProbeResult(generation=2**63 - 1, refuses_overwriting=False, checks=checks)
    encoded = Answer(message="y" * 1024, result=result.to_wire()).encode()
    assert len(encoded) < MAX_ANSWER_BYTES
    answer = parse_answer(encoded.decode())
    assert answer
    assert answer.message
    assert answer.result
    assert ProbeResult.from_wire(answer.result) == result


def test_the_longest_failures_fit() -> None:
    failures = ("\U0001f512" * MAX_FAILURE_LENGTH,) * MAX_FAILURES
    result = GrantResult(
        input_sha256="a" * 64,
        devices=20_000,
        granted=2**53,
        unchanged=2**53,
        dropped=2**53,
        failed=20_000,
        failures=failures,
    )
    encoded = Answer(message="y" * 1024, result=result.to_wire()).encode()
    assert len(encoded) < MAX_ANSWER_BYTES
