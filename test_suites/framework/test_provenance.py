"""Provenance is earned by every role and an operator: nothing simulated comes out as HARDWARE."""

import io
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hil import provenance
from hil.bench import ROLES
from hil.conclusion import conclude
from hil.errors import BenchError, ConfigurationError, UsageError
from hil.exact import Exact
from hil.journal import Chain
from hil.provenance import HARDWARE, OPERATOR, RUN, SIMULATED, earned, lacking
from hil.scenario import Scenario
from hil.units import mA
from hil.verdict import ExitCode
from hil_fixtures import plan, reach
from hil_fixtures.config import read_bench, read_device, starter
from hil_fixtures.progress import Progress
from hil_fixtures.reach import Where, reach_of
from hil_fixtures.station import Kind, check_resources, open_station
from hil_instruments.simulated import backend
from hil_instruments.simulated.bench import SimulatedBench
from hil_reports.evidence import attestation, read_journal
from hil_reports.evidence.index import opened
from hil_reports.evidence.register import Register
from hil_reports.report import write_report

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALIBRATED, DUE = date(2026, 1, 1), date(2099, 1, 1)
RUN_BODY = {"real": True, "expected": HARDWARE, "expected_reason": "HARDWARE is possible"}
ATTESTED = ("attestation", {"name": "A. Person", "statement": "Nobody is connected."})
NUMBERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"


def body(role, **other):
    """An instrument that has earned it."""
    place = ROLES.index(role) + 10 if role in ROLES else 99
    made = {
        "role": role,
        "resource": f"TCPIP0::192.0.2.{place}::inst0::INSTR",
        "interface": "TCPIP",
        "ends": f"192.0.2.{place}",
        "doubt": "",
        "driver": "d",
        "manufacturer": "M",
        "model": "X",
        "serial": f"MY{place}",
        "named": f"MY{place}",
        "firmware": "1.0",
        "certificate": f"C-{place}",
        "due": DUE.isoformat(),
        "calibration": "valid",
    }
    return made | other


def bodies(**spoiled):
    """Every role, of which some are another than `body` makes them."""
    return [body(role, **spoiled.get(role, {})) for role in ROLES]


def journal(*entries):
    chain = Chain()
    return [chain.append(kind, each, utc=NOON, bench=None) for kind, each in entries]


def found(instruments, *, before=(ATTESTED,), after=(), **run):
    entries = [("stimulus", {}), *(("instrument", each) for each in instruments)]
    return earned(RUN_BODY | run, journal(*before, *entries, *after))


# --- what earns it -------------------------------------------------------------------------------

WIRES = {
    "a raw socket": ("TCPIP0::192.0.2.7::5025::SOCKET", "TCPIP", "192.0.2.7"),
    "a host name": ("TCPIP0::scope.lab::inst0::INSTR", "TCPIP", "192.0.2.7, 2001:db8::7"),
    "USB": ("USB0::0x2A8D::0x0101::MY1::INSTR", "USB", ""),
    "GPIB": ("GPIB0::7::INSTR", "GPIB", ""),
    "a serial line": ("ASRL/dev/ttyUSB0::INSTR", "ASRL", "/dev/ttyUSB0"),
    "a serial line of Windows": ("ASRL3::INSTR", "ASRL", "3"),
}


@pytest.mark.parametrize("name", WIRES)
def test_hardware_is_earned_by_every_role_and_an_operator(name):
    resource, interface, ends = WIRES[name]
    made = found(bodies(ammeter={"resource": resource, "interface": interface, "ends": ends}))
    assert (made.word, made.unearned) == (HARDWARE, {})
    assert "A. Person" in made.reason


