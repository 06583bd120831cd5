"""Figures of README and changelog are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from hil_instruments.simulated.faults.catalogue import catalogue

ROOT = Path(__file__).resolve().parents[2]


def figures(file: str, pattern: str) -> list[int]:
    text = " ".join((ROOT / file).read_text("utf-8").split())
    (found,) = re.findall(pattern, text)
    return [int(figure) for figure in ([found] if isinstance(found, str) else found)]


def test_the_number_of_faults_is_that_of_the_catalogue() -> None:
    faults = list(catalogue().values())
    known = [fault for fault in faults if fault.id.startswith("F")]
    seeded = [sum(f.modelled for f in faults if f.id.startswith(kind)) for kind in "FIL"]
    told = figures("README.md", r"Of the (\d+) known faults of such devices, (\d+) can be seeded")
    assert told == [len(known), seeded[0]]
    pattern = r"(\d+) of the device, (\d+) of instruments, (\d+) of links"
    assert figures("CHANGELOG.md", pattern) == seeded
    gaps = figures("README.md", r"Of the faults that can be seeded, (\d+) have no suite yet")
    assert gaps == [sum(bool(fault.gap) and fault.modelled for fault in known)]
