"""The shipped suites, run by plain pytest in a process of its own.

Each process is forked from one that has imported what all of them need, and has run nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from hil.conclusion import Conclusion, conclude
from hil_reports.evidence import read_journal

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "allure_pytest.plugin",
        "hil_fixtures.campaign",
        "hil_fixtures.suite",
        "hil_instruments.drivers",
        "hil_instruments.simulated.bench",
        "hypothesis",
        "pytest",
        "xdist.plugin",
    ]
)
_TOLD = "told.txt"


def judged(
    names: Sequence[str] = (),
    *,
    fault: str = "",
    depth: str = "smoke",
    seed: int = 1,
    examples: int | None = None,
    device: str = "",
) -> Conclusion:
    """Run tests of the shipped suites on the built-in bench; its evidence is not kept.

    Args:
        names: of the tests; none for all.
        fault: what is seeded, as `--fault` takes it; none for a healthy device.
        depth: smoke, standard or full.
        seed: of the instruments, of the device and of what is drawn.
        examples: of each property; None for as many as the depth has.
        device: text of its file; empty for the built-in one.

    Raises:
        RuntimeError: no run was journaled; with what pytest said.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = ["--pyargs", "hil_suites", "-c", os.devnull, "-p", "no:cacheprovider"]
        words += ["-p", "no:timeout", "-q", f"--hil-depth={depth}", f"--hil-seed={seed}"]
        words += ["--import-mode=importlib", f"--rootdir={folder}", f"--hil-out={folder}/runs"]
        words += [f"--hil-examples={examples}"] if examples is not None else []
        words += ["-k", " or ".join(names)] if names else []
        words += [f"--hil-fault={fault}"] if fault else []
        Path(folder, _TOLD).touch()
        if device:
            Path(folder, "device.toml").write_text(device, "utf-8")
            words += [f"--hil-device={folder}/device.toml"]
        process = _SERVER.Process(target=_pytest, args=(words, folder))
        process.start()
        process.join()
        found = list(Path(folder, "runs").glob("*/"))
        if len(found) != 1:
            who = f"{fault or 'healthy'}, seed {seed}, {depth}"
            told = Path(folder, _TOLD).read_text("utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"{who}: no run was journaled\n{told}")
        return conclude(read_journal(found[0]).records)


def _pytest(words: Sequence[str], folder: str) -> None:
    """Run pytest in this process, which says what it says into a file."""
    os.chdir(folder)
    with Path(_TOLD).open("wb") as told:
        os.dup2(told.fileno(), 1)
        os.dup2(told.fileno(), 2)
    sys.exit(pytest.main(list(words)))