SPOILED = {
    "loopback": {"resource": "TCPIP0::127.0.0.1::5025::SOCKET", "ends": "127.0.0.1"},
    "loopback that is told as another": {"resource": "TCPIP0::127.3.2.1,99::inst0::INSTR"},
    "localhost that is told as another": {"resource": "TCPIP0::localhost::inst0::INSTR"},
    "a name that leads to loopback": {"resource": "TCPIP0::lab::INSTR", "ends": "127.0.0.1"},
    "one address of two is loopback": {"ends": "192.0.2.7, ::1"},
    "loopback of the other kind": {"ends": "::ffff:127.0.0.1"},
    "no machine": {"ends": "0.0.0.0"},
    "no address": {"ends": ""},
    "an address that is none": {"ends": "somewhere"},
    "this process": {"resource": "TCPIP0::SIM-AMMETER::inst0::INSTR"},
    "this process in small letters": {"resource": "TCPIP0::sim-ammeter::inst0::INSTR"},
    "not told how": {"interface": "", "ends": ""},
    "told otherwise than named": {"interface": "USB"},
    "an unknown interface": {"resource": "VICP::192.0.2.7::INSTR", "interface": "VICP"},
    "doubted": {"doubt": "192.0.2.7 is an address of this machine"},
    "a pseudo-terminal": {
        "resource": "ASRL/dev/lab::INSTR", "interface": "ASRL", "ends": "/dev/pts/3",
    },
    "a pseudo-terminal of macOS": {
        "resource": "ASRL/dev/ttys003::INSTR", "interface": "ASRL", "ends": "/dev/ttys003",
    },
    "a URL": {
        "resource": "ASRLsocket://192.0.2.7:5::INSTR", "interface": "ASRL",
        "ends": "socket://192.0.2.7:5",
    },
    "simulated": {"serial": "SIM-ammeter-01", "named": "SIM-ammeter-01"},
    "simulated in small letters": {"serial": " sim-ammeter-01", "named": "sim-ammeter-01"},
    "without a serial number": {"serial": ""},
    "without one, in the standard's word": {"serial": "0", "named": "0"},
    "without a certificate": {"certificate": ""},
    "with an empty certificate": {"certificate": " "},
    "without a due date": {"due": ""},
    "with the record of no unit": {"named": ""},
    "with the record of another unit": {"named": "MY99"},
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
@pytest.mark.parametrize("role", ["stimulator", "cutoff"])
def test_one_role_that_does_not_earn_it_marks_the_run(role, name):
    made = found(bodies(**{role: SPOILED[name]}))
    assert made.word == SIMULATED
    assert list(made.unearned) == [role]
    assert made.reason == f"{role}: {made.unearned[role]}"


@given(
    role=st.sampled_from(ROLES),
    change=st.sampled_from(list(SPOILED.values())),
    others=st.tuples(*[st.sampled_from(list(WIRES.values()))] * len(ROLES)),
)
def test_no_mixture_with_a_spoiled_role_is_hardware(role, change, others):
    """Whatever wires the others have."""
    wired = {
        name: dict(zip(("resource", "interface", "ends"), wire, strict=True))
        for name, wire in zip(ROLES, others, strict=True)
    }
    made = found(bodies(**{**wired, role: change}))
    assert (made.word, list(made.unearned)) == (SIMULATED, [role])


@given(
    address=st.one_of(
        st.ip_addresses(v=4, network="127.0.0.0/8").map(str),
        st.ip_addresses(v=4, network="127.0.0.0/8").map(lambda ip: f"::ffff:{ip}"),
        st.just("::1"),
    ),
    role=st.sampled_from(ROLES),
)
def test_no_address_of_the_loopback_interface_is_hardware(address, role):
    assert found(bodies(**{role: {"ends": address}})).word == SIMULATED
    if ":" not in address:
        there = {"resource": f"TCPIP0::{address}::inst0::INSTR"}
        assert found(bodies(**{role: there})).word == SIMULATED


@given(serial=st.text(NUMBERS, max_size=12), role=st.sampled_from(ROLES))
def test_no_serial_number_of_a_simulated_instrument_is_hardware(serial, role):
    said = {"serial": f"SIM-{serial}", "named": f"SIM-{serial}"}
    assert found(bodies(**{role: said})).word == SIMULATED


@given(missing=st.sets(st.sampled_from(ROLES), min_size=1))
def test_a_role_that_nobody_filled_is_not_earned(missing):
    made = found([each for each in bodies() if each["role"] not in missing])
    assert (made.word, set(made.unearned)) == (SIMULATED, missing)
    assert "nobody was identified" in made.reason


def test_a_role_that_answered_twice_must_have_earned_it_twice():
    again = body("ammeter", **SPOILED["simulated"])
    assert found([*bodies(), again]).word == SIMULATED
    assert found([again, *bodies()]).word == SIMULATED
    assert found([*bodies(), body("thermometer", certificate="")]).word == SIMULATED
    assert found([*bodies(), body("ammeter")]).word == HARDWARE


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((), ()),
        ((), (ATTESTED,)),
        ((("armed", {}), ATTESTED), ()),
        ((("attestation", {"name": " ", "statement": "x"}),), ()),
        ((("attestation", {"name": "A. Person", "statement": ""}),), ()),
    ],
)
def test_without_a_statement_before_anything_has_power_nothing_is_hardware(before, after):
    made = found(bodies(), before=before, after=after)
    assert (made.word, list(made.unearned)) == (SIMULATED, [OPERATOR])
    assert "nobody stated" in made.reason


