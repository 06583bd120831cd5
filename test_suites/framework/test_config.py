"""Configuration: what a file may say, and that each mistake is named where it stands."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hil.bench
from hil.bodies import requirement_body, requirement_of
from hil.decision import judge
from hil.device import IONTOPHORESIS, LINK, OFFERED, Polarity, State
from hil.errors import ConfigurationError, UsageError
from hil.exact import Dimension, Exact
from hil.measurement import Component, Measurement
from hil.requirement import Kind, Knowledge
from hil.rule import GUARDED, METHOD_6, SIMPLE
from hil.verdict import Verdict
from hil_fixtures.config import (
    COMMANDS,
    catalogues,
    check_bench,
    hazards,
    installed_catalogues,
    read_bench,
    read_catalogue,
    read_device,
    read_setup,
    starter,
    write_bench,
)
from hil_instruments import drivers

LINE = re.compile(r"(?P<file>[^:]+?)(:(?P<line>\d+))?(, column \d+)?: (?P<key>[^:]+): (?P<text>.*)")
PROFILE = read_device(None)
SETPOINT = '[output.setpoint_max]\nvalue = "4.0 mA"'
JARGON = re.compile(r"pydantic|input_value|Value error|type=|https?://|Traceback|_Table|Exact\(")


def setpoint(value):
    """The edit that writes another largest setting."""
    return SETPOINT, f"[output.setpoint_max]\nvalue = {value}"


def block(name):
    """The section of one figure, as the starter writes it."""
    return re.search(rf"\[{re.escape(name)}\]\n(\w.*\n)+", starter("device"))[0]


def edited(kind, *edits):
    text = starter(kind)
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def complaints(read, text):
    """(key, text) of each line of the error; its line number is that of the key or its table."""
    with pytest.raises(ConfigurationError) as caught:
        read()
    assert not JARGON.search(str(caught.value))
    found = []
    for line in str(caught.value).split("\n"):
        parts = LINE.fullmatch(line)
        assert parts, line
        found.append((parts["key"], parts["text"]))
        if parts["line"]:
            row = text.split("\n")[int(parts["line"]) - 1]
            names = {"requirement", *re.split(r"[.\[\]]", parts["key"])} - {""}
            assert any(name in row for name in names), (line, row)
    return found


def device_complaints(path: Path, *edits):
    text = edited("device", *edits)
    path.write_text(text, encoding="utf-8")
    return complaints(lambda: read_device(path), text)


def bench_complaints(path: Path, *edits):
    text = edited("bench", *edits)
    path.write_text(text, encoding="utf-8")
    return complaints(lambda: check_bench(read_bench(path), PROFILE, str(path)), text)


def matches(found, expected):
    assert [key for key, _ in found] == [key for key, *_ in expected]
    for (_, text), (_, *fragments) in zip(found, expected, strict=True):
        for fragment in fragments:
            assert fragment in text


# --- What ships -------------------------------------------------------------------------------


def test_the_built_in_setup_is_sound_and_complete():
    setup = read_setup(None, None)
    hil.bench.check(setup.bench, setup.profile)
    assert set(setup.profile.figures) == set(IONTOPHORESIS.bounds)
    assert set(setup.bench.instruments) == set(hil.bench.ROLES)
    assert setup.profile.text == starter("device")
    assert setup.bench.text == starter("bench")
    assert setup.bench.clock_scale == 1.0


def test_the_reference_device_is_read_exactly():
    assert PROFILE["output.setpoint_max"].base == Decimal("0.004")
    assert PROFILE["dose.maximum"].base == Decimal("4.8")
    assert PROFILE["ramp.down_slope"] == Exact.parse("0.6 mA/s")
    assert PROFILE["output.accuracy_relative"].base == Decimal("0.05")
    assert (PROFILE.manufacturer, PROFILE.model) == ("Stimproof", "Reference Ionto")
    assert PROFILE.polarity is Polarity.POSITIVE
    assert PROFILE.channels == ("1",)
    assert set(PROFILE.wire.commands) == {*COMMANDS, *OFFERED, LINK}
    assert PROFILE.wire.commands["set_current"].format("0.004") == "SOUR:CURR 0.004"
    assert PROFILE.wire.states["RAMPUP"] is State.RAMP_UP
    assert set(PROFILE.wire.states.values()) == set(State)
    assert PROFILE.wire.polarities == {Polarity.POSITIVE: "POS", Polarity.NEGATIVE: "NEG"}


def test_the_built_in_bench_is_read_exactly():
    bench = read_bench(None)
    assert (bench.ceiling, bench.damage_current) == (Exact.parse("6 mA"), Exact.parse("30 mA"))
    assert bench.shunt == Exact.parse("100 ohm")
    assert bench.wiring["shunt"] == "100 ohm"
    assert bench.wiring["cutoff_kind"] == "independent"
    skin = bench.loads["skin"]
    assert skin.resistance == Exact.parse("10.47 kohm")
    assert skin.capacitance == Exact.parse("100 nF")
    assert bench.loads["20k"].resistance == Exact.parse("20 kohm")
    ammeter = bench.instruments["ammeter"]
    assert ammeter.resource == "TCPIP0::SIM-AMMETER::inst0::INSTR"
    assert (ammeter.certificate, ammeter.due) == ("", None)


def test_every_driver_of_the_built_in_bench_exists():
    for role, entry in read_bench(None).instruments.items():
        assert entry.driver in drivers.NAMES[role]


@pytest.mark.parametrize("kind", ["device", "bench"])
def test_no_line_of_a_starter_is_too_long_to_read(kind):
    assert max(map(len, starter(kind).split("\n"))) <= 100


def test_nothing_ships_as_confirmed():
    setup = read_setup(None, None)
    assert all(
        figure.status is not Knowledge.CONFIRMED for figure in setup.profile.figures.values()
    )
    assert all(entry.status is not Knowledge.CONFIRMED for entry in setup.requirements)


def test_the_shipped_catalogue_takes_its_limits_from_the_device():
    requirements = {entry.id: entry for entry in read_setup(None, None).requirements}
    assert set(requirements) == {
        *("LIM-ACC", "LIM-OVER", "LIM-CEIL", "LIM-STEP", "LIM-OFF", "LIM-VOLT"),
        *("RAMP-UP", "RAMP-STEP", "RAMP-DOWN", "RAMP-RESUME"),
        *("POL-SIGN", "POL-BOTH", "POL-LOCK", "POL-ZERO"),
        *("STOP-OPEN", "STOP-OFF", "STOP-SHARE", "STOP-LATCH", "STOP-LIFT", "STOP-CMD"),
        *("STOP-TELL", "STOP-POWER", "DOSE-TRUE", "DOSE-END"),
        *("STOP-HELD", "STOP-LINK", "STOP-HALT", "DOSE-SUM", "CMD-TELL", "CMD-LOCK", "CMD-KEEP"),
        *("STOP-SURGE", "STOP-RESET", "STOP-ANEW", "CMD-DOSE"),
        *("IND-CURR", "IND-IMP", "IND-STATE", "IND-LAMP", "OUT-CURR", "OUT-VOLT"),
        *("IND-VOLT", "IND-POL", "IND-TIME"),
        *("LIM-RIPPLE", "LIM-TRIP", "LIM-DENS", "LIM-TELL", "LIM-SHORT", "LIM-FAULT"),
        *("RAMP-MONO", "RAMP-TIME", "STBY-REST", "STBY-EARTH", "STBY-DEAD"),
        *("START-UNSET", "START-FAULT", "START-SENSE"),
        *("SUP-STEADY", "SUP-LOW", "SUP-BACK", "STATE-TRUE"),
    }
    accuracy = requirements["LIM-ACC"]
    assert accuracy.limit.kind is Kind.WITHIN
    assert accuracy.limit.tolerance(Exact.parse("4 mA")) == Decimal("0.0002")
    assert accuracy.limit.tolerance(Exact.parse("0.1 mA")) == Decimal("0.00005")
    assert requirements["LIM-CEIL"].limit.figure == PROFILE["output.software_limit"]
    assert requirements["STOP-OPEN"].limit.figure == Exact.parse("0.2 s")
    assert requirements["POL-SIGN"].limit.kind is Kind.TRUE
    assert requirements["DOSE-TRUE"].limit.kind is Kind.DIFFERENCE
    assert requirements["DOSE-TRUE"].dimension is Dimension.CHARGE
    assert requirements["LIM-OFF"].status is Knowledge.FROM_MEMORY
    assert "60601-1" in requirements["LIM-OFF"].source
    assert {entry.rule for entry in requirements.values()} == {GUARDED}
    assert len({entry.subject for entry in requirements.values()}) == 11


# --- Device file ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"4 V"', ('"4 V" is a voltage; a current', "A, mA, uA, nA")),
        ('"4.0"', ('"4.0" is no quantity (did you mean "4.0 mA"?)', "a current")),
        ("4.0", ('4.0 is no text in quotes (did you mean "4.0 mA"?)',)),
        ("4", ('4 is no text in quotes (did you mean "4 mA"?)',)),
        ("nan", ("nan is no text in quotes; a current",)),
        ("true", ("true is no text in quotes; a current",)),
        ("[4]", ("a list is no text in quotes",)),
        ('""', ('"" is no quantity',)),
        ('"nan mA"', ('"nan mA" is no quantity; a current',)),
        ('"four mA"', ('"four mA" is no quantity',)),
        ('"4,0 mA"', ('did you mean "4.0 mA"?',)),
        ('"4.0 MA"', ('did you mean "4.0 mA"?',)),
        ('"4000 \N{MICRO SIGN}A"', ('did you mean "4000 uA"?',)),
        ('"4 mAh"', ('"4 mAh" is no quantity; a current',)),
        ('"1e9999999999999999999 mA"', ("is no quantity",)),
    ],
)
def test_a_value_that_is_no_current_is_refused_where_a_current_belongs(tmp_path, value, expected):
    found = device_complaints(tmp_path / "d.toml", setpoint(value))
    matches(found, [("output.setpoint_max.value", *expected)])


@pytest.mark.parametrize("value", ["40 mA", "-4 mA", "0 mA", "1E+300 A"])
def test_a_value_outside_the_class_is_refused(tmp_path, value):
    found = device_complaints(tmp_path / "d.toml", setpoint(f'"{value}"'))
    matches(found, [("output.setpoint_max", value.split()[0], "0.1 mA to 5 mA")])


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            ("[output.setpoint_max]", "[output.setpoit_max]"),
            ("output.setpoit_max", "did you mean setpoint_max?"),
        ),
        (("[polarity.dwell]", "[polarty.dwell]"), ("polarty", "did you mean polarity?")),
        (("\n[device]", "\n[devise]"), ("devise", "did you mean device?")),
        (("\n[wire.states]", "\n[wire.stats]"), ("wire.stats", "did you mean states?")),
        (('model = "Reference Ionto"', "model = {}"), ("device.model", "a table; text in quotes")),
        (("model =", "modle ="), ("device.modle", "did you mean model?")),
        ((block("protection.open_time"), ""), ("protection.open_time", "missing", "1 ms to 1 s")),
        (('status = "seen"', 'status = "sure"'), ("output.setpoint_max.status", '"seen"')),
        (('status = "seen"', 'stats = "seen"'), ("output.setpoint_max.stats", "mean status?")),
        (
            ('source = "project defaults"\n', ""),
            ("output.setpoint_min.source", "missing; document"),
        ),
        (('why = "one step"', 'why = " "'), ("output.setpoint_min.why", "not be empty")),
        (('why = "one step"', "why = 1"), ("output.setpoint_min.why", "1; text in quotes")),
        (
            ('class = "iontophoresis"', 'class = "iontoforesis"'),
            ("device.class", 'mean "iontophoresis"?'),
        ),
        (('polarity = "positive"', 'polarity = "plus"'), ("device.polarity", '"negative"')),
        (('channels = ["1"]', 'channels = "1"'), ("device.channels", '"1"; a list')),
        (('channels = ["1"]', 'channels = ["1", "1"]'), ("device.channels", "each once")),
        (('channels = ["1"]', "channels = []"), ("device.channels", "at least one")),
        (('"SOUR:CURR {}"', '"SOUR:CURR"'), ("wire.commands.set_current", "one {}")),
        (('"TREAT:STAR"', '"TREAT:STAR {}"'), ("wire.commands.start", "no {}")),
        (('"MEAS:IMP?"', '"MEAS:IMP"'), ("wire.commands.query_impedance", "ends in ?")),
        (('"TREAT:STOP"', '"TREAT:STOP?"'), ("wire.commands.stop", "no query")),
        (('"TREAT:STOP"', '"TREAT\\nSTOP"'), ("wire.commands.stop", "one line")),
        (('abort = "', 'abrot = "'), ("wire.commands.abrot", "did you mean abort?")),
        (('abort = "TREAT:ABOR"', ""), ("wire.commands.abort", "missing")),
        (('charge = "mA*min"', 'charge = "mAh"'), ("wire.units.charge", '"mAh"', "mA*min")),
        (('charge = "mA*min"', 'charge = "mA"'), ("wire.units.charge", "C, mC")),
        (('IDLE = "idle"', 'IDLE = "idel"'), ("wire.states.IDLE", 'did you mean "idle"?')),
        (('HOLD = "hold"', ""), ("wire.states", "no word means hold")),
        (('negative = "NEG"', 'negative = "POS"'), ("wire.polarities", "its own")),
        (
            ('negative = "NEG"', 'minus = "NEG"\nnegative = "N"'),
            ("wire.polarities.minus", "allowed"),
        ),
    ],
)
def test_a_mistake_in_a_device_file_is_named(tmp_path, edit, expected):
    matches(device_complaints(tmp_path / "d.toml", edit), [expected])


def test_a_wrong_key_beside_the_right_one_hides_nothing(tmp_path):
    twice = "[output.setpoint_mxa]\nvalue = 1\n\n[output.setpoint_max]\nvalue = 4"
    found = device_complaints(tmp_path / "d.toml", (SETPOINT, twice))
    keys = ("output.setpoint_mxa", "output.setpoint_max.value")
    matches(found, list(zip(keys, ("did you mean setpoint_max?", "4 is no text"), strict=True)))


def test_a_section_that_is_none_is_refused(tmp_path):
    path = tmp_path / "d.toml"
    path.write_text("dose = 3\n" + re.sub(r"\[dose\.\w+\]\n(\w.*\n)*", "", starter("device")))
    found = complaints(lambda: read_device(path), path.read_text())
    assert ("dose", "3; a section belongs here") in found


def test_a_comma_that_may_part_thousands_is_not_respelt(tmp_path):
    found = device_complaints(tmp_path / "d.toml", setpoint('"4,000 uA"'))
    assert "did you mean" not in found[0][1]


def test_a_figure_without_provenance_is_shown_how(tmp_path):
    edit = (block("output.setpoint_max"), "[output]\nsetpoint_max = 4.0\n")
    found = device_complaints(tmp_path / "d.toml", edit)
    matches(found, [("output.setpoint_max", "4.0", "source =", "status =")])


def test_a_figure_may_stand_in_one_line(tmp_path):
    path = tmp_path / "d.toml"
    figure = 'setpoint_max = { value = "3 mA", source = "s", why = "w", status = "project" }'
    path.write_text(edited("device", (block("output.setpoint_max"), f"[output]\n{figure}\n")))
    assert read_device(path)["output.setpoint_max"] == Exact.parse("3 mA")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('[ramp.up_time]\nvalue = "30 s"', "10 s", ("ramp.up_time", "0.4", "0.2 mA/s", "20 s")),
        (
            '[output.trip]\nvalue = "5.0 mA"',
            "4.3 mA",
            ("output.software_limit", "output.trip = 4.3 mA"),
        ),
        (
            '[output.software_limit]\nvalue = "4.4 mA"',
            "4.1 mA",
            ("output.software_limit", "accuracy"),
        ),
    ],
)
def test_figures_that_contradict_each_other_are_refused(tmp_path, old, new, expected):
    changed = re.sub(r'"[^"]*"$', f'"{new}"', old)
    matches(device_complaints(tmp_path / "d.toml", (old, changed)), [expected])


def test_what_the_core_finds_is_one_line_each_whatever_it_says(monkeypatch):
    found = [("output.trip", "no good; ramp.step: = neither; loads: nor"), ("moon.phase", "full")]
    monkeypatch.setattr("hil.device.problems", lambda profile: found)
    with pytest.raises(ConfigurationError) as caught:
        read_device(None)
    far, near = str(caught.value).split("\n")
    assert far == "built-in device.toml: moon.phase: full"
    assert re.fullmatch(r"built-in device\.toml:\d+: output\.trip: no good; .*; loads: nor", near)


def test_confirmed_needs_someone_who_stands_for_it(tmp_path):
    path = tmp_path / "d.toml"
    found = device_complaints(path, ('status = "seen"', 'status = "confirmed"\nby = "A. Reader"'))
    matches(found, [("output.setpoint_max", "lacks date, clause, edition")])
    found = device_complaints(path, ('status = "seen"', 'status = "seen"\nby = "A. Reader"'))
    matches(found, [("output.setpoint_max", 'status is not "confirmed"')])
    voucher = 'by = "A. Reader"\ndate = 2026-05-04\nedition = "IEC 99999:2020"\nclause = "7.1"'
    path.write_text(edited("device", ('status = "seen"', f'status = "confirmed"\n{voucher}')))
    figure = read_device(path).figures["output.setpoint_max"]
    assert figure.status is Knowledge.CONFIRMED
    for part in ("A. Reader", "2026-05-04", "IEC 99999:2020", "7.1", "ActivaDose"):
        assert part in figure.source


def test_every_problem_of_a_device_file_is_listed_in_the_order_of_the_file(tmp_path):
    found = device_complaints(
        tmp_path / "d.toml",
        ('model = "Reference Ionto"', "model = 7"),
        setpoint('"4 V"'),
        ('[output.trip]\nvalue = "5.0 mA"', '[output.trip]\nvalue = "50 mA"'),
        (block("protection.open_time"), ""),
        ('IDLE = "idle"', 'IDLE = "idel"'),
    )
    expected = (
        *("device.model", "output.setpoint_max.value", "output.trip"),
        *("protection.open_time", "wire.states.IDLE"),
    )
    assert [key for key, _ in found] == list(expected)


# --- Any file ---------------------------------------------------------------------------------


def message(read):
    with pytest.raises(ConfigurationError) as caught:
        read()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("read", [read_device, read_bench])
def test_a_file_that_is_none_is_refused_with_its_name(tmp_path, read):
    path = tmp_path / "none.toml"
    assert message(lambda: read(path)).startswith(f"{path}: no such file; ")
    assert message(lambda: read(tmp_path)).startswith(f"{tmp_path}: this is a directory; ")
    path.write_bytes(b'[device]\nmodel = "caf\xe9"\n')
    assert message(lambda: read(path)).startswith(f"{path}: line 2: byte 0xe9 is not UTF-8; ")


@pytest.mark.parametrize(
    ("text", "place", "fragment"),
    [
        ("[device]\nx = 4.0 mA\n", ":2, column 9: ", "in quotes"),
        ("[device]\nx = 1\nx = 2\n", ":3, column 6: ", "each key stands once"),
        ('[device]\nx = "1\n', ":2, column 7: ", "in quotes"),
        ("[device\n", ":1, column 8: ", "not TOML"),
        ("x = [1,\n", ":1: ", "not TOML"),
        (f"x = {'1' * 5000}\n", ": ", "too large"),
        ("x = " + "[" * 5000, ": ", "too large"),
    ],
)
def test_a_syntax_error_names_line_and_column(tmp_path, text, place, fragment):
    path = tmp_path / "d.toml"
    path.write_text(text)
    said = message(lambda: read_device(path))
    assert said.startswith(f"{path}{place}not TOML: ")
    assert fragment in said


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path):
    path = tmp_path / "d.toml"
    path.write_bytes(b"\xef\xbb\xbf" + starter("device").replace("\n", "\r\n").encode())
    assert read_device(path).figures == PROFILE.figures


def refusal(read):
    """Text of the ConfigurationError, empty if there is none; any other error is passed on."""
    try:
        read()
    except ConfigurationError as err:
        return str(err)
    return ""


def reader(read):
    def read_text(text):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "read_bytes", lambda _: text.encode())
            read(Path("any.toml"))

    return read_text


READERS = [
    (reader(read_device), starter("device")),
    (reader(read_bench), starter("bench")),
    (
        lambda text: read_catalogue([("any.toml", text)], PROFILE),
        dict(installed_catalogues())["hil_suites"],
    ),
]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_whatever_stands_for_a_value_is_read_or_refused_by_one_kind_of_error(data):
    """No edit of a line makes anything but a device, or a ConfigurationError in our words."""
    read, rows = data.draw(st.sampled_from(READERS))
    rows = rows.split("\n")
    places = [n for n, row in enumerate(rows) if re.match(r"\w+\s*=|\[", row)]
    place = data.draw(st.sampled_from(places))
    junk = st.sampled_from(
        ["", "x", "x = 1", "[x]", "[[x]]", "7", '"x"', "{}", "[]", "nan", "2027-01-31", "{ x = 1 }"]
    )
    name, sign, _ = rows[place].partition("=")
    given_value = data.draw(junk)
    rows[place] = f"{name}= {given_value}" if sign and data.draw(st.booleans()) else given_value
    assert not JARGON.search(refusal(lambda: read("\n".join(rows))))


# --- Bench file -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (("channel = 105", "channel = 104"), ("loads.5k.channel", "104", "channel of 2k")),
        (("channel = 105", 'channel = "105"'), ("loads.5k.channel", "without quotes")),
        (("channel = 105", "channel = 0"), ("loads.5k.channel", "greater than 0")),
        (("channel = 105", "channel = true"), ("loads.5k.channel", "true; a whole number")),
        (('series = "5 kohm"', 'series = "5 V"'), ("loads.5k.series", '"5 V" is a voltage')),
        (('series = "5 kohm"', 'series = "0 ohm"'), ("loads.5k.series", "0.001 ohm to 100 Mohm")),
        ((', capacitance = "100 nF"', ""), ("loads.skin", "both parallel and capacitance")),
        (("200k  =", "open  ="), ("loads.open", "remove it")),
        (("\nbleed = {", "\nblood = {"), ("loads.bleed", "missing")),
        (("# bleed = ", "bleed = 2 # "), ("bench.bleed", "text in quotes")),
        (
            ("[instruments.ammeter]", "[instruments.ameter]"),
            ("instruments.ameter", "mean ammeter?"),
        ),
        (('"rigol-dp800"', '"rigol-dp80"'), ("instruments.supply.driver", 'mean "rigol-dp800"?')),
        (('"rigol-dp800"', '"rigol-ds1000z"'), ("instruments.supply.driver", "rigol-dp800")),
        (("SIM-AMMETER", "SIM-VOLTMETER"), ("instruments.voltmeter.resource", "also the ammeter")),
        (('"TCPIP0::SIM-LOAD::inst0::INSTR"', '"1.2.3.4"'), ("instruments.load.resource", "VISA")),
        (('ceiling = "6 mA"', 'ceiling = "5.0 mA"'), ("limits.ceiling", "output.trip = 5.0 mA")),
        (('ceiling = "6 mA"', 'ceiling = "30 mA"'), ("limits.ceiling", "limits.damage_current")),
        (('ceiling = "6 mA"', "ceiling = 6"), ("limits.ceiling", 'did you mean "6 mA"?')),
        (('"200 V"', '"80 V"'), ("limits.damage_voltage", "output.compliance")),
        (('"200 V"', '"200 mA"'), ("limits.damage_voltage", "a voltage")),
        (("[limits]", "[limit]"), ("limit", "did you mean limits?")),
        (("[loads]", "[lods]"), ("lods", "did you mean loads?")),
        (("[wiring]", "[wires]"), ("wires", "allowed")),
        (('shunt = "100 ohm"', ""), ("wiring.shunt", "missing; shunt under the oscilloscope")),
        (
            ('"both"', '"active"'),
            ("wiring.cutoff_kind", '"independent"; it is "software"', "cutoff_poles is active"),
        ),
        (
            ('cutoff_supply = "own"', 'cutoff_supply = "load"'),
            ("wiring.cutoff_kind", "cutoff_supply is that of the load"),
        ),
        (
            ('cutoff_mainframe = "own"', ""),
            ("wiring.cutoff_kind", "cutoff_mainframe is not declared"),
        ),
        (
            ('"stimproof-cutoff"', '"keysight-34970a"'),
            ("wiring.cutoff_kind", "its relays latch", "no hardware lease"),
        ),
        (('"independent"', '"relay"'), ("wiring.cutoff_kind", '"relay"', "software")),
        (('sign = "positive"', 'sign = "inverted"'), ("wiring.sign", '"inverted"', "positive")),
        (('"differential, 1:1', '"earthed, 1:1'), ("wiring.probe", "would earth an electrode")),
        (("20 Mohm", "20 V"), ("wiring.probe", '"20 V" is a voltage')),
        (("scale = 1.0", "scale = nan"), ("clock.scale", "nan; a finite number")),
        (("scale = 1.0", "scale = -1.0"), ("clock.scale", "-1.0; it must be at least 0.001")),
        (("scale = 1.0", 'scale = "fast"'), ("clock.scale", '"fast"; a number')),
        (('model = "34465A"', 'model = ""'), ("instruments.ammeter.model", "not be empty")),
        (('model = "34465A"', 'modell = "34465A"'), ("instruments.ammeter.modell", "mean model?")),
        (
            ('model = "34465A"', 'model = "34465A"\ncertificate = "K"\ndue = "2027-01-31"'),
            ("instruments.ammeter.due", "a date without quotes"),
        ),
        (
            ('model = "34465A"', 'model = "34465A"\ndue = 2027-01-31'),
            ("instruments.ammeter", "belong together"),
        ),
    ],
)
def test_a_mistake_in_a_bench_file_is_named(tmp_path, edit, expected):
    found = bench_complaints(tmp_path / "b.toml", edit)
    assert expected[0] in [key for key, _ in found]
    matches([line for line in found if line[0] != "wiring" or expected[0] == "wiring"], [expected])


def test_a_bench_without_a_device_under_test_is_refused(tmp_path):
    found = bench_complaints(tmp_path / "b.toml", ("[instruments.stimulator]", "[instruments.dut]"))
    matches(found, [("instruments.dut", "unknown role"), ("instruments.stimulator", "missing")])


def test_a_calibration_is_read(tmp_path):
    path = tmp_path / "b.toml"
    lines = 'model = "34465A"\ncertificate = "K-4711"\ncalibrated = 2026-01-31\ndue = 2027-01-31'
    path.write_text(edited("bench", ('model = "34465A"', lines)))
    ammeter = read_bench(path).instruments["ammeter"]
    assert (ammeter.certificate, ammeter.due) == ("K-4711", date(2027, 1, 31))


def test_a_bench_without_a_role_is_a_bench(tmp_path):
    path = tmp_path / "b.toml"
    text = re.sub(r"\[instruments\.oscilloscope\][^\[]*", "", starter("bench"))
    path.write_text(re.sub(r"\[clock\][^\[]*", "", text))
    bench = read_bench(path)
    assert "oscilloscope" not in bench.roles
    assert bench.clock_scale == 1.0


def test_problems_of_device_and_bench_are_listed_together(tmp_path):
    device, bench = tmp_path / "d.toml", tmp_path / "b.toml"
    device.write_text(edited("device", setpoint('"40 mA"')))
    bench.write_text(edited("bench", ("channel = 105", "channel = 104")))
    with pytest.raises(ConfigurationError) as caught:
        read_setup(device, bench)
    first, second = str(caught.value).split("\n")
    assert first.startswith(f"{device}:")
    assert "output.setpoint_max" in first
    assert second.startswith(f"{bench}:")
    assert "loads.5k" in second


def test_a_setup_holds_its_bench_against_its_device(tmp_path):
    device, bench = tmp_path / "d.toml", tmp_path / "b.toml"
    trip = '[output.trip]\nvalue = "5.0 mA"'
    device.write_text(edited("device", (trip, trip.replace("5.0", "5.9"))))
    bench.write_text(edited("bench", ('ceiling = "6 mA"', 'ceiling = "5.9 mA"')))
    text = bench.read_text()
    found = complaints(lambda: read_setup(device, bench), text)
    matches(found, [("limits.ceiling", "output.trip = 5.9 mA")])
    assert read_setup(None, bench).bench.ceiling == Exact.parse("5.9 mA")


def test_two_problems_between_bench_and_device_are_two_lines():
    bench = replace(
        read_bench(None), ceiling=Exact.parse("40 mA"), damage_voltage=Exact.parse("1 V")
    )
    with pytest.raises(ConfigurationError) as caught:
        check_bench(bench, PROFILE, "b.toml")
    lines = str(caught.value).split("\n")
    assert [line.split(": ")[1] for line in lines] == ["limits.ceiling", "limits.damage_voltage"]


def test_a_served_bench_is_written_with_its_addresses_and_its_comments(tmp_path):
    bench = read_bench(None)
    entries = {
        role: replace(entry, resource=f"TCPIP::127.0.0.1::{5000 + place}::SOCKET")
        for place, (role, entry) in enumerate(bench.instruments.items())
    }
    served = replace(bench, instruments=entries, clock_scale=20.0)
    text = write_bench(served)
    path = tmp_path / "served.toml"
    path.write_text(text)
    back = read_bench(path)
    assert replace(back, text="") == replace(served, text="")
    assert text.count("#") == bench.text.count("#")
    assert write_bench(back) == text
    assert write_bench(bench) == bench.text


def test_what_stands_beside_a_value_is_kept_when_a_bench_is_written(tmp_path):
    path = tmp_path / "b.toml"
    load, supply = '"TCPIP0::SIM-LOAD::inst0::INSTR"', '"TCPIP0::SIM-SUPPLY::inst0::INSTR"'
    path.write_text(
        edited(
            "bench",
            ("scale = 1.0", "scale =  1 # wall = bench"),
            (load, '"ASRL1::#2"  # = rack 2'),
            (supply, "'ASRL2::INSTR'"),
        )
    )
    bench = read_bench(path)
    entries = {
        role: replace(entry, resource=rf"ASRL\{role}::INSTR")
        for role, entry in bench.instruments.items()
    }
    text = write_bench(replace(bench, instruments=entries, clock_scale=2.5))
    assert "scale =  2.5 # wall = bench\n" in text
    assert 'resource = "ASRL\\\\load::INSTR"  # = rack 2\n' in text
    assert 'resource = "ASRL\\\\supply::INSTR"\n' in text


def test_a_bench_without_a_clock_is_written_with_one(tmp_path):
    path = tmp_path / "b.toml"
    path.write_text(re.sub(r"# Bench seconds[^\[]*\[clock\][^\[]*", "", starter("bench")))
    text = write_bench(replace(read_bench(path), clock_scale=2.5))
    assert text.endswith("[clock]\nscale = 2.5\n")


def test_a_change_that_cannot_be_written_is_refused():
    with pytest.raises(UsageError, match="resource, clock scale and firmware"):
        write_bench(replace(read_bench(None), ceiling=Exact.parse("7 mA")))


# --- Catalogue --------------------------------------------------------------------------------

ENTRY = """[[requirement]]
id = "MY-17"
subject = "lid"
title = "Open lid"
text = "An open lid stops the current."
dimension = "time"
clause = "project"
limit = { kind = "at most", figure = "protection.stop_time" }
"""


def catalogue_complaints(text):
    return complaints(lambda: read_catalogue([("my.toml", text)], PROFILE), text)


def test_a_makers_requirement_has_the_stated_defaults():
    (entry,) = read_catalogue([("my.toml", ENTRY)], PROFILE)
    assert entry.limit.figure == Exact.parse("100 ms")
    assert (entry.rule, entry.mandatory) == (GUARDED, True)
    assert entry.roles == ("stimulator", "ammeter")
    assert entry.source == PROFILE.figures["protection.stop_time"].source
    assert entry.status is Knowledge.PROJECT


def test_a_catalogue_lists_hazards_that_its_requirements_have_to_meet():
    texts = [("my.toml", f'hazards = ["burn", "shock"]\n{ENTRY}'), ("b.toml", ENTRY)]
    assert hazards([*texts, ("c.toml", 'hazards = ["shock", "pain"]')]) == ["burn", "shock", "pain"]
    for wrong in ('"burn"', "[7]", '["burn", " "]', "true"):
        text = f"hazards = {wrong}\n{ENTRY}"
        matches(catalogue_complaints(text), [("hazards", "a list of texts belongs here")])


def test_a_limit_of_the_catalogues_own_brings_its_provenance():
    own = ENTRY.replace('"protection.stop_time"', '"80 ms"')
    matches(catalogue_complaints(own), [("MY-17", "source and status are needed")])
    (entry,) = read_catalogue(
        [("my.toml", own + 'source = "spec 3"\nstatus = "seen"\nrule = "simple"\n')], PROFILE
    )
    assert (entry.limit.figure, entry.source) == (Exact.parse("80 ms"), "spec 3")
    assert (entry.status, entry.rule) == (Knowledge.SEEN, SIMPLE)


def test_of_several_figures_the_poorest_knowledge_holds():
    limit = '{ kind = "within", figure = "output.setpoint_max", relative = "5 %" }'
    text = re.sub(r"limit = .*", f"limit = {limit}", ENTRY).replace('"time"', '"current"')
    (entry,) = read_catalogue(
        [("my.toml", text + 'source = "spec 3"\nstatus = "from memory"\n')], PROFILE
    )
    assert PROFILE.figures["output.setpoint_max"].status is Knowledge.SEEN
    assert entry.status is Knowledge.FROM_MEMORY
    assert "ActivaDose" in entry.source
    assert "spec 3" in entry.source
    assert entry.limit.relative == Decimal("0.05")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "protection.stop_time",
            "protection.stop_tme",
            ("MY-17.limit.figure", "mean protection.s"),
        ),
        ("protection.stop_time", "output.trip", ("MY-17.limit.figure", "output.trip is a current")),
        ("protection.stop_time", "100 mA", ("MY-17.limit.figure", '"100 mA" is a current')),
        ("protection.stop_time", "-1 s", ("MY-17.limit.figure", "greater than zero")),
        ("protection.stop_time", "100", ("MY-17.limit.figure", '"100" is no quantity')),
        ('"protection.stop_time"', "0.1", ("MY-17.limit.figure", "0.1; text in quotes")),
        (
            "stop_time",
            "stop_time + output.trip",
            ("MY-17.limit.figure", "output.trip is a current"),
        ),
        (" }\n", ', relative = "5 %" }\n', ("MY-17.limit.relative", "has no relative")),
        (', figure = "protection.stop_time"', "", ("MY-17.limit", "needs a figure")),
        ('"at most"', '"at mots"', ("MY-17.limit.kind", 'did you mean "at most"?')),
        ('"at most"', '"true"', ("MY-17.limit.kind", "belong together")),
        ('"time"', '"truth"', ("MY-17.limit.kind", "belong together")),
        ('"time"', '"tyme"', ("MY-17.dimension", 'did you mean "time"?')),
        ('"MY-17"', '"my 17"', ("my 17.id", "capitals")),
        ('title = "Open lid"', "", ("MY-17.title", "missing; one line")),
        ("clause =", "claus =", ("MY-17.claus", "did you mean clause?")),
        ('"project"', '"project"\nroles = ["ameter"]', ("MY-17.roles.ameter", "mean ammeter?")),
        ('"project"', '"project"\nrule = "none"', ("MY-17.rule", '"guarded", "simple"')),
        ('"project"', '"project"\nrule = 1', ("MY-17.rule", "1 is no text in quotes; allowed")),
        ('"project"', '"project"\nrule = "guard factor 0"', ("MY-17.rule", "r above 0")),
        ('"project"', '"project"\nrule = "guard factor 3.1"', ("MY-17.rule", "at most 3")),
        ('"project"', '"project"\nrule = "method 6"', ("MY-17.rule", "two-sided tolerances only")),
        (" }\n", ', upper = "1 s" }\n', ("MY-17.limit.upper", "has no upper")),
        (" }\n", ", points = [] }\n", ("MY-17.limit.points", "has no points")),
        ('"project"', '"project"\nmandatory = "yes"', ("MY-17.mandatory", "true or false")),
        ('"project"', '"project"\nby = "me"', ("MY-17", 'status is not "confirmed"')),
        ("[[requirement]]", "[[requirements]]", ("requirements", "did you mean requirement?")),
        ("[[requirement]]", "[requirement]", ("requirement", "[[requirement]]")),
    ],
)
def test_a_mistake_in_a_catalogue_is_named(old, new, expected):
    assert old in ENTRY
    matches(catalogue_complaints(ENTRY.replace(old, new, 1)), [expected])


def limited(dimension, limit, more=""):
    """The entry with another limit of the catalogue's own."""
    text = re.sub(r"limit = .*\n", f"limit = {limit}\n", ENTRY)
    own = 'source = "spec 3"\nstatus = "seen"\n' + more
    return text.replace('"time"', f'"{dimension}"') + own


