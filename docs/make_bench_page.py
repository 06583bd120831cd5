"""Makes the pictures and the computed tables of docs/simulated-bench.md.

    .venv/bin/python docs/make_bench_page.py            # all; needs ngspice for the overlay
    .venv/bin/python docs/make_bench_page.py F07 dry    # these pictures alone

Nothing here depends on a clock: the bench is simulated from one seed, so a second call writes the
same files. Pictures go to docs/images/, tables between the `made:` marks of the page.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
from bench_chart import BLUE, PALE, RED, Chart, Panel, Trace
from bench_courses import COURSES, treatment
from bench_schematic import circuit
from bench_tables import TABLES

from hil_instruments.simulated.physics.node import Node

ROOT = Path(__file__).resolve().parent.parent
PAGE, IMAGES = ROOT / "docs" / "simulated-bench.md", ROOT / "docs" / "images"
ORACLE = ROOT / "test_suites" / "framework" / "test_ngspice.py"

OVERLAYS = {
    "flip": ("polarity flip of 3 mA through skin", "TERMINAL", 1e-3),
    "reopen": ("open and reconnection, 5 kohm", "TERMINAL", 1e-3),
    "dry": ("dry skin falls from 50 kohm to 3 kohm, limiting at first, and rests", "TERMINAL", 1.0),
}
"""Name of a picture to the story of the test, the node that is drawn, and the unit of the axis."""


def oracle() -> ModuleType:
    """Load the test that compares the circuit with ngspice: its stories and netlists."""
    if shutil.which("ngspice") is None:
        sys.exit("ngspice is not installed: without it the overlays cannot be made")
    spec = importlib.util.spec_from_file_location("test_ngspice", ORACLE)
    if spec is None or spec.loader is None:
        sys.exit(f"{ORACLE} cannot be loaded")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def overlay(name: str, node_name: str, unit: float) -> Chart:
    """Draw a story by both solvers, and how far they are apart."""
    test = oracle()
    story, node = test.STORIES[name], Node[node_name]
    with tempfile.TemporaryDirectory() as folder:
        found = test.spice(test.netlist(story), Path(folder))
    times, theirs = found["time"], found["v(term)"]
    ours = test.simulated(story).observe(node, times)
    moments = np.array([time for time, *_ in story.events])
    away = np.min(np.abs(times[:, None] - moments), axis=1) > story.blind
    apart = 100 * (ours - theirs) / test.FULL_SCALE[node]
    worst = float(np.abs(apart[away]).max())
    print(f"{name}: at most {worst:.5f} % of full scale")
    x = times / unit
    return Chart(
        f"{name[0].upper()}{name[1:]}",
        (
            Panel(
                "terminal voltage in V",
                (
                    Trace("ngspice", x, theirs, PALE, 5.0),
                    Trace("stimproof", x, ours, BLUE, 1.3),
                ),
                height=210,
            ),
            Panel(
                "stimproof less ngspice in % of full scale (80 V); "
                f"at most {worst:.4f} %, allowed 0.1 %",
                (Trace("", x[away], apart[away], RED, 1.0),),
                height=110,
            ),
        ),
        0.0,
        story.end / unit,
        {1.0: "time in s", 1e-3: "time in ms"}[unit],
    )


def agreement(test: ModuleType) -> str:
    """Tabulate how far both solvers are apart, in every story of the test."""
    rows = ["| circuit and programme | current | terminal voltage | shunt |", "|---|---|---|---|"]
    for name, story in test.STORIES.items():
        with tempfile.TemporaryDirectory() as folder:
            found = test.deviations(story, Path(folder))
        figures = " | ".join(f"{100 * found[node]:.5f} %" for node in test.FULL_SCALE)
        rows.append(f"| {name} | {figures} |")
    told = subprocess.run(["ngspice", "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"ngspice-\S+", told.stdout)
    return "\n".join([*rows, "", f"Measured with {version[0] if version else 'ngspice'}."])


def put(name: str, text: str) -> None:
    """Replace what stands between the marks of a table of the page."""
    page = PAGE.read_text("utf-8")
    begin, end = f"<!-- made:{name} -->", "<!-- made:end -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if len(pattern.findall(page)) != 1:
        sys.exit(f"{PAGE}: {begin} must stand there once")
    PAGE.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page), "utf-8")


def write(name: str, svg: str) -> None:
    """Write a picture."""
    (IMAGES / f"bench-{name}.svg").write_text(svg, "utf-8")
    print(f"bench-{name}.svg: {len(svg) / 1024:.0f} KB")


def pictures() -> dict[str, Callable[[], str]]:
    """Name of each picture to what draws it."""
    charts: dict[str, Callable[[], Chart]] = {"treatment": treatment}
    charts |= {name: course.chart for name, course in COURSES.items()}
    charts |= {name: partial(overlay, *story) for name, story in OVERLAYS.items()}
    return {"circuit": circuit} | {name: partial(drawn, make) for name, make in charts.items()}


def drawn(make: Callable[[], Chart]) -> str:
    """Make a chart and draw it."""
    return make().svg()


def main(wanted: list[str]) -> None:
    """Make the pictures named, or all and the tables too."""
    for name, make in pictures().items():
        if not wanted or name in wanted:
            write(name, make())
    if not wanted:
        for name, table in TABLES.items():
            put(name, table())
        put("agreement", agreement(oracle()))


if __name__ == "__main__":
    main(sys.argv[1:])
