"""What a run shows: a live table on a terminal, plain lines elsewhere."""

import io
import json
import os
import re
import sys
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from framework import brisk
from hil.proof import PROBE
from hil.verdict import Verdict
from hil_fixtures import plan
from hil_fixtures.closing import STYLES, by_subject
from hil_fixtures.plan import Options
from hil_fixtures.progress import Follower, Progress

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


def test_a_subject_stands_once_wherever_its_requirements_stand():
    rows = [
        SimpleNamespace(requirement={"id": name, "subject": subject})
        for name, subject in (("A-1", "a"), ("B-1", "b"), ("A-2", "a"))
    ]
    assert {
        subject: [row.requirement["id"] for row in found]
        for subject, found in by_subject(rows).items()
    } == {"a": ["A-1", "A-2"], "b": ["B-1"]}
