"""Limits over a trace: only those of it, only while they hold, and on the side on which it lies."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from framework.made_runs import treatment
from hil_reports.marks import marks_of
from hil_reports.plot import Marks, draw, envelope

RECORD = {
    "events": [{"name": "reconnect", "time": 20.0, "u": 0.0}],
    "phases": {"hold": [[10.0, 38.0]]},
}
RAMP = treatment()  # 0 to 4 mA in 8 s, then 4 mA up to 40 s
FOUND = envelope(RAMP)
MINUS = envelope(replace(RAMP, samples=-RAMP.samples))


def judged(feature, value="0.004", lower=None, upper=None, verdict="PASS", **given):
    tree = feature if isinstance(feature, dict) else {"feature": feature, "given": given}
    measured = {"unit": "A", "value": value, "derivation": tree}
    return {"measured": measured, "lower": lower, "upper": upper, "verdict": verdict}


def instant(time):
    return {"instant": {"name": "e", "time": time, "u": 0.0}}


BAND = {"lower": "0.0038", "upper": "0.0042"}


def test_a_ramp_breaks_no_limit_of_the_level_after_it():
    marks = marks_of(judged("steady", phase="hold", **BAND), RECORD, FOUND)
    assert (marks.lower, marks.upper, marks.windows) == (0.0038, 0.0042, [(10.0, 38.0)])
    svg = draw(FOUND, marks, "t")
    assert 'class="bad"' not in svg
    lines = [line for line in svg.split("<path") if 'class="limit"' in line]
    assert len(lines) == 2
    assert all("M213.5 " in line and "H637.7" in line for line in lines)  # not over the ramp


def test_a_sample_beyond_the_limit_of_a_mean_is_marked_only_where_the_mean_broke_it():
    samples = RAMP.samples.copy()
    samples[2000] = 0.005  # within the hold
    found = envelope(replace(RAMP, samples=samples))
    for feature, verdict, crosses in (
        ("steady", "PASS", 0),
        ("mean", "PASS", 0),
        ("mean", "FAIL", 1),
        ("peak", "PASS", 1),
    ):
        judgement = judged(feature, verdict=verdict, phase="hold", **BAND)
        svg = draw(found, marks_of(judgement, RECORD, found), "t")
        assert svg.count('class="bad"') == crosses, (feature, verdict)


@pytest.mark.parametrize("tree", ["minus", "magnitude"])
def test_the_limits_of_a_magnitude_lie_where_the_current_flows(tree):
    inner = {"feature": "steady", "given": {"phase": "hold"}}
    marks = marks_of(judged({tree: inner}, **BAND), RECORD, MINUS)
    assert (marks.lower, marks.upper) == (-0.0042, -0.0038)
    assert 'class="bad"' not in draw(MINUS, marks, "t")
    assert marks_of(judged("peak", upper="0.0042"), RECORD, MINUS).lower == -0.0042


def test_a_peak_of_both_signs_has_a_limit_on_both_sides():
    both = envelope(replace(RAMP, samples=np.concatenate([RAMP.samples, -RAMP.samples[:2000]])))
    marks = marks_of(judged("peak", upper="0.0042"), RECORD, both)
    assert (marks.lower, marks.upper) == (-0.0042, 0.0042)
    assert marks_of(judged("peak", upper="0.0042"), RECORD, FOUND).lower is None


@pytest.mark.parametrize(
    "tree",
    [
        "largest_step",
        "slope",
        {"sum": [{"feature": "peak", "given": {}}, {"feature": "steady", "given": {}}]},
        {"feature": "my.module:feature", "given": {}},
        None,
        7,
    ],
)
def test_a_limit_on_what_is_no_level_of_the_trace_is_not_drawn(tree):
    marks = marks_of(judged(tree, upper="0.00005"), RECORD, FOUND)
    assert (marks.lower, marks.upper) == (None, None)
    assert marks.events == [("reconnect", 20.0)]
    assert 'class="limit"' not in draw(FOUND, marks, "t")


def test_a_limit_in_another_unit_is_not_drawn():
    body = judged("peak", upper="84")
    body["measured"]["unit"] = "V"
    assert marks_of(body, RECORD, FOUND).upper is None


def test_what_came_before_the_moment_that_is_judged_is_not_marked():
    """Up to 20 s the current is 400 times the limit that holds afterwards."""
    samples = RAMP.samples.copy()
    samples[2000:] = np.where(np.isnan(samples[2000:]), np.nan, 1e-6)
    samples[3333] = 2e-5
    found = envelope(replace(RAMP, samples=samples))
    body = judged("peak", "0.00002", upper="0.00001", verdict="FAIL", after=instant(20.0))
    svg = draw(found, marks_of(body, RECORD, found), "t")
    assert svg.count('class="bad"') == 1  # the one sample of 20 uA


@pytest.mark.parametrize(("verdict", "wanted"), [("FAIL", True), ("PASS", False)])
def test_a_window_narrower_than_a_column_shows_what_broke_its_limit(verdict, wanted):
    body = judged(
        "mean", upper="0.0039", verdict=verdict, after=instant(20.01), until=instant(20.02)
    )
    svg = draw(FOUND, marks_of(body, RECORD, FOUND), "t")
    assert ('class="bad"' in svg) is wanted


def test_marks_move_with_the_origin_of_time():
    marks = marks_of(judged("steady", phase="hold", **BAND), RECORD, FOUND).moved(4.0)
    assert (marks.events, marks.windows) == ([("reconnect", 16.0)], [(6.0, 34.0)])


LABEL = re.compile(
    r'<text class="(\w+)" x="([\d.-]+)" y="([\d.-]+)" text-anchor="(\w+)"[^>]*>([^<]*)'
)


def labels(svg):
    """Boxes of the labels above the plot: left, right, foot, text."""
    found = []
    for _, x, y, anchor, text in LABEL.findall(svg):
        if anchor == "middle" or float(x) < 60 or text == "bench time in s":
            continue  # figures and names of the axes
        wide = 6.0 * len(text)
        left = float(x) - (wide if anchor == "end" else 0)
        found.append((left, left + wide, float(y), text))
    return found


def test_many_events_have_each_their_mark_and_no_label_lies_over_another():
    steps = [(f"supply step #{n + 1}", 20.0 + n) for n in range(12)]
    others = [("start", 1.0), ("stop", 37.9), ("start #2", 38.0), ("abort", 38.2)]
    marks = Marks(lower=-0.00001, upper=0.00001, events=[*others, *steps])
    svg = draw(FOUND, marks, "t")
    assert svg.count('class="event"') == len(marks.events)
    boxes = labels(svg)
    told = [text for *_, text in boxes]
    assert "supply step #1 to #12" in told
    assert {"start", "stop", "start #2", "abort"} <= {*told}
    for place, (left, right, foot, text) in enumerate(boxes):
        for other_left, other_right, other_foot, other in boxes[place + 1 :]:
            apart = right < other_left or other_right < left or abs(foot - other_foot) >= 11
            assert apart, (text, other)
    assert all(foot < 30 for _, _, foot, _ in boxes)  # above the plot: over none of its lines
    top = float(re.search(r'viewBox="0 (-?\d+) ', svg)[1])
    assert all(foot - 11 >= top for _, _, foot, _ in boxes)
    assert any("0.01 mA" in text for text in told)


def test_events_far_apart_or_with_another_between_them_keep_their_own_names():
    events = [("open", 1.0), ("open #2", 20.0), ("stop", 20.5), ("open #3", 21.0)]
    told = [text for *_, text in labels(draw(FOUND, Marks(events=events), "t"))]
    assert sorted(told) == ["open", "open #2", "open #3", "stop"]
