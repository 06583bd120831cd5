"""Stimulators that are none of ours: words from a device file, drivers from another package."""

from __future__ import annotations

import dataclasses
import importlib
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from framework import foreign_stimulators as foreign
from hil.bench import BenchDescription, InstrumentEntry
from hil.device import DeviceProfile, ErrorWords, Polarity, Reporting, State, Wire
from hil.errors import (
    BenchError,
    ConfigurationError,
    ConnectionLost,
    HilError,
    InstrumentError,
    Unavailable,
    UsageError,
)
from hil.exact import Exact
from hil.measurement import Calibration
from hil.units import A, C, V, mA, quantity, s
from hil_fixtures.config import check_bench, read_bench, read_device, starter
from hil_fixtures.conformance import Conformance, Tap, run
from hil_fixtures.conformance import stimulator as conformance
from hil_fixtures.sentinel import claim
from hil_instruments import drivers, transport
from hil_instruments.drivers import plugins
from hil_instruments.simulated import backend
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.faults.link import LinkFault
from hil_instruments.simulated.servers.served import BenchServer, Protocol

SCPI = read_device(None)
ENTRY = InstrumentEntry("stimulator", "scpi-stimulator", "RESOURCE", "Maker", "Model")


@pytest.fixture(scope="module", autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example package, installed."""
    with foreign.installed(tmp_path_factory.mktemp("site")):
        yield


@pytest.fixture(scope="module")
def makes(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[DeviceProfile, BenchDescription]]:
    """Make to device and bench: ours, text that is no SCPI, and frames."""
    gx2 = foreign.described(
        tmp_path_factory.mktemp("gx2"), foreign.gx2_device(), foreign.gx2_bench()
    )
    d1 = foreign.described(tmp_path_factory.mktemp("d1"), foreign.d1_device(), foreign.d1_bench())
    return {"scpi": (SCPI, read_bench(None)), "gx2": gx2, "d1": d1}


class Rig:
    """One stimulator with power, in this process, behind an open cut-off."""

    def __init__(self, profile: DeviceProfile, bench: BenchDescription, resource: str = "") -> None:
        if resource:
            moved = dataclasses.replace(bench.instruments["stimulator"], resource=resource)
            bench = dataclasses.replace(
                bench, instruments={**bench.instruments, "stimulator": moved}
            )
        self.profile, self.entry = profile, bench.instruments["stimulator"]
        self.twin: SimulatedBench = foreign.powered(profile, bench)
        self.clock = self.twin.clock
        self.session = transport.connect(
            backend.resource_manager(self.twin),
            self.entry,
            self.clock,
            manner=drivers.manner(self.entry, profile),
        )
        self.device = self.made(self.session)

    def made(self, session: transport.Session) -> Any:
        return drivers.stimulator(session, self.clock, self.entry, Calibration.VALID, self.profile)

    def subject(self, make: Callable[[Any], Any] | None = None) -> conformance.StimulatorSubject:
        return conformance.StimulatorSubject(
            role="stimulator",
            session=self.session,
            clock=self.clock,
            make=make or self.made,
            profile=self.profile,
        )


@pytest.fixture(params=["scpi", "gx2", "d1"])
def rig(
    request: pytest.FixtureRequest, makes: dict[str, tuple[DeviceProfile, BenchDescription]]
) -> Iterator[Rig]:
    made = Rig(*makes[request.param])
    yield made
    made.session.close()


# Each make on the simulated bench


def test_a_device_of_any_make_is_driven_through_a_treatment(rig: Rig) -> None:
    device = rig.device
    assert device.serial == "SIM-stimulator-01"
    assert device.self_test() is True
    device.configure(quantity(1.5, mA), Polarity.NEGATIVE, None)
    assert (device.state(), device.errors()) == (State.IDLE, [])
    firmware: Any = rig.twin.device.firmware
    assert firmware.settings.current == pytest.approx(1.5e-3)
    assert firmware.settings.polarity is Polarity.NEGATIVE
    assert firmware.settings.dose == pytest.approx(4.8)
    assert device.fault() == ""
    rig.twin.circuit.set_cutoff(True)
    rig.twin.circuit.select_load(rig.twin.description.loads["2k"])
    device.start()
    rig.clock.sleep(35)
    assert device.state() is State.HOLD
    assert device.claimed_current().m_as(A) == pytest.approx(1.5e-3, rel=0.03)
    assert device.impedance().m_as("ohm") == pytest.approx(2000, rel=0.1)
    claimed = device.claimed_charge().m_as(C)
    assert claimed == pytest.approx(firmware.charge(), abs=1e-4)
    device.set_polarity(Polarity.POSITIVE)
    assert len(device.errors()) == 1  # refused while it delivers
    device.set_current(quantity(1.0, mA))
    rig.clock.sleep(20)
    assert device.claimed_current().m_as(A) == pytest.approx(1e-3, rel=0.03)
    device.pause()
    rig.clock.sleep(10)
    assert device.state() is State.PAUSED
    device.resume()
    rig.clock.sleep(2)
    device.stop()
    assert device.state() is State.RAMP_DOWN
    rig.clock.sleep(10)
    assert (device.state(), device.errors()) == (State.DONE, [])
    device.start()
    rig.clock.sleep(31)
    rig.twin.circuit.select_load(None)
    rig.clock.sleep(1)
    assert (device.state(), device.fault()) == (State.FAULT, "OPEN")
    assert device.impedance().m_as("ohm") > 1e5
    device.acknowledge()
    device.abort()
    assert (device.state(), device.fault(), device.errors()) == (State.IDLE, "", [])


def test_a_setting_between_two_steps_is_refused_never_rounded(makes) -> None:
    for make, fine in (("gx2", "1.0005 mA"), ("d1", "1.005 mA")):
        rig = Rig(*makes[make])
        rig.device.configure(quantity(1.0, mA), Polarity.POSITIVE, None)
        with pytest.raises(UsageError, match=r"rounded|whole number of steps"):
            rig.device.configure(Exact.parse(fine).quantity, Polarity.POSITIVE, None)
        firmware: Any = rig.twin.device.firmware
        assert firmware.settings.current == 1e-3
        rig.session.close()


@pytest.mark.parametrize("fault", ["late", "truncated", "silent", "duplicated", "dropped"])
@pytest.mark.parametrize("make", ["scpi", "gx2", "d1"])
def test_a_reply_that_the_link_spoils_is_a_typed_error_or_the_truth(makes, make, fault) -> None:
    extent = {"late": 5.0, "truncated": 0.5}.get(fault)
    more = {} if extent is None else {"extent": extent}
    rig = Rig(*makes[make])
    rig.device.configure(quantity(1.5, mA), Polarity.POSITIVE, None)
    uses = ("state", "fault", "claimed_current", "claimed_charge", "impedance")
    truth = {use: str(getattr(rig.device, use)()) for use in uses}
    for use in uses:
        rig.twin.links["stimulator"].set([LinkFault(kind=fault, first=1, every=0, **more)])
        told = []
        for _ in range(3):
            try:
                told.append(str(getattr(rig.device, use)()))
            except HilError:
                rig.twin.links["stimulator"].set(())
                if rig.session.poisoned:
                    rig.session.recover()
        if make == "scpi" and fault == "truncated":
            continue  # half of 0.000000E+00 is a number: no form of SCPI can tell
        assert set(told) <= {truth[use]}, use
        assert told  # after the fault it answers again
    rig.session.close()


def test_a_garbled_frame_is_found_by_its_checksum(makes) -> None:
    rig = Rig(*makes["d1"])
    rig.device.configure(quantity(1.5, mA), Polarity.POSITIVE, None)
    refused = 0
    for _ in range(60):
        rig.twin.links["stimulator"].set([LinkFault(kind="garbled", first=1, every=0)])
        try:
            assert rig.device.claimed_current().m_as(A) == 0
        except HilError:
            refused += 1
            if rig.session.poisoned:
                rig.session.recover()
    assert refused == 60
    rig.session.close()


STATUS = "I+" + "0150" + "048000" + "00000" + "000000" + "999999"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (f"\x06?{STATUS.replace('0150', '0250')}", "wrong checksum"),
        ("\x15" + "4", "wrong checksum"),
        (f"\x06?Z{STATUS[1:]}", "unknown state 'Z'"),
        (f"\x06?{STATUS[:-3]}", "is no status"),
        (f"\x06V{STATUS}", "answer to something else"),
        ("\x154", "refused: not in this state"),
        ("", "no frame"),
    ],
)
def test_a_frame_that_is_none_is_a_typed_error(body: str, told: str) -> None:
    frames: Any = importlib.import_module("dermalux_stimproof")
    reply = body + frames.checksum(body[1:] if "checksum" not in told else f"?{STATUS}")
    script = Script()
    script.query = lambda text, timeout=None: reply  # type: ignore[method-assign, misc]
    device = frames.DermaluxD1(script, script, ENTRY, Calibration.VALID, SCPI)
    with pytest.raises(InstrumentError, match=told):
        device.state()


# The words of a device file, over a scripted session


class Script:
    """Stands in for a session: answers from a table, remembers what was sent."""

    name = "stimulator at RESOURCE"

    def __init__(self, **replies: Any) -> None:
        self.replies, self.sent, self.time = replies, [], 0.0
        self.late: list[str] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def write(self, text: str) -> None:
        self.sent.append((round(self.time, 3), text))

    def stop_write(self, text: str, *, answered: bool = False) -> None:
        self.write(f"{text} answered" if answered else text)

    def query(self, text: str, *, timeout: float | None = None) -> str:
        self.write(text)
        reply = self.replies.get(text.split()[0].rstrip("?"), "OK")
        return str(reply.pop(0) if isinstance(reply, list) else reply)

    def discard(self) -> None:
        """Throw away nothing: no reply of a script waits."""

    def late_answers(self) -> list[str]:
        found, self.late = self.late, []
        return found


WIRE = Wire(
    commands={
        "set_current": "I {}",
        "set_polarity": "P {}",
        "set_dose": "Q {}",
        "start": "GO",
        "stop": "HALT",
        "abort": "OFF",
        "query_state": "ST",
        "query_fault": "AL",
        "query_current": "RI",
        "query_charge": "RQ",
        "query_impedance": "RZ",
    },
    units={"current": Exact.parse("1 uA"), "charge": Exact.parse("1 mC")}
    | {"impedance": Exact.parse("1 ohm")},
    states={"ST_IDLE": State.IDLE, "ST_RUN": State.HOLD},
    polarities={Polarity.POSITIVE: "+", Polarity.NEGATIVE: "-"},
    errors=ErrorWords(Reporting.ANSWER),
)
READBACKS = {"query_set_current": "SI", "query_set_polarity": "SP", "query_set_dose": "SQ"}


def scripted(script: Script, **changed: Any) -> Any:
    wire = dataclasses.replace(WIRE, **changed)
    profile = dataclasses.replace(SCPI, wire=wire)
    return drivers.ScpiStimulator(script, script, ENTRY, Calibration.VALID, profile)  # type: ignore[arg-type]


def configured(device: Any) -> None:
    device.configure(quantity(1.5, mA), Polarity.NEGATIVE, quantity(0.3, C))


def test_an_answer_that_refuses_a_setting_is_an_error() -> None:
    configured(scripted(Script()))
    with pytest.raises(InstrumentError, match=r"refused one of 'I 1500'.*P -: ERR 7"):
        configured(scripted(Script(P="ERR 7")))


def test_an_answer_that_refuses_a_command_is_kept_for_errors() -> None:
    script = Script(GO="ERR 3")
    device = scripted(script)
    device.start()
    device.stop()
    script.late = ["OK", "ERR 9"]
    assert device.errors() == ["GO: ERR 3", "ERR 9"]
    assert device.errors() == []
    assert [text for _, text in script.sent] == ["GO", "HALT answered"]


def test_a_stop_that_is_not_answered_is_not_waited_for() -> None:
    script = Script()
    device = scripted(script, errors=ErrorWords(Reporting.ANSWER, silent=frozenset({"abort"})))
    device.stop()
    device.abort()
    assert [text for _, text in script.sent] == ["HALT answered", "OFF"]


@pytest.mark.parametrize("answer", ["", "0", "O", "OK OK", "ERR", "ERROR 3", "1500"])
def test_an_answer_that_is_neither_form_is_an_error(answer: str) -> None:
    with pytest.raises(InstrumentError, match=r"expected OK or ERR"):
        scripted(Script(GO=answer)).start()


def test_a_query_that_is_refused_is_no_value() -> None:
    with pytest.raises(InstrumentError, match=r"'ST': the device refused: ERR 3"):
        scripted(Script(ST="ERR 3")).state()


def test_status_bits_are_refusals_where_the_mask_says() -> None:
    words = ErrorWords(Reporting.STATUS, "EV", "EV={}", mask=0x30)
    script = Script(EV=["EV=0x00", "EV=0x0F", "EV=0x21", "EV=48", "EV=on"])
    device = scripted(script, errors=words)
    assert device.errors() == []
    assert device.errors() == []
    assert device.errors() == ['32,"status bits of a refusal"']
    assert device.errors() == ['48,"status bits of a refusal"']
    with pytest.raises(InstrumentError, match="'on' is no status"):
        device.errors()


def test_a_queue_is_read_to_its_end_in_its_own_form() -> None:
    words = ErrorWords(Reporting.QUEUE, "ER", "E{code}: {text}", "none")
    script = Script(ER=["E12: too much", "Enone: "])
    assert scripted(script, errors=words).errors() == ["E12: too much"]
    with pytest.raises(InstrumentError, match="E12 too much"):
        scripted(Script(ER=["E12 too much"]), errors=words).errors()


def test_numbers_are_written_and_read_by_their_picture() -> None:
    script = Script(RI=["1.500", "1.5", "1.50O", "", "+1.500", "9.91E37"])
    device = scripted(
        script,
        units={**WIRE.units, "current": Exact.parse("1 mA"), "charge": Exact.parse("0.1 mC")},
        numbers={"current": "0.000", "charge": "000000"},
    )
    configured(device)
    assert [text for _, text in script.sent] == ["I 1.500", "P -", "Q 003000"]
    assert device.claimed_current().m_as(A) == 1.5e-3
    for _ in range(3):
        with pytest.raises(InstrumentError):
            device.claimed_current()
    assert device.claimed_current().m_as(A) == 1.5e-3
    with pytest.raises(InstrumentError):
        device.claimed_current()


@pytest.mark.parametrize("reply", ["1.500", "1.500 uA", "RI=1.500 mA", "1.500 mAA", " mA", "-- mA"])
def test_a_reply_without_its_unit_is_no_number(reply: str) -> None:
    good = {"units": WIRE.units | {"query_current": Exact.parse("1 mA")}}
    device = scripted(Script(RI="1.500 mA"), replies={"query_current": "{} mA"}, **good)
    assert device.claimed_current().m_as(A) == 1.5e-3
    with pytest.raises(InstrumentError, match=r"stimulator at RESOURCE: 'RI'"):
        scripted(Script(RI=reply), replies={"query_current": "{} mA"}, **good).claimed_current()


@pytest.mark.parametrize("reply", ["NAN", "9.9E37", "-9.9E37", "9.91E37", "INF"])
def test_a_claim_that_is_not_finite_is_no_claim(reply: str) -> None:
    with pytest.raises(InstrumentError):
        scripted(Script(RI=reply)).claimed_current()


def test_an_open_load_has_its_word() -> None:
    device = scripted(Script(RZ=["12", "OPEN", "OPEN "]), open_load="OPEN")
    assert device.impedance().m_as("ohm") == 12
    assert device.impedance().m_as("ohm") == float("inf")
    with pytest.raises(InstrumentError):
        scripted(Script(RZ="OPEN")).impedance()


@pytest.mark.parametrize(
    ("replies", "told"),
    [
        ({"SI": "1600", "SP": "-", "SQ": "300"}, r"'I 1500' was taken, and 'SI' reads back 1600"),
        ({"SI": "1500", "SP": "+", "SQ": "300"}, r"'P -' was taken, and 'SP' reads back \+"),
        ({"SI": "1500", "SP": "-", "SQ": "30"}, r"'Q 300' was taken, and 'SQ' reads back 30"),
        ({"SI": "1500", "SP": "-", "SQ": "9.91E37"}, r"reads back NaN"),
        ({"SI": "", "SP": "-", "SQ": "300"}, r"'SI': '' came"),
        ({"SI": "1.5 mA", "SP": "-", "SQ": "300"}, r"'SI'.*1\.5 mA"),
    ],
)
def test_what_reads_back_otherwise_is_never_started(replies: dict[str, str], told: str) -> None:
    commands = {**WIRE.commands, **READBACKS}
    good = Script(SI="1500", SP="-", SQ="300")
    configured(scripted(good, commands=commands))
    assert [text for _, text in good.sent] == ["I 1500", "P -", "Q 300", "SI", "SP", "SQ"]
    with pytest.raises(InstrumentError, match=told):
        configured(scripted(Script(**replies), commands=commands))


def test_readback_is_compared_in_quantities_whatever_the_units() -> None:
    units = {**WIRE.units, "query_set_current": Exact.parse("1 mA")}
    commands = {**WIRE.commands, **READBACKS}
    configured(scripted(Script(SI="1.50000", SP="-", SQ="300"), commands=commands, units=units))
    with pytest.raises(InstrumentError, match=r"reads back 1\.501"):
        configured(scripted(Script(SI="1.501", SP="-", SQ="300"), commands=commands, units=units))


def test_a_device_that_needs_time_is_given_it_but_no_stop_waits() -> None:
    script = Script(ST="ST_IDLE")
    device = scripted(script, settle=0.25)
    device.start()
    device.stop()
    device.abort()
    assert device.state() is State.IDLE
    assert script.sent == [(0, "GO"), (0, "HALT answered"), (0, "OFF answered"), (0.25, "ST")]


def test_what_the_device_lacks_is_not_evaluated() -> None:
    device = scripted(Script())
    for use in (device.pause, device.resume, device.self_test):
        with pytest.raises(Unavailable, match="the device profile has no"):
            use()


def test_who_it_is_comes_from_its_own_form() -> None:
    asked = dataclasses.replace(
        SCPI, wire=dataclasses.replace(WIRE, identity="ID", identity_reply="{model} #{serial}")
    )
    identity = drivers.ScpiStimulator.manner(asked).identity
    found = identity(lambda text: {"ID": "GX-3 #77"}[text])
    assert (found.manufacturer, found.model, found.serial) == (SCPI.manufacturer, "GX-3", "77")
    with pytest.raises(InstrumentError, match="GX-3 77"):
        identity(lambda _: "GX-3 77")


# The device file


@pytest.mark.parametrize(
    ("edit", "key", "told"),
    [
        (('kind = "answer"', 'kind = "anser"'), "errors.kind", 'did you mean "answer"?'),
        (('kind = "answer"', "kind = 1"), "errors.kind", "allowed"),
        (('taken = "OK"', 'query = "ERR?"'), "errors", "query given"),
        (('refused = "ERR {code}"', 'refused = "ERR"'), "errors", "must hold {code}"),
        (('refused = "ERR {code}"', 'silent = ["go"]'), "errors.silent[1]", "allowed"),
        (
            ('kind = "answer"\ntaken = "OK"\nrefused = "ERR {code}"', 'kind = "status"\nmask = 0'),
            "errors.mask",
            "greater than 0",
        ),
        (('charge = "0.1 mC"', 'charge = "0 mC"'), "units.charge", "0 mC"),
        (('charge = "0.1 mC"', 'charge = "0.1 mA"'), "units.charge", "mA*min, or a step"),
        (('query_current = "mA"\n', 'start = "mA"\n'), "units.start", "unknown key"),
        (('numbers]\ncurrent = "0"', 'numbers]\ncurrent = "#"'), "numbers.current", "0.00"),
        (('"RI={} mA"', '"RI= mA"'), "replies.query_current", "one {}"),
        (('"RI={} mA"', '"{} {}"'), "replies.query_current", "one {}"),
        (('query_current = "RI={} mA"', 'start = "{}"'), "replies.start", "unknown key"),
        (('send_end = "\\r\\n"', 'send_end = ""'), "line.send_end", "1"),
        (('send_end = "\\r\\n"', "baud = 12"), "line.baud", "at least 110"),
        (('send_end = "\\r\\n"', 'parity = "mark"'), "line.parity", "even"),
        (('send_end = "\\r\\n"', "stop_bits = 3"), "line.stop_bits", "3"),
        (('send_end = "\\r\\n"', 'ends = "x"'), "line.ends", "unknown key"),
        (
            ('reply = "{manufacturer} {model} SN', 'reply = "{model} {make}'),
            "identity.reply",
            "{serial}",
        ),
        (('no_fault = "0"', 'nofault = "0"'), "words.nofault", "did you mean no_fault?"),
        (('query_state = "ST"\n', 'query_state = "ST?"\n'), "commands", "as the others do"),
        (
            ("\n[wire.identity]", '\n[wire.times]\nreply = "5 s"\n[wire.identity]'),
            "times.reply",
            "2 s",
        ),
        (
            ("\n[wire.identity]", "\n[wire.times]\nsettle = 3\n[wire.identity]"),
            "times.settle",
            "no text",
        ),
    ],
)
def test_a_mistake_in_the_words_of_a_device_is_named(
    tmp_path: Path, edit: tuple[str, str], key: str, told: str
) -> None:
    path = tmp_path / "d.toml"
    path.write_text(foreign.gx2_words(*edit), "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_device(path)
    assert any(f"wire.{key}" in line and told in line for line in str(caught.value).split("\n")), (
        caught.value
    )
    assert all(line.startswith(f"{path}:") for line in str(caught.value).split("\n"))


def test_a_device_that_tells_of_no_refusal_must_be_asked_what_was_set(tmp_path: Path) -> None:
    text = foreign.gx2_words(
        'kind = "answer"\ntaken = "OK"\nrefused = "ERR {code}"', 'kind = "none"'
    )
    path = tmp_path / "d.toml"
    path.write_text(text, "utf-8")
    assert read_device(path).wire.errors.kind is Reporting.NONE
    path.write_text(text.replace('query_set_dose = "SQ"\n', ""), "utf-8")
    with pytest.raises(ConfigurationError, match=r"wire\.errors\.kind: .*no query_set_dose"):
        read_device(path)


def test_every_key_of_the_words_is_documented() -> None:
    table = foreign.PAGE[foreign.PAGE.index("### What the keys mean") :]
    device = starter("device")
    device = device[device.index("[wire.commands]") :]
    keys = set(foreign.re.findall(r"^(?:# )?([a-z_]+) = ", device, foreign.re.MULTILINE))
    assert len(keys) > 35
    assert {key for key in keys if f"`{key}`" not in table} == set()


def test_a_device_without_words_needs_a_driver_of_its_own(makes, tmp_path: Path) -> None:
    profile, bench = makes["d1"]
    check_bench(bench, profile, "bench.toml")
    text = bench.text.replace('driver = "dermalux-d1"', 'driver = "scpi-stimulator"')
    (tmp_path / "b.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match=r"stimulator\.driver: .*\[wire\]"):
        check_bench(read_bench(tmp_path / "b.toml"), profile, "b.toml")


# Drivers of other packages


def package(folder: Path, name: str, module: str, code: str | None, driver: str = "acme") -> Path:
    """A package with one driver."""
    made = folder / name
    made.mkdir(parents=True)
    (made / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "2.5"\n'
        f'[project.entry-points."stimproof.drivers"]\n{driver} = "{module}:Made"\n',
        "utf-8",
    )
    if code is not None:
        (made / f"{module}.py").write_text(code, "utf-8")
    return made


BROKEN = {
    "no module": (None, r"acme-tests 2\.5: .*cannot be loaded: ModuleNotFoundError"),
    "no name": ("x = 1\n", r"acme-tests 2\.5: .*cannot be loaded: AttributeError"),
    "raises": ("raise OSError('no licence')\n", r"acme-tests 2\.5: .*OSError: no licence"),
    "no class": ("Made = 3\n", r"acme-tests 2\.5: .*is a int; a class or function"),
    "lacks": (
        "class Made:\n    def __init__(self, *parts): pass\n    def start(self): pass\n",
        r"acme-tests 2\.5 makes a Made, which lacks abort, acknowledge, .*provoke",
    ),
    "manner": (
        "class Made:\n    @staticmethod\n    def manner(profile): return 'loud'\n",
        r"acme-tests 2\.5: manner\(profile\) returns 'loud'",
    ),
    "manner raises": (
        "class Made:\n    @staticmethod\n    def manner(profile): return profile['x']\n",
        r"acme-tests 2\.5: Made\.manner raises .*Error: .*repair or uninstall",
    ),
    "other parts": ("class Made: pass\n", r"acme-tests 2\.5: Made raises TypeError"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_driver_is_told_with_its_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    code, told = BROKEN[kind]
    module = f"acme_{kind.replace(' ', '_')}"
    foreign.install(tmp_path / "site", package(tmp_path, "acme-tests", module, code))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    entry = dataclasses.replace(ENTRY, driver="acme")
    parts: Any = (Script(), Script(), entry, Calibration.VALID, SCPI)
    use = partial(drivers.manner, entry, SCPI) if kind.startswith("manner") else None
    with pytest.raises(ConfigurationError, match=told):
        (use or partial(drivers.stimulator, *parts))()
    assert drivers.brought_by(entry) == "acme-tests 2.5"


def test_a_driver_that_two_packages_bring_is_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one-tests", "two-tests"):
        foreign.install(tmp_path / "site", package(tmp_path, name, "two_mod", "Made = print\n"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(ConfigurationError, match=r"by one-tests 2\.5 and two-tests 2\.5"):
        plugins.load("acme")


def test_a_driver_is_loaded_only_if_the_bench_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "raise RuntimeError('loaded')\n"
    foreign.install(tmp_path / "site", package(tmp_path, "acme-tests", "acme_lazy", code))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert "acme" in drivers.stimulator_names()
    drivers.stimulator(Script(), Script(), ENTRY, Calibration.VALID, SCPI)  # type: ignore[arg-type]
    assert drivers.brought_by(ENTRY) == ""
    (tmp_path / "b.toml").write_text(
        starter("bench").replace('driver = "scpi-stimulator"', 'driver = "acmee"'), "utf-8"
    )
    with pytest.raises(ConfigurationError, match=r'"acmee" \(did you mean "acme"\?\)'):
        read_bench(tmp_path / "b.toml")


# Served


@pytest.mark.alone  # at fifty times wall time a pause of this machine is a host that was lost
@pytest.mark.parametrize("make", ["gx2", "d1"])
def test_a_served_device_is_driven_in_its_own_manner(makes, make: str) -> None:
    profile, bench = makes[make]
    roles = {"stimulator": bench.instruments["stimulator"]}
    twin = SimulatedBench(profile, dataclasses.replace(bench, instruments=roles), (), 1)
    twin.circuit.select_load(bench.loads["2k"])
    server = BenchServer(twin, 50.0, wall=time.monotonic, protocols=[Protocol.SOCKET])
    resource = server.start()["stimulator"]
    assert resource.startswith("ASRL/dev/" if make == "d1" else "TCPIP::127.0.0.1::")
    manager = transport.open_manager("@py")
    try:
        entry = dataclasses.replace(bench.instruments["stimulator"], resource=resource)
        session = transport.connect(
            manager, entry, twin.clock, timeout=5.0, manner=drivers.manner(entry, profile)
        )
        device = drivers.stimulator(session, twin.clock, entry, Calibration.VALID, profile)
        device.configure(quantity(1.5, mA), Polarity.POSITIVE, None)
        device.start()
        assert _until(lambda: device.state() is State.HOLD)
        assert device.claimed_current().m_as(A) == pytest.approx(1.5e-3, rel=0.05)
        device.abort()
        device.stop()
        assert device.state() is State.IDLE
        assert device.errors() == []
        with pytest.raises(InstrumentError):
            device.configure(quantity(40.0, mA), Polarity.POSITIVE, None)
        session.close()
        assert server.failures == []
    finally:
        server.stop()
        manager.close()


def _until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
    return False


# Conformance


def test_every_make_keeps_the_role(rig: Rig) -> None:
    found = run(conformance.CHECKS, rig.subject())
    assert [
        (check.name, check.remark, check.measured) for check in found.checks if check.remark
    ] == []
    lacks = {each.partition(":")[0] for each in found.missing}
    tells_all = "query_time" in rig.profile.wire.commands
    assert lacks == (
        set() if tells_all else {"voltage_claimed", "time_claimed", "polarity_claimed"}
    )
    assert len(found.checks) == len(conformance.CHECKS) - len(lacks)


class Broken:
    """A driver with one fault, over the sound one."""

    def __init__(self, device: Any, session: Any) -> None:
        self._device, self._session = device, session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)


class AsksWhileItStops(Broken):
    def stop(self) -> None:
        self._device.stop()
        self._device.state()


class StopsOverTheSession(Broken):
    def abort(self) -> None:
        self._session.write("TREAT:ABOR")


class TakesUnknownForIdle(Broken):
    def state(self) -> State:
        return SCPI.wire.states.get(self._session.query("TREAT:STAT?"), State.IDLE)


class GuessesNumbers(Broken):
    def claimed_current(self) -> Any:
        text = self._session.query("MEAS:CURR?")
        digits = "".join(each for each in text if each in "0123456789.") or "0"
        return quantity(float(digits.strip(".") or 0), A)


class PassesWhatIsNoNumber(Broken):
    def claimed_charge(self) -> Any:
        try:
            return quantity(float(self._session.query("MEAS:CHAR?")), C)
        except ValueError as err:
            raise InstrumentError(str(err)) from err


class TakesEmptyForNoFault(Broken):
    def fault(self) -> str:
        return str(self._session.query("FAUL:CODE?").replace("NONE", ""))


class SetsAndHopes(Broken):
    def configure(self, current: Any, polarity: Polarity, dose: Any) -> None:
        value = Exact.of(current).base
        assert value < Decimal("0.01")
        self._session.write(f"SOUR:CURR {value}")
        self._session.write("SOUR:POL POS")


class ForgetsRefusals(Broken):
    def errors(self) -> list[str]:
        self._device.errors()
        return []


class RepeatsRefusals(Broken):
    kept: tuple[str, ...] = ()

    def errors(self) -> list[str]:
        self.kept = (*self.kept, *self._device.errors())
        return list(self.kept)


class StartsWhenSet(Broken):
    def configure(self, *settings: Any) -> None:
        self._device.configure(*settings)
        self._device.start()


class TakesAnyUnit(Broken):
    def set_current(self, current: Any) -> None:
        self._session.write(f"SOUR:CURR {current.magnitude / 1000}")


class LeavesReplies(Broken):
    def provoke(self, text: str) -> None:
        self._session.write("*IDN?")


class GuessesWhatIsOffered(Broken):
    def claimed_voltage(self) -> Any:
        return guessed(self._session.query("MEAS:VOLT?"), V)

    def claimed_time(self) -> Any:
        return guessed(self._session.query("TREAT:TIME?"), s)

    def claimed_polarity(self) -> Polarity:
        said = self._session.query("TREAT:POL?")
        return Polarity.NEGATIVE if said == "NEG" else Polarity.POSITIVE


def guessed(said: str, unit: Any) -> Any:
    """A number of whatever came."""
    try:
        return quantity(float(said), unit)
    except ValueError:
        return quantity(0.0, unit)


class HidesALostLink(Broken):
    def acknowledge(self) -> None:
        try:
            self._device.acknowledge()
        except ConnectionLost:
            return


REJECTED = {
    AsksWhileItStops: {"stops", "lost"},
    StopsOverTheSession: {"stops", "lost"},
    TakesUnknownForIdle: {"states"},
    GuessesNumbers: {"current_claimed"},
    PassesWhatIsNoNumber: {"charge_claimed"},
    TakesEmptyForNoFault: {"faults"},
    SetsAndHopes: {"refusals", "dimensions"},
    ForgetsRefusals: {"complaints"},
    RepeatsRefusals: {"complaints"},
    StartsWhenSet: {"settings"},
    TakesAnyUnit: {"dimensions"},
    LeavesReplies: {"provoked"},
    GuessesWhatIsOffered: {"voltage_claimed", "time_claimed", "polarity_claimed"},
    HidesALostLink: {"lost"},
}


@pytest.mark.parametrize("kind", REJECTED)
def test_a_broken_driver_is_rejected_by_the_check_that_names_its_fault(makes, kind) -> None:
    rig = Rig(*makes["scpi"], resource="TCPIP0::SIM-STIMULATOR::5025::SOCKET")
    subject = rig.subject(lambda session: kind(rig.made(session), session))
    for name in REJECTED[kind]:
        found: Conformance = run({name: conformance.CHECKS[name]}, subject)
        assert not found.passed, name
        rig.twin.reset(1)
        rig.clock.sleep(0.5)
    rig.session.close()


def test_every_check_has_a_driver_that_it_rejects() -> None:
    caught = set().union(*REJECTED.values())
    # The others fail for a device or a session, not for a driver alone.
    assert set(conformance.CHECKS) - caught == {"rest", "impedance", "acknowledging"}


def test_of_what_a_provoked_text_is_answered_a_refusal_alone_is_kept(makes) -> None:
    rig = Rig(*makes["gx2"])
    device = rig.made(rig.session)
    for text, told in (
        ("I 9999", ["I 9999: ERR 2"]),
        ("I 1000", []),
        ("ST", []),
        ("XYZ", ["XYZ: ERR 1"]),
    ):
        device.provoke(text)
        assert device.errors() == told
        assert device.state() is State.IDLE
    rig.session.close()


def test_the_tap_shows_what_a_driver_sends(makes) -> None:
    rig = Rig(*makes["gx2"])
    tap = Tap(rig.session)
    device = rig.made(tap.session)
    device.stop()
    assert device.state() is State.IDLE
    assert [text for text, _ in tap.asked] == ["ST"]
    assert tap.written == ["HALT"]
    tap.lost = True
    with pytest.raises(BenchError):
        device.state()
    rig.session.close()


class OpenCutoff:
    """A cut-off that is open, and says so."""

    serial = "SIM-cutoff-01"

    def open_relay(self) -> None:
        return

    def is_closed(self) -> bool:
        return False


def test_a_broken_driver_does_not_keep_the_sentinel_from_its_proof(
    makes, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile, bench = makes["d1"]
    nobody = {
        role: dataclasses.replace(entry, resource=f"TCPIP::127.0.0.1::{9 + index}::SOCKET")
        for index, (role, entry) in enumerate(bench.instruments.items())
    }
    monkeypatch.setattr(plugins, "names", tuple)
    written: list[tuple[str, Any]] = []
    state = claim.prove_off(
        profile,
        dataclasses.replace(bench, instruments=nobody),
        Script(),
        OpenCutoff(),  # type: ignore[arg-type]
        lambda kind, body: written.append((kind, body)),
    )
    assert not state.confirmed
    assert any("dermalux-d1" in str(error) for error in state.errors)
