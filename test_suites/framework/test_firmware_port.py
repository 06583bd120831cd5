"""A build of firmware behind the port: as a shared library, as a process, under sanitizers."""

from __future__ import annotations

import gc
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hil.errors import BenchError, UsageError
from hil_instruments.simulated.device.build import firmware_of
from hil_instruments.simulated.device.native import SharedLibrary
from hil_instruments.simulated.device.port import Firmware, Reset
from hil_instruments.simulated.device.process import FirmwareProcess
from hil_instruments.simulated.device.resistor import ResistorBoard

pytestmark = pytest.mark.needs_tool("cc")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/firmware_example"
PORT = ROOT / "instruments/hil_instruments/simulated/device"
LINE = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", f"-I{PORT}"]
LIBRARY = ["-shared", "-fPIC"]
MAIN = str(PORT / "firmware_main.c")
SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def compiled(target: Path, *arguments: str) -> Path:
    run = subprocess.run([*LINE, *arguments, "-o", str(target)], capture_output=True, text=True)
    assert not run.returncode, run.stderr
    return target


def example_build(folder: Path, name: str, *flags: str) -> Path:
    return compiled(folder / name, *flags, *map(str, sorted(EXAMPLE.glob("*.c"))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="module")
def library(folder: Path) -> Path:
    return example_build(folder, "ionto.so", *LIBRARY)


@pytest.fixture(scope="module")
def program(folder: Path) -> Path:
    return example_build(folder, "ionto", MAIN)


def treated(firmware: Firmware) -> tuple[ResistorBoard, bytes]:
    """A board after 3 s of treatment and an open load, and what the firmware says then."""
    board = ResistorBoard()
    board.power_up(firmware)
    firmware.receive(b"SOUR:CURR 3 MA;:TREAT:STAR")
    board.run(firmware, 3)
    board.disturb(load=math.inf)
    board.run(firmware, 1)
    return board, firmware.receive(b"*IDN?;:TREAT:STAT?;:FAUL:CODE?;:MEAS:CHAR?")


# --- a shared library --------------------------------------------------------------------------

MINIMAL = """
#include "firmware_port.h"
const uint32_t firmware_port_version = FIRMWARE_PORT_VERSION;
static const firmware_port *board;
static int calls = 7;
void firmware_boot(const firmware_port *port, uint32_t cause) { (void)cause; board = port; }
void firmware_tick(void) { BODY }
uint32_t firmware_receive(const char *text, uint32_t length, char *reply, uint32_t capacity) {
    (void)text; (void)length; (void)reply; (void)capacity; calls++; ANSWER
}
"""


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., Path]:
    """Compile a few lines as firmware."""

    def of(*arguments: str, body: str = "", answer: str = "return 0;", text: str = MINIMAL) -> Path:
        source = tmp_path / "small.c"
        source.write_text(text.replace("BODY", body).replace("ANSWER", answer))
        return compiled(tmp_path / "small.so", *(arguments or LIBRARY), str(source))

    return of


COUNT = "reply[0] = (char)calls; return 1;"


def test_every_boot_begins_with_the_initial_values(small: Callable[..., Path]) -> None:
    firmware = SharedLibrary(small(answer=COUNT))
    heard = []
    for _ in range(2):
        firmware.boot(ResistorBoard(), Reset.POWER_ON)
        heard += [firmware.receive(b"")[0], firmware.receive(b"")[0]]
    assert heard == [8, 9, 8, 9]


def test_two_devices_of_one_build_share_nothing(small: Callable[..., Path]) -> None:
    path = small(answer=COUNT)
    one, other = SharedLibrary(path), SharedLibrary(path)
    for firmware in (one, other):
        firmware.boot(ResistorBoard(), Reset.POWER_ON)
    assert [one.receive(b""), one.receive(b""), other.receive(b"")] == [b"\x08", b"\x09", b"\x08"]


