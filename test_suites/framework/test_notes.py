"""What was done to the output and what was read is journaled, with its place in the transcript."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest

from hil.errors import Abort, BenchError
from hil.scenario import Scenario
from hil.units import kohm, mA, s
from hil_fixtures import campaign as campaigns
from hil_fixtures.campaign import BEAT, Campaign
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.interruption import Interruption
from hil_fixtures.plan import Options, make
from hil_fixtures.stand import Bench
from hil_fixtures.station import open_station
from hil_reports.evidence import Evidence, read_journal

PROFILE, DESCRIPTION = read_device(None), read_bench(None)
WIRE = {
    "cut-off open": "REL:OPEN",
    "cut-off close": "REL:CLOS 1",
    "load": "ROUT:OPEN (@101:120)",
    "load step": "ROUT:OPEN (@101:120)",
    "open": "ROUT:OPEN (@101:120)",
    "reconnect": "ROUT:OPEN (@101:120)",
    "bleed load": "ROUT:OPEN (@101:120)",
    "supply on": ":APPL CH1,9,1",
    "supply off": ":OUTP CH1,OFF",
    "bench source on": ":APPL CH2,20,0.02",
    "bench source off": ":OUTP CH2,OFF",
    "bench source joined": "ROUT:CLOS (@203)",
    "bench source parted": "ROUT:OPEN (@203)",
    "provoke": "FOO",
    "change": "SOUR:CURR 0.002",
    "reverse": "SOUR:POL NEG",
} | {
    name: PROFILE.wire.commands[name]
    for name in ("start", "stop", "abort", "pause", "resume", "acknowledge")
}
"""What is said first to carry out each command, but for questions."""


class Rig:
    """A bench on the in-process twin that writes real evidence."""

    def __init__(self, folder):
        self.evidence = Evidence.create(folder, lambda: datetime(2026, 3, 1, tzinfo=UTC))
        self.beats = 0
        self.refused = set()
        self.station = open_station(
            PROFILE, DESCRIPTION, seed=1, today=date(2026, 1, 1), transcript=self._hear
        )
        self.interruption = Interruption()
        self.bench = Bench(
            self.station, PROFILE, self.interruption, self._write, lambda record: None, 1,
            test="mine:test_a", said=lambda: self.evidence.said, beat=self._beat,
            cleared=lambda: None,
        )  # fmt: skip

    def _hear(self, role, direction, text, now):
        self.evidence.transcript(now, role, direction, text)

    def _write(self, kind, body):
        if body.get("command") in self.refused or kind in self.refused:
            raise BenchError("the disk is full")
        self.evidence.append(kind, body)

    def _beat(self):
        self.beats += 1

    def of(self, kind):
        return [r.body for r in read_journal(self.evidence.folder).records if r.kind == kind]

    def heard(self, offset=0):
        """Lines of the transcript from a byte on: role, direction, text."""
        self.evidence.barrier()
        content = (self.evidence.data / "transcript.txt").read_bytes()
        assert offset == 0 or content[offset - 1 : offset] == b"\n"
        return [line.split(" ", 3)[1:] for line in content[offset:].decode().splitlines()]

    def told(self, command):
        return [text for role, _, text in self.heard() if role == "stimulator"].count(WIRE[command])


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path / "run")
    yield made
    made.station.close()
    made.evidence.close()


def everything(rig):
    """Every command that a test can give."""
    with rig.bench.armed() as run:
        run.start(1 * mA)
        run.wait(2 * s)
        run.pause()
        run.wait(2 * s)
        run.resume()
        run.wait(2 * s)
        run.change(2 * mA)
        run.reverse()
        run.acknowledge()
        run.provoke("FOO")
        run.select(10 * kohm)
        run.inject("open")
        run.inject("reconnect")
        run.wait(1 * s)
        run.stop()
        run.wait(1 * s)
        run.abort()
        run.inject("supply off")
        run.inject("supply on")
        run.wait(1 * s)


def test_every_command_is_journaled_before_it_reaches_the_wire(rig):
    everything(rig)
    stimuli = rig.of("stimulus")
    assert {body["command"] for body in stimuli} == set(WIRE)
    for body in stimuli:
        said = rig.heard(body["transcript"])
        assert said[0][0] == body["role"]
        assert _first(said, body["role"]) == WIRE[body["command"]]


def test_nothing_that_changes_the_output_goes_out_unjournaled(rig):
    everything(rig)
    said = [text for _, way, text in rig.heard() if way != "read" and text in WIRE.values()]
    noted = [WIRE[body["command"]] for body in rig.of("stimulus")]
    # The station powers the device to identify it; the campaign notes that before it opens one.
    first = ["REL:OPEN", ":OUTP CH2,OFF", ":APPL CH1,9,1", ":OUTP CH1,OFF"]
    assert said == [*first, *noted]


def _first(said, role):
    return next(
        text
        for speaker, way, text in said
        if speaker == role and way != "read" and not text.endswith("?")
    )


def test_a_stimulus_says_what_was_asked_for(rig):
    everything(rig)
    values = {body["command"]: body["value"] for body in rig.of("stimulus")}
    assert values["start"] == "1.0 mA positive"
    assert values["change"] == "2.0 mA"
    assert values["reverse"] == "negative"
    assert values["provoke"] == "FOO"
    assert values["open"] == "open"
    assert values["supply on"] == "9 V, at most 1 A"
    assert re.fullmatch(r"10000 ohm at channel \d+", values["load step"])


def test_a_reading_is_what_the_instrument_answered(rig):
    rig.bench.record(Scenario.treatment(1 * mA, hold=1 * s))
    readings = rig.of("reading")
    assert {body["quantity"] for body in readings} == {
        "terminal voltage before anything was commanded",
        "state after power-up",
        "state on the way to off",
        "contacts",
        "terminal voltage before the cut-off opened",
        "terminal voltage with the cut-off open",
        "current with the cut-off open",
        "fault code at the end",
        "charge that the device claims",
        "supply voltage after it was switched on",
        "supply voltage switched off",
        "bench source",
        "terminal voltage with the bench source joined",
        "current with the bench source joined",
    }
    for body in readings:
        lines = rig.heard(body["transcript"])
        assert lines[0][0] == body["role"]
        replies = [text for role, way, text in lines if (role, way) == (body["role"], "read")]
        assert body["serial"] == getattr(rig.station, body["role"]).serial
        if body["unit"] in {"V", "A"}:
            channel = "CH2" if body["quantity"] == "bench source" else "CH1"
            command = f":MEAS:VOLT? {channel}" if body["role"] == "supply" else "READ?"
            asked = [text for role, way, text in lines if role == body["role"]].index(command)
            answer = [text for role, way, text in lines if role == body["role"]][asked + 1]
            assert float(answer) == float(body["value"])
        elif body["unit"] == "C":  # the device answers in mA min
            assert float(replies[0]) * 0.06 == pytest.approx(float(body["value"]), rel=1e-12)


@pytest.mark.parametrize("command", ["start", "resume", "provoke", "change", "reverse"])
def test_what_cannot_be_journaled_is_not_sent_and_the_bench_goes_off(rig, command):
    rig.refused = {command}
    with pytest.raises(BenchError, match="the disk is full"):
        everything(rig)
    assert rig.told(command) == 0
    assert rig.told("abort") == 1
    (state,) = rig.of("safe_state")
    assert state["confirmed"]


def interrupted(rig, before) -> None:
    """A treatment that a signal ends."""
    with rig.bench.armed() as run:
        run.start(1 * mA)
        run.wait(2 * s)
        before()
        rig.interruption.set("signal SIGTERM")
        run.wait(1 * s)


@pytest.mark.parametrize("refused", [{"abort"}, {"stop"}, {"stimulus", "reading"}])
def test_the_way_to_off_is_taken_whether_or_not_it_can_be_journaled(rig, refused):
    with pytest.raises(Abort):
        interrupted(rig, lambda: rig.refused.update(refused))
    assert rig.told("abort") == 1
    (state,) = rig.of("safe_state")
    assert state["confirmed"]
    if "stop" not in refused:
        assert "journal: the disk is full" in state["reason"]


def test_an_unconfirmed_off_ends_the_use_of_the_bench_although_it_cannot_be_journaled(rig):
    def fail() -> None:
        rig.refused = {"safe_state"}
        rig.station.cutoff.open_relay = lambda: None

    with pytest.raises(Abort) as caught:
        interrupted(rig, fail)
    assert rig.bench.unsafe.startswith("SAFE STATE UNCONFIRMED: path not shown open")
    assert "the disk is full" in caught.value.__notes__


def test_every_turn_of_a_wait_beats(rig):
    with rig.bench.armed() as run:
        before = rig.beats
        run.wait(5 * s)
        assert rig.beats - before == 20  # turns of 0.25 s


def test_a_beat_brings_to_the_disk_what_waited_for_a_second(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(campaigns.time, "monotonic", lambda: now[0])
    barriers: list[float] = []
    campaign = Campaign(plan=make(Options()), evidence=Evidence.create(tmp_path / "run", utc))
    monkeypatch.setattr(campaign.evidence, "barrier", lambda: barriers.append(now[0]))
    campaign._synced = now[0]  # noqa: SLF001 - it was made by the true clock
    for _ in range(30):
        now[0] += BEAT / 4
        campaign.beat()
    assert barriers == [101.0, 102.0, 103.0, 104.0, 105.0, 106.0, 107.0]
    now[0] += 0.1
    campaign.write("stimulus", {"command": "start"})  # energises: on the disk before it is sent
    campaign.write("stimulus", {"command": "stop"})
    campaign.beat()
    assert barriers[7:] == [now[0]]


def test_a_verdict_that_is_not_on_the_disk_is_not_shown_and_ends_the_run(tmp_path, monkeypatch):
    campaign = Campaign(plan=make(Options()), evidence=Evidence.create(tmp_path / "run", utc))

    def refuse() -> None:
        raise BenchError("the disk could not keep journal.jsonl")

    monkeypatch.setattr(campaign.evidence, "barrier", refuse)
    campaign.write("note", {})  # waits for the next barrier
    assert not campaign.interruption.cause
    with pytest.raises(BenchError):
        campaign.write("judgement", {"test": "m:t", "requirement": "A", "verdict": "PASS"})
    assert "the evidence cannot be written" in campaign.interruption.cause
    campaign.note("test_end", {"test": "m:t", "outcome": "passed", "detail": "", "seconds": 0.0})
    campaign.abort(campaign.interruption.cause)
    monkeypatch.setattr("hil_fixtures.campaign.conclude", lambda records: records)
    records = campaign.close(0, 1.0)
    assert [record.kind for record in records] == ["note", "judgement", "test_end", "abort"]


def utc() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)