def test_a_limit_between_two_figures():
    limit = '{ kind = "between", lower = "-output.standby", upper = "0.5 mA" }'
    (entry,) = read_catalogue(
        [("my.toml", limited("current", limit, 'rule = "method 6"\n'))], PROFILE
    )
    standby = PROFILE["output.standby"]
    assert entry.limit.lower == Exact(-standby.magnitude, standby.unit)
    assert entry.limit.upper == Exact.parse("0.5 mA")
    assert (entry.rule, entry.limit.two_sided) == (METHOD_6, True)
    assert PROFILE.figures["output.standby"].source in entry.source


def undeclared(tmp_path, limit, dimension="time"):
    """A requirement by a limit, of a device file that leaves the lag of its indication out."""
    path = tmp_path / "d.toml"
    path.write_text(edited("device", (block("indication.lag"), "")), encoding="utf-8")
    return read_catalogue([("my.toml", limited(dimension, limit))], read_device(path))[0]


def test_a_figure_that_a_device_file_leaves_out_leaves_its_requirement_unevaluated(tmp_path):
    limit = '{ kind = "at most", figure = "protection.stop_time + indication.lag" }'
    found = undeclared(tmp_path, limit)
    assert (found.limit.lacks, found.mandatory) == (
        "the device file declares no indication.lag",
        False,
    )
    late = Measurement(Decimal(9), Dimension.TIME, (Component("clock", 0.1),))
    judged = judge(found, late)
    assert (judged.verdict, judged.reason) == (Verdict.NOT_EVALUATED, found.limit.lacks)
    assert requirement_of(requirement_body(found)) == found
    (declared,) = read_catalogue([("my.toml", limited("time", limit))], PROFILE)
    assert (declared.limit.figure, declared.mandatory) == (Exact.parse("600 ms"), True)
    assert judge(declared, late).verdict is Verdict.FAIL


