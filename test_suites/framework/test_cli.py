"""The command line: each kind of bad input is one line that names it, and nothing is written."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import tomllib

import pytest

from hil_fixtures import cli, plan
from hil_fixtures.cli.folder import named
from hil_fixtures.config import starter
from hil_instruments.simulated.faults.catalogue import catalogue


@pytest.fixture
def hil(tmp_path, monkeypatch, capsys):
    """Call `hil` in this process, in an empty folder; exit code, output, error lines."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["hil", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err.splitlines()

    return call


def edited(kind, old, new):
    text, count = re.subn(old, new, starter(kind), count=1)
    assert count == 1
    return text


TOP = r'(setpoint_max(?:\]\s*| *= *\{ *)value *= *)"4\.0 mA"'


BAD = {
    "unknown option": (["run", "--fualt", "F06"], ["--fualt", "--fault"]),
    "no number": (["run", "--seed", "x"], ["--seed", "integer"]),
    "unknown command": (["frob"], ["frob", "hil --help"]),
    "unknown suite": (["run", "--suite", "rampling"], ["--suite", "rampling", "ramping"]),
    "unknown fault": (["run", "--fault", "F99"], ["--fault", "F99", "F01 to F82"]),
    "time without a unit": (["run", "--within", "45"], ["--within 45", "has no unit", "45 min"]),
    "no time": (["run", "--within", "45 mA"], ["--within 45 mA", "not a time above 0"]),
    "unknown depth": (["run", "--depth", "mad"], ["--depth", "mad", "smoke, standard, full"]),
    "missing device": (["run", "--device", "none.toml"], ["none.toml", "no such file"]),
    "missing bench": (["run", "--bench", "none.toml"], ["none.toml", "no such file"]),
    "folder as device": (["run", "--device", "."], ["directory"]),
    "no TOML": (["run", "--device", "bad.toml"], ["bad.toml"]),
    "no text": (["run", "--device", "binary.toml"], ["binary.toml"]),
    "our option behind --": (["run", "--", "--hil-suite", "dose"], ["--hil-suite", "after --"]),
    "out is a file": (["run", "--out", "bad.toml"], ["--out", "bad.toml", "cannot be written"]),
    "unknown kind": (["new", "toaster"], ["toaster", "device, bench"]),
    "new onto a file": (["new", "device", "bad.toml"], ["bad.toml exists", "not overwritten"]),
    "new into nowhere": (["new", "bench", "no/where.toml"], ["where.toml", "cannot be written"]),
    "serve onto a file": (["serve", "bad.toml"], ["bad.toml exists", "not overwritten"]),
    "serve an unknown fault": (["serve", "--fault", "F99"], ["--fault", "F99"]),
    "serve backwards": (["serve", "--scale", "-1"], ["--scale", "0.1"]),
    "check a missing file": (["check", "--bench", "none.toml"], ["none.toml", "no such file"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_writes_nothing(hil, tmp_path, case):
    arguments, wanted = BAD[case]
    (tmp_path / "bad.toml").write_text("[device\n")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    before = sorted(tmp_path.rglob("*"))
    code, out, lines = hil(*arguments)
    assert (code, out) == (11, "")
    assert len(lines) == 1, lines
    assert lines[0].startswith("hil: ")
    for text in wanted:
        assert text in lines[0]
    assert sorted(tmp_path.rglob("*")) == before


FILES = {
    "40 mA": ("device", TOP, r'\g<1>"40 mA"', ["setpoint_max", "40 mA", "5 mA"]),
    "wrong unit": ("device", TOP, r'\g<1>"4 V"', ["setpoint_max", "4 V", "current"]),
    "bare number": ("device", TOP, r"\g<1>4.0", ["setpoint_max", "4.0"]),
    "negative": ("device", TOP, r'\g<1>"-4 mA"', ["setpoint_max", "-4 mA"]),
    "unknown key": ("device", r"setpoint_max(?=\]| *= *\{)", "setpoint_maxi", ["setpoint_maxi"]),
    "unknown key of a bench": ("bench", 'ceiling = "6 mA"', 'celing = "6 mA"', ["celing"]),
    "ceiling below the trip": (
        "bench",
        'ceiling = "6 mA"',
        'ceiling = "4 mA"',
        ["limits.ceiling", "4 mA"],
    ),
    "a real supply on a simulated bench": (
        "bench",
        "TCPIP0::SIM-SUPPLY::inst0::INSTR",
        "TCPIP0::192.0.2.7::inst0::INSTR",
        ["mine.toml: instruments", "supply: real", "protects nobody"],
    ),
    "a meter of another driver": (
        "bench",
        'model = "34465A"',
        'model = "MODEL DMM6500"',
        ["mine.toml", "instruments.ammeter", "MODEL DMM6500", "of 34465A only", ".accuracy"],
    ),
}


@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_bad_file_is_named_with_its_key(hil, tmp_path, case, command):
    kind, old, new, wanted = FILES[case]
    (tmp_path / "mine.toml").write_text(edited(kind, old, new))
    code, out, lines = hil(command, f"--{kind}", "mine.toml")
    assert (code, out) == (11, "")
    assert all(line.startswith("hil: ") for line in lines)
    for text in wanted:
        assert any(text in line for line in lines), lines
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_an_unwritable_folder_is_named(hil, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)  # as root nothing is unwritable
    code, _, lines = hil("run", "--out", "there")
    assert code == 11
    assert lines == ["hil: --out there: cannot be written: Permission denied"]


def test_starters_are_written_and_taken(hil, tmp_path):
    for kind in ("device", "bench"):
        code, out, lines = hil("new", kind)
        assert (code, lines) == (0, [])
        assert f"hil run --{kind} {kind}.toml" in out
        assert tomllib.loads((tmp_path / f"{kind}.toml").read_text())
    code, out, lines = hil("check", "--device", "device.toml", "--bench", "bench.toml")
    assert (code, lines) == (0, [])
    assert "both files are consistent" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.toml", "device.toml"]


def test_help_names_every_command(hil):
    code, out, lines = hil("--help")
    assert (code, lines) == (0, [])
    sealing = ("seal", "report", "verify", "sign", "correct", "key")
    for name in ("run", "new", "check", "faults", "serve", *sealing):
        assert re.search(rf"\b{name}\b", out)
    code, out, lines = hil()
    assert (code, lines) == (11, [])
    assert "Usage" in out


def run_hil(folder, *arguments):
    line = [sys.executable, "-m", "hil_fixtures", "run", "--depth", "smoke", *arguments]
    line[1:3] = ["-c", "from hil_fixtures.cli import main; main()"]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=100)


def test_a_bench_that_does_not_answer(tmp_path):
    text = starter("bench")
    with contextlib.ExitStack() as taken:

        def closed(_):
            one = taken.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
            return f"TCPIP0::127.0.0.1::{one.getsockname()[1]}::SOCKET"

        text = re.sub(r"TCPIP0::SIM-\w+::inst0::INSTR", closed, text)
        (tmp_path / "served.toml").write_text(text)
        done = run_hil(tmp_path, "--bench", "served.toml", "--suite", "polarity")
    assert done.returncode == 12, done.stdout
    assert done.stderr == ""
    cutoff = tomllib.loads(text)["instruments"]["cutoff"]["resource"]
    assert cutoff in done.stdout
    assert "Traceback" not in done.stdout
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert (folder / "report" / "compliance.pdf").stat().st_size > 1000
    assert (folder / "tagmanifest-sha256.txt").exists()


def test_a_source_in_the_stimulators_place_is_for_other_programs(hil, tmp_path):
    maker, model = r'manufacturer = "Stimproof"', r'model = "Reference Ionto"'
    for kind in ("device", "bench"):
        text = edited(kind, maker, 'manufacturer = "KEITHLEY INSTRUMENTS"')
        text = text.replace(model, 'model = "MODEL 2450"', 1)
        (tmp_path / f"{kind}.toml").write_text(text)
    files = ("--device", "device.toml", "--bench", "bench.toml")
    for command in ("check", "run"):
        code, out, lines = hil(command, *files)
        assert (code, out) == (11, "")
        for text in ("bench.toml", "instruments.stimulator", "MODEL 2450", "hil serve"):
            assert text in lines[0]
    made = plan.make(
        plan.Options(tmp_path / "device.toml", tmp_path / "bench.toml"), driven=False
    )  # as hil serve reads them
    assert made.profile.model == "MODEL 2450"


def test_another_instrument_than_the_bench_file_expects(tmp_path):
    line = [sys.executable, "-c", "from hil_fixtures.cli import main; main()", "serve", "b.toml"]
    server = subprocess.Popen(
        [*line, "--scale", "20"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        while "Ctrl-C" not in server.stdout.readline():
            assert server.poll() is None
        text = (tmp_path / "b.toml").read_text()
        other = text.replace('model = "DS1104Z"', 'model = "DS1054Z"')
        assert other != text
        (tmp_path / "bench.toml").write_text(other)
        done = run_hil(tmp_path, "--bench", "bench.toml", "--suite", "polarity")
    finally:
        server.terminate()
        server.communicate(timeout=20)
    assert done.returncode == 12, done.stdout
    assert done.stderr == ""
    for part in ("oscilloscope", "DS1054Z", "DS1104Z"):
        assert part in done.stdout
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    journal = (folder / "data" / "journal.jsonl").read_text()
    assert '"kind":"armed"' not in journal
    assert "REL:CLOS" not in (folder / "data" / "transcript.txt").read_text()


def test_the_newest_run_is_named_by_the_file_that_names_it(tmp_path):
    (tmp_path / "latest").write_text("20261126T170641Z-419a\n")
    assert named(tmp_path / "latest") == tmp_path / "20261126T170641Z-419a"
    for other in ("../elsewhere", "", "a/b"):
        (tmp_path / "latest").write_text(other)
        assert named(tmp_path / "latest") == tmp_path / "latest"
    (tmp_path / "run" / "latest").mkdir(parents=True)
    assert named(tmp_path / "run" / "latest") == tmp_path / "run" / "latest"
    assert named(tmp_path / "gone") == tmp_path / "gone"


def test_a_run_of_plain_pytest_is_sealed_reported_and_verified(hil, tmp_path):
    line = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--pyargs",
        "hil_suites",
    ]
    line += ["--hil-suite", "polarity", "--hil-depth", "smoke", "-c", os.devnull]
    subprocess.run(line, cwd=tmp_path, capture_output=True, timeout=100, check=True)
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    code, out, lines = hil("verify", str(folder))
    assert (code, lines) == (10, ["hil: tagmanifest-sha256.txt: not sealed"])
    assert out.endswith("NOT INTACT\n")
    code, out, lines = hil("seal", str(folder))
    assert (code, lines) == (0, [])
    assert "partial scope" in out
    assert (folder / "report" / "compliance.pdf").stat().st_size > 10_000
    code, out, lines = hil("verify", str(folder))
    assert (code, lines) == (3, [])
    assert out.endswith("INTACT, unsigned\n")
    transcript = folder / "data" / "transcript.txt"
    transcript.write_text(transcript.read_text().replace("POS", "NEG", 1))
    code, _, lines = hil("verify", str(folder))
    assert code == 10
    assert any("transcript.txt" in text for text in lines)
    code, _, lines = hil("seal", str(folder))
    assert code == 11
    assert "changed since" in lines[0]


@pytest.mark.parametrize("command", ["seal", "verify"])
def test_what_is_no_run_folder_is_named(hil, tmp_path, command):
    code, _, lines = hil(command, "nowhere")
    assert code in {10, 11}
    assert any("nowhere is no run folder" in text for text in lines)


def test_every_fault_is_listed(hil):
    code, out, lines = hil("faults")
    assert (code, lines) == (0, [])
    first = [line.split()[0] for line in out.splitlines()[1:] if not line.startswith(" ")]
    assert first == [*catalogue()]


def test_one_fault_is_shown_whole(hil):
    code, out, lines = hil("faults", "f09")
    assert (code, lines) == (0, [])
    for text in ("F09", "firmware", "LIM-CEIL", "4.4 mA", "after:T"):
        assert text in out
    code, _, lines = hil("faults", "F99")
    assert code == 11
    assert "F01 to F82" in lines[0]
