"""The page on a new stimulator, followed step by step: both devices come to a true verdict."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from framework import foreign_stimulators as foreign
from hil.conclusion import Conclusion, conclude
from hil.verdict import Verdict
from hil_reports.evidence import read_journal

HIL = [sys.executable, "-c", "from hil_fixtures.cli import main; main()"]
RAMP = "test_ramping:test_current_rises_slowly[4mA-2kohm-positive-stop]"


def concluded(runs: Path) -> Conclusion:
    (folder,) = (path for path in runs.iterdir() if path.is_dir())
    return conclude(read_journal(folder).records)


def test_the_first_device_needs_its_two_files_alone(tmp_path: Path) -> None:
    def hil(command: str, code: int) -> str:
        made = subprocess.run(
            [*HIL, *command.split()], cwd=tmp_path, capture_output=True, text=True, timeout=110
        )
        assert made.returncode == code, made.stdout + made.stderr
        return made.stdout

    new, check, judge, *_ = foreign.blocks("sh")
    for line in new.splitlines():
        hil(line.removeprefix("hil "), 0)
    device, bench = tmp_path / "device.toml", tmp_path / "bench.toml"
    assert device.read_text("utf-8") == foreign.starter("device")
    device.write_text(foreign.gx2_device(), "utf-8")
    bench.write_text(foreign.gx2_bench(), "utf-8")
    assert "Galvan GX-2" in hil(check.removeprefix("hil ").strip(), 0)
    healthy, faulty = judge.splitlines()
    assert faulty == f"{healthy} --fault F02"
    told = hil(f"{faulty.removeprefix('hil ')} --out faulty -- -k rises_slowly", 10)
    assert "SIMULATED Galvan GX-2" in told
    found = concluded(tmp_path / "faulty")
    verdicts = {row.test: row.by_requirement for row in found.tests}
    assert verdicts[RAMP]["RAMP-UP"] is Verdict.FAIL


def judged(folder: Path, device: str, bench: str, *more: str) -> Conclusion:
    """Judge by plain pytest, in this process."""
    (folder / "device.toml").write_text(device, "utf-8")
    (folder / "bench.toml").write_text(bench, "utf-8")
    files = [f"--hil-device={folder / 'device.toml'}", f"--hil-bench={folder / 'bench.toml'}"]
    args = ["--pyargs", "hil_suites", "--hil-depth=smoke", f"--hil-out={folder / 'runs'}"]
    apart = ["-c", "/dev/null", "-p", "no:cacheprovider", "-p", "no:timeout", "-q"]
    apart += ["--import-mode=importlib", f"--rootdir={folder}", "--hil-suite=ramping"]
    apart += ["-k", "rises_slowly or stop_ramps"]  # the others take longer and tell no more
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main([*args, *apart, *files, *more])
    return concluded(folder / "runs")


@pytest.mark.parametrize("make", ["gx2", "d1"])
@pytest.mark.parametrize("fault", ["", "F02"])
def test_both_devices_come_to_a_true_verdict(tmp_path: Path, make: str, fault: str) -> None:
    files = {
        "gx2": (foreign.gx2_device, foreign.gx2_bench),
        "d1": (foreign.d1_device, foreign.d1_bench),
    }[make]
    with foreign.installed(tmp_path / "site"):
        more = [f"--hil-fault={fault}"] if fault else []
        found = judged(tmp_path, *(write() for write in files), *more)
    ran = [row for row in found.tests if re.search(r"rises_slowly|stop_ramps", row.test)]
    assert ran[0].by_requirement["RAMP-UP"] is (Verdict.FAIL if fault else Verdict.PASS)
    if not fault:
        assert [row.verdict for row in ran] == [Verdict.PASS] * 2
    assert all(off.confirmed for off in found.offs)
    (device,) = (body for body in found.instruments if body["role"] == "stimulator")
    driver = {"gx2": "scpi-stimulator", "d1": "dermalux-d1 (dermalux-stimproof 1.0)"}
    assert device["driver"] == driver[make]


def test_the_page_tells_what_the_example_package_holds() -> None:
    project = (foreign.EXAMPLE / "pyproject.toml").read_text("utf-8")
    assert foreign.blocks("toml")[1] in project
    module = (foreign.EXAMPLE / "dermalux_stimproof.py").read_text("utf-8")
    (length,) = re.findall(r"package of its own: (\d+) lines", foreign.PAGE)
    assert abs(len(module.splitlines()) - int(length)) <= 25


def test_every_link_of_the_page_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", foreign.PAGE):
        assert (foreign.ROOT / "docs" / target).exists(), target
