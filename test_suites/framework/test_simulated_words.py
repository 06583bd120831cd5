"""A device whose words nobody on the simulated bench speaks is refused, and nothing is opened."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from framework.foreign_stimulators import gx2_bench, gx2_device
from hil.errors import ConfigurationError
from hil.exact import Exact
from hil_fixtures import campaign, plan, rehearsal, supervisor
from hil_fixtures.config import read_device
from hil_fixtures.config.file import starter
from hil_fixtures.plan import Options, Unspoken, check_words, make
from hil_fixtures.progress import Progress
from hil_fixtures.supervisor import run
from hil_instruments.simulated.words import COMMANDS, SHOWN, refuse_unspoken, unspoken

PROFILE = read_device(None)
WIRE = PROFILE.wire


def test_the_reference_speaks_all_that_the_built_in_device_file_asks():
    assert not list(unspoken(WIRE))
    assert set(WIRE.commands) <= set(COMMANDS)
    assert not list(unspoken(replace(WIRE, commands=COMMANDS)))


def test_other_forms_of_its_words_are_its_words():
    forms = {**WIRE.commands, "start": ":treatment:start", "set_current": "SOURce:CURRent {} mA"}
    assert not list(unspoken(replace(WIRE, commands=forms)))


STATES = {("FALLING" if word == "RAMPDOWN" else word): s for word, s in WIRE.states.items()}
OTHERS = {
    "commands.start": {"commands": {**WIRE.commands, "start": "SESS:BEG"}},
    "units.current": {"units": {**WIRE.units, "current": Exact.parse("1 mA")}},
    "states.FALLING": {"states": STATES},
    "polarities.positive": {"polarities": dict.fromkeys(WIRE.polarities, "NEG")},
    "replies.query_current": {"replies": {"query_current": "{} mA"}},
    "numbers.current": {"numbers": {"current": "0"}},
    "words.no_fault": {"no_fault": "OK"},
    "identity.query": {"identity": "WHO?"},
    "line.echo": {"echo": True},
}


@pytest.mark.parametrize("key", OTHERS)
def test_each_word_that_is_another_is_named_with_what_is_known(key):
    wire = replace(WIRE, **OTHERS[key])
    assert [found for found, _, _ in unspoken(wire)] == [key]
    with pytest.raises(ConfigurationError, match=rf"Ionto; keep.*\nwire.{key} = .*: it k"):
        refuse_unspoken(replace(PROFILE, wire=wire))


def test_few_of_many_are_named():
    commands = {action: message.replace(":", ":X") for action, message in WIRE.commands.items()}
    with pytest.raises(ConfigurationError) as refused:
        refuse_unspoken(replace(PROFILE, wire=replace(WIRE, commands=commands)))
    assert str(refused.value).count("it knows") == SHOWN
    assert str(refused.value).endswith(" more")


@pytest.fixture
def other(tmp_path):
    """Options of a device whose start is another one."""
    path = tmp_path / "device.toml"
    path.write_text(starter("device").replace('"TREAT:STAR"', '"SESS:BEG"'), "utf-8")
    return Options(device=path)


def test_neither_a_run_nor_a_rehearsal_begins(other, tmp_path):
    out = tmp_path / "runs"
    said = (
        r'device.toml: .*does not speak.*\nwire.commands.start = "SESS:BEG": it knows "TREAT:STAR"'
    )
    with pytest.raises(ConfigurationError, match=said):
        run(other, out, [], Progress(None))
    with pytest.raises(ConfigurationError, match=said):
        campaign.Campaign.begin(other, out, [])
    with pytest.raises(ConfigurationError, match=said):
        rehearsal.rehearse(other, [])
    assert not out.exists()


def test_a_model_with_a_dialect_of_its_own_is_spoken_to_in_it(tmp_path):
    device, bench = tmp_path / "device.toml", tmp_path / "bench.toml"
    device.write_text(gx2_device(), "utf-8")
    bench.write_text(gx2_bench(), "utf-8")
    check_words(make(Options(device=device, bench=bench)))


def test_a_file_may_be_read_and_planned_with(other):
    assert plan.make(other).profile.wire.commands["start"] == "SESS:BEG"


def test_a_run_that_would_rehearse_by_itself_goes_on_without(other):
    """Before a real bench, on which the device itself speaks its words."""
    text = io.StringIO()
    progress = Progress(Console(file=text, width=60))
    assert supervisor.rehearsed(other, [], progress, by_itself=True) is None
    assert "not rehearsed, its time is not known: " in text.getvalue()
    with pytest.raises(Unspoken):
        supervisor.rehearsed(other, [], progress, by_itself=False)