def test_a_run_is_the_same_to_the_last_call_after_a_reset(library: Path) -> None:
    firmware = SharedLibrary(library)
    first, second = treated(firmware), treated(firmware)
    assert first[0].trace == second[0].trace
    assert first[1] == second[1]


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="looks at Linux's own list")
def test_a_hundred_resets_leave_one_copy_loaded_and_none_after_the_end(library: Path) -> None:
    def loaded() -> int:
        lines = Path("/proc/self/maps").read_text().splitlines()
        return len({line.split()[4] for line in lines if "stimproof-" in line})

    gc.collect()
    before = loaded()
    firmware = SharedLibrary(library)
    for _ in range(100):
        firmware.boot(ResistorBoard(), Reset.POWER_ON)
    assert loaded() == before + 1
    firmware.close()
    assert loaded() == before


class Failing(ResistorBoard):
    def kick(self) -> None:
        raise KeyboardInterrupt


def test_an_exception_of_the_hardware_passes_through_c(library: Path) -> None:
    firmware = SharedLibrary(library)
    port = Failing()
    with pytest.raises(KeyboardInterrupt):
        firmware.boot(port, Reset.POWER_ON)
    with pytest.raises(KeyboardInterrupt):
        firmware.tick()


def test_a_name_that_the_interpreter_exports_is_the_firmwares_own(
    small: Callable[..., Path],
) -> None:
    text = MINIMAL + "int Py_IsInitialized(void) { return 42; }\n"
    text = text.replace("static int calls", "int Py_IsInitialized(void);\nstatic int calls")
    path = small(answer="reply[0] = (char)Py_IsInitialized(); return 1;", text=text)
    firmware = SharedLibrary(path)
    firmware.boot(ResistorBoard(), Reset.POWER_ON)
    assert firmware.receive(b"") == b"*"


def test_a_build_for_another_port_is_refused(small: Callable[..., Path]) -> None:
    path = small(text=MINIMAL.replace("= FIRMWARE_PORT_VERSION", "= 7"))
    with pytest.raises(UsageError, match=r"small.so: built for version 7 .* allowed: 1"):
        SharedLibrary(path)


def test_what_a_build_does_not_export_is_listed(small: Callable[..., Path]) -> None:
    text = MINIMAL.replace("firmware_tick", "tick").replace("const uint32_t", "static uint32_t")
    text = text.replace("#include", '#pragma GCC diagnostic ignored "-Wunused-variable"\n#include')
    text = text.replace(
        '"firmware_port.h"', "<stdint.h>\ntypedef struct firmware_port firmware_port;"
    )
    text = text.replace("FIRMWARE_PORT_VERSION", "1").replace(
        "board = port;", "board = port; (void)board;"
    )
    with pytest.raises(UsageError, match="does not export firmware_port_version, firmware_tick;"):
        SharedLibrary(small(text=text))


def test_what_is_no_library_is_refused_by_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "text.so"
    path.write_text("no library")
    with pytest.raises(UsageError, match=r"text\.so: cannot be loaded.*file too short|invalid ELF"):
        SharedLibrary(path)
    with pytest.raises(UsageError, match=r"none\.so: cannot be read: No such file"):
        SharedLibrary(tmp_path / "none.so")


def test_a_reply_that_is_longer_than_its_buffer_is_an_error(small: Callable[..., Path]) -> None:
    firmware = SharedLibrary(small(answer="return capacity + 1;"))
    firmware.boot(ResistorBoard(), Reset.POWER_ON)
    with pytest.raises(BenchError, match="returned 4097; allowed: 0 to 4096"):
        firmware.receive(b"x")


def test_firmware_that_writes_past_its_reply_is_caught(small: Callable[..., Path]) -> None:
    firmware = SharedLibrary(small(answer="reply[capacity] = 1; return 0;"))
    firmware.boot(ResistorBoard(), Reset.POWER_ON)
    with pytest.raises(BenchError, match="wrote past the end of its reply"):
        firmware.receive(b"x")
    with pytest.raises(BenchError, match="wrote past the end of its reply"):
        firmware.receive(b"x")


HANGING = """
import sys
from pathlib import Path
from hil_instruments.simulated.device import native
from hil_instruments.simulated.device.port import Reset
from hil_instruments.simulated.device.resistor import ResistorBoard
native.LONGEST_CALL = 0.05
firmware = native.SharedLibrary(Path(sys.argv[1]))
firmware.boot(ResistorBoard(), Reset.POWER_ON)
firmware.tick()
"""


