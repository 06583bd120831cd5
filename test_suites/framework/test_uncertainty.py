"""Derived quantities against oracles: a published example, and Monte Carlo of the same causes."""

import json
import math
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from hil.bench import under
from hil.bodies import measured_body, measured_of
from hil.capture import Accuracy, Capture, Source
from hil.derivation import Sources, walked
from hil.errors import DimensionError, UsageError
from hil.exact import Dimension, Exact
from hil.features import charge, energy, mean, slope, steady
from hil.measurement import Calibration, Component, Measurement, Shape, average, combined
from hil.resistor import Resistor, known_resistance
from hil.waveform import Instant, Waveform
from hil_fixtures.cli import budget
from hil_fixtures.config import read_bench, starter
from hil_instruments.drivers import specification

DRAWS = 200_000
AGREES = 0.01
"""Relative difference from Monte Carlo: the s of 200 000 draws is known to 0.16 % (1 sigma)."""

# --- GUM, JCGM 100:2008, example H.2: V, I and phi of a circuit element, read five times ---------

VOLTS = (5.007, 4.994, 5.005, 4.990, 4.999)
MILLIAMPERES = (19.663, 19.639, 19.640, 19.685, 19.678)
RADIANS = (1.0456, 1.0438, 1.0468, 1.0428, 1.0433)


def repeated(values, dimension, correlated=True):
    """Mean of readings; each set of readings is one cause, shared by what was read in it."""
    many, middle = len(values), math.fsum(values) / len(values)
    scale = math.sqrt(many * (many - 1))
    who = "set" if correlated else f"{dimension.value} in set"
    causes = tuple(
        Component(f"{who} {place}", 1.0, sensitivity=(value - middle) / scale)
        for place, value in enumerate(values)
    )
    return Measurement(Decimal(repr(middle)), dimension, causes)


def element(correlated=True):
    volts = repeated(VOLTS, Dimension.VOLTAGE, correlated)
    amperes = repeated([each / 1000 for each in MILLIAMPERES], Dimension.CURRENT, correlated)
    phase = repeated(RADIANS, Dimension.RATIO, correlated)
    z, phi = volts / amperes, float(phase.value)

    def part(turned, slope):
        size = float(z.value)
        value = Decimal(repr(size * turned(phi)))
        terms = ((z, turned(phi)), (phase, size * slope(phi)))
        return combined(value, Dimension.RESISTANCE, terms)

    return (
        part(math.cos, lambda x: -math.sin(x)),
        part(math.sin, math.cos),
        z,
    )


def test_a_published_example_with_correlation_is_met():
    """Table H.4: R = 127.732 (0.071), X = 219.847 (0.295), Z = 254.260 (0.236), all in ohm."""
    assert [round(float(each.value), 3) for each in element()] == [127.732, 219.847, 254.260]
    # To one in the last digit: the example goes on from correlations of two digits.
    assert [each.u for each in element()] == pytest.approx([0.071, 0.295, 0.236], abs=1e-3)
    volts = repeated(VOLTS, Dimension.VOLTAGE)
    amperes = repeated([each / 1000 for each in MILLIAMPERES], Dimension.CURRENT)
    assert (round(volts.u, 4), round(amperes.u * 1e6, 1)) == (0.0032, 9.5)  # table H.2


def test_without_its_correlations_the_example_is_missed():
    found = [each.u for each in element(correlated=False)]
    assert all(abs(u - told) > 0.02 for u, told in zip(found, [0.071, 0.295, 0.236], strict=True))


# --- Monte Carlo of the same causes ---------------------------------------------------------------


def drawn(rng, *accuracies, extra=()):
    """Errors of instruments: gain and offset of each, rectangular, and others by half width."""
    for accuracy in accuracies:
        yield rng.uniform(-accuracy.gain, accuracy.gain, DRAWS)
        yield rng.uniform(-accuracy.offset, accuracy.offset, DRAWS)
    for half in extra:
        yield rng.uniform(-half, half, DRAWS)


AMMETER = Accuracy("A[10 mA]", 5e-4, 2e-6, "sheet")
VOLTMETER = Accuracy("V[1 V]", 4e-4, 7e-5, "sheet")


def wave(samples, accuracy=AMMETER, dimension=Dimension.CURRENT, interval=1e-3, **phases):
    source = Source("meter", accuracy.id[:1], accuracy, Calibration.VALID)
    return Waveform(Capture(samples, 0.0, interval, 0.0, dimension, source), phases)


def flat(level, seconds=4.0, **more):
    return wave(np.full(int(seconds * 1000), level), hold=((0.0, seconds),), **more)


SHUNT = Resistor(
    "shunt", Exact.parse("100 ohm"), 1e-3, "maker's sheet", per_kelvin=25e-6, warmth=8.0
)


