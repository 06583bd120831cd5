"""The page on properties: its tables hold, and its example of an own suite runs as written."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hil.depth import Depth
from hil_fixtures import config, draw
from hil_fixtures.config.scenario import parsed_scenario
from hil_fixtures.plan import EXAMPLES

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "properties.md").read_text("utf-8")
SUITES = Path(__file__).resolve().parents[1] / "hil_suites" / "properties"


@pytest.fixture
def repository(tmp_path):
    """The example in a fresh folder, after what the page asks for."""
    folder = tmp_path / "clinic"
    shutil.copytree(DOCS / "own_suite_example", folder)
    text = config.starter("device")
    assert "requirements = [] " in text
    listed = text.replace("requirements = []", 'requirements = ["clinic.toml"]')
    (folder / "device.toml").write_text(listed, "utf-8")
    return folder


def judged(folder):
    """Verdicts that the one run of a folder journaled, and whether it told of a property."""
    (run,) = [path for path in (folder / "runs").iterdir() if path.is_dir()]
    lines = (run / "data" / "journal.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    mine = [r["body"] for r in records if r["kind"] == "judgement"]
    verdicts = [b["verdict"] for b in mine if b["requirement"] == "CLINIC-GENTLE"]
    return verdicts, [r["kind"] for r in records].count("property")


def test_the_example_runs_with_plain_pytest(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    alone = ["-p", "no:cacheprovider", "-p", "no:timeout", "--import-mode=importlib"]
    code = pytest.main([f"--rootdir={repository}", "-c", "pyproject.toml", *alone])
    assert code == 0, capsys.readouterr().out
    assert judged(repository) == (["PASS"] * EXAMPLES[Depth.STANDARD], 1)


def test_the_example_runs_with_hil_run(repository):
    (line,) = re.findall(r"^hil (run --device .*? -- test_clinic.py)", PAGE, re.MULTILINE)
    quick = line.replace("--device", "--depth smoke --device", 1)
    command = [sys.executable, "-m", "hil_fixtures", *quick.split()]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert judged(repository) == (["PASS"] * EXAMPLES[Depth.SMOKE], 1)


def test_the_example_has_ten_lines():
    lines = (DOCS / "own_suite_example" / "test_clinic.py").read_text("utf-8").splitlines()
    code = [line for line in lines if line.strip() and not line.startswith('"""')]
    assert len(code) <= 10


def test_every_property_of_the_suites_and_every_draw_has_its_row():
    rows = re.findall(r"^\| `draw\.([a-z_]+)` \|", PAGE, re.MULTILINE)
    public = [
        name
        for name, value in vars(draw).items()
        if callable(value) and value.__module__ == draw.__name__ and not name.startswith("_")
    ]
    assert sorted(rows) == sorted(public)
    table = PAGE[PAGE.index("| property |") : PAGE.index("## What can be drawn")]
    named = set(re.findall(r"[A-Z]+-[A-Z]+", table))
    source = "".join(path.read_text("utf-8") for path in SUITES.glob("test_*.py"))
    marks = re.findall(r"@requirement\((.*?)\)\n@for_all", source)
    assert named == {name for mark in marks for name in re.findall(r'"(.*?)"', mark)}


def test_the_numbers_of_examples_are_as_written():
    for depth, count in EXAMPLES.items():
        assert f"| {depth.value} | {count} |" in PAGE


def test_each_file_on_the_page_can_be_read():
    files = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(files) == 3
    for text in files:
        whole = text if text.startswith("test =") else f'test = "a:b"\nrequirements = ["C"]\n{text}'
        assert parsed_scenario("page", whole).drawn
