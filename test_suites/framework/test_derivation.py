"""What was measured is measured again from its captures, to the last digit."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.bodies import measured_body
from hil.capture import Accuracy, Capture, Source
from hil.derivation import Sources, Underivable, argument, derived, form, walked, written
from hil.device import Polarity
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.features import charge, largest_step, mean, peak, slope, steady
from hil.journal import plain
from hil.measurement import Calibration, Measurement
from hil.signs import along, has_sign, keeps_sign, rest_between
from hil.units import mA, s, uA
from hil.waveform import Instant, Waveform
from hil_fixtures.config import read_device

law = settings(derandomize=True, deadline=None, max_examples=80)
RATE = 200
OPENED = Instant(5.0, 1e-3, "open")
PROFILE = read_device(None)
OFF, SHARE = PROFILE["protection.off_current"], PROFILE["protection.stop_share"]
POSITIVE, NEGATIVE = Polarity
SPANS = {"ramp up": ((1.0, 3.0),), "hold": ((3.0, 6.0), (7.0, 9.0))}


def capture(seed: int = 0, gap: int | None = None) -> Capture:
    """Up, held, down, the other way, and off: 12 s with noise of 1 uA."""
    t = np.arange(0, 12, 1 / RATE)
    course = np.interp(t, [1, 3, 6, 6.5, 7, 9, 9.2], [0, 2e-3, 2e-3, 0, -2e-3, -2e-3, 0])
    samples = course + 1e-6 * np.random.default_rng(seed).standard_normal(t.size)
    gaps = () if gap is None else ((gap, 3),)
    for first, count in gaps:
        samples[first : first + count] = math.nan
    accuracy = Accuracy("SIM-1[10 mA]", 5e-4, 2e-6, "declared")
    source = Source("ammeter", "SIM-1", accuracy, Calibration.VALID)
    return Capture(samples, 0.0, 1 / RATE, 2e-4, Dimension.CURRENT, source, gaps)


def wave(seed: int = 0, gap: int | None = None) -> Waveform:
    return Waveform(capture(seed, gap), SPANS)


def text(measured: Measurement) -> str:
    """All that a journal keeps of it, in one form."""
    return json.dumps(plain(measured_body(measured)), sort_keys=True)


def again(measured: Measurement, *waves: Waveform, changed: dict[str, str] | None = None) -> object:
    """Measured again, from what a journal keeps of it and from the captures."""
    held = {each.capture.sha256: each.capture for each in waves}
    tree = json.loads(text(measured))["derivation"]
    figures = {name: Exact.parse(value) for name, value in (changed or {}).items()}
    return walked(tree, Sources(held.__getitem__, figures.__getitem__ if changed else None))


FEATURES = {
    "steady": steady,
    "steady by name": lambda w: steady(w, phase="ramp up"),
    "nothing": lambda w: steady(Waveform(w.capture, {"hold": ((0.0, 0.1),)})),
    "mean": mean,
    "mean from": lambda w: mean(w, after=OPENED),
    "peak": lambda w: peak(w, after=OPENED, until=OPENED.later(2 * s)),
    "outside": lambda w: peak(w, after=Instant(99.0, 0)),
    "never": lambda w: peak(w, after=Instant(math.nan, math.inf)),
    "slope": slope,
    "step": lambda w: largest_step(w, until=OPENED),
    "charge": charge,
    "below": lambda w: w.time_to_below(OFF, after=OPENED),
    "below a quantity": lambda w: w.time_to_below(10 * uA, after=OPENED, until=Instant(8.0, 0.0)),
    "below a share": lambda w: w.time_to_below(Exact.parse("2 mA") * SHARE, after=OPENED),
    "never below": lambda w: w.time_to_below(1e-6 * mA, after=OPENED),
    "sign": lambda w: has_sign(w, POSITIVE),
    "sign kept": lambda w: keeps_sign(w, NEGATIVE, OFF, after=OPENED),
    "rest": lambda w: rest_between(w, OFF),
    "minus": lambda w: -mean(w),
    "magnitude": lambda w: abs(mean(w, after=OPENED)),
    "along": lambda w: along(steady(w), NEGATIVE),
    "less claimed": lambda w: charge(w) - Exact.parse("14.5 mC"),
    "less unread": lambda w: charge(w) - Exact(Decimal("NaN"), "C"),
    "of two": lambda w: peak(w) - abs(steady(w)),
    "of three": lambda w: -(peak(w) + mean(w) - steady(w)) + Exact.parse("1 uA"),
}


@pytest.mark.parametrize("gap", [None, 900])
@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_is_measured_again_to_the_last_digit(name: str, gap: int | None) -> None:
    taken = wave(gap=gap)
    measured = FEATURES[name](taken)
    assert measured.derivation is not None
    found = again(measured, taken)
    assert isinstance(found, Measurement)
    assert text(found) == text(measured)


@pytest.mark.parametrize("name", [name for name in FEATURES if name not in {"outside", "never"}])
def test_it_is_measured_and_not_remembered(name: str) -> None:
    """Under the hash of one capture another is handed out: the value becomes that of the other."""
    taken, other = wave(), wave(seed=1)
    tree = json.loads(text(FEATURES[name](taken)))["derivation"]
    found = walked(tree, Sources(lambda _: other.capture))
    assert text(found) == text(FEATURES[name](other))
    if name not in {"nothing", "less unread", "never below"}:  # these have no figure of their own
        assert text(found) != text(FEATURES[name](taken))


def test_a_magnitude_is_one_whatever_the_sign_turns_out_to_be() -> None:
    taken = wave()
    turned = replace(taken.capture, samples=-taken.capture.samples)
    for measured in (abs(mean(taken)), abs(-mean(taken))):
        assert measured.derivation is not None
        found = walked(measured.derivation, Sources(lambda _: turned))
        assert found.value == measured.value > 0


def test_what_a_default_was_is_remembered() -> None:
    tree = steady(wave()).derivation
    assert tree is not None
    assert tree["given"]["phase"] == "hold"
    assert mean(wave()).derivation["given"] | {"wave": 0} == {
        "wave": 0,
        "after": None,
        "until": None,
    }  # type: ignore[index]


def test_two_captures_are_each_found() -> None:
    first, second = wave(1), wave(2)
    measured = mean(first) - mean(second)
    assert text(again(measured, first, second)) == text(measured)
    with pytest.raises(UsageError, match="cannot be read: KeyError"):
        again(measured, first)


@law
@given(
    time=st.floats(0, 12),
    level=st.decimals(Decimal("1e-9"), 3, allow_nan=False, places=9),
    until=st.none() | st.floats(0, 12),
    turned=st.booleans(),
)
def test_any_instant_and_level(
    time: float, level: Decimal, until: float | None, turned: bool
) -> None:
    taken = wave()
    end = None if until is None else Instant(until, 1e-3, "end")
    found = taken.time_to_below(Exact(level, "mA"), after=Instant(time, 0.1), until=end)
    measured = -found if turned else found
    assert text(again(measured, taken)) == text(measured)


def test_what_is_no_raw_data_has_no_derivation() -> None:
    stated = Measurement(Decimal(1), Dimension.CURRENT)
    assert stated.derivation is None
    assert (-stated).derivation is None
    assert abs(stated).derivation is None
    assert (stated - Exact.parse("1 mA")).derivation is None
    assert (mean(wave()) - stated).derivation is None
    assert (stated - mean(wave())).derivation is None


# --- levels of a changed device ------------------------------------------------------------------


def test_a_level_follows_its_figure() -> None:
    taken = wave()
    measured = taken.time_to_below(OFF, after=OPENED)
    same = again(measured, taken, changed={"protection.off_current": str(OFF)})
    assert text(same) == text(measured)
    lower = again(measured, taken, changed={"protection.off_current": "3 uA"})
    assert lower == taken.time_to_below(Exact.parse("3 uA"), after=OPENED)
    assert lower != measured


def test_a_product_follows_its_figure() -> None:
    taken = wave()
    before = Exact.parse("2 mA") * Exact.parse("50 %")
    measured = taken.time_to_below(before * SHARE, after=OPENED)
    found = again(measured, taken, changed={"protection.stop_share": "20 %"})
    assert found == taken.time_to_below(before * Exact.parse("20 %"), after=OPENED)
    assert found != measured


def test_what_was_commanded_does_not_follow_a_figure() -> None:
    """The device was driven by it: a changed profile says nothing about what flowed then."""
    taken = wave()
    measured = taken.time_to_below(PROFILE["output.setpoint_max"], after=OPENED)
    assert again(measured, taken, changed={"output.setpoint_max": "1 mA"}) == measured


def test_a_figure_that_the_changed_device_lacks_is_named() -> None:
    taken = wave()
    with pytest.raises(UsageError, match=r"protection\.off_current"):
        again(taken.time_to_below(OFF, after=OPENED), taken, changed={"a.b": "1 mA"})


@pytest.mark.parametrize("made", [OFF + 1 * uA, OFF.to("mA"), OFF.require(Dimension.CURRENT) + OFF])
def test_a_sum_has_no_origin(made: Exact) -> None:
    assert made.origin == ""


def test_an_origin_changes_nothing_else() -> None:
    bare = Exact(OFF.magnitude, OFF.unit)
    assert (bare == OFF, hash(OFF) == hash(bare), str(OFF) == str(bare)) == (True, True, True)
    assert OFF.origin == "protection.off_current"
    assert (Exact.parse("4 mA") * SHARE).origin == "4 mA * protection.stop_share"
    assert (OFF * Exact.parse("50 %")).origin == "protection.off_current * 50 %"
    assert (Exact.parse("4 mA") * Exact.parse("50 %")).origin == ""


# --- features of a user's own --------------------------------------------------------------------


@argument("test edge")
@dataclass(frozen=True)
class Edge:
    levels: tuple[Exact, ...]
    polarity: Polarity
    weights: tuple[float, ...] = (1.0,)


@derived
def crossed(taken: Waveform, edge: Edge, other: Waveform | None = None) -> Measurement:
    """A feature as a user writes it: of two waveforms, by a dataclass of its own."""
    least = min(float(level.base) for level in edge.levels) * edge.polarity.sign
    found = mean(taken) + Exact.si(least * sum(edge.weights), Dimension.CURRENT)
    return found if other is None else found - mean(other)


def test_a_feature_of_a_user_is_measured_again() -> None:
    first, second = wave(1), wave(2)
    edge = Edge((OFF, Exact.parse("2 mA")), NEGATIVE, (0.5, math.pi))
    measured = crossed(first, edge, second)
    assert measured.derivation is not None
    assert measured.derivation["feature"] == f"{__name__}:crossed"
    assert text(again(measured, first, second)) == text(measured)


def test_a_measurement_may_be_given_to_a_feature() -> None:
    taken = wave()
    measured = risen(taken, steady(taken))
    assert text(again(measured, taken)) == text(measured)
    lost = risen(taken, Measurement(Decimal(0), Dimension.CURRENT))
    with pytest.raises(Underivable, match="Measurement has no form"):
        again(lost, taken)


@derived
def risen(taken: Waveform, held: Measurement) -> Measurement:
    return peak(taken) - held


def test_a_feature_that_is_not_known_says_so() -> None:
    with pytest.raises(Underivable, match="feature elsewhere:rise is not known here"):
        walked({"feature": "elsewhere:rise", "given": {}}, Sources(lambda _: capture()))


def test_an_argument_without_a_form_is_told() -> None:
    measured = odd(wave(), {"a": 1})
    assert measured.derivation is not None
    with pytest.raises(Underivable, match=r"odd: a dict has no form"):
        again(measured, wave())


@derived
def odd(taken: Waveform, table: dict[str, int]) -> Measurement:
    del table
    return mean(taken)


def test_what_is_no_measurement_is_left_to_the_judge() -> None:
    @derived
    def forgotten(taken: Waveform) -> Measurement:
        del taken
        return None  # type: ignore[return-value]  # the mistake that this is about

    assert forgotten(wave()) is None


def test_a_feature_needs_names_for_its_arguments() -> None:
    with pytest.raises(UsageError, match="takes \\* or \\*\\*"):

        @derived
        def loose(*waves: Waveform) -> Measurement:
            return mean(waves[0])


def test_a_name_that_two_files_use_is_refused(tmp_path: Path) -> None:
    text_ = "from hil.derivation import derived\n@derived\ndef rise(wave):\n    return None\n"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine_7.py").write_text(text_)

    def load(folder: str) -> None:
        place = tmp_path / folder / "mine_7.py"
        exec(compile(text_, str(place), "exec"), {"__name__": "mine_7"})

    load("a")
    load("a")  # the same file, imported again
    with pytest.raises(UsageError, match=r"mine_7:rise is in .*a.mine_7\.py already; rename one"):
        load("b")


def test_a_form_is_taken_once() -> None:
    with pytest.raises(UsageError, match="'exact' is taken"):
        form("exact", Edge, lambda _: {}, lambda *_: Edge((), POSITIVE))
    with pytest.raises(UsageError, match="no enum and no dataclass"):
        argument("x")(int)


# --- what was changed ----------------------------------------------------------------------------


NONSENSE = [
    {},
    {"neither": 1},
    {"exact": "1 A", "number": "1"},
    {"sum": [{"exact": "1 A"}]},
    {"sum": 3},
    {"minus": "text"},
    {"feature": "mean"},
    {"feature": "mean", "given": {"wave": 3}},
    {"feature": "mean", "given": {"nobody": 3}},
    {"feature": ["mean"], "given": {}},
    {"exact": "4"},
    {"exact": "four mA"},
    {"exact": None},
    {"wave": "0" * 64},
    {"wave": "0" * 64, "phases": {"hold": 3}},
    {"polarity": "sideways"},
    {"instant": {"time": 0.0}},
    {"number": "many"},
]


@pytest.mark.parametrize("node", NONSENSE, ids=str)
def test_a_derivation_that_makes_no_sense_is_refused(node: object) -> None:
    with pytest.raises(UsageError):
        walked(node, Sources(lambda _: capture()))


@pytest.mark.parametrize(
    "value", [None, True, 0, -3, 0.1, 1e-300, "text", "", [1, [2.5, "x"]], math.inf, -math.inf]
)
def test_plain_arguments_stand_for_themselves(value: object) -> None:
    node = json.loads(json.dumps(written(value), allow_nan=False))
    back = walked(node, Sources(lambda _: capture()))
    assert json.dumps(back) == json.dumps(value)
    assert type(back) is type(value) or isinstance(value, list)


# --- another machine -----------------------------------------------------------------------------

ELSEWHERE = """
import hashlib, sys
sys.path[:0] = {path!r}
from test_derivation import FEATURES, text, wave
print(hashlib.sha256("".join(text(FEATURES[n](wave())) for n in FEATURES).encode()).hexdigest())
"""


@pytest.mark.parametrize(
    "more",
    [
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "4711"},
        {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL"},
        {"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C", "TZ": "Asia/Tokyo"},
    ],
    ids=str,
)
def test_every_figure_is_the_same_on_a_processor_with_less(more: dict[str, str]) -> None:
    program = ELSEWHERE.format(path=[str(Path(__file__).parent)])
    digests = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env=os.environ | {"PYTHONHASHSEED": "0"} | each,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for each in ({}, more)
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64


def test_a_value_that_was_changed_by_hand_keeps_its_derivation_and_shows() -> None:
    taken = wave()
    edited = replace(mean(taken), value=Decimal("0.001"))
    assert text(again(edited, taken)) != text(edited)
