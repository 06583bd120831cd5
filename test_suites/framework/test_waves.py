"""Records that can be looked into on the page: no excursion is lost, and nothing is asked for."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pypdf
import pytest

from framework.made_runs import HOSTILE, Run, current, requirement, treatment
from hil.capture import Capture
from hil.conclusion import conclude
from hil_reports import html
from hil_reports import view as views
from hil_reports.evidence import capture_loader, read_journal
from hil_reports.html import html_page
from hil_reports.matrix import matrix
from hil_reports.plot import FINE, Marks, draw, envelope
from hil_reports.view import view_of
from hil_reports.waves import samples_of, wave

STORED = {"sha256": "a" * 64, "dataset": "a" * 16}
COUNT, PLACE, INTERVAL = 1_000_000, 500_123, 4e-5


def peaking() -> Capture:
    """A million samples; a single one, within a column, lies above the limit of 4.2 mA."""
    made = treatment(peak=4e-3, count=COUNT)
    samples = made.samples.copy()
    samples[PLACE] = 4.4e-3
    return replace(made, samples=samples, interval=INTERVAL)


LONG = peaking()
SEE = """<script>
addEventListener("load", function () { setTimeout(function () {
  var place = document.querySelector("figure.wave"), wave = place.wave, plot = wave.plot;
  var found = {};
  function told() { return place.querySelector(".told").textContent; }
  function press(name) { wave.buttons[name].click(); }
  function colours(time, low, high) {  // of the strip that an excursion takes up
    var left = plot.valToPos(time, "x", true), seen = {};
    var top = plot.valToPos(high, "y", true), height = plot.valToPos(low, "y", true) - top;
    var strip = [Math.round(left) - 3, Math.round(top) - 3, 7, Math.round(height)];
    var dots = plot.ctx.getImageData(strip[0], strip[1], strip[2], strip[3]).data;
    for (var at = 0; at < dots.length; at += 4) {
      if (dots[at + 3] > 200) { seen[[dots[at], dots[at + 1], dots[at + 2]]] = 1; }
    }
    return Object.keys(seen);
  }
  found.whole = told();
  found.colours = colours(20, 4.2, 4.4);
  found.beside = colours(25, 4.25, 4.4);
  press("largest");
  setTimeout(function () {
    found.largest = told();
    found.close = colours(500123 * 4e-5, 4.25, 4.4);
    found.closeBeside = colours(500143 * 4e-5, 4.25, 4.4);
    press("whole"); for (var times = 0; times < 6; times++) { press("in"); } press("later");
    found.fine = told();
    wave.drawn.dispatchEvent(new KeyboardEvent("keydown", { key: "0" }));
    found.key = told();
    found.disabled = [wave.buttons.out.disabled, wave.buttons["in"].disabled];
    var from = plot.valToPos(10, "x"), to = plot.valToPos(30, "x");
    plot.setSelect({ left: from, top: 0, width: to - from, height: 9 });
    found.chosen = wave.now;
    found.asked = performance.getEntriesByType("resource").length;
    found.foreign = document.querySelectorAll("figure script, figure img").length;
    found.events = wave.over.events[0][0];
    found.sizes = [document.documentElement.scrollWidth, innerWidth];
    found.still = getComputedStyle(place.querySelector(".still")).display;
    var made = document.createElement("pre");
    made.id = "found";
    made.textContent = btoa(unescape(encodeURIComponent(JSON.stringify(found))));
    document.body.appendChild(made);
  }, 200);
}, 200); });
</script></body>"""


def numbers(packed: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed), "<f4")


def of_run(folder, requirements, captures, peak="0.0044"):
    """View of a run in which each test records a capture, and all requirements break on it."""
    run = Run(folder, [requirement(name) for name in requirements])
    tests = {f"m:test_{place}": list(requirements) for place in range(len(captures))}
    run.collect(tests)
    for test, capture in zip(tests, captures, strict=True):
        record = run.record(test, capture)
        value = current(peak, capture)
        run.test(test, "failed", judged=[(name, value, None, record) for name in requirements])
    run.off()
    run.end(1)
    records = read_journal(folder).records
    found = conclude(records)
    found.records[0]["events"][0]["name"] = HOSTILE
    return view_of(found, capture_loader(folder, records), matrix(found, records))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Page of a run with one record of a million samples."""
    folder = tmp_path_factory.mktemp("waves")
    view = of_run(folder / "run", ["LIM-A"], [LONG])
    path = folder / "index.html"
    path.write_text(html_page(view), encoding="utf-8")
    return path


def chromium(page, profile, *options):
    line = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"]
    line += [f"--user-data-dir={profile}", *options, page.as_uri()]
    return subprocess.run(line, capture_output=True, text=True, timeout=90, check=True).stdout


