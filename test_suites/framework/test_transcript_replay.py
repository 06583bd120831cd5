"""A run is replayed from its transcript: the same verdicts, and never a made-up answer."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hil.conclusion import conclude
from hil.depth import Depth
from hil.device import Polarity
from hil.errors import (
    ConnectionLost,
    InstrumentError,
    ReplyTimeout,
    SafetyError,
    SessionPoisoned,
    UsageError,
)
from hil.exact import Exact
from hil.exchanges import Message, Stored
from hil.features import steady
from hil.scenario import Scenario
from hil.signs import along, has_sign
from hil.units import V, mA, s
from hil.verdict import ExitCode
from hil_fixtures import cli, clocks, plan, recorded, told
from hil_fixtures.campaign import Campaign
from hil_fixtures.clocks import HeardClock, WallClock
from hil_instruments.encoding import Identity
from hil_instruments.manner import SCPI
from hil_instruments.transport import Diverged, Recording, open_session
from hil_reports.evidence import read_journal, seal
from hil_reports.summary import summary_of

NAMES = "POL-SIGN", "POL-BOTH"


def judged(options, out):
    """Judge one short treatment, as a session does; its run folder, sealed."""
    made = plan.make(options)
    evidence = plan.begin(out, made, made.pytest_args, clocks.utc)
    campaign = Campaign(made, evidence, signer=None)
    item = {"test": "mine:test_a", "requirements": list(NAMES), "doc": ""}
    campaign.collected([item], [], [])
    campaign.begin_test(item["test"])
    judge = campaign.judge(item["test"], NAMES)
    record = campaign.bench.record(Scenario.treatment(4 * mA, hold=5 * s))
    judge("POL-SIGN", has_sign(record.current, Polarity.POSITIVE))
    judge("POL-BOTH", along(steady(record.current), Polarity.POSITIVE), at=4 * mA)
    campaign.write(
        "test_end",
        {"test": item["test"], "outcome": "passed", "detail": "", "seconds": 1.0, "judgements": 2},
    )
    campaign.close(0, 1.0)
    seal(evidence.folder)
    return evidence.folder


def verdicts(folder):
    """Each judgement of a run, whole but for what names the run."""
    return [record.body for record in read_journal(folder).records if record.kind == "judgement"]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """A recorded run of the healthy simulated device."""
    options = plan.Options(suites=("polarity",), seed=3, depth=Depth.SMOKE)
    return judged(options, tmp_path_factory.mktemp("healthy"))


def test_a_healthy_run_is_judged_again_to_the_same_bytes_and_says_what_it_is(healthy, tmp_path):
    again = judged(plan.Options(replay=healthy), tmp_path)
    assert {body["verdict"] for body in verdicts(healthy)} == {"PASS"}
    assert verdicts(again) == verdicts(healthy)
    for name in ("transcript.txt", "blocks.bin"):
        assert (again / "data" / name).read_bytes() == (healthy / "data" / name).read_bytes()
    first, second = (conclude(read_journal(folder).records) for folder in (healthy, again))
    head = read_journal(healthy).records[-1].hash
    assert second.run["seed"] == 3
    assert second.run["replayed"] == {
        "run_id": healthy.name,
        "head": head,
        "real": False,
        "begun": first.begun,
        "ended": first.ended,
    }
    assert second.provenance.word == "SIMULATED"
    for said in (second.provenance.unearned["run"], summary_of(second)["provenance_reason"]):
        assert healthy.name in said
        assert head in said
        assert "nothing was energised" in said


def test_a_run_that_fails_fails_again(tmp_path):
    faulty = plan.Options(suites=("polarity",), faults=("F24",), depth=Depth.SMOKE)
    folder = judged(faulty, tmp_path)
    assert "FAIL" in {body["verdict"] for body in verdicts(folder)}
    again = judged(plan.Options(replay=folder), tmp_path)
    assert verdicts(again) == verdicts(folder)
    assert conclude(read_journal(again).records).run["faults"] == ["F24"]


def test_a_replay_of_real_instruments_is_never_hardware(healthy):
    records = list(read_journal(healthy).records)
    run = {**records[0].body, "real": True, "expected": "HARDWARE", "replayed": {"run_id": "r1"}}
    from hil.provenance import earned

    found = earned(run, records)
    assert found.word == "SIMULATED"
    assert "r1" in found.reason


def test_off_that_is_not_shown_by_a_replay_is_no_alarm_about_a_device(healthy):
    lost = {"confirmed": False, "reason": "the replay has left the recorded run"}
    records = [
        replace(record, body={**record.body, **lost}) if record.kind == "safe_state" else record
        for record in read_journal(healthy).records
    ]
    found = conclude(records)
    assert (found.exit_code, bool(found.what_to_do)) == (ExitCode.UNSAFE, True)
    body = {"run_id": "r1", "head": "", "real": True, "begun": found.begun, "ended": found.ended}
    records[0] = replace(records[0], body={**records[0].body, "replayed": body})
    found = conclude(records)
    assert (found.exit_code, found.what_to_do) == (ExitCode.OTHER_VERDICT, "")
    assert not found.complies


# ---- what is refused before anything is opened


def _cut(folder):
    path = folder / "data" / "transcript.txt"
    path.write_bytes(path.read_bytes()[:-100])


def _tamper(folder):
    path = folder / "data" / "transcript.txt"
    path.write_bytes(path.read_bytes().replace(b" CLOSED", b" OPENED", 1))


def _block(folder):
    path = folder / "data" / "blocks.bin"
    path.write_bytes(b"x" + path.read_bytes()[1:])


def _unseal(folder):
    (folder / "tagmanifest-sha256.txt").unlink()


def _empty(folder):
    shutil.rmtree(folder / "data")


BAD = {
    "cut": (_cut, "transcript.txt"),
    "tampered": (_tamper, "transcript.txt"),
    "block": (_block, "blocks.bin"),
    "unsealed": (_unseal, "not sealed"),
    "no run": (_empty, "no run folder"),
    "gone": (shutil.rmtree, "no run folder"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_recording_is_refused_with_exit_11_before_anything_is_written(
    healthy, tmp_path, monkeypatch, capsys, case
):
    change, said = BAD[case]
    folder = shutil.copytree(healthy, tmp_path / "copy")
    change(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["hil", "run", "--replay-transcript", str(folder)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    lines = capsys.readouterr().err.splitlines()
    assert ended.value.code == 11
    assert len(lines) == 1
    assert said in lines[0]
    assert not (tmp_path / "runs").exists()


def test_a_run_of_another_schema_or_with_a_plugin_is_refused(healthy, monkeypatch):
    monkeypatch.setattr(recorded, "SCHEMA", 99)
    with pytest.raises(UsageError, match="schema 2, this version reads 99"):
        recorded.read(healthy)
    with pytest.raises(UsageError, match="'-p'"):
        recorded._check_arguments(Path("run"), ["-k", "polarity", "-p", "evil"])  # noqa: SLF001 - a run with it takes seconds


@pytest.mark.parametrize("option", [["--seed", "1"], ["--depth", "standard"], ["--fault", "F24"]])
def test_what_the_recorded_run_gives_is_not_given_beside_it(healthy, monkeypatch, capsys, option):
    line = ["hil", "run", "--replay-transcript", str(healthy), *option]
    monkeypatch.setattr(sys, "argv", line)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 11
    assert option[0] in capsys.readouterr().err


# ---- the line itself


class Told:
    """A recording of a few messages, and what was heard of it."""

    def __init__(self, *said):
        texts = [Message(n, n / 10, *each) for n, each in enumerate(said, 1)]
        self.heard = []
        self.recording = Recording(texts, self._read, lambda *each: self.heard.append(each))

    def session(self, role):
        return open_session(
            self.recording,
            "TCPIP0::SIM-X::inst0::INSTR",
            self.recording.clock,
            None,
            2.0,
            role,
            SCPI,
        )

    def _read(self, stored):
        return bytes(stored.count)


def test_each_role_keeps_its_own_order_and_the_clock_follows():
    told = Told(
        ("load", "write", "*IDN?"),
        ("ammeter", "write", "R? 3"),
        ("load", "read", "Maker,Model,1,1.0"),
        ("ammeter", "block", "", Stored(3, 0, "")),
    )
    ammeter, load = told.session("ammeter"), told.session("load")
    assert ammeter.query_block("R? 3") == bytes(3)
    assert load.query("*IDN?") == "Maker,Model,1,1.0"
    assert told.recording.clock.now() == 0.3
    assert ("ammeter", "read", bytes(3), 0.4) in told.heard


def test_another_command_is_an_error_that_names_both_and_ends_the_replay():
    told = Told(("load", "write", "*IDN?"), ("load", "read", "x"), ("supply", "write", "OUTP OFF"))
    load, supply = told.session("load"), told.session("supply")
    with pytest.raises(
        Diverged, match=r"at load: now write '\*RST', but line 1 .* write '\*IDN\?'"
    ):
        load.query("*RST")
    with pytest.raises(Diverged, match="line 1"):
        supply.write("OUTP OFF")


def test_more_than_was_recorded_and_a_reply_that_never_came_are_no_answers():
    told = Told(("load", "write", "A?"), ("load", "read", "1"), ("supply", "write", "B?"))
    load = told.session("load")
    assert load.query("A?") == "1"
    with pytest.raises(Diverged, match="now write 'A\\?', but it ends here"):
        load.query("A?")
    told = Told(("supply", "write", "B?"))
    with pytest.raises(Diverged, match="now a read for 'B\\?', but it ends here"):
        told.session("supply").query("B?")


@pytest.mark.parametrize("kind", [ReplyTimeout, ConnectionLost, InstrumentError])
def test_what_failed_then_fails_again_in_the_same_way(kind):
    said = f"{kind.__name__}: load at X: 'A?': it was cut short; check the line, then recover()"
    told = Told(("load", "write", "A?"), ("load", "error", said))
    load = told.session("load")
    with pytest.raises(kind, match=r"'A\?'"):
        load.query("A?")
    with pytest.raises((SessionPoisoned, ConnectionLost)):
        load.query("A?")


def test_the_clock_tells_what_was_read_of_it_where_it_was_read():
    told = Told(
        ("load", "write", "A"),
        ("clock", "read", repr(0.1)),  # 0.2 s, where 0.1 s was to be expected
        ("clock", "read", repr(0.2 + 0.5)),  # 0.3 s: after a sleep of 0.5 s
    )
    clock = told.recording.clock
    assert clock.now() == 0.0
    told.session("load").write("A")
    assert (clock.now(), clock.now()) == (0.2, 0.2)
    clock.sleep(0.5)
    assert (clock.now(), clock.now()) == (0.3, 0.3)


class Held:
    """Stands in for the cut-off that the sentinel holds; refuses an old epoch."""

    identity = Identity("Maker", "Relay", "SIM-1", "1.0, of its firmware")

    def __init__(self):
        self.closed = 0

    def identify(self):
        return self.identity

    def epoch(self):
        return self.closed

    def close_relay(self, epoch):
        if epoch <= self.closed:
            raise SafetyError(f"epoch {epoch} is old")
        self.closed = epoch

    def is_closed(self):
        return bool(self.closed)


def test_what_the_sentinel_answered_is_replayed_and_refused_as_then():
    heard = []
    clock = HeardClock(WallClock(), lambda *each: heard.append(each))
    said = []
    for ask in (told.aloud(clock), None):
        if ask is None:
            lines = [Message(0, at, role, way, text) for role, way, text, at in heard]
            ask = told.again(Recording(lines, lambda stored: b""))
        cutoff = told.ToldCutoff(ask, Held() if not said else None)
        cutoff.close_relay(cutoff.epoch() + 1)
        with pytest.raises(SafetyError, match="epoch 1 is old"):
            cutoff.close_relay(1)
        said.append((cutoff.identity, cutoff.epoch(), cutoff.is_closed(), cutoff.serial))
    assert said[0] == said[1] == (Held.identity, 1, True, "SIM-1")
    with pytest.raises(Diverged, match="write 'open', but it ends here"):
        cutoff.open_relay()


class Beside:
    """Stands in for the simulated roles beside the instruments."""

    def __init__(self):
        self.done = []

    def __getattr__(self, name):
        return lambda *given: self.done.append(name)

    def is_on(self):
        return True

    def is_joined(self):
        return "join" in self.done

    def drawn(self):
        return -0.25 * mA

    def ambient(self):
        return Exact.parse("23.4 degC")


def test_each_role_beside_the_instruments_is_replayed_and_nothing_is_done():
    heard, beside = [], Beside()
    clock = HeardClock(WallClock(), lambda *each: heard.append(each))

    def used(ask):
        made = {role: kind(ask, lambda: beside) for role, kind in told.TOLD.items()}
        made["jig"].halt()
        made["earth"].join()
        made["terminal_source"].apply(2 * V, 1 * mA)
        made["terminal_source"].off()
        return (
            made["indicator"].is_on(),
            made["earth"].is_joined(),
            made["terminal_source"].drawn(),
            made["thermometer"].ambient(),
        )

    first = used(told.aloud(clock))
    assert first == (True, True, -0.25 * mA, Exact.parse("23.4 degC"))
    assert beside.done == ["halt", "join", "apply", "off"]
    lines = [Message(0, at, role, way, text) for role, way, text, at in heard]
    assert used(told.again(Recording(lines, lambda stored: b""))) == first
    assert beside.done == ["halt", "join", "apply", "off"]
