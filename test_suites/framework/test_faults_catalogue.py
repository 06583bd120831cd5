"""The fault catalogue is whole and consistent, and `--fault` says what it means."""

import ast
import contextlib
import gc
import re
import tomllib
from dataclasses import replace
from decimal import Decimal
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.bench import AIDS, ROLES
from hil.device import LINK, OFFERED
from hil.errors import ConfigurationError, UsageError
from hil.exact import Exact, units_of
from hil_fixtures import config
from hil_fixtures.plan import Options, make
from hil_instruments.simulated.faults import catalogue as module
from hil_instruments.simulated.faults.catalogue import Layer, Severity, When, catalogue, find
from hil_instruments.simulated.faults.idle import refuse_idle
from hil_instruments.simulated.faults.link import LINK_FAULTS
from hil_instruments.simulated.faults.spec import FaultSpec, Onset

FAULTS = list(catalogue().values())
SEVERE = [fault for fault in FAULTS if fault.severity]
MODELLED = [fault for fault in FAULTS if fault.modelled]
SINGLE = {"F09", "F10", "F12", "F20", "F22", "F23", "F34", "F42", "F44", "F77"}
"""The domain study's list of single-fault conditions, and F77 of our own."""


def named(fault):
    return fault.id


@pytest.fixture(scope="module")
def profile():
    return config.read_setup(None, None).profile


@pytest.fixture(scope="module")
def requirements():
    text = files("hil_suites").joinpath("catalogue.toml").read_text("utf-8")
    return {entry["id"] for entry in tomllib.loads(text)["requirement"]}


