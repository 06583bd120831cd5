"""Ammeter and voltmeter on one known load: what their disagreement does to a verdict."""

from dataclasses import replace

import numpy as np
import pytest

from hil.agreement import Showing, contradicted, dispute, showing
from hil.capture import Accuracy, Capture, Source
from hil.exact import Dimension
from hil.measurement import Calibration

OHMS = 2100.0


def capture(samples, dimension, gain=5e-4, offset=2e-6):
    role = "ammeter" if dimension is Dimension.CURRENT else "voltmeter"
    accuracy = Accuracy(f"{role}[range]", gain, offset, "data sheet")
    source = Source(role, "SIM-1", accuracy, Calibration.VALID)
    return Capture(np.asarray(samples, dtype=np.float64), 0.0, 1e-3, 1e-4, dimension, source)


def pair(amperes=4e-3, current_gain=1.0, voltage_gain=1.0):
    shape = np.concatenate([np.linspace(0, 1, 2000), np.ones(3000), np.linspace(1, 0, 500)])
    true = amperes * shape
    volts = true / (1 / OHMS + 1 / 10e6)
    return (
        capture(true * current_gain, Dimension.CURRENT),
        capture(volts * voltage_gain, Dimension.VOLTAGE, 1e-4, 6e-4),
    )


@pytest.mark.parametrize("amperes", [4e-3, -4e-3, 1e-4, 1e-5])
def test_meters_within_their_accuracy_agree(amperes):
    assert dispute(*pair(amperes, 1.0004, 0.9999), 1e6, OHMS, 0.01) == ""


@pytest.mark.parametrize(
    "gains", [(0.8333, 1.0), (0.92, 1.0), (1.0, 0.5), (-1.0, 1.0), (0.0, 1.0), (1.0, 0.0)]
)
def test_a_meter_that_is_wrong_is_disputed(gains):
    said = dispute(*pair(4e-3, *gains), 1e6, OHMS, 0.01)
    assert "voltmeter reads" in said
    assert "U = " in said


@pytest.mark.parametrize(("seen", "disputed"), [(20, False), (21, False), (26, True)])
def test_a_surge_whose_ends_lie_between_two_samples_is_no_disagreement(seen, disputed):
    """One sample more of a surge of 20 is its moment; six more are another surge."""
    surge = np.zeros(5500)
    surge[3000:3020] = 5e-3
    volts = np.zeros(5500)
    volts[3000 : 3000 + seen] = 5e-3 * OHMS
    both = capture(surge, Dimension.CURRENT), capture(volts, Dimension.VOLTAGE, 1e-4, 6e-4)
    assert bool(dispute(*both, 1e6, OHMS, 0.001)) is disputed


def test_an_overload_right_before_the_window_is_no_disagreement():
    current, voltage = pair()
    begin = 1749  # of the window about the first sample of the plateau
    overloaded = current.samples.copy()
    overloaded[begin - 1] = np.inf
    broken = capture(overloaded, Dimension.CURRENT)
    assert dispute(broken, voltage, 1e6, OHMS, 0.01) == ""


def test_only_the_time_of_the_known_load_counts():
    current, voltage = pair()
    later = np.concatenate([voltage.samples[:3000], np.full(2500, 80.0)])
    opened = capture(later, Dimension.VOLTAGE)
    assert dispute(current, opened, 3.0, OHMS, 0.01) == ""
    assert dispute(current, opened, 5.0, OHMS, 0.01) != ""


def test_without_samples_there_is_nothing_to_compare():
    current, voltage = pair()
    assert dispute(current, voltage, 0.0, OHMS, 0.01) == ""
    empty = capture([], Dimension.CURRENT)
    assert dispute(empty, voltage, 1e6, OHMS, 0.01) == ""


def test_a_dead_voltmeter_is_seen_where_the_current_is_largest():
    quiet = np.zeros(10000)  # a second in which both read nothing, and where it would look
    current, voltage = pair()
    flowing = capture(np.concatenate([quiet, current.samples]), Dimension.CURRENT)
    dead = capture(np.concatenate([quiet, 0 * voltage.samples]), Dimension.VOLTAGE, 1e-4, 6e-4)
    assert "voltmeter reads 0 V" in dispute(flowing, dead, 1e6, OHMS, 0.01)