@pytest.mark.parametrize(
    "planned",
    [
        {"expected": SIMULATED},
        {"faults": ["F06"]},
        {"firmware": {"name": "ionto.so", "sha256": "a" * 64}},
    ],
)
def test_what_was_planned_may_only_lower_it(planned):
    made = found(bodies(), **planned)
    assert (made.word, list(made.unearned)) == (SIMULATED, [RUN])


def test_a_simulated_run_says_what_its_plan_says():
    planned = {"real": False, "expected": SIMULATED, "expected_reason": "all is simulated"}
    assert found(bodies(), **planned).reason == "all is simulated"
    assert found([], **planned).reason == "all is simulated; nobody was identified"
    assert earned({}, journal()).word == SIMULATED


@pytest.mark.parametrize("serial", ["", "0", " "])
def test_a_serial_number_that_is_none_is_told_as_none(serial):
    why = lacking(bodies(ammeter={"serial": serial, "named": serial}))["ammeter"]
    assert why.startswith("it has no serial number")


def test_roles_with_the_same_reason_are_told_together():
    made = lacking(bodies(ammeter={"certificate": ""}, load={"certificate": ""}))
    said = provenance.in_words(made)
    assert said.startswith("ammeter, load: it has no calibration record")


# --- where a resource leads ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "where", "ends"),
    [
        ("TCPIP0::SIM-LOAD::inst0::INSTR", Where.INSIDE, ()),
        ("TCPIP0::127.0.0.1::5025::SOCKET", Where.HERE, ("127.0.0.1",)),
        ("TCPIP0::127.0.0.1,1024::inst0::INSTR", Where.HERE, ("127.0.0.1",)),
        ("TCPIP0::127.1::hislip0,4880::INSTR", Where.HERE, ("127.0.0.1",)),
        ("TCPIP::2130706433::INSTR", Where.HERE, ("127.0.0.1",)),
        ("TCPIP0::192.0.2.7::inst0::INSTR", Where.AWAY, ("192.0.2.7",)),
        ("TCPIP0::0.0.0.0::inst0::INSTR", Where.NOWHERE, ("0.0.0.0",)),
        ("GPIB0::7::INSTR", Where.AWAY, ()),
        ("USB0::0x2A8D::0x0101::MY1::INSTR", Where.AWAY, ()),
        ("ASRLsocket://127.0.0.1:50::INSTR", Where.HERE, ("socket://127.0.0.1:50",)),
        ("ASRL/dev/no-such-line::INSTR", Where.NOWHERE, ("/dev/no-such-line",)),
        ("ASRL/dev/null::INSTR", Where.HERE, ("/dev/null",)),
        ("VICP::192.0.2.7::INSTR", Where.NOWHERE, ("192.0.2.7",)),
    ],
)
def test_where_a_resource_leads(resource, where, ends):
    seen = reach_of(resource)
    assert (seen.where, seen.ends) == (where, ends)
    assert bool(seen.doubt) is (where is not Where.AWAY)


