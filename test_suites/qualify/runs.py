"""The shipped suites, run by plain pytest in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hil.conclusion import Conclusion, conclude
from hil_reports.evidence import read_journal


def judged(
    names: Sequence[str] = (),
    *,
    fault: str = "",
    depth: str = "smoke",
    seed: int = 1,
    examples: int | None = None,
) -> Conclusion:
    """Run tests of the shipped suites on the built-in bench; its evidence is not kept.

    Args:
        names: of the tests; none for all.
        fault: what is seeded, as `--fault` takes it; none for a healthy device.
        depth: smoke, standard or full.
        seed: of the instruments, of the device and of what is drawn.
        examples: of each property; None for as many as the depth has.

    Raises:
        RuntimeError: no run was journaled; with what pytest said.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "--pyargs", "hil_suites", "-c", os.devnull]
        command += ["-p", "no:cacheprovider", "-p", "no:timeout", "-q", f"--hil-depth={depth}"]
        command += ["--import-mode=importlib", f"--rootdir={folder}", f"--hil-out={folder}/runs"]
        command += [f"--hil-seed={seed}"]
        command += [f"--hil-examples={examples}"] if examples else []
        command += ["-k", " or ".join(names)] if names else []
        command += [f"--hil-fault={fault}"] if fault else []
        told = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        found = list(Path(folder, "runs").glob("*/"))
        if len(found) != 1:
            who = f"{fault or 'healthy'}, seed {seed}, {depth}"
            raise RuntimeError(f"{who}: no run was journaled\n{told.stdout[-2000:]}")
        return conclude(read_journal(found[0]).records)
