from __future__ import annotations

from sealyard.api.tasks import Owner
from sealyard.api.training_run import Metrics
from sealyard_trainer.progress import Meter

OWNER = Owner(namespace="default", name="coins", uid="uid-1")
GOOD = Metrics(map50=0.9)


def test_nothing_is_expected_before_anything_was_seen() -> None:
    meter = Meter(OWNER, epochs=10, done=0, now=100.0)
    report = meter.report(100.0)
    assert (report.epoch, report.epochs, report.fraction) == (0, 10, 0.0)
    assert report.eta_seconds is None
    assert report.resumed_from_epoch is None
    assert meter.batch(0.05, 101.0).eta_seconds is None


def test_the_first_epoch_foretells_the_rest() -> None:
    meter = Meter(OWNER, epochs=10, done=0, now=100.0)
    report = meter.batch(0.5, 105.0)
    assert (report.epoch, report.fraction, report.eta_seconds) == (0, 0.05, 95)


def test_epochs_are_smoothed() -> None:
    meter = Meter(OWNER, epochs=10, done=0, now=0.0)
    assert meter.epoch(GOOD, 10.0).eta_seconds == 90
    # A slow one: 0.3 * 20 + 0.7 * 10 = 13 s each for the eight that are left.
    report = meter.epoch(GOOD, 30.0)
    assert (report.epoch, report.fraction, report.eta_seconds) == (2, 0.2, 104)
    assert report.metrics == GOOD


def test_after_a_resume_the_count_goes_on() -> None:
    meter = Meter(OWNER, epochs=10, done=6, now=0.0)
    assert (meter.report(0.0).fraction, meter.report(0.0).resumed_from_epoch) == (0.6, 6)
    assert meter.batch(0.5, 5.0).eta_seconds == 35


def test_it_never_goes_back() -> None:
    meter = Meter(OWNER, epochs=4, done=0, now=0.0)
    fractions = [meter.batch(part, 1.0).fraction for part in (0.5, 0.25, 1.5)]
    assert fractions == [0.125, 0.125, 0.25]


def test_the_end_may_come_early() -> None:
    meter = Meter(OWNER, epochs=10, done=0, now=0.0)
    meter.epoch(GOOD, 10.0)
    report = meter.finished(Metrics(map50=0.95))
    assert (report.epoch, report.fraction, report.eta_seconds) == (1, 1.0, 0)