def test_current_from_a_shunt():
    across = flat(0.2, accuracy=VOLTMETER, dimension=Dimension.VOLTAGE)
    found = steady(across) / known_resistance(SHUNT)
    rng = np.random.default_rng(1)
    gain, offset, tolerance, warm = drawn(rng, VOLTMETER, extra=(1e-3, 25e-6 * 8))
    made = (0.2 * (1 + gain) + offset) / (100 * (1 + tolerance) * (1 + warm))
    assert (found.dimension, float(found.value)) == (Dimension.CURRENT, pytest.approx(2e-3))
    assert found.u == pytest.approx(float(made.std()), rel=AGREES)
    names = [part.id for part in found.components]
    assert {"V[1 V].gain", "V[1 V].offset", "shunt.tolerance", "shunt.temperature"} <= set(names)


def test_charge():
    there, back = np.full(3000, 2e-3), np.full(1000, -1e-3)
    found = charge(wave(np.concatenate([there, np.zeros(500), back])))
    gain, offset = drawn(np.random.default_rng(2), AMMETER)
    made = 2e-3 * 3 * (1 + gain) + offset * 3 + 1e-3 * (1 + gain) - offset
    assert float(found.value) == pytest.approx(7e-3)
    # Zeros count with the nearer polarity: half a second is two halves of opposite sign.
    assert found.u == pytest.approx(float(made.std()), rel=AGREES)


def paced(wave, error):
    return Waveform(replace(wave.capture, interval_error=error), wave.phases)


def test_the_time_base_acts_on_charge_slope_and_energy():
    ramp = wave(np.linspace(0, 4e-3, 4000))
    volts = paced(wave(np.full(4000, 2.0), VOLTMETER, Dimension.VOLTAGE), 1e-3)
    rng = np.random.default_rng(8)
    gain, offset, pace = drawn(rng, AMMETER, extra=(1e-3,))
    made = 8e-3 * (1 + gain) * (1 + pace) + offset * 4
    assert charge(paced(ramp, 1e-3)).u == pytest.approx(float(made.std()), rel=AGREES)
    made = 1e-3 * (1 + gain) / (1 + pace)
    assert slope(paced(ramp, 1e-3)).u == pytest.approx(float(made.std()), rel=AGREES)
    exact, plain = energy(volts, ramp), energy(volts, paced(ramp, 1e-3))
    more = math.sqrt(plain.u**2 - exact.u**2)
    assert more == pytest.approx(float(exact.value) * 1e-3 / math.sqrt(3), rel=AGREES)
    (first,) = [p for p in charge(paced(ramp, 1e-3)).components if "time base" in p.id]
    (second,) = [p for p in slope(paced(ramp, 1e-3)).components if "time base" in p.id]
    assert first.id == second.id  # what lengthens one shortens the other
    assert first.sensitivity > 0 > second.sensitivity


def test_difference_of_two_readings_of_one_meter():
    first, second = flat(4e-3), flat(1e-3)
    found = steady(first) - steady(second)
    gain, offset = drawn(np.random.default_rng(3), AMMETER)
    made = (4e-3 * (1 + gain) + offset) - (1e-3 * (1 + gain) + offset)
    assert found.u == pytest.approx(float(made.std()), rel=AGREES)
    apart = math.hypot(steady(first).u, steady(second).u)
    assert found.u < 0.7 * apart  # the offset cancels, and a part of the gain


def test_energy():
    ramp = np.concatenate([np.linspace(0, 4e-3, 1000), np.full(2000, 4e-3), np.zeros(1000)])
    current = wave(ramp)
    voltage = wave(ramp * 2000, VOLTMETER, Dimension.VOLTAGE)
    found = energy(voltage, current)
    exact = float(np.sum(ramp * ramp * 2000)) * 1e-3
    gain, offset, volts_gain, volts_offset = drawn(np.random.default_rng(4), AMMETER, VOLTMETER)
    passed, risen = float(ramp.sum()) * 1e-3, float(ramp.sum()) * 2
    made = exact * (1 + gain) * (1 + volts_gain) + offset * risen + volts_offset * passed
    assert found.dimension is Dimension.ENERGY
    assert float(found.value) == pytest.approx(exact, rel=1e-6)
    assert found.u == pytest.approx(float(made.std()), rel=AGREES)
    assert found.instruments == ("V", "A")