def test_only_an_optional_figure_of_the_right_kind_may_be_left_out(tmp_path):
    for figure, dimension in (("indication.lag", "current"), ("indication.lags", "time")):
        limit = f'{{ kind = "at most", figure = "{figure}" }}'
        with pytest.raises(ConfigurationError, match=figure):
            undeclared(tmp_path, limit, dimension)


@pytest.mark.parametrize("text", ["0 count", "3 count"])
def test_a_limit_on_a_count(text):
    limit = f'{{ kind = "at most", figure = "{text}" }}'
    (entry,) = read_catalogue([("my.toml", limited("count", limit))], PROFILE)
    assert entry.limit.figure == Exact.parse(text)
    assert entry.dimension is Dimension.COUNT


def test_a_rule_with_a_factor():
    limit = '{ kind = "at most", figure = "1 mA" }'
    text = limited("current", limit, 'rule = "guard factor 0.83"\n')
    (entry,) = read_catalogue([("my.toml", text)], PROFILE)
    assert (entry.rule.factor, str(entry.rule)) == (Decimal("0.83"), "guard factor 0.83")


ENVELOPE = """{ kind = "envelope", points = [
    { time = "0 s", upper = "output.software_limit" },
    { time = "protection.stop_time + protection.open_time", upper = "output.software_limit" },
    { time = "0.2 s", lower = "-output.standby", upper = "output.standby" },
    { time = "2 s", lower = "-output.standby", upper = "output.standby" },
] }"""


