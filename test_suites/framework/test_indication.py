"""What a device tells of itself, held against waveforms that are known."""

import json
import math

import numpy as np
import pytest

from hil.bodies import measured_body
from hil.capture import Accuracy, Capture, Source
from hil.derivation import Sources, walked
from hil.device import Polarity
from hil.errors import Unavailable
from hil.exact import Dimension
from hil.indication import flowed, misreported, resistance, where_told
from hil.measurement import Calibration
from hil.signs import flows_as_told
from hil.units import uA
from hil.verdict import Verdict
from hil.waveform import Instant, Waveform
from hil_fixtures import config
from hil_fixtures.judging import Judge

RATE = 1000
BEGIN, END = Instant(0.5, 1e-3), Instant(3.5, 1e-3)


def wave(samples, dimension=Dimension.CURRENT, name="ammeter"):
    source = Source(name, f"SIM-{name}", Accuracy(name, 5e-4, 1e-6, "sheet"), Calibration.VALID)
    return Waveform(Capture(np.asarray(samples), 0.0, 1 / RATE, 1e-4, dimension, source))


def current(begin, seconds=4.0):
    """2 mA from a time on."""
    return wave(np.where(np.arange(round(seconds * RATE)) >= begin * RATE, 2e-3, 0.0))


def reports(wrong, step=0.02, flows=1.0):
    """Polls each `step` s that say to deliver from `flows` + `wrong` s on."""
    times = [round(n * step, 6) for n in range(round(4 / step))]
    return tuple((time, time >= flows + wrong - 1e-9) for time in times)


@pytest.mark.parametrize(
    ("late", "step", "least", "most"),
    [
        (0.0, 0.02, 0.0, 0.02),
        (0.1, 0.02, 0.08, 0.12),
        (2.0, 0.02, 1.98, 2.02),
        (0.0, 0.25, 0.0, 0.25),  # what seldom asks knows little
    ],
)
def test_how_late_a_state_was_told_lies_between_the_reports(late, step, least, most):
    found = misreported(current(1.0), 10 * uA, reports(late, step), after=BEGIN, until=END)
    value, u = float(found.value), float(found.expanded)
    assert math.isclose(value, (least + most) / 2, abs_tol=2e-3)
    assert math.isclose(u, (most - least) / math.sqrt(3), rel_tol=0.1)


def test_each_wrong_stretch_counts_by_itself():
    told = tuple((n * 0.02, not (70 <= n < 80 or 120 <= n < 125)) for n in range(200))
    found = misreported(current(1.0), 10 * uA, told, after=BEGIN, until=END)
    assert math.isclose(float(found.value), (0.18 + 0.22) / 2, abs_tol=1e-3)


def test_a_device_that_says_to_deliver_before_current_flows_is_not_late():
    early = misreported(current(1.0), 10 * uA, reports(-0.3), after=BEGIN, until=END)
    assert float(early.value) <= 0.011


@pytest.mark.parametrize(
    "samples",
    [np.zeros(4000), np.full(4000, np.nan), np.where(np.arange(4000) == 2000, np.inf, 2e-3)],
)
def test_without_a_current_that_is_known_nothing_is_told(samples):
    found = misreported(wave(samples), 10 * uA, reports(0.0), after=BEGIN, until=END)
    assert found.value.is_nan()


def test_a_resistance_carries_both_budgets():
    amperes = wave(np.full(4000, 2e-3))
    volts = wave(np.full(4000, 20.0), Dimension.VOLTAGE, "voltmeter")
    found = resistance(volts, amperes, after=BEGIN, until=END)
    assert math.isclose(float(found.value), 10e3, rel_tol=1e-9)
    gain, offset = 5e-4 / math.sqrt(3), 1e-6 / math.sqrt(3)
    share = math.hypot(gain, gain, offset / 2e-3, offset / 20.0)
    assert math.isclose(found.u, 10e3 * share, rel_tol=1e-6)
    assert found.instruments == ("SIM-voltmeter", "SIM-ammeter")
    assert len(found.captures) == 2


@pytest.mark.parametrize("level", [0.0, 1e-7, math.nan])
def test_no_current_has_no_resistance(level):
    volts = wave(np.full(4000, 20.0), Dimension.VOLTAGE, "voltmeter")
    found = resistance(volts, wave(np.full(4000, level)), after=BEGIN, until=END)
    assert found.value.is_nan()


def test_both_are_measured_again_from_their_captures():
    amperes = current(0.2)
    volts = wave(np.full(4000, 20.0), Dimension.VOLTAGE, "voltmeter")
    held = {each.capture.sha256: each.capture for each in (amperes, volts)}
    for found in (
        misreported(amperes, 10 * uA, reports(0.3, flows=0.4), after=BEGIN, until=END),
        resistance(volts, amperes, after=BEGIN, until=END),
    ):
        tree = json.loads(json.dumps(measured_body(found)))["derivation"]
        again = walked(tree, Sources(held.__getitem__))
        assert (again.value, again.u) == (found.value, found.u)


def test_a_treatment_has_run_since_its_current_began():
    found = flowed(current(0.9), 10 * uA, after=Instant(0.8, 0.0, "start"), until=END)
    assert float(found.value) == pytest.approx(3.5 - 0.85)
    assert found.u == pytest.approx(math.hypot(0.05 / math.sqrt(3), 1e-3), rel=0.02)
    assert found.captures


def test_without_a_current_or_behind_a_gap_no_treatment_has_run():
    lost = current(2.0).samples.copy()
    lost[1500] = math.nan
    for given in (current(9.0), wave(lost)):
        found = flowed(given, 10 * uA, after=BEGIN, until=END)
        assert found.value.is_nan()
    lost = lost.copy()
    lost[2500] = math.nan  # what is lost later hides no begin
    lost[1500] = 0.0
    assert float(flowed(wave(lost), 10 * uA, after=BEGIN, until=END).value) == pytest.approx(2.25)


@pytest.mark.parametrize("told", Polarity)
def test_a_reported_polarity_is_held_against_what_flows(told):
    found = flows_as_told(current(0.0), told, after=BEGIN, until=END)
    assert bool(found.value) is (told is Polarity.POSITIVE)
    assert f"reported {told.value}" in found.note
    nothing = flows_as_told(current(9.0), told, after=BEGIN, until=END)
    assert nothing.value.is_nan()


def test_what_a_device_does_not_tell_is_not_evaluated_and_takes_nothing_with_it():
    entries = {each.id: each for each in config.read_setup(None, None).requirements}
    journal = []
    judge = Judge("t", entries, journal.append, frozenset({"IND-POL"}))
    silent = Unavailable("the device has no query_polarity")
    judge("IND-POL", where_told(silent, lambda told: pytest.fail("there is nothing to measure")))
    assert [(each.verdict, each.reason) for each in journal] == [
        (Verdict.NOT_EVALUATED, "the device has no query_polarity")
    ]
    judge.finish()


def test_the_treatment_time_can_be_measured_again_from_its_capture():
    given = current(0.9)
    found = flowed(given, 10 * uA, after=BEGIN, until=END)
    assert walked(found.derivation, Sources(lambda _: given.capture)) == found
