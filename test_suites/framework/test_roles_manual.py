"""A device that a person works at its front panel: what is told, what is cut, what is not known."""

from dataclasses import replace
from datetime import date

import pytest

from hil.bench import BY_HAND, FRONT_PANEL, AidEntry, ScriptedAnswer, out_of_reach
from hil.device import Polarity, State
from hil.errors import (
    Abort,
    BenchError,
    ConfigurationError,
    InstrumentError,
    Unanswered,
    Unavailable,
    WrongIdentity,
)
from hil.exact import Exact
from hil.prompt import DONE, REFUSED
from hil.scenario import Scenario
from hil.units import C, mA, s
from hil.waveform import Instant
from hil_fixtures.config import read_bench, read_device, read_setup, starter
from hil_fixtures.execution import phases
from hil_fixtures.interruption import Interruption
from hil_fixtures.stand import Bench
from hil_fixtures.station import Kind, check_resources, foreseen, open_station
from hil_instruments.drivers.manual_stimulator import ManualStimulator

PROFILE, SIMULATED = read_device(None), read_bench(None)


class Person:
    """Answers at once, as it is told to; keeps what it was asked, and cuts."""

    def __init__(self, **answers):
        self.answers = {"set_dose": DONE, "read_current": "1 mA", "read_dose": "60 mC", **answers}
        self.log, self.posted = [], None

    def ask(self, prompt):
        self.log.append(prompt.to)
        said = self.answers.get(prompt.to.replace(" ", "_"), DONE)
        if said is None:
            raise Unanswered(prompt.text)
        return said

    def post(self, prompt):
        self.log.append(f"post {prompt.to}")
        self.posted = prompt

    def heard(self):
        return self.answers.pop("heard", None)

    def cut(self):
        self.log.append("CUT")


def device(**answers):
    person = Person(**answers)
    return ManualStimulator(person, person.cut, PROFILE, "SIM-1"), person


def configured(made):
    made.configure(1 * mA, Polarity.POSITIVE, 0.06 * C)


def test_a_setting_is_read_back_by_the_operator():
    made, person = device(read_dose="1 mA*min")
    configured(made)
    assert person.log == ["set current", "read current", "set polarity", "set dose", "read dose"]


@pytest.mark.parametrize("shown", ["1.1 mA", "1", "1 V", "nothing", "NaN mA"])
def test_a_display_that_shows_another_setting_is_refused(shown):
    made, _ = device(read_current=shown)
    with pytest.raises(InstrumentError, match=r"the current was to be 1\.0 mA"):
        configured(made)


def test_a_setting_that_the_device_refuses_is_refused():
    made, _ = device(set_polarity=REFUSED)
    with pytest.raises(InstrumentError, match="refused by the device"):
        configured(made)


def test_abort_opens_the_cut_off_before_anybody_is_asked():
    made, person = device()
    made.start()
    person.log.clear()
    made.abort()
    assert person.log == ["CUT", "post abort"]
    with pytest.raises(BenchError, match="stays open"):
        made.start()
    made.renew()
    made.start()


def test_abort_asks_although_the_cut_off_raises():
    person = Person()

    def broken():
        raise BenchError("no answer")

    made = ManualStimulator(person, broken, PROFILE, "SIM-1")
    with pytest.raises(BenchError, match="no answer"):
        made.abort()
    assert person.log == ["post abort"]


def test_a_stop_that_nobody_makes_opens_the_cut_off():
    made, person = device(stop=None)
    made.start()
    with pytest.raises(Unanswered):
        made.stop()
    assert person.log[-1] == "CUT"


def test_the_state_is_what_was_told_and_is_asked_for_once():
    made, person = device(state="idle", heard="hold")
    assert made.state() is State.IDLE
    assert made.state() is State.HOLD
    assert made.state() is State.HOLD
    assert person.log.count("state") == 1
    assert person.posted.value == "hold"


@pytest.mark.parametrize(
    "ask", ["claimed_current", "claimed_charge", "impedance", "self_test", "provoke"]
)
def test_what_no_line_reads_is_not_known(ask):
    made, _ = device()
    with pytest.raises(Unavailable, match="worked by hand"):
        getattr(made, ask)(*(["x"] if ask == "provoke" else []))


# -- on the bench ---------------------------------------------------------------------------------


def by_hand(*answers, patience=10.0, **more):
    entry = replace(
        SIMULATED.instruments["stimulator"], driver=BY_HAND, resource=FRONT_PANEL, serial=""
    )
    operator = AidEntry("operator", "simulated", patience, answers)
    return replace(
        SIMULATED,
        instruments={**SIMULATED.instruments, "stimulator": entry},
        aids={"operator": operator},
        **more,
    )