def test_a_pseudo_terminal_is_this_machine_under_whatever_name(tmp_path):
    import os
    import pty

    ours, theirs = pty.openpty()
    try:
        name = os.ttyname(theirs)
        (tmp_path / "lab").symlink_to(name)
        for device in (name, tmp_path / "lab"):
            seen = reach_of(f"ASRL{device}::INSTR")
            assert (seen.where, seen.ends) == (Where.HERE, (name,))
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_host_is_what_its_addresses_are(monkeypatch):
    known = {"lab": ["192.0.2.7"], "near": ["127.0.0.1", "::1"], "both": ["192.0.2.7", "::1"]}

    def resolve(host, *_, **__):
        if host not in known:
            raise OSError("Name or service not known")
        return [(0, 0, 0, "", (address, 0)) for address in known[host]]

    monkeypatch.setattr(reach.socket, "getaddrinfo", resolve)
    found = {host: reach_of(f"TCPIP0::{host}::inst0::INSTR") for host in (*known, "gone")}
    assert [found[host].where for host in found] == [
        Where.AWAY, Where.HERE, Where.NOWHERE, Where.NOWHERE,
    ]  # fmt: skip
    assert "gone has no address here" in found["gone"].doubt
    monkeypatch.setattr(reach, "_is_ours", lambda address: True)
    assert reach_of("TCPIP0::lab::inst0::INSTR").where is Where.NOWHERE


def test_an_address_of_this_machine_is_known_by_what_may_be_bound():
    assert reach._is_ours("127.0.0.1")  # noqa: SLF001  # what no test machine has for certain
    assert not reach._is_ours("192.0.2.7")  # noqa: SLF001  # set aside for documents


def test_what_is_no_resource_name_is_refused():
    with pytest.raises(ConfigurationError, match="resource = 'TCPIP0::::1::INSTR'"):
        reach_of("TCPIP0::::1::INSTR")


# --- what a bench file may ask for ---------------------------------------------------------------


def real_bench(tmp_path, *edits, certified=True):
    """The starter as a bench of real instruments: of each role resource, serial and record."""
    text = starter("bench")
    for role in ROLES:
        place = ROLES.index(role) + 10
        lines = f'resource = "TCPIP0::192.0.2.{place}::inst0::INSTR"\nserial = "{role}-01"'
        if certified:
            lines += f'\ncertificate = "C-{place}"\ncalibrated = {CALIBRATED}\ndue = {DUE}'
        named = f'resource = "TCPIP0::SIM-{role.upper()}::inst0::INSTR"'
        assert named in text
        text = text.replace(named, lines)
    text = re.sub(r"(?s)# Dry skin.*?\n\n", "", text)
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "lab.toml"
    path.write_text(text)
    return path


def made_of(path, **options):
    return plan.make(plan.Options(bench=path, **options))


def test_a_bench_whose_every_role_is_real_is_accepted(tmp_path):
    made = made_of(real_bench(tmp_path), attest="A. Person")
    assert (made.kind, made.expected) == (Kind.HARDWARE, HARDWARE)
    assert plan.told(made) == "HARDWARE possible:"
    assert "independent cut-off" in made.lease
    said = "\n".join(plan.hazard(made))
    assert "Nobody may be connected" in said
    assert "A. Person states: No person is connected" in said
    assert "192.0.2.16" in said


def test_a_software_cut_off_is_called_one(tmp_path):
    edit = ('cutoff_kind = "independent"', 'cutoff_kind = "software"')
    assert "software cut-off" in plan.hazard(made_of(real_bench(tmp_path, edit)))[-1]


def test_a_bench_without_calibration_records_is_driven_and_simulated_is_foreseen(tmp_path):
    made = made_of(real_bench(tmp_path, certified=False), attest="A. Person")
    assert (made.kind, made.expected) == (Kind.HARDWARE, SIMULATED)
    assert "cutoff: it has no calibration record" in made.expected_reason
    assert plan.told(made) == "SIMULATED expected:"
    assert any("no evidence of conformity: " in line for line in plan.hazard(made))


