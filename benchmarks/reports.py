"""Reports of a large run: 2 000 tests, 2 GB of captures, in 60 s and 1.4 GB of memory.

The run is written through the evidence writer from synthetic treatments, and sealed; a tenth of its
tests are no PASS, so that their records are read and drawn; a second one holds a single capture, as
long as any can be. Then `hil report` makes every view of them in a process of its own, of which
time and peak memory are told. The peers do a part of the work each, on the same machine: hashing
alone reads what any check of the evidence must read, Typst alone sets a hundred pages of tables,
and matplotlib draws the records as SVG.

    reports.py [TESTS [MEGABYTES]]     2000 tests and 2000 MB of samples unless told
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import typst

from framework.made_runs import Run, current, requirement
from hil.capture import Accuracy, Capture, Source
from hil.exact import Dimension
from hil.measurement import Calibration
from hil_reports.evidence import seal
from hil_reports.evidence.captures import MOST

SECONDS, GIGABYTES = 60.0, 1.4
"""What the report of a run of 2 000 tests with 2 GB may take."""
SUBJECTS, REQUIREMENTS = 12, 72
JUDGED = 3
"""Requirements that a test judges."""
PAGES = 100
_SOURCE = Source(
    "ammeter", "SIM-0002", Accuracy("SIM-0002[10 mA]", 5e-4, 2e-6, "data sheet"), Calibration.VALID
)
_PEERS = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"
_MATPLOTLIB = """
import glob, io, sys, time, numpy as np, h5py, matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot
paths = sorted(glob.glob(sys.argv[1]))[:40]
begin = time.perf_counter()
for path in paths:
    with h5py.File(path) as file:
        samples = file["samples"][()]
    figure, axes = pyplot.subplots(figsize=(6.8, 2.5))
    axes.plot(np.arange(len(samples)), samples, linewidth=0.8)
    axes.axhline(4.2e-3, linestyle="--")
    figure.savefig(io.StringIO(), format="svg")
    pyplot.close(figure)
