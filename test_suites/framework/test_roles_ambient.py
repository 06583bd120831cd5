"""The air at the bench: a mandatory record, taken at begin and end, or told as missing."""

import re
from dataclasses import replace

import pytest

from hil.bench import AidEntry, ScriptedAnswer
from hil.errors import InstrumentError
from hil.exact import Exact
from hil_fixtures.aids import Around, AskedThermometer, aids_of, ambient_body
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.operator import Conversation, ScriptedOperator, nothing
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.thermometer import LIMITS, SWING, SimulatedThermometer
from hil_reports.ambient import ambient, ambient_in_brief

SIMULATED, PROFILE = read_bench(None), read_device(None)


def told(said, patience=5.0):
    clock = VirtualClock()
    script = ScriptedOperator((ScriptedAnswer("ambient", said),), clock)
    return AskedThermometer(Conversation(script, clock, patience))


def described(**entry):
    aid = AidEntry("thermometer", **entry)
    return replace(SIMULATED, aids={"thermometer": aid})


def filled(description, *, simulated=True, seed=3, journal=nothing):
    clock = VirtualClock()
    twin = SimulatedBench(PROFILE, SIMULATED) if simulated else None
    return aids_of(description, Around(clock, PROFILE, seed, twin, journal)), clock


ASSUMED = (
    "budgets assume each instrument in the air for which its limits of error are specified: nobody "
    "measured or declared it"
)


def test_the_built_in_bench_has_one():
    aids, _ = filled(SIMULATED)
    bodies = [ambient_body(when, aids.thermometer) for when in ("begin", "end")]
    assert re.fullmatch(r"ambient 2\d\.\d\d to 2\d\.\d\d degC", ambient_in_brief(bodies))


def test_a_bench_without_one_says_so():
    aids, _ = filled(replace(SIMULATED, aids={}))
    bodies = [ambient_body(when, aids.thermometer) for when in ("begin", "end")]
    assert ambient_in_brief(bodies) == "ambient not recorded"
    said = ambient(bodies)
    assert said.startswith("ambient not recorded at the begin: the bench file has no")
    assert said.endswith(ASSUMED)


def test_a_run_that_was_lost_has_no_temperature_of_its_end():
    body = ambient_body("begin", told("21.5 degC"))
    assert ambient_in_brief([body]) == "ambient 21.5 degC, recorded at the begin only"
    end = ambient_body("end", told("22 degC"))
    assert ambient_in_brief([body, end]) == "ambient 21.5 to 22 degC"
    assert ambient([body]) == (
        "21.5 degC at the begin (+/- 1 K, told); ambient not recorded at the end: the run did not "
        "come so far; budgets count air of 19.5 to 23.5 degC, what was read at the begin, its "
        "limits and 1 K either way"
    )


def test_a_simulated_one_repeats_by_its_seed_and_drifts_within_its_swing():
    first, clock = filled(described(by="simulated"))
    second, _ = filled(described(by="simulated"))
    other, _ = filled(described(by="simulated"), seed=4)
    begin = first.thermometer.ambient()
    assert begin == second.thermometer.ambient() != other.thermometer.ambient()
    clock.sleep(3600.0)
    later = first.thermometer.ambient()
    assert later != begin
    clock.sleep(1e7)
    assert abs(float(first.thermometer.ambient().base - begin.base)) <= SWING + 0.01
    assert first.thermometer.limits == LIMITS


def test_a_script_tells_it_and_is_journaled():
    journal = []
    description = described(by="script", answers=(ScriptedAnswer("ambient", "22.5 degC"),))
    aids, _ = filled(description, simulated=False, journal=lambda kind, body: journal.append(body))
    assert ambient_body("begin", aids.thermometer) == {
        "when": "begin",
        "celsius": "22.5",
        "limits": "1",
        "by": "told",
        "reason": "",
        "counted": [20.5, 24.5],
        "basis": "thermometer",
    }
    assert journal[0]["answer"] == "22.5 degC"


@pytest.mark.parametrize("said", ["22", "22 mA", "warm", "72 degF", "-40 degC", "NaN degC"])
def test_what_is_no_temperature_of_a_room_is_no_record(said):
    with pytest.raises(InstrumentError, match="thermometer"):
        told(said).ambient()
    assert ambient_body("end", told(said))["celsius"] == ""


def test_nobody_tells_it_and_the_run_goes_on():
    body = ambient_body("begin", told(""))
    assert "was not answered" in body["reason"]


def test_what_is_simulated_stands_on_no_other_bench():
    aids, _ = filled(described(by="simulated"), simulated=False)
    assert aids.thermometer is None


def test_it_is_warm_enough_for_people():
    for seed in range(50):
        assert Exact.parse("20 degC") < SimulatedThermometer(VirtualClock(), seed).ambient()
