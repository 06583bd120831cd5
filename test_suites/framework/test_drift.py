"""Where the simulated bench answers differently from a recorded one: form first, then numbers."""

from __future__ import annotations

import json
import sys
from datetime import date

import pytest

from hil.drift import Difference, Limits, compare
from hil.exchanges import BLOCK, Message, block_of
from hil.units import mA, s
from hil_fixtures import cli, drifting, recorded
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.interruption import Interruption
from hil_fixtures.stand import Bench
from hil_fixtures.station import open_station
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.dialects.keysight_34465a import Keysight34465A
from hil_instruments.simulated.dialects.rigol_dp800 import RigolDP800
from hil_instruments.simulated.dialects.stimproof_cutoff import StimproofCutoff
from hil_instruments.simulated.metrology import converter

PROFILE, DESCRIPTION = read_device(None), read_bench(None)
TENTH = Limits(0.1)


class Heard:
    """What was said in an arming with a treatment of 5 s, of a bench of one seed."""

    def __init__(self, seed):
        self.said = []
        self.blocks = bytearray()
        station = open_station(
            PROFILE, DESCRIPTION, seed=seed, today=date(2026, 1, 1), transcript=self._hear
        )
        bench = Bench(
            station, PROFILE, Interruption(), lambda kind, body: None, lambda record: None, seed,
            test="mine:test_a", cleared=lambda: None,
        )  # fmt: skip
        with bench.armed() as run:
            run.start(1 * mA)
            run.wait(5 * s)
        station.close()

    def _hear(self, role, way, said, at):
        number = len(self.said) + 1
        if isinstance(said, bytes):
            self.said.append(Message(number, at, role, BLOCK, "", block_of(said, len(self.blocks))))
            self.blocks += said
        else:
            self.said.append(Message(number, at, role, way, said))

    def read(self, stored):
        return bytes(self.blocks[stored.begin : stored.begin + stored.count])

    def drift(self, seed):
        """Commands that drift: role and command to the row."""
        twin = SimulatedBench(PROFILE, DESCRIPTION, seed=seed)
        rows = drifting.asked(twin, seed, self.said, self.read)
        assert len(rows) > 20
        return {(row.role, row.command): row for row in rows if row.drifts}


@pytest.fixture(scope="module")
def heard():
    return Heard(seed=1)


def answering(monkeypatch, kind, asked, old, new):
    """Have a simulated instrument answer one question in another way."""
    receive = kind.receive

    def other(self, message):
        came = receive(self, message)
        return came.replace(old, new) if message.startswith(asked) and came else came

    monkeypatch.setattr(kind, "receive", other)


@pytest.mark.parametrize("seed", [2, 4711])
def test_a_healthy_bench_of_another_seed_does_not_drift(heard, seed):
    assert heard.drift(seed) == {}


def test_another_number_format_is_found(heard, monkeypatch):
    answering(monkeypatch, RigolDP800, b":APPL? CH1", b".000", b".00")
    (found,) = heard.drift(2).values()
    assert (found.role, found.command, found.worst) == ("supply", ":APPL?", Difference.FORM)


def test_another_error_text_is_found_with_an_example(heard, monkeypatch):
    answering(monkeypatch, StimproofCutoff, b"SYST:ERR?", b"No error", b"no error")
    (found,) = heard.drift(2).values()
    assert (found.role, found.worst) == ("cutoff", Difference.FORM)
    example = found.examples[Difference.FORM]
    assert (example.recorded, example.simulated) == ('0,"No error"', '0,"no error"')
    asked = heard.said[example.line - 2]
    assert (asked.role, asked.text) == ("cutoff", example.asked) == ("cutoff", "SYST:ERR?")


def test_one_other_range_is_found(heard, monkeypatch):
    answering(monkeypatch, Keysight34465A, b"SENS:CURR:DC:RANG?", b"E-02", b"E-01")
    (found,) = heard.drift(2).values()
    assert (found.role, found.worst) == ("ammeter", Difference.BEYOND)