def test_an_endless_loop_ends_the_runner_and_says_where(small: Callable[..., Path]) -> None:
    line = [sys.executable, "-c", HANGING, str(small(body="for (;;) calls++;"))]
    run = subprocess.run(line, capture_output=True, text=True)
    assert run.returncode == -signal.SIGVTALRM
    assert 'native.py", line' in run.stderr
    assert " in tick" in run.stderr


# --- a process ---------------------------------------------------------------------------------


def test_a_process_does_what_the_library_does_to_the_last_call(
    library: Path, program: Path
) -> None:
    inside, apart = treated(firmware_of(library)), treated(firmware_of(program))
    assert inside[0].trace == apart[0].trace
    assert inside[1] == apart[1]
    assert b";FAULT;OPEN;" in inside[1]


def running(small: Callable[..., Path], body: str, **more: float) -> FirmwareProcess:
    firmware = FirmwareProcess([str(small(MAIN, body=body))], **more)
    firmware.boot(ResistorBoard(), Reset.POWER_ON)
    return firmware


def test_a_crash_is_told_once_then_the_processor_stands_still_until_a_boot(
    small: Callable[..., Path],
) -> None:
    firmware = running(small, '__builtin_trap(); (void)"x";')
    firmware.tick()
    firmware.tick()
    with pytest.raises(BenchError, match=r"firmware_tick ended by signal \d+ \(.+\)"):
        firmware.receive(b"*IDN?")
    assert firmware.receive(b"*IDN?") == b""
    firmware.boot(ResistorBoard(), Reset.WATCHDOG)
    assert firmware.pid is not None
    firmware.tick()
    firmware.boot(ResistorBoard(), Reset.WATCHDOG)
    with pytest.raises(BenchError, match="firmware_tick ended"):
        firmware.receive(b"*IDN?")
    assert firmware.receive(b"*IDN?") == b""
    assert firmware.pid is not None


def test_an_endless_loop_is_a_hang_within_the_timeout(small: Callable[..., Path]) -> None:
    firmware = running(small, "for (;;) calls++;", timeout=0.05)
    firmware.tick()
    with pytest.raises(BenchError, match=r"firmware_tick did not return within 0\.05 s"):
        firmware.receive(b"*IDN?")


def test_a_loop_on_the_hardware_is_a_hang_as_well(small: Callable[..., Path]) -> None:
    firmware = running(small, "for (;;) board->kick(board->board);")
    firmware.tick()
    with pytest.raises(BenchError, match="asked its hardware 100000 times and did not return"):
        firmware.receive(b"*IDN?")


def test_an_exception_of_the_hardware_ends_the_process(program: Path) -> None:
    firmware = FirmwareProcess([str(program)])
    with pytest.raises(KeyboardInterrupt):
        firmware.boot(Failing(), Reset.POWER_ON)
    assert firmware.pid is None


def test_a_process_ends_with_its_object(program: Path) -> None:
    firmware = FirmwareProcess([str(program)])
    firmware.boot(ResistorBoard(), Reset.POWER_ON)
    pid = firmware.pid
    assert pid is not None
    os.kill(pid, 0)
    del firmware
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


