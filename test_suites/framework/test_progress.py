"""What a run shows: a live table on a terminal, plain lines elsewhere."""

import io
import json
import os
import re
import sys
import time
from dataclasses import replace

import pytest
from rich.console import Console

from framework import brisk
from framework.made_runs import Run, current, every_verdict, requirement, treatment
from hil.conclusion import conclude
from hil.exact import Dimension, Exact
from hil.measurement import truth
from hil.proof import PROBE
from hil.requirement import Kind, Limit
from hil.verdict import Verdict
from hil_fixtures import plan
from hil_fixtures.closing import STYLES
from hil_fixtures.config.file import starter
from hil_fixtures.plan import Options
from hil_fixtures.progress import Follower, Progress
from hil_reports.evidence import read_journal

PLAN = plan.make(Options(suites=("polarity",), faults=("F23",)))


def judgement(verdict, requirement="POL-SIGN", reason="because [1]"):
    return {
        "test": "m:test_a",
        "requirement": requirement,
        "verdict": verdict,
        "reason": reason,
        "measured": None,
    }


def end(outcome="passed", detail=""):
    return {"test": "m:test_a", "outcome": outcome, "detail": detail, "seconds": 0.1}


@pytest.fixture
def plain(tmp_path):
    text = io.StringIO()
    progress = Progress(Console(file=text, width=60))
    progress.begin(PLAN, tmp_path)
    progress.record("collected", {"items": [1, 2]})
    return progress, text


def test_plain_lines_carry_no_escape_codes_and_do_not_wrap(plain, tmp_path):
    progress, text = plain
    progress.record("test_begin", {"test": "m:test_a"})
    progress.record("judgement", judgement("FAIL", reason="outside by 1 mA [bold]" + "x" * 80))
    progress.record("test_end", end("failed"))
    said = text.getvalue()
    assert "\x1b" not in said
    assert "SIMULATED" in said
    assert "faults seeded in the simulated bench: F23" in said
    assert "partial scope: only the suites polarity were asked for" in said
    assert f"evidence: {tmp_path}" in said
    assert "  POL-SIGN FAIL: outside by 1 mA [bold]" + "x" * 80 in said.splitlines()
    assert re.search(r"^ +1/2  FAIL +m:test_a  0\.10 s$", said, re.MULTILINE)


def test_the_command_that_repeats_an_example_is_given_what_its_run_was_given(tmp_path):
    """Of a property that did not pass: file, device, bench, faults, seed and path of its test."""
    device, bench, own = (tmp_path / name for name in ("d 1.toml", "bench.toml", "tests"))
    own.mkdir()
    for path, kind in ((device, "device"), (bench, "bench")):
        path.write_text(starter(kind), "utf-8")
    options = Options(device=device, bench=bench, faults=("F11:severity=12%",), seed=7)
    made = plan.make(options, ["-q", str(own)])
    text = io.StringIO()
    progress = Progress(Console(file=text, width=60))
    progress.begin(made, tmp_path)
    whole = conclude(read_journal(every_verdict(tmp_path / "run")).records)
    body = {"test": "m:test_c", "scenario": "scenario-c-1.toml", "lack": ""}
    none = {"test": "m:test_d", "scenario": "", "lack": "drawn x = 1.5: no file can hold it"}
    progress.end(tmp_path, replace(whole, properties=(body, none)))
    file = tmp_path / "data" / "config" / "scenario-c-1.toml"
    assert (
        f"hil run --scenario {file} --device '{device}' --bench {bench} --fault F11:severity=12% "
        f"--seed 7 -- {own}"
    ) in text.getvalue()
    assert "m:test_d: no file repeats its example: drawn x = 1.5" in text.getvalue()


@pytest.mark.parametrize(
    ("verdicts", "outcome", "shown"),
    [
        (["PASS"], "passed", "PASS"),
        (["PASS", "FAIL"], "failed", "FAIL"),
        (["PASS"], "error", "ERROR"),
        ([], "passed", "NO_VERDICT"),
        ([], "error", "ERROR"),
        (["PASS"], "failed", "ERROR"),
        (["FAIL"], "error", "FAIL"),
        (["PASS"], "skipped", "NO_VERDICT"),
        (["NOT_EVALUATED"], "skipped", "NOT_EVALUATED"),
    ],
)
def test_a_test_is_shown_by_its_worst_verdict(plain, verdicts, outcome, shown):
    progress, text = plain
    for verdict in verdicts:
        progress.record("judgement", judgement(verdict))
    progress.record("test_end", end(outcome, "went wrong\nsecond line"))
    assert re.search(rf"1/2  {shown} +m:test_a", text.getvalue())


def test_every_verdict_has_a_style():
    assert set(STYLES) == set(Verdict)