def test_a_word_that_is_never_said_is_another_form_not_another_moment(heard, monkeypatch):
    answering(monkeypatch, StimproofCutoff, b"REL:STAT?", b"CLOSED", b"SHUT")
    (found,) = heard.drift(2).values()
    assert found.worst is Difference.FORM


def test_an_instrument_that_swaps_two_words_is_found(heard, monkeypatch):
    swapped = {b"CLOSED\n": b"OPEN\n", b"OPEN\n": b"CLOSED\n"}
    receive = StimproofCutoff.receive

    def other(self, message):
        came = receive(self, message)
        return swapped.get(came, came) if message.startswith(b"REL:STAT?") else came

    monkeypatch.setattr(StimproofCutoff, "receive", other)
    (found,) = heard.drift(2).values()
    assert (found.command, found.worst) == ("REL:STAT?", Difference.MOMENT)


def test_no_answer_is_found(heard, monkeypatch):
    receive = RigolDP800.receive

    def mute(self, message):
        return b"" if b"OUTP?" in message else receive(self, message)

    monkeypatch.setattr(RigolDP800, "receive", mute)
    (found,) = heard.drift(2).values()
    assert (found.command, found.worst) == (":OUTP?", Difference.SILENT)


def test_an_error_of_ten_times_the_accuracy_is_found(heard, monkeypatch):
    def drawn(ranges, random):
        return tuple(
            converter.Scale(each, 10 * each.gain, 10 * each.offset * each.full_scale)
            for each in ranges
        )

    monkeypatch.setattr(converter, "_drawn", drawn)
    found = heard.drift(2)
    assert {(role, command) for role, command in found} >= {("ammeter", "R?")}
    assert {row.worst for row in found.values()} == {Difference.BEYOND}


@pytest.mark.parametrize(
    ("recorded", "simulated", "found"),
    [
        ("+1.0E-03", "+1.0E-03", Difference.IDENTICAL),
        ("+1.00E-03", "+1.05E-03", Difference.WITHIN),
        ("-1.00E-03", "1.00E-03", Difference.BEYOND),
        ("+1.00E-03", "1.00E-03", Difference.FORM),
        ("+1.00E-03", "+1.000E-03", Difference.FORM),
        ("+1.00E-03", "+1.00E-3", Difference.FORM),
        ("1.0", "1", Difference.FORM),
        ("1.0 V", "1.0 mV", Difference.FORM),
        ("1.0,2.0", "1.0", Difference.FORM),
        ("1,2.0", "1,9.0", Difference.BEYOND),
        ("ON", "OFF", Difference.MOMENT),
        ("ON", "1", Difference.FORM),
        ('-222,"a, b"', '-222,"a; b"', Difference.FORM),
        ('-222,"a"', '-224,"a"', Difference.FORM),
        ("", "1", Difference.FORM),
    ],
)
def test_form_comes_before_numbers(recorded, simulated, found):
    assert compare(recorded, simulated, TENTH) is found


def test_the_command_line_prints_a_table_or_json_and_tells_by_its_code(
    heard, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(recorded, "read", lambda folder: folder)
    rows = drifting.asked(SimulatedBench(PROFILE, DESCRIPTION, seed=2), 2, heard.said, heard.read)

    def call(*line):
        monkeypatch.setattr(sys, "argv", ["hil", "drift", str(tmp_path), *line])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code or 0, capsys.readouterr().out

    monkeypatch.setattr(drifting, "drift", lambda run, seed: rows)
    code, out = call()
    assert (code, "no drift" in out) == (0, True)
    assert "READ?" not in out
    rows[3].counts[Difference.SILENT] += 1
    rows[3].examples[Difference.SILENT] = next(iter(rows[3].examples.values()))
    code, out = call()
    assert code == 10
    assert "1 commands drift" in out
    code, out = call("--json")
    told = json.loads(out)
    assert code == 10
    assert [each["command"] for each in told if each["drifts"]] == [rows[3].command]
    assert len(told) == len(rows)