class Rig:
    """The simulated bench with an operator at the panel of its device."""

    def __init__(self, description):
        self.journal, self.records = [], []

        def write(kind, body):
            self.journal.append((kind, body))

        station = open_station(PROFILE, description, seed=1, today=date(2026, 1, 1), journal=write)
        self.bench = Bench(
            station,
            PROFILE,
            Interruption(),
            write,
            self.records.append,
            1,
            test="mine:test_a",
            cleared=lambda: None,
        )
        self.station = station

    def of(self, kind):
        return [body for name, body in self.journal if name == kind]


@pytest.fixture
def rigs():
    made = []

    def make(*answers, **more):
        made.append(Rig(by_hand(*answers, **more)))
        return made[-1]

    yield make
    for rig in made:
        rig.station.close()


def test_an_operator_at_the_panel_runs_a_scenario(rigs):
    rig = rigs()
    record = rig.bench.record(Scenario.treatment(2 * mA, hold=20 * s))
    told = [state for _, state in record.states]
    assert {State.IDLE, State.RAMP_UP, State.HOLD, State.RAMP_DOWN} <= set(told)
    start = record.event("start")
    assert 0.4 < start.u < 1.0
    for begin, end in record.current.phase("hold"):
        held = record.current.between(begin, end)
        assert held.min() > 0.0019  # no sample of a ramp is taken for the hold
    assert record.claimed_charge.base.is_nan()
    (off,) = rig.of("safe_state")
    assert off["confirmed"]
    asked = {body["to"]: body for body in rig.of("prompt")}
    assert asked["start"]["answered"] > asked["start"]["asked"]
    assert rig.station.instruments[0]["serial"].startswith("SIM-")
    assert "operator" in rig.station.instruments[0]["doubt"]  # never HARDWARE


def test_a_start_that_nobody_answers_is_typed_off_is_proven_and_the_next_goes_on(rigs):
    rig = rigs(ScriptedAnswer("start", "", times=1))
    scenario = Scenario.treatment(2 * mA, hold=5 * s)
    with pytest.raises(Unanswered, match="Press START now"):
        rig.bench.record(scenario)
    (off,) = rig.of("safe_state")
    assert off["confirmed"]
    assert not rig.station.cutoff.is_closed()
    assert rig.bench.record(scenario).events


def test_a_stop_that_nobody_makes_leads_to_a_proven_off(rigs):
    rig = rigs(ScriptedAnswer("stop", "", times=1))
    with pytest.raises(Unanswered, match="Press STOP now"):
        rig.bench.record(Scenario.treatment(2 * mA, hold=5 * s))
    (off,) = rig.of("safe_state")
    assert off["confirmed"]
    assert rig.records[0].current.samples[-1] < 1e-5


def test_the_monitor_trips_while_a_prompt_stands(rigs):
    rig = rigs(ScriptedAnswer("pause", ""), patience=30.0, ceiling=Exact.parse("1 mA"))

    def pause_at_5_s():
        with rig.bench.armed() as run:
            run.start(2 * mA)
            run.wait(5 * s)
            run.pause()

    with pytest.raises(Abort, match="bench ceiling of 1 mA exceeded"):
        pause_at_5_s()
    (pause,) = (body for body in rig.of("prompt") if body["to"] == "pause")
    assert pause["ended"].startswith("Abort: bench ceiling")
    assert rig.of("safe_state")[0]["confirmed"]


def test_who_leaves_while_the_device_delivers_waits_for_nobody(rigs):
    rig = rigs(ScriptedAnswer("stop", ""))
    with rig.bench.armed() as run:
        run.start(2 * mA)
        run.wait(5 * s)
    assert [body["to"] for body in rig.of("prompt")][-1] == "watch"
    assert [body["command"] for body in rig.of("stimulus")].count("abort") == 1
    (off,) = rig.of("safe_state")
    assert (off["confirmed"], off["reason"]) == (True, "")


def test_what_is_steady_lies_inside_of_every_moment_that_is_in_doubt():
    events = {"start": Instant(10.0, 3.002, "start"), "stop": Instant(80.0, 2.002, "stop")}
    states = ((9.0, State.IDLE), (11.0, State.IDLE), (20.0, State.RAMP_UP), (95.0, State.DONE))
    up, down = PROFILE.si("ramp.up_time"), PROFILE.si("ramp.down_time")
    found = phases(events, states, PROFILE, lag=20.0)
    assert found["hold"] == ((pytest.approx(13.0 + up), pytest.approx(78.0)),)
    assert found["ramp up"] == ((pytest.approx(7.0), pytest.approx(13.0 + up)),)
    assert found["ramp down"] == ((pytest.approx(78.0), pytest.approx(82.0 + down)),)


