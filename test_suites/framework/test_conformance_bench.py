"""A whole bench through the suites of its roles; the page on conformance names every check."""

import dataclasses
import importlib
import re
from datetime import date
from pathlib import Path

import pytest

from hil.errors import Unavailable
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.conformance.bench import conform
from hil_fixtures.station import open_station

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "conformance.md").read_text("utf-8")
PROFILE, DESCRIPTION = read_device(None), read_bench(None)
ROLES = ["ammeter", "voltmeter", "oscilloscope", "load", "cutoff", "supply"]
MODULES = {
    "Multimeter": "multimeter",
    "Source": "source",
    "Oscilloscope": "oscilloscope",
    "ElectrodeLoad": "electrode_load",
    "Source on the terminals": "terminal_source",
    "Supply": "supply",
    "Cutoff": "cutoff",
    "Stimulator": "stimulator",
}


def station_of(description):
    return open_station(PROFILE, description, today=date(2026, 6, 1))


def test_the_built_in_bench_conforms_and_is_left_at_rest():
    station = station_of(DESCRIPTION)
    found = list(conform(station))
    assert [each.role for each in found] == ROLES
    failed = [f"{each.role}: {check}" for each in found for check in each.checks if check.remark]
    assert failed == []
    assert station.cutoff.is_closed() is False
    assert station.load.selected() is None
    assert station.supply.is_on() is False
    assert station.source.is_on() is False
    station.close()


def test_a_bench_without_a_source_of_known_sign_says_what_it_lacks():
    station = station_of(dataclasses.replace(DESCRIPTION, source=None))
    with pytest.raises(Unavailable, match="source of known sign"):
        next(conform(station))
    station.close()


@pytest.mark.parametrize("role", MODULES)
def test_the_page_names_every_check_of_a_role_and_no_other(role):
    checks = importlib.import_module(f"hil_fixtures.conformance.{MODULES[role]}").CHECKS
    (section,) = re.findall(rf"^## {role}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", section, re.MULTILINE)[1:])
    rows = {name: text for name, text in rows.items() if not name.startswith("-")}
    told = {name: check.__doc__.split("\n")[0] for name, check in checks.items()}
    assert rows == told


def test_the_example_of_the_page_runs_and_every_role_conforms(capsys):
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(example, "conformance.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [[role, "conforms"] for role in ROLES]