ONE = "TCPIP0::192.0.2.16::inst0::INSTR"
REFUSED = {
    "a simulated cut-off": ((ONE, "TCPIP0::SIM-CUTOFF::inst0::INSTR"), "protects nobody"),
    "a served cut-off": ((ONE, "TCPIP0::127.0.0.1::5025::SOCKET"), "protects nobody"),
    "a cut-off on a line of no hardware": ((ONE, "ASRL/dev/null::INSTR"), "protects nobody"),
    "a host that nobody knows": ((ONE, "TCPIP0::no.such.invalid::INSTR"), "has no address here"),
    "a clock of its own": (("scale = 1.0", "scale = 5.0"), "a second is a second"),
    "a build of firmware": (
        ("[clock]", f'[firmware]\nname = "a.so"\nsha256 = "{"a" * 64}"\n\n[clock]'),
        "what hil serve declares",
    ),
    "skin that yields": (
        ("[wiring]", '[loads.dry]\nchannel = 115\nseries = "470 ohm"\nparallel = "50 kohm"\n'
         'capacitance = "1 nF"\nfinal_resistance = "3 kohm"\nfall_time = "45 s"\n\n[wiring]'),
        "simulated only",
    ),
    "wiring that is not told": (('ground = "floating', '# ground = "floating'), "wiring.ground"),
    "a driver that there is none of": (('driver = "rigol-dp800"', 'driver = "x"'), "allowed"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_bench_that_is_not_safe_to_drive_is_refused_before_anything_is_opened(tmp_path, name):
    edit, said = REFUSED[name]
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        made_of(real_bench(tmp_path, edit), attest="A. Person")


@pytest.mark.parametrize(
    ("options", "said"),
    [({"faults": ("F06",)}, "hil serve --fault"), ({"firmware": "a.so"}, "hil serve --firmware")],
)
def test_what_is_simulated_only_is_refused_on_a_real_bench(tmp_path, options, said):
    with pytest.raises(UsageError, match=said):
        made_of(real_bench(tmp_path), attest="A. Person", **options)


def test_a_real_bench_is_not_served(tmp_path):
    with pytest.raises(ConfigurationError, match="hil serve simulates"):
        plan.make(plan.Options(bench=real_bench(tmp_path)), driven=False)


# --- nobody is connected -------------------------------------------------------------------------


def test_a_real_bench_is_not_begun_without_a_statement(tmp_path):
    made = made_of(real_bench(tmp_path))
    with pytest.raises(UsageError, match="nobody states that no person is connected"):
        plan.begin(tmp_path / "runs", made, [], lambda: NOON)
    assert not (tmp_path / "runs").exists()


def test_the_command_line_asks_nobody_where_nobody_sits(hil, tmp_path):
    real_bench(tmp_path)
    code, out, lines = hil("run", "--bench", "lab.toml")
    assert (code, out) == (11, "")
    assert "--attest" in lines[0]
    assert "nothing was opened" in lines[0]
    assert [path.name for path in tmp_path.iterdir()] == ["lab.toml"]


def test_check_says_what_a_real_bench_is(hil, tmp_path):
    real_bench(tmp_path)
    code, out, _ = hil("check", "--bench", "lab.toml")
    assert code == 0
    assert "Nobody may be connected" in out


@pytest.fixture
def hil(monkeypatch, tmp_path, capsys):
    from hil_fixtures import cli

    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["hil", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err.splitlines()

    return call


def test_a_person_at_a_terminal_is_asked_for_name_and_statement(tmp_path):
    from hil_fixtures.cli.attesting import asked

    made, read = made_of(real_bench(tmp_path)), io.StringIO()
    answers = io.StringIO(" A. Person \nNOBODY IS CONNECTED\n")
    assert asked(made, answers, read) == "A. Person"
    for said in ("A REAL DEVICE", "Nobody may be connected", "192.0.2.10", plan.ATTESTATION):
        assert said in read.getvalue()


class Terminal(io.StringIO):
    """Standard input or output at which somebody sits."""

    def isatty(self):
        return True


@pytest.mark.parametrize("sits", [(True, True), (True, False), (False, True)])
def test_a_name_is_asked_for_only_where_somebody_sits_at_both_ends(tmp_path, monkeypatch, sits):
    from hil_fixtures.cli.attesting import ask

    kinds = [Terminal if here else io.StringIO for here in sits]
    monkeypatch.setattr("sys.stdin", kinds[0]("A. Person\nNOBODY IS CONNECTED\n"))
    monkeypatch.setattr("sys.stdout", kinds[1]())
    made = made_of(real_bench(tmp_path))
    if all(sits):
        assert ask(made) == "A. Person"
        return
    with pytest.raises(UsageError, match="nothing was opened"):
        ask(made)


@pytest.mark.parametrize("typed", ["", "\n", "A. Person\n", "A. Person\nyes\n", "A. Person\ny"])
def test_another_answer_than_the_statement_ends_it(tmp_path, typed):
    from hil_fixtures.cli.attesting import asked

    with pytest.raises(UsageError, match="nothing was opened"):
        asked(made_of(real_bench(tmp_path)), io.StringIO(typed), io.StringIO())


def test_a_run_that_is_joined_without_a_statement_is_refused(tmp_path):
    from hil_fixtures.campaign import Campaign
    from hil_reports.evidence import JOURNAL

    path = real_bench(tmp_path)
    with begun(tmp_path, path) as evidence:
        folder = evidence.folder
    written = folder / "data" / JOURNAL
    lines = written.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b'"kind":"attestation"' not in line]
    assert len(kept) == len(lines) - 1
    written.write_bytes(b"".join(kept))
    with pytest.raises(UsageError, match="nobody states that no person is connected"):
        Campaign.join(plan.Options(bench=path, suites=("polarity",)), folder)


# --- every channel in which it is printed --------------------------------------------------------


def begun(tmp_path, path):
    made = made_of(path, attest="A. Person", suites=("polarity",))
    return plan.begin(tmp_path / "runs", made, [], lambda: NOON)


def left(tmp_path, instruments):
    """A run folder that claims HARDWARE, with what came of it, sealed by nobody."""
    with begun(tmp_path, real_bench(tmp_path)) as evidence:
        items = [{"test": "t:a", "requirements": ["POL-SIGN"], "doc": ""}]
        evidence.append("collected", {"items": items, "plugins": [], "errors": []})
        for each in instruments:
            evidence.append("instrument", each)
        evidence.append("end", {"pytest_exit": 0, "seconds": 1.0})
        folder = evidence.folder
    return folder, write_report(folder)


@pytest.fixture(scope="module")
def channels(tmp_path_factory):
    """Of a run that earned it and of one that did not: what each channel says."""
    spoiled = bodies(load=SPOILED["simulated"])
    return {
        word: said_by(tmp_path_factory.mktemp("run"), instruments)  # a path says neither word
        for word, instruments in ((HARDWARE, bodies()), (SIMULATED, spoiled), ("CRASHED", []))
    }


def said_by(tmp_path, instruments):
    """Channel to what it says of the provenance of a run."""
    folder, conclusion = left(tmp_path, instruments)
    report = folder / "report"
    summary = json.loads((report / "summary.json").read_text())
    junit = ET.parse(report / "junit.xml").getroot()  # ours
    Register(tmp_path / "runs", lambda: NOON).close(folder, conclusion)
    closed = Register(tmp_path / "runs", lambda: NOON).entries()[-1].body
    with opened(tmp_path / "runs") as index:
        index.refresh()
        (row,) = index.runs()
    signed = json.loads(attestation.statement(attestation.subjects_of("a", "b", "c"), conclusion))
    run = signed["predicate"]["configuration"][0]["annotations"]
    (executor,) = report.glob("allure-results/executor.json")
    (environment,) = report.glob("allure-results/environment.properties")
    results = [path.read_text() for path in report.glob("allure-results/*-result.json")]
    printed = io.StringIO()
    whole = {**conclusion.run, "partial": ""}
    complied = replace(conclusion, exit_code=ExitCode.COMPLIES, run=whole)
    Progress(Console(file=printed, width=200)).end(folder, complied)
    return {
        "summary": summary["provenance"],
        "summary's reason": summary["provenance_reason"],
        "junit": junit.find(".//property[@name='provenance']").get("value"),
        "html": (report / "index.html").read_text(),
        "pdf": pdf_text(report / "compliance.pdf"),
        "register": closed["provenance"],
        "index and history": row.provenance,
        "attestation": run["provenance"],
        "attested, to verify": attestation.attested_of(conclusion),
        "allure executor": json.loads(executor.read_text())["reportName"],
        "allure environment": environment.read_text(),
        "allure results": "".join(results),
        "terminal": printed.getvalue(),
        "replay": conclude(read_journal(folder).records).provenance.word,
    }


def pdf_text(path):
    from pypdf import PdfReader

    return "\n".join(page.extract_text() for page in PdfReader(path).pages)


WORDS = ("summary", "junit", "register", "index and history", "attestation", "replay")
TEXTS = ("html", "pdf", "allure executor", "allure environment", "terminal", "attested, to verify")


@pytest.mark.parametrize("run", ["CRASHED", SIMULATED])
@pytest.mark.parametrize("channel", WORDS)
def test_a_word_of_provenance_is_the_earned_one(channels, run, channel):
    assert channels[run][channel] == SIMULATED
    assert channels[HARDWARE][channel] == HARDWARE


@pytest.mark.parametrize("run", ["CRASHED", SIMULATED])
@pytest.mark.parametrize("channel", TEXTS)
def test_a_text_never_calls_a_simulated_run_one_on_hardware(channels, run, channel):
    assert SIMULATED in channels[run][channel]
    assert HARDWARE not in channels[run][channel]
    assert HARDWARE in channels[HARDWARE][channel]
    assert SIMULATED not in channels[HARDWARE][channel]


def test_a_banner_stands_over_all_but_hardware(channels):
    for run, unearned in ((HARDWARE, False), (SIMULATED, True), ("CRASHED", True)):
        assert ('class="banner' in channels[run]["html"]) is unearned
        assert (channels[run]["pdf"].count(SIMULATED) > 4) is unearned  # head and foot of each page


def test_allure_marks_each_result(channels):
    assert '"hardware"' in channels[HARDWARE]["allure results"]
    for run in (SIMULATED, "CRASHED"):
        assert '"hardware"' not in channels[run]["allure results"]
        assert "not evidence of device conformity" in channels[run]["allure results"]


def test_the_reason_names_who_did_not_earn_it(channels):
    assert channels[SIMULATED]["summary's reason"].startswith("load: its serial number SIM-")
    assert "nobody was identified" in channels["CRASHED"]["summary's reason"]
    for channel in ("html", "pdf"):
        assert "Not shown to be hardware" in channels[SIMULATED][channel]


@pytest.mark.parametrize(("spoiled", "code"), [({}, 0), ({"load": {"serial": "SIM-1"}}, 10)])
def test_hardware_that_was_required_and_claimed_must_have_been_earned(spoiled, code):
    """A journal that claims HARDWARE concludes what its roles have earned, no more."""
    empty = {"device": {}, "bench": {}, "catalogues": [], "requirements": []}
    entries = [
        ("run", RUN_BODY | {"required": HARDWARE, "partial": ""}),
        ("plan", empty),
        ATTESTED,
        *(("instrument", each) for each in bodies(**spoiled)),
        ("end", {"pytest_exit": 0, "seconds": 1.0}),
    ]
    made = conclude(journal(*entries))
    missed = [reason for reason in made.reasons if reason.startswith("HARDWARE was required")]
    assert bool(missed) is bool(code)
    assert made.provenance.hardware is not bool(code)


# --- a stand that answers as hardware does -------------------------------------------------------


@pytest.fixture
def stand(monkeypatch, tmp_path):
    """Open a real bench's resources, at which a twin answers; its serial numbers are made real."""
    from hil_fixtures import station
    from hil_instruments import transport

    description, profile = read_bench(real_bench(tmp_path)), read_device(None)
    twin = SimulatedBench(profile, description)
    manager = backend.resource_manager(twin)
    monkeypatch.setattr(transport, "open_manager", lambda library="@py": manager)
    monkeypatch.setattr(station, "WallClock", lambda scale: twin.clock)
    honest = transport.Session.identify

    def open_it(*honestly):
        def identify(session):
            told = honest(session)
            serial = told.serial.removeprefix("SIM-")
            if serial.partition("-0")[0] not in honestly:
                session._identity = told = replace(told, serial=serial)  # noqa: SLF001  # the lie
            return told

        monkeypatch.setattr(transport.Session, "identify", identify)
        return open_station(profile, description, today=date(2026, 1, 1))

    yield open_it, twin
    manager.close()


def test_instruments_that_answer_as_real_ones_earn_it(stand):
    open_it, twin = stand
    opened_one = open_it()
    assert opened_one.twin is None
    assert not twin.circuit.cutoff_closed
    made = found(opened_one.instruments)
    assert (made.word, made.unearned) == (HARDWARE, {})
    opened_one.close()


class Held:
    """A cut-off as the sentinel holds it, without the sentinel's process."""

    def __init__(self, cutoff):
        self._cutoff = cutoff
        self.identity = cutoff._session.identity  # noqa: SLF001  # what the sentinel tells

    def identify(self):
        """Ask the relay again."""
        return self._cutoff._session.identify()  # noqa: SLF001  # as the sentinel does

    def progressed(self):
        """Count nothing: nobody watches here."""

    def __getattr__(self, name):
        return getattr(self._cutoff, name)


def test_a_whole_arming_on_such_a_stand_comes_out_as_hardware(stand, tmp_path, monkeypatch):
    """By the same door, pre-flight, cut-off and safe state as on every other bench."""
    from hil_fixtures.campaign import Campaign

    open_it, _ = stand
    open_it().close()
    made = made_of(tmp_path / "lab.toml", attest="A. Person", suites=("polarity",))
    evidence = plan.begin(tmp_path / "runs", made, [], lambda: NOON)
    monkeypatch.setattr(Campaign, "_held", lambda self, reach: Held(reach()))
    campaign = Campaign(made, evidence)
    campaign.begin_test("t:a")
    record = campaign.bench.record(Scenario.treatment(1 * mA, hold=Exact.parse("1 s")))
    assert record.waveforms
    concluded = campaign.close(0, 1.0)
    assert (concluded.provenance.word, concluded.provenance.unearned) == (HARDWARE, {})
    assert concluded.offs[-1].confirmed
    kinds = [entry.kind for entry in read_journal(evidence.folder).records]
    assert kinds.index("attestation") < kinds.index("stimulus") < kinds.index("armed")


@pytest.mark.parametrize("role", ROLES)
def test_a_simulated_instrument_that_answers_on_a_real_bench_is_refused(stand, role, monkeypatch):
    open_it, twin = stand
    from hil_instruments import transport

    monkeypatch.setattr(transport, "check_identity", lambda *_: None)  # else it refuses first
    with pytest.raises(BenchError, match=f"{role}: serial number SIM-.*simulated instrument"):
        open_it(role)
    assert not twin.circuit.cutoff_closed
    assert role == "stimulator" or not twin.circuit.powered  # it alone answers with power


def test_a_real_instrument_that_answers_on_a_simulated_bench_is_refused(monkeypatch):
    from hil_instruments import transport

    honest = transport.Session.identify

    def identify(session):
        session._identity = replace(honest(session), serial="MY1")  # noqa: SLF001  # a tunnel
        return session.identity

    monkeypatch.setattr(transport.Session, "identify", identify)
    with pytest.raises(BenchError, match="'MY1' does not start with SIM-: a real instrument"):
        open_station(read_device(None), read_bench(None), today=date(2026, 1, 1))


def test_what_a_simulated_bench_is_made_of_is_known():
    assert check_resources(read_bench(None)) is Kind.IN_PROCESS