def test_a_terminal_shows_a_table_of_requirements(tmp_path):
    text = io.StringIO()
    progress = Progress(Console(file=text, force_terminal=True, width=100, height=30))
    progress.begin(PLAN, tmp_path)
    progress.record("collected", {"items": [1, 2]})
    progress.record("judgement", judgement("FAIL"))
    progress.record("test_end", end("failed"))
    progress.note("sealing")
    progress._live.stop()  # noqa: SLF001  # what `end` does, without a conclusion to print
    said = text.getvalue()
    for part in ("polarity", "POL-SIGN FAIL", "1 of 2 tests", "1 FAIL", "sealing"):
        assert part in said
    assert "\x1b[" in said


FLIGHT = (
    ("test_begin", {"test": "m:test_a"}, "0 of 2 tests"),
    ("instrument", {"role": "ammeter"}, "pre-flight, stage A"),
    ("preflight", {"checks": []}, "0 of 2 tests"),
    ("armed", {"test": PROBE}, "pre-flight, stage B"),
    ("safe_state", {"confirmed": True}, "pre-flight, stage B"),
    ("preflight", {"checks": [], "probe": {}}, "0 of 2 tests"),
    ("armed", {"test": "m:test_a"}, "0 of 2 tests"),
)


def test_a_terminal_shows_the_stages_of_the_pre_flight_in_place_of_a_test(tmp_path):
    text = io.StringIO()
    progress = Progress(Console(file=text, force_terminal=True, width=100, height=30))
    progress.begin(PLAN, tmp_path)
    progress.record("collected", {"items": [1, 2]})
    screen = Console(file=io.StringIO(), width=100)
    for kind, body, shown in FLIGHT:
        progress.record(kind, body)
        with screen.capture() as seen:
            screen.print(progress._table())  # noqa: SLF001  # what the live table shows now
        said = seen.get()
        assert shown in said, kind
        assert ("0 of 2 tests" in said) is ("m:test_a" in said) is ("pre-flight" not in said), kind
    progress._live.stop()  # noqa: SLF001  # what `end` does, without a conclusion to print


def test_plain_lines_tell_each_stage_once(plain):
    progress, text = plain
    for kind, body, _ in FLIGHT[:2] + FLIGHT[1:]:
        progress.record(kind, body)
    assert text.getvalue().count("pre-flight, stage A") == 1
    assert text.getvalue().count("pre-flight, stage B") == 1


def test_the_follower_passes_on_whole_lines_alone(tmp_path):
    class Heard:
        def __init__(self):
            self.kinds = []

        def record(self, kind, body):
            self.kinds.append((kind, body["n"]))

    (tmp_path / "data").mkdir()
    journal = tmp_path / "data" / "journal.jsonl"
    journal.write_text('{"kind":"run","body":{"n":0}}\n')
    heard = Heard()
    follower = Follower(tmp_path, heard)
    follower.look()
    assert heard.kinds == []  # what was there before is known
    line = json.dumps({"kind": "test_begin", "body": {"n": 1}})
    with journal.open("a") as stream:
        stream.write(line[:10])
        stream.flush()
        follower.look()
        assert heard.kinds == []
        stream.write(line[10:] + "\n" + line.replace("1", "2") + "\n" + line[:5])
        stream.flush()
        follower.look()
        follower.look()
        assert heard.kinds == [("test_begin", 1), ("test_begin", 2)]
        stream.write(line[5:].replace("1", "3") + "\n")
        stream.flush()
        follower.look()
    assert heard.kinds[2:] == [("test_begin", 3)]


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX")
def test_hil_run_on_a_terminal(tmp_path):
    import pty
    import struct
    import termios
    from fcntl import ioctl

    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.environ["TERM"] = "xterm-256color"
        code = "from hil_fixtures.cli import main; main()"
        line = ["run", "--suite", "polarity", "--depth", "smoke"]
        line += ["--device", str(brisk.file(tmp_path))]
        os.execv(sys.executable, [sys.executable, "-c", code, *line])
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    said, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        said += piece
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    text = said.decode()
    assert os.waitstatus_to_exitcode(status) == 0, text
    assert "\x1b[?25l" in text  # the cursor is hidden while the table lives
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # and shown again
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    assert re.search(r"\b(\d+) of \1 tests", plain)
    assert "PASS within a partial scope" in plain
    assert "compliance.pdf" in plain
    assert not re.search(r"\[/?(bold|green|dim)", plain)  # no markup is left over