def test_an_envelope_takes_its_points_from_the_device_file():
    (entry,) = read_catalogue([("my.toml", limited("current", ENVELOPE))], PROFILE)
    points = entry.limit.mask.points
    assert [float(point.time.base) for point in points] == [0, 0.2, 0.2, 2]
    assert points[1].upper == PROFILE["output.software_limit"]
    assert points[2].lower.base == -PROFILE["output.standby"].base
    assert PROFILE.figures["output.software_limit"].source in entry.source


@pytest.mark.parametrize(
    ("dimension", "old", "new", "expected"),
    [
        ("current", '"0.2 s"', '"0.1 s"', ("MY-17.limit", "follow in time")),
        ("current", '"0.2 s"', '"2"', ("MY-17.limit.points[3].time", '"2" is no quantity')),
        ("current", 'time = "0.2 s", ', "", ("MY-17.limit.points[3].time", "missing; time after")),
        ("current", '"2 s", lower', '"2 s", lowr', ("MY-17.limit.points[4].lowr", "mean lower?")),
        ("current", '"0 s", upper = "output.s', '"0 s", upper = "output.x',
         ("MY-17.limit.points[1].upper", "output.xoftware_limit is unknown")),
        ("voltage", "", "", ("MY-17.limit.points[1].upper", "is a current")),
    ],
)  # fmt: skip
def test_a_mistake_in_an_envelope_is_named(dimension, old, new, expected):
    assert old in ENVELOPE
    text = limited(dimension, ENVELOPE.replace(old, new, 1))
    matches(catalogue_complaints(text), [expected])