print((time.perf_counter() - begin) / len(paths))
"""


def treatment(noise: np.ndarray, number: int, peak: float) -> Capture:
    """A ramp, a plateau with noise of its own, and one sample that peaks."""
    count = len(noise)
    samples = np.minimum(np.arange(count) / (count / 5), 1.0) * 4e-3 + np.roll(noise, 997 * number)
    samples[(7919 * number) % count] = peak
    return Capture(samples, 0.0, 1e-3, 1e-5, Dimension.CURRENT, _SOURCE)


def large_run(folder: Path, tests: int, megabytes: int) -> Path:
    """Write and seal a run; every tenth test shows a sample above its limit."""
    names = [f"R-{number:03d}" for number in range(REQUIREMENTS)]
    run = Run(folder, [requirement(n, f"subject {p % SUBJECTS}") for p, n in enumerate(names)])
    planned = {
        f"m:test_{place}": [names[(place + step) % REQUIREMENTS] for step in range(JUDGED)]
        for place in range(tests)
    }
    run.collect(planned)
    noise = np.random.default_rng(1).normal(0, 2e-7, max(megabytes * 1_000_000 // tests // 8, 100))
    for place, (test, judged) in enumerate(planned.items()):
        peak = 5e-3 if place % 10 == 0 else 4.0001e-3 + 1e-9 * place
        capture = treatment(noise, place, peak)
        record = run.record(test, capture)
        value = current(f"{peak:.9f}", capture)
        run.test(test, judged=[(name, value, None, record) for name in judged])
    run.off()
    run.end(pytest_exit=1)
    seal(folder)
    return folder


def longest_run(folder: Path) -> Path:
    """Write and seal a run of one test, whose capture is as long as a capture can be."""
    run = Run(folder, [requirement("R-000")])
    run.collect({"m:test_0": ["R-000"]})
    capture = treatment(np.random.default_rng(1).normal(0, 2e-7, MOST), 1, 5e-3)
    record = run.record("m:test_0", capture)
    run.test("m:test_0", judged=[("R-000", current("0.005", capture), None, record)])
    run.off()
    run.end(pytest_exit=1)
    seal(folder)
    return folder


def written(made: Callable[..., Path], *given: object) -> Path:
    """Write a run in a process that ends: a child counts the memory of whoever starts it."""
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(made, *given).result()


def report(folder: Path) -> tuple[float, float]:
    """Make every view of a run in a process of its own; seconds, and gigabytes at its peak."""
    seconds, busy, peak = measured([sys.executable, "-m", "hil_fixtures", "report", str(folder)])
    told = f"{seconds:6.1f} s ({busy:.1f} s busy) {peak:5.2f} GB"
    print(f"  {'hil report, every view':<46} {told}")
    return seconds, peak


def measured(line: list[str]) -> tuple[float, float, float]:
    """Seconds, of these on a processor, and gigabytes (peak) of a command."""
    begin = time.perf_counter()
    child = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(line)} ended with {child.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9


def hashed(folder: Path) -> float:
    """Seconds to read and hash every file of the evidence, one after the other."""
    begin = time.perf_counter()
    for path in sorted(folder.glob("data/**/*")):
        if path.is_file():
            with path.open("rb") as file:
                hashlib.file_digest(file, "sha256")
    return time.perf_counter() - begin


def typeset(pages: int) -> float:
    """Seconds in which Typst alone sets pages of tables, 44 rows a page."""
    rows = [[f"{place}.{number}" for number in range(6)] for place in range(44 * pages)]
    source = "#let rows = json(bytes(sys.inputs.rows))\n#table(columns: 6, ..rows.flatten())\n"
    begin = time.perf_counter()
    typst.compile(source.encode(), format="pdf", sys_inputs={"rows": json.dumps(rows)})
    return time.perf_counter() - begin


def drawn(folder: Path) -> str:
    """Seconds in which matplotlib draws a capture of the run as SVG, or why it did not."""
    if not _PEERS.exists():
        return "not installed (make bench installs it)"
    line = [str(_PEERS), "-c", _MATPLOTLIB, str(folder / "data" / "captures" / "*.h5")]
    ended = subprocess.run(line, capture_output=True, text=True, check=True)
    return f"{1e3 * float(ended.stdout):6.1f} ms"


def size(path: Path) -> float:
    """Megabytes of a file, or of a folder of files."""
    files = path.iterdir() if path.is_dir() else (path,)
    return sum(each.stat().st_size for each in files) / 1e6


def main() -> None:
    """Print all figures; end with 1 if the budget of the whole run is not kept."""
    tests, megabytes = [*map(int, sys.argv[1:3]), *(2000, 2000)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as place:
        begin = time.perf_counter()
        folder = written(large_run, Path(place) / "run", tests, megabytes)
        seconds, stored = time.perf_counter() - begin, size(folder / "data" / "captures")
        print(f"{tests} tests, {megabytes} MB of samples, {stored:.0f} MB on the disk, "
              f"written and sealed in {seconds:.0f} s")  # fmt: skip
        found = [report(folder)]
        for path in sorted((folder / "report").iterdir()):
            print(f"    {path.name:<44} {size(path):6.2f} MB")
        print(f"  {'peer: SHA-256 of the evidence, one thread':<46} {hashed(folder):6.1f} s")
        print(f"  {f'peer: Typst alone, {PAGES} pages of tables':<46} {typeset(PAGES):6.1f} s")
        print(f"  {'peer: matplotlib, a capture as SVG':<46} {drawn(folder)}")
        print(f"1 test, a capture of {MOST} samples, the longest there is")
        found.append(report(written(longest_run, Path(place) / "longest")))
    if any(seconds > SECONDS or peak > GIGABYTES for seconds, peak in found):
        raise SystemExit(f"over the budget of {SECONDS:g} s and {GIGABYTES:g} GB")


if __name__ == "__main__":
    main()
