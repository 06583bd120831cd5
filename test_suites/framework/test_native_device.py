"""The firmware in C on the real board and circuit: the bench judges what the compiler made."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hil.bench import LoadEntry
from hil.errors import BenchError
from hil.exact import Exact
from hil_fixtures import config
from hil_instruments.simulated.device.build import firmware_of
from hil_instruments.simulated.device.device import Device
from hil_instruments.simulated.device.port import Firmware, Reset
from hil_instruments.simulated.device.process import FirmwareProcess
from hil_instruments.simulated.physics.circuit import Node

pytestmark = pytest.mark.needs_tool("cc")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/firmware_example"
PORT = ROOT / "instruments/hil_instruments/simulated/device"
SETUP = config.read_setup(None, None)
MA = 1e-3
MA_MIN = 0.06


def load(name: str, ohm: float) -> LoadEntry:
    """A resistor; the name only tells loads apart."""
    return LoadEntry(name, 101, Exact.parse(f"{ohm:g} ohm"))


R2K, R20K, R200K = (load(f"{ohm:g}", ohm) for ohm in (2e3, 20e3, 200e3))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile the example, each variant once; without optimisation, which is for other tests."""
    folder = tmp_path_factory.mktemp("build")
    sources = [str(path) for path in sorted(EXAMPLE.glob("*.c"))]

    def of(name: str, *flags: str) -> Path:
        target = folder / name
        if not target.exists():
            line = ["cc", "-std=c99", f"-I{PORT}", *flags, *sources, "-o", str(target)]
            subprocess.run(line, check=True)
        return target

    return of


class Bench:
    """A device on a load, with the few verbs that these tests speak in."""

    def __init__(self, firmware: Firmware) -> None:
        self.device = Device(SETUP.profile, SETUP.bench, lambda _: firmware, seed=1)
        self.circuit = self.device.circuit
        self.circuit.select_load(R2K)
        self.circuit.set_cutoff(True)
        self.wait(0.2)

    def wait(self, seconds: float) -> None:
        self.device.advance(self.circuit.now + seconds)

    def ask(self, message: str) -> str:
        return self.device.receive(message.encode()).decode().removesuffix("\n")

    def hold(self, milliamperes: float) -> None:
        """Start and wait until a second after the ramp."""
        self.ask(f"SOUR:CURR {milliamperes} MA;:TREAT:STAR")
        self.wait(31.1)
        assert self.ask("TREAT:STAT?") == "HOLD"

    def trace(self, begin: float, end: float, rate: float = 1e3) -> np.ndarray:
        """Means over successive intervals, as an integrating ammeter reads, in mA."""
        starts = begin + np.arange(int((end - begin) * rate - 1e-6)) / rate
        return self.circuit.means(Node.CURRENT, starts, 1 / rate) / MA

    @property
    def current(self) -> float:
        return self.circuit.value(Node.CURRENT)


@pytest.fixture
def bench(build: Callable[..., Path]) -> Iterator[Bench]:
    firmware = firmware_of(build("ionto.so", "-shared", "-fPIC"))
    yield Bench(firmware)
    firmware.close()


@pytest.mark.parametrize(("entry", "setting"), [(R2K, 4.0), (R20K, 0.1), (R20K, 3.5)])
def test_a_whole_treatment_keeps_every_figure(
    bench: Bench, entry: LoadEntry, setting: float
) -> None:
    bench.circuit.select_load(entry)
    bench.ask(f"SOUR:CURR {setting} MA;DOSE {setting * 0.6:.3f};:TREAT:STAR")
    bench.wait(80)
    whole = bench.trace(0, bench.circuit.now)
    steady = whole[32_000:35_000]
    assert steady.mean() == pytest.approx(setting, rel=2e-3)
    assert whole.max() < steady.mean() + max(0.02 * setting, 0.05)
    assert np.abs(whole[5:] - whole[:-5]).max() < 0.05
    assert (whole[1000:] - whole[:-1000]).max() < 0.2
    assert (whole[:-1000] - whole[1000:]).max() < 0.6
    assert np.argmax(whole > 0.99 * setting) == pytest.approx(30_000, abs=500)
    delivered = bench.circuit.charge() / MA_MIN
    assert delivered == pytest.approx(setting * 0.6, rel=5e-3)
    assert float(bench.ask("MEAS:CHAR?")) == pytest.approx(delivered, rel=2e-3)
    assert bench.ask("TREAT:STAT?;:FAUL:CODE?;:SYST:ERR?") == 'DONE;NONE;0,"No error"'
    assert abs(bench.current) < 1e-8


@pytest.mark.parametrize("ending", ["", "TREAT:STOP", "TREAT:PAUS"])
def test_lowering_the_setting_on_the_ramp_does_not_exceed_the_dose(
    bench: Bench, ending: str
) -> None:
    bench.ask("SOUR:CURR 4 MA;DOSE 0.31;:TREAT:STAR")
    bench.wait(14.5)
    bench.ask("SOUR:CURR 0.1 MA")
    if ending:
        bench.ask(ending)
    bench.wait(30)
    assert bench.ask("TREAT:STAT?") in {"DONE", "PAUSED"}
    assert bench.circuit.charge() / MA_MIN <= 0.31 * 1.01


def test_no_current_of_zero_is_taken_while_the_output_comes_up(bench: Bench) -> None:
    bench.ask("SOUR:CURR 2 MA;:TREAT:STAR")
    assert bench.ask("TREAT:STAT?") == "ARMED"
    bench.ask("SOUR:CURR 0")
    assert bench.ask("SYST:ERR?").startswith("-222")


