"""Two runs are compared: what changed is told, what differs within the uncertainties is not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from framework.made_runs import HOSTILE, Run, current, requirement, treatment
from hil.conclusion import conclude
from hil.errors import UsageError
from hil_fixtures.cli import app
from hil_reports.compare import comparison
from hil_reports.comparison import PAGES, comparison_html, comparison_markdown, write_comparison
from hil_reports.evidence import capture_loader, read_journal, seal
from hil_reports.overlays import Side
from hil_reports.text import DASH, markdown

PEAKS = {"A": 4.0e-3, "B": 5.0e-3}


def run(
    folder: Path, values: dict[str, str], name: str = "A", title: str = "", **changes: str | list
) -> Path:
    """A run in which one test judges each requirement by a value in A (u 1.1 uA, U 2.2 uA)."""
    made = Run(folder, [requirement(each, title=title or each) for each in values], **changes)
    made.collect({"m:test_a[1]": list(values)})
    taken = treatment(peak=PEAKS[name])
    record = made.record("m:test_a[1]", taken)
    judged = [(each, current(value, taken), None, record) for each, value in values.items()]
    made.test("m:test_a[1]", judged=judged)
    made.off()
    return made.end()


def side(name: str, folder: Path) -> Side:
    records = read_journal(folder).records
    return Side(name, conclude(records), capture_loader(folder, records))


BEFORE = {
    "R-SAME": "0.004", "R-NOISE": "0.004", "R-MOVED": "0.004", "R-WORSE": "0.004",
    "R-BETTER": "0.0043", "R-GONE": "0.004",
}  # fmt: skip
AFTER = {
    "R-SAME": "0.004", "R-NOISE": "0.0040031", "R-MOVED": "0.0040032", "R-WORSE": "0.0043",
    "R-BETTER": "0.004", "R-NEW": "0.004",
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    room = tmp_path_factory.mktemp("two")
    first = run(room / "first", BEFORE, run_id="first")
    second = run(room / "second", AFTER, "B", run_id="second", faults=["F06"])
    for folder in (first, second):
        seal(folder)
    return first, second


@pytest.fixture(scope="module")
def view(folders):
    return comparison(side("A", folders[0]), side("B", folders[1]))


def test_each_requirement_has_its_change_and_no_more_than_that(view):
    """U of either value is 2.24 uA: together they explain 3.16 uA, and no more."""
    assert {row["id"]: row["change"] for row in view["requirements"]} == {
        "R-SAME": "",
        "R-NOISE": "",
        "R-MOVED": "moved",
        "R-WORSE": "worse",
        "R-BETTER": "better",
        "R-GONE": "only in A",
        "R-NEW": "only in B",
    }
    assert view["worse"] == 2
    assert view["statement"] == (
        "Of 7 requirements, B shows 1 worse, 1 no more, 1 better, 1 for the first time, 1 with the "
        "same verdict and another worst value, 2 as before. 5 of 7 judgements changed."
    )


def test_the_worst_change_comes_first_and_the_margin_is_told(view):
    assert [each["requirement"] for each in view["judgements"][:3]] == [
        "R-WORSE",
        "R-BETTER",
        "R-MOVED",
    ]
    margins = {row["id"]: row["margin"] for row in view["requirements"]}
    assert margins["R-WORSE"] == "\N{MINUS SIGN}300.0 \N{MICRO SIGN}A"
    assert margins["R-BETTER"] == "+300.0 \N{MICRO SIGN}A"
    assert margins["R-NEW"] == DASH


def test_only_what_differs_of_the_configuration_is_listed(view):
    assert view["configuration"] == [
        {"what": "faults seeded", "before": DASH, "after": "F06"},
        *(
            {"what": f"requirement {name}", "before": before, "after": after}
            for name, before, after in (
                ("R-GONE", _asked(view, "R-GONE", "before"), DASH),
                ("R-NEW", DASH, _asked(view, "R-NEW", "after")),
            )
        ),
    ]


def _asked(view, name, key):
    (row,) = [row for row in view["configuration"] if row["what"] == f"requirement {name}"]
    assert row[key].startswith("at most 4.2 mA; rule guarded; mandatory; ")
    return row[key]


def test_a_figure_of_the_device_that_was_changed_is_listed(folders):
    first, second = (side(name, folder) for name, folder in zip("AB", folders, strict=True))
    plan = second.conclusion.plan
    figures = [{**plan["figures"][0], "value": "3.9 mA"}]
    plan = {**plan, "figures": figures}
    second = replace(second, conclusion=replace(second.conclusion, plan=plan))
    told = comparison(first, second)["configuration"]
    wanted = {"what": "figure output.setpoint_max", "before": "4.0 mA", "after": "3.9 mA"}
    assert wanted in told


def test_the_records_of_a_judgement_that_changed_are_drawn_over_each_other(view):
    plots = {each["requirement"]: each["plot"] for each in view["judgements"]}
    svg = plots["R-WORSE"]["svg"]
    assert len(re.findall(r'<path class="trace" d="M[\d.]+ [\d.]+[LV]', svg)) == 1
    assert len(re.findall(r'<path class="before" d="M[\d.]+ [\d.]+[LV]', svg)) == 1
    assert "A first" in svg
    assert "B second" in svg
    assert 'class="bad"' in svg  # the single sample of B at 5 mA, over its limit of 4.2 mA
    assert plots["R-NEW"]["svg"] == ""


def test_records_are_drawn_from_the_start_of_their_treatment(folders):
    first, second = (side(name, folder) for name, folder in zip("AB", folders, strict=True))
    starts = {"A": 5.0, "B": 9.0}
    sides = []
    for each in (first, second):
        events = [{"name": "start", "time": starts[each.name], "u": 0.0}]
        records = tuple({**body, "events": events} for body in each.conclusion.records)
        sides.append(replace(each, conclusion=replace(each.conclusion, records=records)))
    (plot,) = [
        each["plot"]["svg"]
        for each in comparison(*sides)["judgements"]
        if each["requirement"] == "R-WORSE"
    ]
    assert "time from start in s" in plot
    # Both ramps begin at the first sample: A 5 s before its start, B 9 s before.
    begins = [float(x) for x in re.findall(r'="(?:before|trace)" d="M([\d.]+) [\d.]+[LV]', plot)]
    assert begins[0] > begins[1] + 50


def test_runs_of_another_device_model_are_compared_only_when_told(folders):
    first, second = (side(name, folder) for name, folder in zip("AB", folders, strict=True))
    plan = {**second.conclusion.plan, "model": "Ionto 5"}
    second = replace(second, conclusion=replace(second.conclusion, plan=plan))
    with pytest.raises(
        UsageError, match=r"Ionto 4, B one of Example Medical Ionto 5.*--other-model"
    ):
        comparison(first, second)
    assert comparison(first, second, other_model=True)["configuration"][0]["what"] == "device"


def test_hostile_text_is_text_in_both_pages(tmp_path):
    title = f"@everyone #1 !2 [x](http://e.example) | `a` www.e.example {HOSTILE}"
    first = run(tmp_path / "a", {"R-A": "0.004"}, title=title)
    second = run(tmp_path / "b", {"R-A": "0.0043"}, "B", title=title, faults=[title])
    view = write_comparison(first, second, tmp_path / "out")
    page, text = (tmp_path / "out" / PAGES[1]).read_text(), comparison_markdown(view)
    assert page == comparison_html(view)
    assert "<script" not in page
    assert "<script" not in text
    for row in text.splitlines():
        if row.startswith("|"):
            assert row.count("|") in {4, 6, 7}
    assert "everyone" in text
    for sign in ("@everyone", " #1", "!2", "](http", "http://", "www.e"):
        assert sign not in text
    assert "\u202e" not in text + page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b*c", "a&#95;b&#42;c"),
        ("&#60;", "&#38;#\u200b60;"),
        ("@you", "@\u200byou"),
        ("2.5 ± 0.1 mA; limit ≤ 3", "2.5 ± 0.1 mA; limit ≤ 3"),
        ("a\n| b", "a &#124; b"),
    ],
)
def test_markdown_shows_a_text_as_it_is(text, shown):
    assert markdown(text) == shown


def hil(*arguments: object) -> int:
    return app([str(each) for each in arguments], standalone_mode=False) or 0


def test_the_command_compares_sealed_evidence_and_ends_with_what_came_of_it(
    folders, tmp_path, capsys
):
    first, second = folders
    assert hil("report", "--compare", first, second, "--out", tmp_path / "worse") == 3
    assert "B shows 1 worse" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "worse").iterdir()) == sorted(PAGES)
    assert hil("report", "--compare", first, first, "--out", tmp_path / "same") == 0
    assert "Nothing differs" in (tmp_path / "same" / "comparison.md").read_text()
    with pytest.raises(UsageError, match="name a new folder"):
        hil("report", "--compare", first, first, "--out", tmp_path / "same")
    with pytest.raises(UsageError, match="leave it out with --compare"):
        hil("report", "--compare", first, first, "--allure")
    with pytest.raises(UsageError, match="goes with --compare"):
        hil("report", second, "--other-model")


@pytest.mark.parametrize("place", [0, 1])
def test_nothing_is_compared_where_the_evidence_is_not_sealed_and_intact(
    folders, tmp_path, capsys, place
):
    pair = [*folders]
    pair[place] = run(tmp_path / "unsealed", BEFORE)
    assert hil("report", "--compare", *pair, "--out", tmp_path / "out") == 10
    assert "nothing was compared" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