@pytest.mark.parametrize(
    ("dimension", "limit", "more", "expected"),
    [
        ("current", '{ kind = "between", lower = "2 mA" }', "",
         ("MY-17.limit", "needs an upper limit")),
        ("current", '{ kind = "between", lower = "2 mA", upper = "1 mA" }', "",
         ("MY-17.limit", "lies nothing")),
        ("count", '{ kind = "at most", figure = "1.5 count" }', "", ("MY-17.limit", "no count")),
        ("count", '{ kind = "within", figure = "1 count" }', "", ("MY-17.limit", "judged by")),
        ("count", '{ kind = "at most", figure = "1 count" }', 'rule = "guard factor 0.5"\n',
         ("MY-17.rule", "a count has none")),
        ("current", '{ kind = "envelope" }', "", ("MY-17.limit", "two points or more")),
        ("current", '{ kind = "at most", figure = "output.standby - output.trip" }', "",
         ("MY-17.limit.figure", "greater than zero")),
    ],
)  # fmt: skip
def test_a_limit_that_decides_nothing_is_named(dimension, limit, more, expected):
    matches(catalogue_complaints(limited(dimension, limit, more)), [expected])


def test_text_that_spans_lines_does_not_mislead_the_line_number():
    text = ENTRY.replace('"An open lid stops the current."', '"""\nAs in\nclause = 4\n"""')
    with pytest.raises(ConfigurationError, match=r"^my\.toml:10: MY-17\.clause: 7; text"):
        read_catalogue([("my.toml", text.replace('clause = "project"', "clause = 7"))], PROFILE)