def test_agreeing_meters_contradict_each_other_nowhere():
    assert not contradicted(*pair(), 1e6, OHMS, 1.0)
    assert not contradicted(*pair(-4e-3), 1e6, OHMS, 1.0)
    assert not contradicted(*pair(4e-3, 1.5, 0.7), 1e6, OHMS, 1.0)  # that is a dispute


@pytest.mark.parametrize("begin", [0, 2500, 4000, 5200])
@pytest.mark.parametrize("role", ["ammeter", "voltmeter"])
def test_a_meter_that_shows_nothing_for_a_tenth_of_a_second_is_contradicted(begin, role):
    current, voltage = pair()
    dead = current if role == "ammeter" else voltage
    samples = dead.samples.copy()
    samples[max(begin, 400) : max(begin, 400) + 100] = 0.0
    changed = capture(samples, dead.dimension)
    both = (changed, voltage) if role == "ammeter" else (current, changed)
    assert contradicted(*both, 1e6, OHMS, 0.5)
    assert not contradicted(*both, max(begin, 400) / 1e3 - 0.01, OHMS, 0.5)  # the load has changed


def test_a_step_that_one_meter_sees_earlier_is_no_contradiction():
    current, _ = pair()
    edge = np.concatenate([np.full(2000, 4e-3), np.zeros(3500)])
    late = np.concatenate([np.full(2030, 4e-3 * OHMS), np.zeros(3470)])
    assert not contradicted(
        capture(edge, Dimension.CURRENT), capture(late, Dimension.VOLTAGE), 1e6, OHMS, 1.0
    )
    assert current.samples.size == 5500


@pytest.mark.parametrize(("start_u", "apart"), [(1e-3, True), (0.06, False)])
def test_a_step_within_what_is_known_of_the_starts_is_no_contradiction(start_u, apart):
    edge = np.concatenate([np.full(2000, 4e-3), np.zeros(3500)])
    late = np.concatenate([np.full(2100, 4e-3 * OHMS), np.zeros(3400)])
    current = replace(capture(edge, Dimension.CURRENT), start_u=start_u)
    assert contradicted(current, capture(late, Dimension.VOLTAGE), 1e6, OHMS, 1.0) is apart


def test_an_opposite_sign_is_a_contradiction_and_a_gap_is_none():
    assert contradicted(*pair(4e-3, -1.0), 1e6, OHMS, 1.0)
    current, voltage = pair()
    gap = current.samples.copy()
    gap[2500:3000] = np.nan
    assert not contradicted(capture(gap, Dimension.CURRENT), voltage, 1e6, OHMS, 1.0)


LEAST = 20e-6


@pytest.mark.parametrize(
    ("amperes", "gains", "volts_off", "shown"),
    [
        (4e-3, (1.0, 1.0), 0.0, Showing.AGREED),
        (-4e-3, (1.0, 1.0), 0.0, Showing.AGREED),
        (4e-3, (0.0, 1.0), 0.0, Showing.APART),
        (4e-3, (1.0, 0.0), 0.0, Showing.APART),
        (4e-3, (-1.0, 1.0), 0.0, Showing.APART),
        (4e-3, (0.2, 1.0), 0.0, Showing.APART),
        (1e-5, (1.0, 1.0), 0.0, Showing.NOTHING),
        (0.0, (1.0, 1.0), 0.03, Showing.NOTHING),  # a voltmeter's offset is no current
        (1e-4, (1.0, 0.0), 0.07, Showing.AGREED),
        (1e-4, (1.0, 0.0), 0.0, Showing.UNRESOLVED),
        (1e-4, (1.0, 0.0), -0.03, Showing.UNRESOLVED),
    ],
)
def test_what_is_within_the_limits_of_error_shows_nothing(amperes, gains, volts_off, shown):
    """A voltmeter in its 100 V range, whose offset of 40 mV is 67 uA of a load of 600 ohm."""
    ohms = 600.0
    current = capture(np.full(2000, amperes * gains[0]), Dimension.CURRENT, offset=5e-6)
    seen = amperes * gains[1] * ohms + volts_off
    voltage = capture(np.full(2000, seen), Dimension.VOLTAGE, 4e-4, 0.04)
    assert showing(current, voltage, 1e6, ohms, LEAST) is shown