def test_one_sample_of_a_million_is_in_the_columns_of_the_page_and_in_the_picture():
    found = envelope(LONG)
    marks = Marks(upper=4.2e-3, failed=True)
    kept = samples_of(found, STORED)
    whole, *close = kept["levels"]
    assert whole["columns"] == FINE
    over = np.flatnonzero(numbers(whole["high"]) > 4.2)
    assert over.tolist() == [FINE // 2]
    assert wave(found, marks, STORED, "")["bad"] == {"above": [[FINE // 2, FINE // 2]], "below": []}
    around = close[1]
    assert np.flatnonzero(numbers(around["low"]) > 4.2) + around["first"] == [PLACE]
    svg = draw(found, marks, "")
    assert svg.count('class="bad"') == 1
    assert float(re.search(r'class="bad" d="M[\d.]+ ([\d.]+)', svg)[1]) < 100  # above the plateau


def test_a_long_capture_is_reduced_without_a_copy_of_it():
    samples = np.zeros(6_000_000)
    samples[3_000_001] = np.inf
    long = replace(LONG, samples=samples, gaps=())
    tracemalloc.start()
    found = envelope(long)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.overloads == 1
    assert most < samples.nbytes / 3


def test_what_lies_below_a_limit_is_marked_as_below():
    samples = LONG.samples.copy()
    samples[700_000] = -1e-3
    found = envelope(replace(LONG, samples=samples))
    bad = wave(found, Marks(lower=-5e-4), STORED, "")["bad"]
    assert bad == {"above": [], "below": [[FINE * 7 // 10, FINE * 7 // 10]]}


def test_a_short_record_is_kept_sample_by_sample():
    short = treatment(count=1500)
    (whole,) = samples_of(envelope(short), STORED)["levels"]
    np.testing.assert_allclose(numbers(whole["low"]), 1e3 * short.samples, rtol=1e-6, atol=1e-9)
    assert whole["high"] == ""


def test_the_page_stays_small_whatever_was_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(views, "_DRAWINGS", 4)
    captures = [replace(treatment(4.4e-3, 30_000, seed), interval=1e-3) for seed in range(3)]
    view = of_run(tmp_path / "run", ["LIM-A", "LIM-B", "LIM-C"], captures)
    drawn = [len(row["drawings"]) for row in view["requirements"]]
    assert sum(drawn) == 4
    assert min(drawn) == 1  # what decides a requirement comes before any further record
    told = "The worst case of 3 of 3 requirements is drawn below; 5 more records are not"
    assert told in view["drawn"]
    one = json.dumps(next(iter(view["waves"].values())))
    assert len(one) < 30_000
    shown = {each["wave"]["capture"] for row in view["requirements"] for each in row["drawings"]}
    assert shown == view["waves"].keys()


@pytest.mark.needs_tool("chromium")
def test_a_browser_draws_the_excursion_and_asks_nobody(page, tmp_path):
    seen = tmp_path / "seen.html"
    seen.write_text(page.read_text("utf-8").replace("</body>", SEE), encoding="utf-8")
    dom = chromium(seen, tmp_path / "profile", "--window-size=1000,3000", "--dump-dom")
    made = re.search(r'<pre id="found">([\w+/=]+)</pre>', dom)
    assert made, "the page's script did not run to its end"
    found = json.loads(base64.b64decode(made[1]))
    assert {"29,78,137", "179,38,30"} <= set(found["colours"])  # the trace, and the mark on it
    assert not {"29,78,137", "179,38,30"} & set(found["beside"])
    assert "largest 4.4000 mA" in found["whole"]
    assert found["largest"].endswith("Every sample is drawn.")
    assert {"29,78,137", "179,38,30"} <= set(found["close"])
    assert not {"29,78,137", "179,38,30"} & set(found["closeBeside"])
    assert "least and the largest of each 500 samples" in found["fine"]
    assert re.search(r"all samples are in data/captures/[0-9a-f]{16}\.h5\.$", found["fine"])
    assert found["key"] == found["whole"]
    assert found["chosen"] == pytest.approx([10, 30])
    assert found["asked"] == found["foreign"] == 0
    assert found["events"].startswith("<script>alert(1)</script>")
    assert found["disabled"] == [True, False]
    assert found["sizes"][0] <= found["sizes"][1]
    assert found["still"] == "none"


@pytest.mark.needs_tool("chromium")
@pytest.mark.parametrize("scripts", ["'unsafe-inline'", "'none'"])
def test_paper_and_a_browser_without_scripts_show_the_picture(page, tmp_path, scripts):
    own, paper = tmp_path / "page.html", tmp_path / "page.pdf"
    text = page.read_text("utf-8").replace("script-src 'unsafe-inline'", f"script-src {scripts}")
    own.write_text(text, encoding="utf-8")
    chromium(own, tmp_path / "profile", f"--print-to-pdf={paper}")
    shown = "".join(each.extract_text() for each in pypdf.PdfReader(paper).pages)
    assert "upper limit 4.2 mA" in shown  # it stands in the picture alone
    assert "Whole record" not in shown


def test_what_is_vendored_is_what_its_list_says():
    folder = Path(html.__file__).parent / "vendored"
    listed = dict(
        re.findall(r"^    ([0-9a-f]{64})  (\S+)$", (folder / "README.md").read_text(), re.M)
    )
    found = {path for path in folder.rglob("*") if path.is_file() and path.name != "README.md"}
    assert {path.relative_to(folder).as_posix() for path in found} == set(listed.values())
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in found} == set(listed)
