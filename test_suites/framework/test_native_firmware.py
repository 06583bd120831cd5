"""Firmware in C behind the port: the example keeps its figures, and its bugs are its own."""

from __future__ import annotations

import itertools
import math
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hil_instruments.simulated.device.native import SharedLibrary
from hil_instruments.simulated.device.port import CURRENT_STEP, Firmware, Key, Reset
from hil_instruments.simulated.device.resistor import FACTORS, ResistorBoard

pytestmark = pytest.mark.needs_tool("cc")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/firmware_example"
PORT = ROOT / "instruments/hil_instruments/simulated/device"
LINE = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", f"-I{PORT}"]
LIBRARY = ["-shared", "-fPIC"]
MA_MIN = 0.06


def compiled(target: Path, *arguments: str) -> Path:
    run = subprocess.run([*LINE, *arguments, "-o", str(target)], capture_output=True, text=True)
    assert not run.returncode, run.stderr
    return target


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile the example, each variant once."""
    folder = tmp_path_factory.mktemp("build")
    sources = [str(path) for path in sorted(EXAMPLE.glob("*.c"))]
    made: dict[tuple[str, ...], Path] = {}

    def of(name: str, *flags: str) -> Path:
        if flags not in made:
            made[flags] = compiled(folder / name, *flags, *sources)
        return made[flags]

    return of


@pytest.fixture(scope="module")
def library(build: Callable[..., Path]) -> Path:
    return build("ionto.so", *LIBRARY)


class Rig:
    """Firmware on a fake board, and the few verbs that these tests speak in."""

    def __init__(self, firmware: Firmware, load: float = 2e3) -> None:
        self.firmware = firmware
        self.board = ResistorBoard(load)
        self.board.power_up(firmware)

    def ask(self, message: str) -> str:
        return self.firmware.receive(message.encode()).decode().removesuffix("\n")

    def wait(self, seconds: float) -> None:
        self.board.run(self.firmware, seconds)

    def hold(self, milliamperes: float) -> None:
        """Start and wait until a second after the ramp."""
        self.ask(f"SOUR:CURR {milliamperes} MA;:TREAT:STAR")
        self.wait(31.1)
        assert self.state() == "HOLD"

    def state(self) -> str:
        return self.ask("TREAT:STAT?")

    def error(self) -> int:
        return int(self.ask("SYST:ERR?").partition(",")[0])

    def steps(self) -> list[tuple[float, float]]:
        """Time in s and current in mA of every write to the DAC."""
        scale = CURRENT_STEP / FACTORS[0] * 1e3
        return [(n[0] / 1e6, n[2] * scale) for n in self.board.trace if n[1] == "dac"]

    def ticks(self) -> int:
        return sum(note[1] == "wake" for note in self.board.trace)

    @property
    def off(self) -> bool:
        return not (self.board.closed or self.board.code or self.board.boost or self.board.lit)


@pytest.fixture
def rig(library: Path) -> Iterator[Rig]:
    firmware = SharedLibrary(library)
    yield Rig(firmware)
    firmware.close()


# --- the example -------------------------------------------------------------------------------


def test_it_says_who_it_is_with_the_serial_of_its_board(rig: Rig) -> None:
    assert rig.ask("*IDN?") == "Stimproof,Reference Ionto,SIM-0001,C-1.0"


def test_a_treatment_ramps_up_holds_and_ramps_down(rig: Rig) -> None:
    rig.ask("SOUR:CURR 0.004;:TREAT:STAR")
    assert rig.state() == "ARMED"
    rig.wait(0.02)
    assert (rig.state(), rig.board.lit) == ("RAMPUP", True)
    rig.wait(30.0)
    assert (rig.state(), rig.board.current) == ("HOLD", pytest.approx(4e-3, rel=1e-3))
    rig.ask("TREAT:STOP")
    assert rig.state() == "RAMPDOWN"
    rig.wait(8.02)
    assert (rig.state(), rig.off) == ("DONE", True)
    steps = rig.steps()
    assert max(abs(b[1] - a[1]) for a, b in itertools.pairwise(steps)) < 0.02
    assert rig.error() == 0


def test_a_dose_ends_in_a_ramp_down_that_is_part_of_it(rig: Rig) -> None:
    rig.ask("SOUR:CURR 2 MA;DOSE 1.5;:TREAT:STAR")
    rig.wait(120)
    delivered = rig.board.charge / MA_MIN
    assert (rig.state(), rig.off) == ("DONE", True)
    assert delivered == pytest.approx(1.5, rel=1e-3)
    assert float(rig.ask("MEAS:CHAR?")) == pytest.approx(delivered, rel=1e-6)


def test_the_coulomb_counter_may_wrap_during_a_treatment(rig: Rig) -> None:
    rig.board.counted += 2**32 - 5e6
    rig.wait(1)
    before = rig.board.charge
    rig.ask("SOUR:CURR 2 MA;DOSE 1.5;:TREAT:STAR")
    rig.wait(120)
    assert rig.board.counted > 2**32
    assert (rig.board.charge - before) / MA_MIN == pytest.approx(1.5, rel=1e-3)


def test_all_treatments_together_get_the_largest_dose_and_no_more(rig: Rig) -> None:
    rig.ask("SOUR:CURR 4 MA;DOSE 50")
    for _ in range(2):
        rig.ask("TREAT:STAR")
        rig.wait(900)
    assert rig.board.charge / MA_MIN == pytest.approx(80, rel=1e-3)
    rig.ask("TREAT:STAR")
    assert (rig.error(), rig.state()) == (-221, "DONE")


def test_a_pause_keeps_the_account_and_resumes_by_a_ramp(rig: Rig) -> None:
    rig.hold(2)
    rig.ask("TREAT:PAUS")
    rig.wait(8.1)
    before = float(rig.ask("MEAS:CHAR?"))
    assert (rig.state(), rig.off) == ("PAUSED", True)
    rig.ask("TREAT:RES")
    rig.wait(15)
    assert rig.board.current == pytest.approx(1e-3, rel=0.01)
    assert float(rig.ask("MEAS:CHAR?")) > before


def test_an_open_load_latches_within_its_time_and_its_return_starts_nothing(rig: Rig) -> None:
    rig.hold(2)
    opened = rig.board.micros
    rig.board.disturb(load=math.inf)
    rig.wait(0.1)
    relay = next(n[0] for n in reversed(rig.board.trace) if n[1:] == ("relay", False))
    assert 50e3 <= relay - opened < 80e3
    assert (rig.ask("FAUL:CODE?"), rig.state(), rig.off) == ("OPEN", "FAULT", True)
    rig.board.disturb(load=2e3)
    rig.wait(10)
    rig.ask("TREAT:STAR")
    assert (rig.error(), rig.off) == (-221, True)
    rig.ask("FAULT:ACKNOWLEDGE")
    assert (rig.ask("FAUL:CODE?"), rig.state(), rig.off) == ("NONE", "IDLE", True)


def test_an_open_load_at_the_start_is_found_in_the_ramp(rig: Rig) -> None:
    rig.board.disturb(load=math.inf)
    rig.ask("SOUR:CURR 2 MA;:TREAT:STAR")
    rig.wait(0.2)
    assert (rig.ask("FAUL:CODE?"), rig.off) == ("OPEN", True)


def test_a_touch_shorter_than_its_time_is_no_open_load(rig: Rig) -> None:
    rig.hold(2)
    rig.board.disturb(load=math.inf)
    rig.wait(0.03)
    rig.board.disturb(load=2e3)
    rig.wait(1)
    assert rig.state() == "HOLD"


def test_a_current_above_the_software_limit_latches(rig: Rig) -> None:
    rig.hold(4)
    rig.board.disturb(gain=1.15)
    rig.wait(0.05)
    assert (rig.ask("FAUL:CODE?"), rig.off) == ("OVERCURRENT", True)


def test_a_comparator_that_has_tripped_latches_and_is_released_by_the_operator(rig: Rig) -> None:
    rig.hold(2)
    rig.board.tripped, rig.board.closed = True, False
    rig.wait(0.6)
    assert (rig.ask("FAUL:CODE?"), rig.off, rig.ask("*TST?")) == ("OVERCURRENT", True, "1")
    rig.ask("FAUL:ACKN")
    assert (rig.board.tripped, rig.ask("*TST?")) == (False, "0")


def test_a_low_battery_ends_a_treatment_and_refuses_the_next(rig: Rig) -> None:
    rig.hold(2)
    rig.board.supply = 5.8
    rig.wait(0.6)
    assert (rig.ask("FAUL:CODE?"), rig.off) == ("SUPPLY", True)
    rig.ask("FAUL:ACKN;:TREAT:STAR")
    assert (rig.error(), rig.off) == (-221, True)


def test_corrupt_calibration_fails_the_self_test_and_refuses_a_start(library: Path) -> None:
    rig = Rig(SharedLibrary(library))
    rig.board.memory[3] ^= 1
    rig.firmware.boot(rig.board, Reset.WATCHDOG)
    rig.wait(0.2)
    rig.ask("SOUR:CURR 1 MA;:TREAT:STAR")
    assert (rig.ask("*TST?"), rig.error(), rig.off) == ("1", -330, True)


def test_the_polarity_turns_only_after_a_second_at_zero(rig: Rig) -> None:
    rig.hold(2)
    rig.ask("SOUR:POL NEG")
    assert rig.error() == -221
    rig.ask("TREAT:STOP")
    rig.wait(8.02)
    stopped = rig.board.micros
    rig.ask("SOUR:POL NEG;:TREAT:STAR")
    rig.wait(2)
    bridge = rig.board.trace[[n[1:] for n in rig.board.trace].index(("bridge", True))]
    assert (rig.state(), rig.board.negative) == ("RAMPUP", True)
    assert 0.97e6 <= bridge[0] - stopped <= 1.02e6


def test_the_stop_key_ends_a_treatment_at_once(rig: Rig) -> None:
    rig.hold(2)
    rig.board.pressed = Key.STOP
    rig.wait(0.6)
    assert (rig.state(), rig.off) == ("IDLE", True)


def test_twenty_idle_minutes_cost_almost_no_ticks_and_never_starve_the_watchdog(rig: Rig) -> None:
    before, longest = rig.ticks(), 0
    for _ in range(1200):
        rig.wait(1)
        longest = max(longest, rig.board.micros - rig.board.kicked)
    assert rig.ticks() - before <= 2402
    assert longest < 600_000


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", 0),
        (" ; ;", 0),
        ("NONSENSE", -113),
        ("SOUR:CURR:DC 1", -113),
        ("SOURC:CURR 1 MA", -113),
        ("SOUR:CURR?", -113),
        ("TREAT:STAR?", -113),
        (":" * 70, -113),
        ("A" * 100_000, -113),
        ("TREAT:STAR 1", -108),
        ("SOUR:CURR 1,5", -108),
        ("SOUR:CURR", -109),
        ("SOUR:CURR ON", -104),
        ("SOUR:CURR -", -104),
        ("SOUR:CURR 1E40000", -123),
        ("SOUR:CURR 1 V", -131),
        ("SOUR:CURR 1 M", -131),
        ("SOUR:DOSE 1 C", -138),
        ("SOUR:CURR 40 MA", -222),
        ("SOUR:CURR 4", -222),
        ("SOUR:CURR -1 MA", -222),
        ("SOUR:CURR 0.15 MA", -222),
        ("SOUR:CURR 1E30000", -222),
        ("SOUR:CURR " + "9" * 100, -222),
        ("SOUR:DOSE 80.1", -222),
        ("SOUR:DOSE 0", -222),
        ("SOUR:POL BOTH", -224),
        ("SOUR:POL 1", -104),
        ("TREAT:STAR", -221),
        ("TREAT:PAUS", -221),
        ("TREAT:RES", -221),
        ("SOUR:CURR 1 MA\xe4", -101),
    ],
)
def test_what_cannot_be_obeyed_is_one_entry_of_the_error_queue(
    rig: Rig, message: str, code: int
) -> None:
    rig.firmware.receive(message.encode("latin-1"))
    assert rig.error() == code
    assert rig.error() == 0


@pytest.mark.parametrize(
    "number", ["0.002", ".002", "2E-3", "+2.0e-03", "2 MA", "2mA", "2000 uA", "0.002" + "0" * 50]
)
def test_a_current_may_be_written_in_many_ways(rig: Rig, number: str) -> None:
    rig.ask(f"sour:curr {number}")
    assert rig.error() == 0
    rig.ask("TREAT:STAR")
    rig.wait(31.1)
    assert rig.board.current == pytest.approx(2e-3, rel=1e-3)


def test_a_command_error_ends_its_message_and_a_refusal_does_not(rig: Rig) -> None:
    assert rig.ask("SOUR:CURR 9 MA;POL NEG;:TREAT:STAT?;NONSENSE;STAT?") == "IDLE"
    assert [rig.error(), rig.error(), rig.error()] == [-222, -113, 0]


def test_a_full_error_queue_says_so_in_its_last_entry(rig: Rig) -> None:
    for _ in range(30):
        rig.ask("NONSENSE")
    codes = [rig.error() for _ in range(21)]
    assert codes == [-113] * 19 + [-350, 0]


def test_replies_beyond_the_buffer_are_dropped_with_an_error(rig: Rig) -> None:
    assert rig.ask("*IDN?;" * 200) == ""
    assert rig.error() == -430


def test_bugs_that_are_compiled_in_are_seen_at_its_pins(build: Callable[..., Path]) -> None:
    rig = Rig(SharedLibrary(build("step.so", *LIBRARY, "-DBUG_STEP_ON_RESUME")))
    rig.hold(2)
    rig.ask("TREAT:PAUS")
    rig.wait(9)
    rig.ask("TREAT:RES")
    rig.wait(0.1)
    assert rig.board.current == pytest.approx(2e-3, rel=1e-3)
    rig = Rig(SharedLibrary(build("open.so", *LIBRARY, "-DBUG_NO_OPEN_DETECTION")))
    rig.hold(2)
    rig.board.disturb(load=math.inf)
    rig.wait(5)
    assert (rig.state(), rig.board.voltage) == ("HOLD", 80)