ORPHANED = """
import os, signal, sys
from hil_instruments.simulated.device.port import Reset
from hil_instruments.simulated.device.process import FirmwareProcess
from hil_instruments.simulated.device.resistor import ResistorBoard
firmware = FirmwareProcess([sys.argv[1]])
firmware.boot(ResistorBoard(), Reset.POWER_ON)
print(firmware.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_ends_with_a_runner_that_is_killed(program: Path) -> None:
    line = [sys.executable, "-c", ORPHANED, str(program)]
    run = subprocess.run(line, capture_output=True, text=True)
    assert run.returncode == -signal.SIGKILL
    until = time.monotonic() + 5
    while Path(f"/proc/{int(run.stdout)}/exe").exists() and time.monotonic() < until:
        time.sleep(0.01)  # the system ends it in its own time, and tells nobody else
    assert not Path(f"/proc/{int(run.stdout)}/exe").exists()


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere: is no program that can be run"):
        firmware_of(tmp_path / "nowhere")


def test_a_program_that_speaks_no_frames_is_refused_within_its_timeout() -> None:
    firmware = FirmwareProcess(["cat"])  # what it is sent, it sends back
    with pytest.raises(BenchError, match="firmware_boot sent a frame of kind 66"):
        firmware.boot(ResistorBoard(), Reset.POWER_ON)


@pytest.mark.parametrize("which", ["library", "program"])
def test_a_megabyte_leaves_it_answering(request: pytest.FixtureRequest, which: str) -> None:
    firmware = firmware_of(request.getfixturevalue(which))
    firmware.boot(ResistorBoard(), Reset.POWER_ON)
    firmware.receive(bytes(range(1, 128)) * 8192)
    firmware.receive(b"*IDN?;" * 170_000)
    firmware.receive(b"*CLS")
    assert firmware.receive(b"SYST:ERR?") == b'0,"No error"\n'


# --- under the sanitizers ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def sanitized(folder: Path) -> Iterator[tuple[Firmware, ResistorBoard]]:
    path = example_build(folder, "sanitized", *SANITIZERS, MAIN)
    firmware, board = FirmwareProcess([str(path)]), ResistorBoard()
    board.power_up(firmware)
    yield firmware, board
    firmware.close()


WORDS = b"SOUR:CURR _:SOURCE:DOSE _TREAT:STAR_STAT?_*IDN?_*RST_MEAS:IMP?_1E_MA_-_.5_32000_;_:_,_'_ "
PIECES = st.sampled_from([*WORDS.split(b"_"), b"9" * 30, b"\x00", b'"'])
MESSAGES = st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=30).map(b"".join))


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(message=MESSAGES)
@example(message=b"SOUR:CURR 1E-32000")
@example(message=b"SOUR:CURR 9223372036854775807E18")
@example(message=b":" * 64)
def test_any_message_leaves_it_sound_and_answering(
    sanitized: tuple[Firmware, ResistorBoard], message: bytes
) -> None:
    firmware, board = sanitized
    firmware.receive(message)
    board.run(firmware, 0.05)
    firmware.receive(b"*CLS")
    assert firmware.receive(b"SYST:ERR?") == b'0,"No error"\n'


def test_the_sanitizers_are_on_and_their_words_reach_the_error(
    small: Callable[..., Path],
) -> None:
    body = "int shift = 31 + calls; calls = 1 << shift;"
    firmware = FirmwareProcess([str(small(*SANITIZERS, MAIN, body=body))])
    firmware.boot(ResistorBoard(), Reset.POWER_ON)
    firmware.tick()
    with pytest.raises(BenchError, match=r"it wrote: .*runtime error: shift exponent 38"):
        firmware.receive(b"*IDN?")


# --- the documentation -------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    text = (ROOT / "docs/firmware.md").read_text()
    return [part.split("```")[0] for part in text.split(f"```{language}\n")[1:]]


def test_the_minimal_firmware_of_the_documentation_builds_and_answers(tmp_path: Path) -> None:
    (tmp_path / "minimal.c").write_text(blocks("c")[0])
    line = next(block for block in blocks("sh") if block.startswith("cc "))
    run = subprocess.run(
        ["sh", "-c", line],
        cwd=tmp_path,
        env={**os.environ, "PORT": str(PORT)},
        capture_output=True,
        text=True,
    )
    assert not run.returncode, run.stderr
    firmware, board = SharedLibrary(tmp_path / "minimal.so"), ResistorBoard()
    board.power_up(firmware)
    board.run(firmware, 10)
    assert firmware.receive(b"*IDN?") == b"Stimproof,Reference Ionto,SIM-0001,0.1\n"
    assert board.kicked == 10_000_000


def test_the_unit_test_of_the_documentation_passes(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(library.parent)
    exec(compile(blocks("python")[0], "firmware.md", "exec"), {})  # our own page


def test_the_makefile_builds_by_the_lines_that_are_tested_here() -> None:
    makefile = (EXAMPLE / "Makefile").read_text()
    assert "CFLAGS = -std=c99 -Wall -Wextra -Werror -O2\n" in makefile
    assert "$(CC) $(CFLAGS) $(BUGS) -shared -fPIC -I$(PORT) $(SOURCES) -o $@" in makefile
    assert " ".join(SANITIZERS) in makefile
