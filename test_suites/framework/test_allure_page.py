"""allure.html: a renderer's page that loads nothing and says how much of the plan has a verdict."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from framework.made_runs import HOSTILE, good_run
from hil.conclusion import conclude
from hil_fixtures.cli import app
from hil_reports.allure_page import NotRendered, closed, render
from hil_reports.evidence import read_journal, seal, verify
from hil_reports.report import add_allure_page, remake_report

PAGE = """<!DOCTYPE html>
<html><head>
    <script src="data:text/javascript;base64,AAAA"></script>
    <script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>
    <script>
        window.dataLayer = window.dataLayer || [];
        function gtag(){dataLayer.push(arguments);}
        gtag('config', 'G-1');
    </script>
    <script>d("data", "kept")</script>
</head><body><svg xmlns="http://www.w3.org/2000/svg"></svg></body></html>
"""
"""What npm's allure 3.18.0 makes, its own program left out."""
RENDERER = f"""#!{sys.executable}
import json, pathlib, sys
program, command, option, config, results = sys.argv[1:]
assert (command, option) == ("generate", "--config")
told = json.loads(pathlib.Path(config).read_text())
out = pathlib.Path(told["output"])
out.mkdir()
(out / "index.html").write_text(pathlib.Path(program).read_text())
with open(told["historyPath"], "a") as history:
    history.write(json.dumps({{"name": told["name"], "results": results}}) + "\\n")
"""
"""Stands for `node cli.js`: the page that it makes is what cli.js holds."""


@pytest.fixture
def folder(tmp_path) -> Path:
    made = good_run(tmp_path / "run")
    seal(made)
    return made


@pytest.fixture
def renderer(tmp_path, monkeypatch) -> Path:
    """A renderer that is installed; its program."""
    node = tmp_path / "bin" / "node"
    node.parent.mkdir()
    node.write_text(RENDERER)
    node.chmod(0o755)
    (tmp_path / "allure").mkdir()
    monkeypatch.setenv("PATH", str(node.parent))
    monkeypatch.setenv("STIMPROOF_ALLURE", str(tmp_path / "allure"))
    program = tmp_path / "allure" / "cli.js"
    program.write_text(PAGE)
    return program


def conclusion_of(folder: Path):
    return conclude(read_journal(folder).records)


def test_a_page_loads_nothing_and_counts_no_reader(folder):
    page = closed(PAGE, conclusion_of(folder))
    assert "googletagmanager" not in page
    assert "gtag" not in page
    assert 'd("data", "kept")' in page
    first = page.index("<head>") + len("<head>")
    assert page[first:].startswith(
        '<meta http-equiv="Content-Security-Policy" content="default-src'
    )
    policy = page[first : page.index(">", first)]
    assert "http:" not in policy
    assert "https:" not in policy
    assert "*" not in policy


@pytest.mark.parametrize(
    "more",
    [
        '<img src="https://x.example/a.png">',
        "<link href='//x.example/a.css'>",
        "<script src=http://x.example/a.js></script>",
        "<script>load('https://www.googletagmanager.com/')</script>",
    ],
)
def test_a_page_that_still_leads_elsewhere_is_refused(folder, more):
    with pytest.raises(NotRendered, match=r"leads elsewhere by .*3\.18\.0 was tried"):
        closed(PAGE.replace("</body>", f"{more}</body>"), conclusion_of(folder))


def test_a_banner_says_what_the_renderer_does_not_know(folder):
    found = conclusion_of(folder)
    lost = replace(found.tests[0], outcome="")
    run = {**found.run, "partial": HOSTILE}
    page = closed(PAGE, replace(found, complete=False, tests=(*found.tests, lost), run=run))
    body = page[page.index("<body>") :]
    assert body.startswith('<body><div role="note"')
    assert "SIMULATED: Simulated instruments" in body
    assert "INCOMPLETE 1 of 2 tests ended" in body
    assert "partial scope: &lt;script&gt;" in body
    assert "COMPLETE 1 of 1 tests ended" in closed(PAGE, found)


def test_a_page_is_one_of_the_views_and_a_run_is_once_in_the_history(folder, renderer):
    report = remake_report(folder)
    for _ in range(2):
        page = add_allure_page(folder, report)
        assert page.read_text() == closed(PAGE, conclusion_of(folder))
    assert verify(folder).problems == ()
    (history,) = folder.parent.glob("allure-history-example-medical-ionto-4-*.jsonl")
    (line,) = history.read_text().splitlines()
    assert json.loads(line)["name"] == "20260301-093000-ab12"
    history.write_text('torn\n{"name": "before"}\n')
    add_allure_page(folder, report)
    assert [json.loads(each)["name"] for each in history.read_text().splitlines()] == [
        "before",
        "20260301-093000-ab12",
    ]


def test_a_renderer_that_fails_leaves_no_page(folder, renderer, tmp_path):
    renderer.write_text("no page at all")
    target = tmp_path / "allure.html"
    with pytest.raises(NotRendered, match="no head or no body"):
        render(tmp_path, target, conclusion_of(folder), tmp_path / "history.jsonl")
    node = tmp_path / "bin" / "node"
    node.write_text(f"#!{sys.executable}\nraise SystemExit('out of memory')\n")
    with pytest.raises(NotRendered, match=r"ended with 1: .*out of memory"):
        render(tmp_path, target, conclusion_of(folder), tmp_path / "history.jsonl")
    assert not target.exists()
    assert not (tmp_path / "history.jsonl").exists()


@pytest.mark.parametrize("missing", ["node", "renderer"])
def test_where_a_program_is_missing_one_line_says_so_and_the_rest_is_whole(
    folder, renderer, monkeypatch, capsys, missing
):
    if missing == "node":
        monkeypatch.setenv("PATH", "")
    else:
        renderer.unlink()
    assert not app(["report", str(folder), "--allure"], standalone_mode=False)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("allure.html is not made: ")
    assert ("node is not on PATH" in last) is (missing == "node")
    assert verify(folder).problems == ()
    assert (folder / "report" / "compliance.pdf").exists()