@pytest.mark.parametrize("entry", [None, R200K], ids=["open", "200 kohm"])
def test_an_open_load_stops_it_within_its_time(bench: Bench, entry: LoadEntry | None) -> None:
    bench.hold(2)
    opened = bench.circuit.now
    bench.circuit.select_load(entry)
    bench.wait(0.1)
    assert bench.ask("FAUL:CODE?") == "OPEN"
    assert not bench.circuit.relay_closed
    bench.circuit.select_load(R2K)
    bench.wait(5)
    assert np.abs(bench.trace(opened + 0.11, bench.circuit.now)).max() < 0.01


def test_the_independent_comparator_is_seen_and_latched(bench: Bench) -> None:
    bench.hold(4)
    bench.circuit.command(6e-3)  # past the firmware, as a broken regulator would
    bench.wait(0.1)
    assert bench.circuit.tripped
    assert bench.ask("FAUL:CODE?;:TREAT:STAT?") == "OVERCURRENT;FAULT"


def test_a_processor_that_stands_still_is_reset_by_its_watchdog(bench: Bench) -> None:
    bench.hold(2)
    bench.device.board.faults = type(bench.device.board.faults)(hang=True)
    bench.wait(0.4)
    assert bench.current == pytest.approx(2 * MA, rel=2e-3)
    bench.wait(0.7)
    assert (bench.device.resets, abs(bench.current) < 1e-6) == (1, True)
    assert bench.ask("TREAT:STAT?") == "IDLE"


def test_an_endless_loop_is_told_once_and_ended_by_the_watchdog(
    build: Callable[..., Path],
) -> None:
    program = build("hang", "-DBUG_HANG_IN_HOLD", str(PORT / "firmware_main.c"))
    firmware = FirmwareProcess([str(program)], timeout=0.2)
    bench = Bench(firmware)
    bench.ask("SOUR:CURR 2 MA;:TREAT:STAR")
    bench.wait(30.8)
    assert bench.current == pytest.approx(2 * MA, rel=2e-3)
    with pytest.raises(BenchError, match="firmware_tick did not return within"):
        bench.ask("TREAT:STAT?")
    assert bench.ask("TREAT:STAT?") == ""
    bench.wait(1.1)
    assert (bench.device.resets, abs(bench.current) < 1e-6) == (1, True)
    assert bench.ask("TREAT:STAT?") == "IDLE"
    firmware.close()


def test_a_power_cycle_forgets_everything(bench: Bench) -> None:
    bench.hold(2)
    bench.device.power_cycle()
    bench.wait(10)
    assert bench.ask("TREAT:STAT?;:MEAS:CHAR?") == "IDLE;+0.00000000E+00"
    assert abs(bench.current) < 1e-6


def test_a_fresh_bench_of_the_same_object_repeats_to_the_last_bit(
    build: Callable[..., Path],
) -> None:
    firmware = firmware_of(build("ionto.so", "-shared", "-fPIC"))
    traces = []
    for _ in range(2):
        bench = Bench(firmware)
        bench.hold(3)
        traces.append(bench.trace(0, 31))
    assert np.array_equal(traces[0], traces[1])


def test_a_treatment_of_twenty_minutes_takes_few_ticks(bench: Bench) -> None:
    calls = 0
    tick = bench.device.firmware.tick

    def counted() -> None:
        nonlocal calls
        calls += 1
        tick()

    bench.device.firmware.tick = counted
    bench.ask("SOUR:CURR 4 MA;:TREAT:STAR")
    bench.wait(1250)
    assert bench.ask("TREAT:STAT?") == "DONE"  # the largest dose, 80 mA*min, was reached
    assert calls < 5000


def test_a_step_after_a_pause_is_in_the_current(build: Callable[..., Path]) -> None:
    bench = Bench(firmware_of(build("f01.so", "-shared", "-fPIC", "-DBUG_STEP_ON_RESUME")))
    bench.hold(2)
    bench.ask("TREAT:PAUS")
    bench.wait(10)
    resumed = bench.circuit.now
    bench.ask("TREAT:RES")
    bench.wait(1)
    trace = bench.trace(resumed, resumed + 1)
    assert np.abs(trace[5:] - trace[:-5]).max() > 1


def test_an_open_load_that_goes_unnoticed_stays_at_compliance(
    build: Callable[..., Path],
) -> None:
    bench = Bench(firmware_of(build("f28.so", "-shared", "-fPIC", "-DBUG_NO_OPEN_DETECTION")))
    bench.hold(2)
    bench.circuit.select_load(None)
    bench.wait(5)
    assert bench.ask("TREAT:STAT?;:FAUL:CODE?") == "HOLD;NONE"
    assert bench.circuit.value(Node.OUTPUT) == pytest.approx(80, rel=0.01)


def test_every_reset_is_told_its_cause(build: Callable[..., Path]) -> None:
    firmware = firmware_of(build("ionto.so", "-shared", "-fPIC"))
    causes: list[Reset] = []
    boot = firmware.boot
    firmware.boot = lambda port, cause: (causes.append(cause), boot(port, cause))[1]
    bench = Bench(firmware)
    bench.circuit.set_supply(0)
    bench.wait(0.5)
    bench.circuit.set_supply(9)
    bench.wait(0.5)
    bench.device.power_cycle()
    assert causes == [Reset.POWER_ON, Reset.BROWN_OUT, Reset.POWER_ON]
