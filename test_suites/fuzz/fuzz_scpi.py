"""Coverage-guided fuzzing of the SCPI parser, its framing and the message exchange.

    python test_suites/fuzz/fuzz_scpi.py -max_total_time=300 corpus/   # needs atheris

The first byte of an input says how the rest reaches the instrument: bus or stream, and where it is
cut. Whatever comes: nothing is raised, no handler fails, every cut means the same, the error queue
is well formed, and the instrument answers afterwards.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "framework"))

with atheris.instrument_imports(include=["hil_instruments.simulated.scpi"]):
    from test_scpi_fuzz import Small, answers, converse

ENTRY = re.compile(rb'-?\d+,"[ -!#-~]{0,255}"')
"""One entry of the error queue."""


def one_input(raw: bytes) -> None:
    """Feed one input."""
    if not raw:
        return
    way, data = raw[0], raw[1:]
    stream = bool(way & 1)
    cuts = (way >> 1, (way >> 1) * 3)
    whole = converse(data, stream=stream, kind=Small)
    pieces = converse(data, stream=stream, cuts=cuts, kind=Small)
    if pieces != whole:
        raise AssertionError(f"cut at {cuts}: {pieces} instead of {whole}")
    errors = whole[2]
    if not isinstance(errors, bytes) or ENTRY.sub(b"", errors).strip(b",\n"):
        raise AssertionError(f"error queue {errors!r}")
    if not answers(data, stream=stream, kind=Small):
        raise AssertionError(f"no answer after {data!r}")


def main() -> None:
    """Run until libFuzzer's own limits end it."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