@pytest.fixture(scope="module")
def shipped():
    """Every shipped test as `module.py::function`."""
    gc.collect()  # what pyvisa logs of a resource that dies within ast.parse ends that
    modules = list(files("hil_suites").rglob("test_*.py"))
    return {
        f"{path.name}::{node.name}"
        for path in modules
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


# --- the catalogue -----------------------------------------------------------------------------


def test_all_seventy_four_faults_of_the_study_are_there_once_and_in_order():
    of_device = [fault.id for fault in FAULTS if fault.layer.of_device]
    assert of_device == [f"F{number:02}" for number in range(1, 83)]  # from F75 our own


def test_ids_tell_device_instrument_and_link_apart():
    letters = {Layer.INSTRUMENT: "I", Layer.LINK: "L"}
    for fault in FAULTS:
        assert re.fullmatch(letters.get(fault.layer, "F") + r"\d\d", fault.id)


def test_single_fault_conditions_are_those_of_the_study():
    assert {fault.id for fault in FAULTS if fault.single_fault} == SINGLE


@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_every_entry_says_what_it_must(fault, requirements, shipped):
    assert fault.title
    assert fault.trigger
    assert fault.observable
    assert fault.rules
    assert set(fault.violates) <= requirements
    assert set(fault.caught_by) <= shipped
    assert set(fault.roles) <= {*ROLES, *AIDS}
    assert "stimulator" in fault.roles or not fault.layer.of_device
    assert not fault.caught_by or fault.violates  # a test fails by a requirement
    assert fault.caught_by or fault.gap or not fault.layer.of_device
    if fault.onset:
        Onset.parse(fault.onset)


@pytest.mark.parametrize("fault", SEVERE, ids=named)
def test_the_default_severity_violates_and_the_bound_does_not(fault, profile):
    severity = fault.severity
    bound, default = severity.bound(profile), severity.default(profile)
    assert bound.dimension is default.dimension is severity.dimension
    assert severity.violates(default, profile)
    assert not severity.violates(bound, profile)
    assert not severity.most or default < Exact.parse(severity.most)


def test_link_faults_are_those_that_a_link_knows(profile):
    kinds = {kind.id: kind for kind in LINK_FAULTS.values()}
    listed = {fault.id: fault for fault in FAULTS if fault.layer is Layer.LINK}
    assert list(kinds) == list(listed)
    for name, fault in listed.items():
        assert kinds[name].title.lower() == fault.title.lower()
        if fault.severity:
            assert float(fault.severity.default(profile).base) == kinds[name].usual


def test_few_faults_are_left_out_and_each_says_why():
    left_out = {fault.id: fault.unmodelled for fault in FAULTS if not fault.modelled}
    assert set(left_out) == {"F62", "F63", "F70", "F71"}
    assert all(len(reason) > 30 for reason in left_out.values())


def test_a_severity_that_would_violate_nothing_is_refused():
    with pytest.raises(UsageError, match="violates nothing"):
        Severity("x", "output.trip", Decimal("0.9"))
    with pytest.raises(UsageError, match="larger, smaller"):
        Severity("x", "output.trip", Decimal(2), "bigger")


def test_a_broken_entry_is_named_with_its_file(monkeypatch):
    broken = [{"id": "F01", "title": "", "layer": "attic", "trigger": "", "observable": ""}]
    monkeypatch.setattr(module, "_entries", lambda _: broken)
    with pytest.raises(ConfigurationError, match=r"catalogue\.toml: F01: 'attic'"):
        catalogue.__wrapped__()


# --- the text of --fault -----------------------------------------------------------------------

numbers = st.integers(1, 499).map(lambda n: n / 1000)


def _onsets(fault):
    texts = {
        When.AFTER: st.tuples(numbers, st.sampled_from(units_of(Exact.parse("1 s").dimension))),
        When.ABOVE: st.tuples(numbers, st.sampled_from(units_of(Exact.parse("1 A").dimension))),
        When.EVERY: st.tuples(st.integers(1, 99), st.just("")),
    }
    ways = [
        texts[when].map(lambda pair, when=when: f"{when.value}:{pair[0]}{pair[1]}")
        if when in texts
        else st.just(when.value)
        for when in fault.onsets
    ]
    return st.one_of(*ways) if ways else st.none()


@st.composite
def texts(draw):
    """What a user may write, in one of its spellings."""
    fault = draw(st.sampled_from(MODELLED))
    parts = []
    if fault.severity and draw(st.booleans()):
        unit = draw(st.sampled_from(units_of(fault.severity.dimension)))
        number, most = draw(numbers), fault.severity.most
        if not most or Exact(Decimal(str(number)), unit) <= Exact.parse(most):
            parts.append(f"severity={number}{'' if unit == '1' else unit}")
    onset = draw(_onsets(fault)) if draw(st.booleans()) else None
    if onset:
        parts.append(f"onset={onset}")
    if not fault.layer.of_device and draw(st.booleans()):
        parts.append(f"role={draw(st.sampled_from(fault.roles))}")
    parts = draw(st.permutations(parts))
    return f"{fault.id}:{','.join(parts)}" if parts else fault.id


@given(texts())
def test_a_spec_is_written_as_it_is_read(text):
    spec = FaultSpec.parse(text)
    assert FaultSpec.parse(str(spec)) == spec
    assert str(FaultSpec.parse(str(spec))) == str(spec)


@pytest.mark.parametrize("fault", MODELLED, ids=named)
def test_the_plain_id_is_a_spec(fault, profile):
    spec = FaultSpec.parse(fault.id)
    assert str(spec) == fault.id
    assert (spec.resolved(profile).severity is None) == (fault.severity is None)


def test_a_severity_may_be_written_in_any_unit_of_its_dimension():
    assert FaultSpec.parse("F11:severity=0.12") == FaultSpec.parse("F11:severity=12%")
    assert FaultSpec.parse("f20:severity=0.08mA") == FaultSpec.parse("F20:severity=80 uA")


BAD = {
    "F99": "F01 to F82",
    "": "F01 to F82",
    "F62": "not modelled: the reference device has one channel",
    "F01:severity=2": "has no severity",
    "F11:severity=3V": "a ratio belongs here",
    "F11:severity=x": "a ratio belongs here, in %, ppm, 1",
    "F11:severity=90%": "up to 50 %",
    "F20:severity=80": "in A, mA, uA, nA",
    "F20:severity=-1uA": "above 0",
    "F20:severity=nanuA": "a current belongs here",
    "F20:severity=1uA,severity=2uA": "each once",
    "F20:size=1": "severity=..., onset=..., role=...",
    "F20:onset=": "severity=..., onset=..., role=...",
    "F20:onset=soon": "start, mid-ramp, after:T",
    "F20:onset=start:3": "start, mid-ramp, after:T",
    "F20:onset=after": "start, mid-ramp, after:T",
    "F20:onset=after:3mA": "a time belongs here",
    "F20:onset=every:0": "1 or more",
    "F20:onset=above:2": "a current belongs here",
    "F02:onset=start": "allowed: none",
    "F20:role=ammeter": "takes no role",
    "L01:role=teapot": "allowed: stimulator, ammeter",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_spec_says_what_is_allowed(text):
    with pytest.raises(UsageError, match=re.escape(BAD[text])):
        FaultSpec.parse(text)


@given(st.text(alphabet="FILe0129:=,.%uAms -severityonsetrole", max_size=40))
def test_any_text_is_a_spec_or_a_usage_error(text):
    with contextlib.suppress(UsageError):
        assert find(FaultSpec.parse(text).id)


def test_parameters_without_a_colon_are_told_where_it_goes():
    with pytest.raises(UsageError, match="a colon follows the id, as F11:severity=12%"):
        FaultSpec.parse("F11,severity=12%")


def _changed(profile, **figures):
    return replace(
        profile,
        figures={
            name: replace(figure, value=Exact.parse(figures.get(name.replace(".", "_"), "")))
            if name.replace(".", "_") in figures
            else figure
            for name, figure in profile.figures.items()
        },
    )


IDLE = {
    "F76": ({"ramp_up_time": "4 s"}, "ramp.up_time = 4 s: allowed: more than 4 s"),
    "F04:severity=0.1mA/s": ({}, "allowed: above 0.133333 mA/s"),
    "F13": ({"output_software_limit": "2.2 mA"}, "the converter clips at 4.095 mA"),
    "F31": ({"output_load_max": "20 kohm"}, "80 V drive 4.0 mA into 20 kohm"),
    "F50": ({"output_load_max": "20 kohm"}, "80 V drive 4.0 mA into 20 kohm"),
    "F39": ({"output_software_limit": "4.7 mA"}, "it is 4.7 mA"),
    "F73": ({"output_software_limit": "4.7 mA"}, "it is 4.7 mA"),
    "F74": ({"output_software_limit": "4.8 mA"}, "the largest one is 4 mA"),
    "F42": ({"output_setpoint_max": "0.5 mA"}, "give F42:onset=above:0.25mA"),
}
"""Fault to the figures with which it does nothing, and what says so."""


@pytest.mark.parametrize("text", IDLE)
def test_a_fault_that_would_do_nothing_on_a_device_is_refused(text, profile):
    figures, said = IDLE[text]
    spec = FaultSpec.parse(text)
    with pytest.raises(UsageError, match=f"{text}.*Reference Ionto.*{re.escape(said)}"):
        refuse_idle([spec], _changed(profile, **figures))
    refuse_idle([FaultSpec.parse(spec.id)], profile)


@pytest.mark.parametrize("fault", [f for f in MODELLED if f.needs], ids=named)
def test_a_fault_of_words_that_a_device_lacks_is_refused(fault, profile):
    commands = {key: text for key, text in profile.wire.commands.items() if key not in fault.needs}
    assert set(fault.needs) <= {*OFFERED, LINK}
    with pytest.raises(UsageError, match=rf"declares no {fault.needs[0]} in \[wire\]"):
        refuse_idle(
            [FaultSpec(fault.id)], replace(profile, wire=replace(profile.wire, commands=commands))
        )


def test_a_fault_of_a_figure_that_a_device_lacks_is_refused(profile):
    figures = {name: each for name, each in profile.figures.items() if name != "output.ripple"}
    with pytest.raises(UsageError, match=r"F35: .*declares no output.ripple.*or give severity"):
        refuse_idle([FaultSpec("F35")], replace(profile, figures=figures))


def test_every_other_fault_does_something_on_the_reference_device(profile):
    for fault in MODELLED:
        refuse_idle([FaultSpec(fault.id)], profile)


def test_a_level_that_another_fault_may_reach_is_taken(profile):
    refuse_idle([FaultSpec.parse("F42:onset=above:4.2mA"), FaultSpec("F09")], profile)


def test_a_run_is_refused_before_anything_is_planned(tmp_path):
    text = (files("hil_fixtures.data") / "device.toml").read_text("utf-8")
    device = tmp_path / "device.toml"
    slow = '[ramp.up_time]\nvalue = "30 s"'
    assert slow in text
    fast = text.replace(slow, slow.replace("30", "4")).replace(
        '[ramp.up_slope]\nvalue = "0.2 mA/s"', '[ramp.up_slope]\nvalue = "1 mA/s"'
    )
    device.write_text(fast, "utf-8")
    with pytest.raises(UsageError, match="would do nothing"):
        make(Options(device=device, faults=("F76",)))