def test_noise_and_starts_are_in_the_budget_of_an_energy():
    rng = np.random.default_rng(5)
    found, told = [], []
    for _ in range(200):
        amperes = 2e-3 + 1e-5 * rng.standard_normal(1000)
        volts = 4.0 + 1e-2 * rng.standard_normal(1000)
        value = energy(wave(volts, VOLTMETER, Dimension.VOLTAGE), wave(amperes))
        found.append(float(value.value))
        told.append(next(part.u for part in value.components if part.id.startswith("noise")))
    assert np.std(found) == pytest.approx(np.mean(told), rel=0.15)
    source = Source("meter", "V", VOLTMETER, Calibration.VALID)
    step = np.repeat([0.0, 4.0], 500)
    shifted = Capture(step, 0.0, 1e-3, 2e-3, Dimension.VOLTAGE, source)
    value = energy(Waveform(shifted), wave(step / 2000))
    (late,) = [part.u for part in value.components if part.id.startswith("distance")]
    assert late == pytest.approx(2e-3 * 4.0 * 2e-3, rel=0.3)


@pytest.mark.parametrize(
    ("place", "value"), [(400, math.nan), (0, math.inf), (-1, math.inf), (500, -math.inf)]
)
def test_an_energy_with_a_hole_or_an_overload_is_no_number(place, value):
    good = np.full(1000, 2e-3)
    holed = good.copy()
    holed[place] = value
    gaps = ((place, 1),) if math.isnan(value) else ()
    source = Source("meter", "V", VOLTMETER, Calibration.VALID)
    volts = Waveform(Capture(holed, 0.0, 1e-3, 0.0, Dimension.VOLTAGE, source, gaps))
    assert energy(volts, wave(good)).value.is_nan()
    source = Source("meter", "A", AMMETER, Calibration.VALID)
    amperes = Waveform(Capture(holed, 0.0, 1e-3, 0.0, Dimension.CURRENT, source, gaps))
    assert energy(wave(good, VOLTMETER, Dimension.VOLTAGE), amperes).value.is_nan()
    with pytest.raises(UsageError, match="needs a voltage"):
        energy(amperes, amperes)


def test_repeats_scatter_and_share_their_meter():
    rng = np.random.default_rng(7)
    truth, chance, many = 2e-3, 3e-6, 8
    values, told = [], []
    for _ in range(2000):
        repeats = [
            Measurement(
                Decimal(repr(truth + chance * float(rng.standard_normal()))),
                Dimension.CURRENT,
                (Component("gain", 1e-4, sensitivity=truth),),
            )
            for _ in range(many)
        ]
        found = average(*repeats)
        values.append(float(found.value))
        told.append(found.components[-1].u)
    assert found.u == pytest.approx(math.hypot(1e-4 * truth, told[-1]))
    due = chance / math.sqrt(many) * math.sqrt((many - 1) / (many - 3))
    assert np.sqrt(np.mean(np.square(told))) == pytest.approx(due, rel=0.02)
    inside = np.abs(np.array(values) - truth) <= 2 * np.array(told)
    assert 0.93 <= inside.mean() <= 0.99


def test_three_repeats_say_nothing_and_ohms_are_no_amperes():
    one = Measurement(Decimal(1), Dimension.CURRENT)
    with pytest.raises(UsageError, match="3 repeats came"):
        average(one, one, one)
    with pytest.raises(DimensionError):
        average(one, one, one, Measurement(Decimal(1), Dimension.RESISTANCE))


# --- arithmetic -----------------------------------------------------------------------------------


def test_chance_is_not_shared_by_two_stretches_of_one_capture():
    noisy = wave(2e-3 + 1e-6 * np.random.default_rng(6).standard_normal(4000))
    early, late = Instant(1.0, 0.0, "a"), Instant(2.0, 0.0, "b")
    first, second = mean(noisy, until=early), mean(noisy, after=late)
    spread = [next(p.u for p in each.components if "noise" in p.id) for each in (first, second)]
    kept = (first - second).u
    assert kept == pytest.approx(math.hypot(*spread), rel=0.05)
    assert (first - mean(noisy, until=early)).u == 0.0


def test_products_and_quotients_undo_each_other():
    volts = Measurement(Decimal(8), Dimension.VOLTAGE, (Component("v", 0.1),))
    amperes = Measurement(Decimal(2), Dimension.CURRENT, (Component("a", 0.05),))
    ohm = volts / amperes
    assert (ohm.value, ohm.dimension) == (4, Dimension.RESISTANCE)
    assert (ohm * amperes).u == pytest.approx(0.1)  # the current cancels
    assert (volts / volts).u == 0.0
    assert (volts / volts).dimension is Dimension.RATIO
    assert (amperes * Exact.parse("3 s")).value == 6
    assert (amperes * Exact.parse("3 s")).dimension is Dimension.CHARGE
    assert (volts / Exact.parse("200 %")).value == 4


@pytest.mark.parametrize("below", ["0", "NaN", "Infinity"])
def test_a_quotient_by_what_is_no_divisor_is_no_finite_value_with_u(below):
    volts = Measurement(Decimal(8), Dimension.VOLTAGE, (Component("v", 0.1),))
    by = Measurement(Decimal(below), Dimension.CURRENT, (Component("a", 0.05),))
    found = volts / by
    assert not (found.value.is_finite() and found.value and math.isfinite(found.u))


