"""Sessions of pytest within a test: what a folder of tests leaves."""

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from hil.conclusion import Conclusion, conclude
from hil.proof import PROBE
from hil_reports.evidence import read_journal


@dataclass
class Outcome:
    """What a pytest session left."""

    code: int
    text: str
    folder: Path | None
    found: Conclusion | None
    kinds: list
    """Kind and body of each journal record."""

    def verdict(self, requirement):
        return next(
            r.verdict for r in self.found.requirements if r.requirement["id"] == requirement
        )

    def test(self, name):
        return next(row for row in self.found.tests if row.test.endswith(name))

    def of(self, kind):
        """Bodies of a kind, without what belongs to the probe arm of the pre-flight."""
        found = [body for name, body in self.kinds if name == kind]
        return [body for body in found if body.get("test") != PROBE]


def session(folder, *options, suite="current-limits"):
    """Run pytest on a folder of tests, in this process, with nothing of our own configuration."""
    out = folder / "runs"
    args = [str(folder), f"--rootdir={folder}", "-c", "/dev/null", "--import-mode=importlib"]
    args += ["-p", "no:cacheprovider", "-p", "no:timeout", f"--hil-out={out}", "--hil-depth=smoke"]
    args += [f"--hil-suite={suite}"] if suite else []
    before, text = set(sys.modules), io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        code = pytest.main([*args, *options])
    for name in set(sys.modules) - before:
        if (
            getattr(sys.modules[name], "__file__", None)
            and str(folder) in sys.modules[name].__file__
        ):
            del sys.modules[name]
    runs = sorted(path for path in out.iterdir() if path.is_dir()) if out.exists() else []
    if not runs:
        return Outcome(int(code), text.getvalue(), None, None, [])
    records = read_journal(runs[-1]).records
    kinds = [(record.kind, record.body) for record in records]
    return Outcome(int(code), text.getvalue(), runs[-1], conclude(records), kinds)