def said_at_the_end(run: Run, width: int) -> list[str]:
    """What `hil run` prints of a run that has its reports."""
    folder = run.end()
    (folder / "report").mkdir()
    (folder / "report" / "summary.json").touch()
    text = io.StringIO()
    found = conclude(read_journal(folder).records)
    Progress(Console(file=text, width=width)).end(folder, found)
    return text.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_the_end_of_a_run_is_a_row_for_each_clause_then_each_failure_whole(tmp_path, width):
    clauses = {"A-1": "IEC 60601-1:2005 12.10", "A-2": "IEC 60601-1:2005 12.10", "B-1": "project"}
    run = Run(tmp_path / "run", [requirement(name, clause=c) for name, c in clauses.items()])
    run.collect({"m:test_a[1]": list(clauses)})
    taken = treatment(peak=5e-3)
    record = run.record("m:test_a[1]", taken)
    values = {"A-1": "0.0041", "A-2": "0.0043", "B-1": "0.004"}
    judged = [(name, current(value, taken), None, record) for name, value in values.items()]
    run.test("m:test_a[1]", "failed", judged=judged)
    run.off()
    lines = said_at_the_end(run, width)
    rows = [" ".join(line.split()) for line in lines]
    assert "12.10 FAIL A-2 2 4.3000 ± 0.0022 mA, margin \N{MINUS SIGN}0.1000 mA" in rows
    assert "project PASS B-1 1 4.0000 ± 0.0022 mA, margin 0.2000 mA" in rows
    assert rows.index("project requirements") > rows.index("IEC 60601-1:2005")
    place = lines.index(
        "A-2 FAIL: 4.3000 ± 0.0022 mA; limit ≤ 4.2 mA; margin \N{MINUS SIGN}0.1000 mA"
    )
    assert lines[place + 1 : place + 4] == [
        "  m:test_a[1]",
        f"  record {record}, bench time 0.00 s to 40.00 s",
        f"  plot: {tmp_path / 'run' / 'report' / 'index.html'}#A-2",
    ]
    assert not any(line.startswith(("A-1 ", "B-1 ")) for line in lines)


def test_an_error_is_told_by_what_broke_and_never_by_what_holds(tmp_path):
    """What one test measured is no reason for what became of another."""
    lid = requirement("LID-1", limit=Limit(Kind.TRUE), dimension=Dimension.TRUTH)
    run = Run(tmp_path / "run", [lid, requirement("A-1")])
    run.collect({"m:test_a": ["LID-1", "A-1"], "m:test_b": ["LID-1", "A-1"]})
    taken = treatment()
    record = run.record("m:test_a", taken)
    holds = truth(True, "lit", captures=[taken.sha256])
    judged = [("LID-1", holds, None, record), ("A-1", current("0.004", taken), None, record)]
    run.test("m:test_a", judged=judged)
    run.test("m:test_b", "error", detail="UsageError: it never came")
    run.off()
    lines = said_at_the_end(run, 120)
    for name in ("LID-1", "A-1"):
        place = lines.index(f"{name} ERROR: m:test_b: UsageError: it never came")
        assert lines[place + 1].startswith("  details: ")


def test_the_nearest_to_its_limit_stands_for_a_clause_that_passed(tmp_path):
    wide = Limit(Kind.AT_MOST, Exact.parse("100 mA"))
    run = Run(tmp_path / "run", [requirement("FAR-1"), requirement("NEAR-1", limit=wide)])
    run.collect({"m:test_a": ["FAR-1", "NEAR-1"]})
    taken = treatment()
    record = run.record("m:test_a", taken)
    values = {"FAR-1": "0.001", "NEAR-1": "0.09"}  # by 3.2 mA of 4.2 mA, and 10 mA of 100 mA
    judged = [(name, current(value, taken), None, record) for name, value in values.items()]
    run.test("m:test_a", judged=judged)
    run.off()
    assert any(re.search(r"PASS +NEAR-1 +2 ", line) for line in said_at_the_end(run, 100))


def test_what_has_no_verdict_is_told_by_its_cause(tmp_path):
    run = Run(tmp_path / "run", [requirement(f"A-{n}") for n in range(15)])
    run.collect({f"m:test_{n}": [f"A-{n}"] for n in range(15)})
    run.evidence.append("test_begin", {"test": "m:test_0"})
    lines = said_at_the_end(run, 80)
    assert "A-0 NO_VERDICT: never ended" in lines
    (others,) = [line for line in lines if line.startswith("A-1, A-2, ")]
    assert others.endswith("A-12 and 2 more NO_VERDICT: never started")
    assert not any("plot:" in line for line in lines)


def test_hostile_text_of_a_device_is_text_at_the_end_of_a_run(tmp_path):
    folder = every_verdict(tmp_path / "run")
    text = io.StringIO()
    found = conclude(read_journal(folder).records)
    Progress(Console(file=text, width=80, force_terminal=True)).end(folder, found)
    said = text.getvalue()
    assert "<script>alert(1)</script> #typst[*x*]" in said
    assert "\\x1b[31m" in said
    assert "\x1b[31m " not in said
    assert "\u202e" not in said