def test_a_limit_in_a_section_of_its_own_is_found_in_its_line():
    limit = '[requirement.limit]\nkind = "at most"\nfigure = "4 V"\n'
    text = ENTRY + re.sub(r"limit = .*\n", limit, ENTRY).replace("MY-17", "MY-18")
    with pytest.raises(ConfigurationError, match=r"^my\.toml:18: MY-18\.limit\.figure: ") as caught:
        read_catalogue([("my.toml", text)], PROFILE)
    assert text.split("\n")[17] == 'figure = "4 V"'
    assert "\n" not in str(caught.value)


def test_an_empty_catalogue_is_refused():
    matches(catalogue_complaints(""), [("requirement", "missing")])


def test_an_id_is_unique_over_all_catalogues():
    texts = [*installed_catalogues(), ("my.toml", ENTRY.replace("MY-17", "LIM-ACC"))]
    with pytest.raises(ConfigurationError) as caught:
        read_catalogue(texts, PROFILE)
    place = dict(texts)["hil_suites"].split("\n").index('id = "LIM-ACC"') + 1
    assert str(caught.value).startswith("my.toml:2: LIM-ACC.id: ")
    assert f"hil_suites/catalogue.toml:{place};" in str(caught.value)


def test_the_suites_of_this_project_are_found_by_their_entry_point():
    assert "hil_suites" in dict(installed_catalogues())


