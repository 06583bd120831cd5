"""A run with a build of one's own judges that build, says so, and fails it for its own bugs."""

from __future__ import annotations

import contextlib
import hashlib
import io
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from hil.bench import FirmwareEntry
from hil.bodies import EntryBody
from hil.conclusion import Conclusion, conclude
from hil.errors import ConfigurationError, UsageError
from hil.units import A, V
from hil.verdict import Verdict
from hil_fixtures import config, plan, service
from hil_fixtures.build import Build
from hil_fixtures.plan import Options
from hil_fixtures.software import software
from hil_fixtures.station import open_station
from hil_instruments.simulated.bench import SimulatedBench
from hil_reports.evidence import read_journal

pytestmark = pytest.mark.needs_tool("cc")

ROOT = Path(__file__).parents[2]
PORT = ROOT / "instruments/hil_instruments/simulated/device"
SOURCES = sorted((ROOT / "docs/firmware_example").glob("*.c"))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile the example, each variant once; without optimisation, which is for other tests."""
    folder = tmp_path_factory.mktemp("build")

    def of(name: str, *flags: str) -> Path:
        target = folder / name
        if not target.exists():
            kind = ["-shared", "-fPIC"] if target.suffix else [str(PORT / "firmware_main.c")]
            line = ["cc", "-std=c99", f"-I{PORT}", *flags, *kind, *map(str, SOURCES)]
            subprocess.run([*line, "-o", str(target)], check=True)
        return target

    return of


def judged(out: Path, *options: str) -> Conclusion:
    """Run the shipped suites by plain pytest, in this process; what it journaled."""
    args = ["--pyargs", "hil_suites", "--hil-depth=smoke", f"--hil-out={out}", f"--rootdir={out}"]
    apart = ["-c", "/dev/null", "-p", "no:cacheprovider", "-p", "no:timeout", "-q"]
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main([*args, *apart, "--import-mode=importlib", *options])
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    return conclude(read_journal(folder).records)


def verdicts(found: Conclusion) -> dict[str, Verdict]:
    return {row.requirement["id"]: row.verdict for row in found.requirements}


@pytest.mark.parametrize(("name", "tests"), [("ionto.so", ""), ("ionto", "resumed")])
def test_the_example_passes_and_the_journal_names_it(
    build: Callable[..., Path], tmp_path: Path, name: str, tests: str
) -> None:
    path = build(name)
    depth = f"--hil-depth={'standard' if tests else 'smoke'}"
    found = judged(tmp_path, f"--hil-firmware={path}", "--hil-suite=ramping", "-k", tests, depth)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert {row.verdict for row in found.tests if tests in row.test} == {Verdict.PASS}
    assert found.run["firmware"] == {"name": name, "sha256": digest}
    assert f"the build {name} (SHA-256 {digest}), which" in found.provenance.reason


def test_the_example_answers_all_that_the_built_in_device_file_asks(
    build: Callable[..., Path],
) -> None:
    made = Build.of(build("ionto.so"), (), in_process=True)
    bench = SimulatedBench(config.read_device(None), config.read_bench(None), flash=made.flash())
    bench.feed(9.0, 1.0)
    bench.clock.sleep(1.0)
    asked = [text for text in config.read_device(None).wire.commands.values() if "?" in text]
    assert len(asked) > 8
    for text in [*asked, "SYST:COMM:TIM 10"]:
        said = bench.exchange("stimulator", text)
        assert bool(said) is ("?" in text), text
        assert bench.exchange("stimulator", "SYST:ERR?") == b'0,"No error"\n', text


@pytest.mark.parametrize(
    ("bug", "test", "requirement"),
    [
        ("STEP_ON_RESUME", "resumed_treatment_ramps_up", "RAMP-RESUME"),
        ("NO_OPEN_DETECTION", "open_load_switches_the_output_off", "STOP-OPEN"),
    ],
)
def test_a_bug_that_is_compiled_in_fails_its_requirement(
    build: Callable[..., Path], tmp_path: Path, bug: str, test: str, requirement: str
) -> None:
    path = build(f"{bug}.so", f"-DBUG_{bug}")
    found = judged(tmp_path, f"--hil-firmware={path}", "-k", test, "--hil-depth=standard")
    assert verdicts(found)[requirement] is Verdict.FAIL


def test_without_a_build_the_run_says_that_it_judges_no_firmware(tmp_path: Path) -> None:
    found = judged(tmp_path, "--collect-only")
    assert found.run["firmware"] is None
    assert "not the firmware of a device" in found.provenance.reason


def test_a_fault_of_the_circuit_is_seeded_beside_the_build(
    build: Callable[..., Path], tmp_path: Path
) -> None:
    options = (f"--hil-firmware={build('ionto.so')}", "--hil-fault=F11", "-k", "stays_within")
    found = judged(tmp_path, *options, "--hil-suite=current-limits")
    assert verdicts(found)["LIM-ACC"] is Verdict.FAIL


def test_a_fault_of_the_reference_firmware_is_refused_beside_a_build(
    build: Callable[..., Path],
) -> None:
    with pytest.raises(UsageError, match=r"F01: is a fault of the reference firmware; ionto\.so"):
        plan.make(Options(firmware=build("ionto.so"), faults=("F01",)))


def test_a_build_that_cannot_be_run_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--firmware .*none\.so: cannot be read: No such file"):
        plan.make(Options(firmware=tmp_path / "none.so"))


def test_a_build_that_changes_after_it_was_planned_is_refused(
    build: Callable[..., Path], tmp_path: Path
) -> None:
    path = tmp_path / "ionto.so"
    path.write_bytes(build("ionto.so").read_bytes())
    made = plan.make(Options(firmware=path))
    planned = {
        "device": {"text": made.profile.text},
        "bench": {"text": made.bench.text},
        "firmware": {"name": "ionto.so", "sha256": "0" * 64},
        "software": software(),
        "catalogues": [{"text": text} for _, text in made.catalogues],
        "requirements": [],
    }
    with pytest.raises(UsageError, match="firmware, requirements: not as planned"):
        plan.compare(made, planned)


def test_a_station_that_is_flashed_with_a_build_identifies_it_after_every_reset(
    build: Callable[..., Path],
) -> None:
    made = plan.make(Options(firmware=build("ionto.so")))
    assert made.build is not None
    flash = made.build.flash()
    station = open_station(made.profile, made.bench, flash=flash, today=date(2026, 11, 26))
    assert station.twin is not None
    for seed in (1, 2):
        station.twin.reset(seed)
        station.supply.on(9 * V, 1 * A)
        station.clock.sleep(1)
        assert station.sessions["stimulator"].query("*IDN?").endswith(",C-1.0")
    station.close()


def served(tmp_path: Path, firmware: FirmwareEntry | None, place: str = "127.0.0.1") -> Path:
    """The bench file that `hil serve` writes."""
    bench = replace(plan.make(Options()).bench, firmware=firmware)
    ports = {
        role: f"TCPIP0::{place}::{n}::SOCKET" for n, role in enumerate(bench.instruments, 5001)
    }
    file = tmp_path / "served.toml"
    file.write_text(config.write_bench(service.pointed_at(bench, ports, 10.0)))
    return file


def test_a_served_bench_declares_its_build_and_the_run_repeats_it(tmp_path: Path) -> None:
    entry = FirmwareEntry("ionto.so", "a" * 64)
    made = plan.make(Options(bench=served(tmp_path, entry)))
    entry_body: EntryBody = {"number": 1, "entry": "0" * 64, "previous": None}
    run = plan._run_body(made, "run", [], entry_body)  # noqa: SLF001  # pure
    reason = run["expected_reason"]
    assert made.firmware == entry
    assert f"ionto.so (SHA-256 {'a' * 64}), as the bench file says, which this run" in reason
    assert plan.make(Options(bench=served(tmp_path, None))).firmware is None


def test_a_build_is_given_where_the_bench_is_simulated_and_nowhere_else(
    build: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="hil serve --firmware"):
        plan.make(Options(bench=served(tmp_path, None), firmware=build("ionto.so")))
    inside = served(tmp_path, FirmwareEntry("ionto.so", "a" * 64), "SIM-x")
    with pytest.raises(ConfigurationError, match="which takes --firmware"):
        plan.make(Options(bench=inside))