def test_an_end_that_a_person_told_may_have_been_long_before():
    events = {"start": Instant(10.0, 0.002, "start")}
    states = ((11.0, State.RAMP_UP), (95.0, State.DONE), (96.0, State.DONE))
    (hold,) = phases(events, states, PROFILE, lag=20.0)["hold"]
    assert hold[1] == pytest.approx(75.0)


def test_later_than_a_moment_in_doubt_is_later_than_its_latest():
    moment = Instant(10.0, 3.002, "resume")
    assert moment.later(5 * s).time == pytest.approx(18.0)
    assert moment.later(-5 * s).time == pytest.approx(2.0)
    sure = Instant(10.0, 0.002, "open")
    assert sure.later(5 * s) == Instant(15.0, 0.002, "open")


def test_an_abort_of_a_test_is_not_evaluated_by_the_bench_s_own_cut_off(rigs):
    rig = rigs()

    def abort_at_once():
        with rig.bench.armed() as run:
            run.start(2 * mA)
            run.abort()

    with pytest.raises(Unavailable, match="cut-off at once"):
        abort_at_once()
    assert rig.of("safe_state")[0]["confirmed"]


def test_another_serial_number_on_the_type_plate_is_refused():
    description = by_hand(ScriptedAnswer("serial", "SIM-OTHER"))
    entry = replace(description.instruments["stimulator"], serial="SIM-4711")
    with pytest.raises(WrongIdentity, match="SIM-OTHER"):
        Rig(replace(description, instruments={**description.instruments, "stimulator": entry}))


def test_a_bench_of_metal_by_hand_is_foreseen_to_earn_no_hardware():
    made = by_hand()
    entries = {
        role: entry
        if role == "stimulator"
        else replace(entry, resource=f"GPIB0::{place + 5}::INSTR")
        for place, (role, entry) in enumerate(made.instruments.items())
    }
    metal = replace(made, instruments=entries)
    assert check_resources(metal) is Kind.HARDWARE
    assert "operator" in foreseen(metal)["stimulator"]


def test_what_rests_on_a_claim_is_out_of_reach_by_hand():
    (claim,) = [r for r in read_setup(None, None).requirements if r.id == "DOSE-TRUE"]
    assert "claims" in out_of_reach(by_hand(), claim)
    assert not out_of_reach(SIMULATED, claim)
    needs = replace(claim, roles=("stimulator", "loader"))
    assert "[aids.loader]" in out_of_reach(SIMULATED, needs)


# -- in the bench file ----------------------------------------------------------------------------

HAND = starter("bench").replace(
    'driver = "scpi-stimulator"\nresource = "TCPIP0::SIM-STIMULATOR::inst0::INSTR"',
    'driver = "manual-stimulator"\nresource = "OPERATOR::PANEL"',
)
OPERATOR = '\n[aids.operator]\nby = "script"\npatience = "20 s"\nscript = "answers.toml"\n'
ANSWERS = '[[answer]]\nto = "start"\nsays = "done"\nafter = "2 s"\ntimes = 3\n'


def read(folder, text, answers=ANSWERS):
    (folder / "bench.toml").write_text(text)
    (folder / "answers.toml").write_text(answers)
    return read_bench(folder / "bench.toml")


def test_a_bench_file_names_its_operator_and_the_script_beside_it(tmp_path):
    bench = read(tmp_path, HAND + OPERATOR)
    answer = ScriptedAnswer("start", "done", 2.0, 3)
    assert bench.aids["operator"] == AidEntry("operator", "script", 20.0, (answer,))
    assert bench.by_hand


@pytest.mark.parametrize(
    ("text", "answers", "said"),
    [
        (HAND, ANSWERS, r"add the section \[aids.operator\]"),
        (HAND.replace("OPERATOR::PANEL", "ASRL3::INSTR") + OPERATOR, ANSWERS, "belong together"),
        (HAND + OPERATOR.replace("patience", "patent"), ANSWERS, "patent"),
        (HAND + OPERATOR.replace("aids.operator", "aids.surgeon"), ANSWERS, "surgeon"),
        (HAND + OPERATOR.replace("script = ", "# "), ANSWERS, "needs script"),
        (HAND + OPERATOR, ANSWERS.replace("says", "sais"), "sais"),
        (HAND + OPERATOR.replace("answers.toml", "other.toml"), ANSWERS, "no such file"),
    ],
)
def test_a_wrong_aid_is_refused_with_its_place(tmp_path, text, answers, said):
    with pytest.raises(ConfigurationError, match=said):
        read(tmp_path, text, answers)