def test_nothing_follows_from_a_lower_bound():
    least = Measurement(Decimal(3), Dimension.TIME, (Component("t", 0.1),), censored=True)
    amperes = Measurement(Decimal(2), Dimension.CURRENT, (Component("a", 0.05),))
    assert (amperes * least).value.is_nan()


def test_what_has_no_dimension_here_is_refused():
    volts = Measurement(Decimal(8), Dimension.VOLTAGE)
    with pytest.raises(DimensionError, match=r"voltage \* voltage is no quantity"):
        _ = volts * volts
    with pytest.raises(DimensionError, match="products are: voltage = current x resistance"):
        _ = volts / Measurement(Decimal(8), Dimension.TIME)


def test_the_poorest_calibration_counts():
    aged = Resistor("shunt", SHUNT.value, 1e-3, "", calibration=Calibration.EXPIRED)
    across = flat(0.2, accuracy=VOLTMETER, dimension=Dimension.VOLTAGE)
    assert (steady(across) / known_resistance(aged)).calibration is Calibration.EXPIRED


@pytest.mark.parametrize(
    "measured",
    [
        lambda volts, amperes: steady(volts) / known_resistance(SHUNT) - steady(amperes),
        lambda volts, amperes: energy(volts, amperes),
        lambda volts, amperes: average(
            *(mean(amperes, until=Instant(each, 0.0, "")) for each in (1.0, 2.0, 3.0, 4.0))
        ),
        lambda volts, amperes: steady(amperes) * Exact.parse("2 s"),
    ],
)
def test_a_replay_makes_the_same_u_from_the_captures(measured):
    warm = Accuracy(
        "V[1 V]", 4e-4, 7e-5, "sheet", 2.0, warm_gain=1e-5, warm_offset=1e-6, resolution=1e-6
    )
    volts = flat(0.2, accuracy=warm, dimension=Dimension.VOLTAGE)
    amperes = flat(2e-3)
    held = {each.capture.sha256: each.capture for each in (volts, amperes)}
    first = measured(volts, amperes)
    written = json.loads(json.dumps(measured_body(first)))
    again = walked(written["derivation"], Sources(held.__getitem__))
    assert (again.value, again.u, again.components) == (first.value, first.u, first.components)
    assert measured_of(written).components == first.components
    shapes = {part.id: (part.shape, part.divisor) for part in first.components}
    if "V[1 V].gain" in shapes:
        assert shapes["V[1 V].gain"] == (Shape.NORMAL, 2.0)
        assert shapes["V[1 V].temperature gain"] == (Shape.RECTANGULAR, math.sqrt(3))


# --- the worked budget of the documentation -------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs/uncertainty.md").read_text(encoding="utf-8")


def test_the_worked_budget_of_the_page_is_what_its_table_makes(tmp_path):
    table = re.search(r"^( +\[instruments\.ammeter\.accuracy\].*?)^3\. ", PAGE, re.M | re.S)[1]
    rows = [line.strip().partition("#")[0] for line in table.split("\n")]
    own = "\n".join(rows).partition("A range may have")[0]
    text = starter("bench").replace('model = "34465A"\n', f'model = "34465A"\n{own}\n', 1)
    text = re.sub(r"\[aids\.thermometer\].*\n(?! *\[).*\n", "", text)
    path = tmp_path / "b.toml"
    path.write_text(f'{text}\n[air]\nleast = "20 degC"\nmost = "33 degC"\n', encoding="utf-8")
    described = read_bench(path)
    used = under(described, date(2026, 3, 1), described.air).instruments["ammeter"]
    entry = replace(used, serial="SIM-ammeter-01")
    found = specification.meter_paths(entry, Dimension.CURRENT, 6e-3, 2000.0)[0].accuracy
    value = 3.9974e-3
    causes = (*found.components(value), Component("noise", 2.894e-9))
    made = Measurement(Decimal(repr(value)), Dimension.CURRENT, causes)
    printed = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in PAGE.split("\n")
        if line.startswith(("| SIM-ammeter", "| noise |"))
    ]
    assert printed == [
        [
            part.id.strip(),
            f"{part.stated:.4g}",
            part.shape.value,
            f"{part.divisor:.4g}",
            f"{part.sensitivity:.4g}",
            f"{part.contribution:.3g}",
            f"{100 * share:.1f} %",
        ]
        for part, share in zip(made.components, budget.shares(made), strict=True)
    ]
    assert f"`u_c = {made.u:.3g}   k = 2   U = {2 * made.u:.3g}`" in PAGE
    assert "3.9974 mA ± 0.0031 mA" in PAGE