def test_a_registered_package_without_a_catalogue_is_refused(monkeypatch):
    from importlib.metadata import EntryPoint

    points = [
        EntryPoint(name="a", value="no_such_package", group="stimproof.suites"),
        EntryPoint(name="b", value="hil_instruments", group="stimproof.suites"),
    ]
    monkeypatch.setattr("hil_fixtures.config.catalogue.entry_points", lambda group: points)
    with pytest.raises(ConfigurationError) as caught:
        installed_catalogues()
    first, second = str(caught.value).split("\n")
    assert first.startswith("hil_instruments: catalogue.toml: ")
    assert second.startswith("no_such_package: catalogue.toml: ")


def test_the_makers_requirements_are_read_beside_the_device_file(tmp_path):
    path = tmp_path / "d.toml"
    path.write_text(edited("device", ("requirements = []", 'requirements = ["lid.toml"]')))
    found = complaints(lambda: read_setup(path, None), path.read_text())
    matches(found, [("device.requirements[1]", '"lid.toml"', "no such file")])
    (tmp_path / "lid.toml").write_text(ENTRY)
    setup = read_setup(path, None)
    assert setup.profile.requirements == ("lid.toml",)
    assert [entry.id for entry in setup.requirements][-1] == "MY-17"
    assert dict(catalogues(setup.profile, path))[str(tmp_path / "lid.toml")] == ENTRY


def test_a_wrong_table_that_may_be_left_out_is_told_key_by_key():
    whole = starter("bench")
    line = next(each for each in whole.splitlines() if each.startswith("source = {"))
    said = refusal(lambda: reader(read_bench)(whole.replace(line, "source = { x = 1 }")))
    assert "wiring.source.series: missing; resistance that limits its current" in said
    assert "wiring.source.x" in said
