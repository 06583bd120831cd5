"""The page on requirements: its example runs, and it names all that a catalogue may say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from hil import risk
from hil.exact import Dimension
from hil.requirement import Kind, Knowledge
from hil.rule import Guard, Rule
from hil_fixtures import config
from hil_fixtures.config.value import spoken

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "requirements.md").read_text("utf-8")
HIL = [sys.executable, "-c", "from hil_fixtures.cli import main; main()"]


def example(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_example_of_each_kind_passes(tmp_path: Path) -> None:
    def hil(*arguments: str) -> str:
        made = subprocess.run(
            [*HIL, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert made.returncode == 0, made.stdout + made.stderr
        return made.stdout

    hil("new", "device")
    device = tmp_path / "device.toml"
    text = device.read_text("utf-8")
    assert "requirements = [] " in text
    device.write_text(text.replace("requirements = []", 'requirements = ["clinic.toml"]'), "utf-8")
    (tmp_path / "clinic.toml").write_text(example("toml"), "utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_clinic.py").write_text(example("python"), "utf-8")
    (command,) = re.findall(r"^hil (run .*?) +#", PAGE, re.MULTILINE)
    said = hil(*command.split())
    assert "PASS within a partial scope" in said
    run = (tmp_path / "runs" / "latest").read_text("utf-8").strip()
    journal = (tmp_path / "runs" / run / "data" / "journal.jsonl").read_text("utf-8")
    judged = {
        record["body"]["requirement"]: record["body"]["verdict"]
        for record in map(json.loads, journal.splitlines())
        if record["kind"] == "judgement"
    }
    assert judged == dict.fromkeys(re.findall(r'^id = "(.*)"$', PAGE, re.MULTILINE), "PASS")
    assert len(judged) == 9


def test_the_example_has_each_kind_of_limit_and_each_rule() -> None:
    kinds = set(re.findall(r'kind = "(.*?)"', example("toml")))
    assert kinds == {kind.value for kind in Kind}
    rules = {Rule.parse(text).guard for text in re.findall(r'^rule = "(.*)"$', PAGE, re.MULTILINE)}
    assert rules | {Guard.EXPANDED} == set(Guard)


@pytest.mark.parametrize("words", [Kind, Knowledge])
def test_every_word_has_its_row(words: type[Kind] | type[Knowledge]) -> None:
    rows = re.findall(r'^\| `"(.*?)"` \|', PAGE, re.MULTILINE)
    assert {word.value for word in words} <= set(rows)


def test_every_dimension_and_every_figure_is_named() -> None:
    (row,) = re.findall(r"^\| `dimension` \| .*?: (.*) \|$", PAGE, re.MULTILINE)
    assert re.split(r", | or ", row) == [spoken(dimension) for dimension in Dimension]
    table = PAGE[PAGE.index("| dimension | figures") :]
    listed = dict(re.findall(r"^\| ([a-z ]+) \| (`.*`) \|$", table, re.MULTILINE))
    figures = config.read_device(None).figures
    assert {
        name: kind for kind, names in listed.items() for name in re.findall(r"`(.*?)`", names)
    } == {name: spoken(figure.value.dimension) for name, figure in figures.items()}


@pytest.mark.parametrize("rule", ["guarded", "guard factor 0.83", "simple"])
def test_the_risk_of_a_rule_is_as_written(rule: str) -> None:
    (told,) = re.findall(rf'^\| `"{rule}"`.*\| ([0-9.]+) % \|$', PAGE, re.MULTILINE)
    u = Decimal("0.01")
    guard = Rule.parse(rule).width(2 * u, None)
    percent = 100 * risk.outside(Decimal(1) - guard, float(u), None, Decimal(1))
    assert f"{percent:.2g}" == f"{float(told):.2g}"


@pytest.mark.parametrize(
    ("page", "count"), [("shutdown-and-commands.md", 5), ("current-and-standby.md", 6)]
)
def test_a_page_of_the_suites_names_requirements_and_figures_that_there_are(
    page: str, count: int
) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    setup = config.read_setup(None, None)
    known = {each.id: each.subject.replace(" ", "-") for each in setup.requirements}
    told = set(re.findall(r"\b[A-Z]+-[A-Z]+\b", text))
    assert told <= set(known)
    sections = "output|ramp|polarity|electrode|power|timer|protection|indication|dose"
    named = set(re.findall(rf"`((?:{sections})\.[a-z_]+)`", text))
    assert named
    assert named <= set(setup.profile.figures)
    slugs = set(re.findall(r"^## .* \(`(.*)`\)$", text, re.MULTILINE))
    assert slugs <= set(known.values())
    assert len(slugs) == count
    assert {name for name, subject in known.items() if subject in slugs} <= told
