"""A maker's own limits of every form, from the catalogue through a run to its replay."""

import re
import subprocess
import sys
from decimal import Decimal

import pytest

from hil.conclusion import conclude
from hil.verdict import Verdict
from hil_fixtures import config
from hil_reports.evidence import read_journal

OWN = """
clause = "project"
source = "specification 4"
status = "project"
[[requirement]]
id = "{}"
subject = "own"
title = "Own limit"
text = "The own limit holds."
dimension = "{}"
limit = {}
"""
COURSE = """{ kind = "envelope", points = [
    { time = "0 s", lower = "-output.standby", upper = "output.standby + ramp.step" },
    { time = "30 s", lower = "0.9 mA", upper = "1.1 mA" },
    { time = "32 s", lower = "0.9 mA", upper = "1.1 mA" },
    { time = "32 s", upper = "output.software_limit" },
    { time = "34 s", upper = "output.software_limit" },
] }"""
"""The reference device takes 30 s to any setting."""
LATE = """{ kind = "envelope", points = [
    { time = "0 s", lower = "-output.standby", upper = "output.standby" },
    { time = "30 s", lower = "-output.standby", upper = "0.5 mA" },
] }"""
LIMITS = {
    "BAND": ("current", '{ kind = "between", lower = "0.95 mA", upper = "1.05 mA" }', "method 6"),
    "SHARE": ("current", '{ kind = "at most", figure = "output.trip" }', "guard factor 0.83"),
    "FEW": ("count", '{ kind = "at most", figure = "0 count" }', "guarded"),
    "COURSE": ("current", COURSE, "guarded"),
    "LATE": ("current", LATE, "guarded"),
}
TESTS = """
from hil.features import peak, steady
from hil.measurement import counted
from hil.scenario import Scenario
from hil.units import mA, s
from hil_fixtures.suite import requirement

@requirement("BAND", "SHARE", "FEW", "COURSE")
def test_own(bench, judge):
    record = bench.record(Scenario.treatment(1 * mA, hold=5 * s))
    judge("BAND", steady(record.current))
    judge("SHARE", peak(record.current))
    complaints = counted(len(record.complaints), "errors that the device reported")
    judge("FEW", complaints)
    judge("COURSE", record.current, at=record.event("start"))

@requirement("LATE")
def test_late(bench, judge):
    record = bench.record(Scenario.treatment(1 * mA, hold=5 * s))
    judge("LATE", record.current, at=record.event("start"))
"""


def catalogue():
    """Each limit as one requirement; the keys of a figure of its own come before its table."""
    tables = []
    for name, (dimension, limit, rule) in LIMITS.items():
        own, table = OWN.split("[[requirement]]")
        tables.append(
            "[[requirement]]" + table.format(name, dimension, limit) + own + f'rule = "{rule}"\n'
        )
    return "".join(tables)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A run of these tests on the simulated bench, in a process of its own, sealed."""
    root = tmp_path_factory.mktemp("maker")
    device = config.starter("device").replace("requirements = []", 'requirements = ["own.toml"]')
    (root / "my.toml").write_text(device)
    (root / "own.toml").write_text(catalogue())
    (root / "mine").mkdir()
    (root / "mine" / "test_own.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", str(root / "mine"), f"--rootdir={root / 'mine'}"]
    command += ["-c", "/dev/null", "--import-mode=importlib", "-p", "no:cacheprovider"]
    command += ["-p", "no:timeout", f"--hil-out={root / 'runs'}", "--hil-suite=own"]
    command += [f"--hil-device={root / 'my.toml'}"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    folders = [path for path in (root / "runs").iterdir() if path.is_dir()]
    assert len(folders) == 1, ran.stdout + ran.stderr
    sealed = hil("seal", folders[0])
    assert sealed.returncode == 10, sealed.stdout + sealed.stderr  # LATE is broken
    return folders[0]


def hil(*words):
    command = [sys.executable, "-m", "hil_fixtures", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def decisive(folder, name):
    rows = conclude(read_journal(folder).records).requirements
    (found,) = [row for row in rows if row.requirement["id"] == name]
    return found


@pytest.mark.parametrize("name", ["BAND", "SHARE", "FEW", "COURSE"])
def test_a_healthy_device_keeps_each(bundle, name):
    row = decisive(bundle, name)
    assert row.verdict is Verdict.PASS, row.remark


def test_a_rise_too_early_breaks_the_envelope(bundle):
    """1 mA in 30 s against an envelope that allows half of it."""
    row = decisive(bundle, "LATE")
    assert row.verdict is Verdict.FAIL
    measured = row.decisive["measured"]
    assert "above the envelope" in measured["note"]
    assert " s after start" in measured["note"]


def test_each_judgement_names_its_rule_and_limits(bundle):
    band = decisive(bundle, "BAND")
    assert band.requirement["rule"] == band.decisive["rule"] == "method 6"
    assert Decimal(band.decisive["accept_lower"]) >= Decimal("0.00095")
    assert band.decisive["tur"] > 4
    share = decisive(bundle, "SHARE").decisive
    expanded = Decimal(share["measured"]["expanded"])
    assert Decimal(share["guard"]) == expanded * Decimal("0.83")
    few = decisive(bundle, "FEW").decisive
    assert (few["rule"], few["guard"], few["measured"]["unit"]) == ("", "0", "count")


def test_a_replay_comes_out_to_the_same(bundle):
    again = hil("replay", bundle)
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_replay_by_a_changed_device_holds_the_wave_against_the_changed_envelope(bundle):
    """The first point names the step while ramping: with a smaller one less room is left."""
    root = bundle.parent.parent
    text = (root / "my.toml").read_text()
    head, _, tail = text.partition("[ramp.step]\n")
    changed = re.sub(r'value = "[^"]*"', 'value = "0.02 mA"', tail, count=1)
    (root / "changed.toml").write_text(f"{head}[ramp.step]\n{changed}")
    again = hil("replay", bundle, "--device", root / "changed.toml")
    assert again.returncode == 10, again.stdout + again.stderr
    told = [line for line in again.stdout.splitlines() if "COURSE" in line]
    assert told, again.stdout
    assert not [line for line in again.stdout.splitlines() if "BAND" in line]
