"""What meters show to have been spent, at least: known currents, and what no meter can tell."""

import numpy as np
import pytest

from hil.capture import Accuracy, Capture, Source
from hil.exact import Dimension
from hil.measurement import Calibration
from hil.spending import Spending

EXACT = Accuracy("exact", 0.0, 0.0, "made up")


def capture(values, dimension, *, start=0.0, accuracy=EXACT):
    source = Source("meter", "SIM-1", accuracy, Calibration.VALID)
    samples = np.array(values, dtype=np.float64)
    missing = np.flatnonzero(np.isnan(samples))
    lost = ((int(missing[0]), missing.size),) if missing.size else ()
    return Capture(samples, start, 1e-3, 0.0, dimension, source, lost)


def spent(amperes, volts=None, **how):
    spending = Spending(6e-3, 80.0)
    voltage = None if volts is None else capture(volts, Dimension.VOLTAGE, start=how.pop("late", 0))
    spending.add(capture(amperes, Dimension.CURRENT, **how), voltage)
    return spending.charge, spending.energy


def test_either_sign_counts_and_stretches_add_up():
    spending = Spending(6e-3, 80.0)
    for sign in (1, -1):
        current = capture([sign * 2e-3] * 1000, Dimension.CURRENT)
        spending.add(current, capture([sign * 4.0] * 1000, Dimension.VOLTAGE))
    assert spending.charge == pytest.approx(4e-3)
    assert spending.energy == pytest.approx(16e-3)


def test_the_limits_of_error_are_taken_off():
    wide = Accuracy("wide", 0.1, 0.1e-3, "made up")
    assert spent([2e-3] * 1000, accuracy=wide)[0] == pytest.approx(1.7e-3)
    assert spent([0.1e-3, -0.1e-3] * 500, accuracy=wide)[0] == 0.0


def test_what_is_lost_counts_as_nothing_and_an_overload_as_the_largest():
    assert spent([np.nan] * 500 + [1e-3] * 500)[0] == pytest.approx(0.5e-3)
    assert spent([np.inf] * 1000)[0] == pytest.approx(6e-3)
    assert spent([1e-3] * 1000, [-np.inf] * 1000)[1] == pytest.approx(80e-3)


def test_energy_counts_where_both_meters_looked():
    assert spent([1e-3] * 1000, [10.0] * 1000, late=0.25)[1] == pytest.approx(7.5e-3)
    assert spent([1e-3] * 1000)[1] == 0.0
    assert spent([1e-3] * 1000, [])[1] == 0.0
    assert spent([], [10.0]) == (0.0, 0.0)


def test_a_current_without_a_voltage_has_no_energy():
    """Open and closed in turn: the product of two means would be what never flowed."""
    amperes, volts = [4e-3, 0.0] * 500, [0.0, 80.0] * 500
    assert spent(amperes, volts)[1] == pytest.approx(0.0)
