"""A disk that takes no more: the run ends, off is proven and recorded, nothing lost is a PASS."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from framework import brisk
from hil.capture import Accuracy, Capture, Source
from hil.conclusion import conclude
from hil.errors import BenchError, UsageError
from hil.exact import Dimension
from hil.measurement import Calibration
from hil.verdict import ExitCode, Verdict
from hil_reports.evidence import Evidence, read_journal, seal, verify
from hil_reports.evidence.disk import RESERVE, DiskFull
from hil_reports.report import write_report

WRITE = os.write
RUN = [sys.executable, "-m", "hil_fixtures", "run", "--suite", "ramping", "--depth", "smoke"]


def utc() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


def noise(size: int) -> Capture:
    source = Source("ammeter", "SIM-2", Accuracy("a", 0.0, 0.0, ""), Calibration.VALID)
    samples = np.random.default_rng(0).normal(size=size)
    return Capture(samples, 0.0, 1e-3, 0.0, Dimension.CURRENT, source)


@pytest.fixture
def evidence(tmp_path):
    made = Evidence.create(tmp_path / "run", utc)
    made.append("run", {"run_id": "r1"})
    yield made
    with suppress(BenchError):
        made.close()


class Disk:
    """Stands in for `os.write`: takes nothing for a named file, or all while there is room."""

    def __init__(self, *names: str, partly: int = 0, while_reserved: Evidence | None = None):
        self.names, self.partly, self.reserved = names, partly, while_reserved

    def __call__(self, handle: int, content: bytes) -> int:
        if self.reserved is not None and self.reserved._reserve._handle is None:  # noqa: SLF001
            return WRITE(handle, content)
        if Path(os.readlink(f"/proc/self/fd/{handle}")).name not in self.names:
            return WRITE(handle, content)
        if self.partly:
            return WRITE(handle, content[: self.partly])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def disk(monkeypatch):
    return lambda *names, **how: monkeypatch.setattr(os, "write", Disk(*names, **how))


def test_the_last_records_have_room_of_their_own(evidence, disk):
    disk("journal.jsonl", while_reserved=evidence)
    evidence.append("safe_state", {"confirmed": True})
    assert "No space left" in evidence.full
    evidence.append("abort", {})
    evidence.barrier()
    assert [r.kind for r in read_journal(evidence.folder).records] == ["run", "safe_state", "abort"]


@pytest.mark.parametrize("partly", [0, 9])
def test_a_record_without_room_is_refused_and_leaves_the_chain_whole(evidence, disk, partly):
    disk("journal.jsonl", partly=partly)
    for _ in range(3):
        with pytest.raises(DiskFull, match=r"No space left|took 9 of"):
            evidence.append("judgement", {"verdict": "PASS"})
    disk()
    evidence.append("note", {})
    assert [r.kind for r in read_journal(evidence.folder).records] == ["run", "note"]


def test_the_room_is_taken_and_given_back(evidence, tmp_path):
    handle = evidence._reserve._handle  # noqa: SLF001 - it has no name to be found by
    assert os.fstat(handle).st_size == RESERVE
    assert os.fstat(handle).st_nlink == 0
    evidence.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["data"]


@pytest.mark.parametrize("partly", [0, 1000])
def test_a_transcript_that_is_refused_stops_no_command_and_is_missed_at_the_barrier(
    evidence, disk, partly
):
    path = evidence.data / "transcript.txt"
    disk("transcript.txt", partly=partly)
    lines = [f"{float(n)!r} stimulator write OUTP OFF" for n in range(3000)]
    for n in range(3000):  # a command is noted before it is sent: this must not raise
        evidence.transcript(n, "stimulator", "write", "OUTP OFF")
    assert evidence.said == sum(len(line) + 1 for line in lines)
    evidence.append("judgement", {})
    with pytest.raises(DiskFull):
        evidence.barrier()
    assert path.read_bytes() == b""
    disk()
    evidence.barrier()
    assert path.read_text().splitlines() == lines
    seal(evidence.folder)
    assert verify(evidence.folder).problems == ()


def test_the_journal_is_synced_although_the_transcript_is_refused(evidence, disk, monkeypatch):
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda fd: synced.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name)
    )
    disk("transcript.txt")
    evidence.transcript(0.0, "load", "write", "x")
    evidence.append("safe_state", {"confirmed": True})
    with pytest.raises(DiskFull):
        evidence.barrier()
    assert synced == ["journal.jsonl"]


def test_a_disk_that_cannot_keep_what_it_took_is_an_error_of_the_bench(evidence, monkeypatch):
    def fail(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        evidence.append("note", {})
        with pytest.raises(BenchError, match=r"journal\.jsonl.*Input/output error"):
            evidence.barrier()
        with pytest.raises(BenchError, match=r"refused capture .*Input/output error"):
            evidence.capture(noise(10), "current")


def test_a_capture_that_is_refused_leaves_nothing_under_its_name(evidence):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(BenchError, match="the disk took 20000 of"):
            evidence.capture(noise(10_000), "current")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((evidence.data / "captures").iterdir()) == []
    assert evidence.capture(noise(10_000), "current")["count"] == 10_000


def _delete(path: Path) -> None:
    path.unlink()


def _replace(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


def _cut(path: Path) -> None:
    os.truncate(path, 10)


def _write(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x\n")


@pytest.mark.parametrize("name", ["journal.jsonl", "transcript.txt"])
@pytest.mark.parametrize("change", [_delete, _replace, _cut, _write])
def test_what_another_process_does_to_a_file_of_the_run_ends_it(evidence, change, name):
    evidence.transcript(0.0, "load", "write", "x")
    evidence.barrier()
    change(evidence.data / name)
    evidence.transcript(0.0, "load", "write", "x")
    with pytest.raises(BenchError, match=rf"{name} (was deleted|has \d+ bytes)"):
        evidence.barrier()  # which writes to the transcript, then to the journal


def test_a_folder_that_cannot_be_written_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"cannot be written: .*choose another folder"):
        Evidence.create(tmp_path / "file" / "run", utc)
    (tmp_path / "run" / "data").mkdir(parents=True)
    (tmp_path / "run" / "data" / "journal.jsonl").mkdir()
    with pytest.raises(UsageError, match=r"journal\.jsonl"):
        Evidence(tmp_path / "run", utc, chain=None)  # type: ignore[arg-type]


def limited(out: Path, size: int) -> subprocess.CompletedProcess[str]:
    """A short run in which no file may grow beyond a size."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))
    return subprocess.run(
        [*RUN, "--out", str(out), f"--device={brisk.file(out.parent)}"],
        preexec_fn=limit, text=True, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip


def held(out: Path) -> Path:
    """The run folder, found off, and whole once there is room for its seal and report."""
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    records = read_journal(folder).records
    safe = [record.body["confirmed"] for record in records if record.kind == "safe_state"]
    armed = [record for record in records if record.kind == "armed"]
    assert safe == [True] * len(armed)
    seal(folder)
    write_report(folder)
    assert verify(folder).problems == ()
    return folder


@pytest.mark.parametrize("size", [150_000, 600_000], ids=["of the probe arm", "of a test"])
def test_a_run_whose_captures_are_refused_ends_off_and_shows_nothing(tmp_path, size):
    done = limited(tmp_path, size)
    assert done.returncode == ExitCode.ABORTED_OFF, done.stdout
    conclusion = conclude(read_journal(held(tmp_path)).records)
    assert conclusion.exit_code is ExitCode.ABORTED_OFF
    assert "the evidence cannot be written" in conclusion.reasons[0]
    if size < 200_000:
        assert "hil report" in done.stdout  # the report did not fit either: what to do next
    first, *others = conclusion.tests
    assert (first.outcome, first.verdict) == ("error", Verdict.ERROR)
    assert {test.verdict for test in others} == {Verdict.NO_VERDICT}


FULL = """
mount -t tmpfs -o size={size}k none {out} || exit 99
{run} --out {out}; code=$?
cp -r {out} {kept}
exit $code
"""


@pytest.mark.needs_tool("unshare")
@pytest.mark.parametrize("room", [1100, 1600])
def test_a_run_on_a_disk_that_is_full_for_good(tmp_path, room):
    """A real file system without room, of which the last records have 1 MiB for themselves."""
    if subprocess.run(["unshare", "-Urm", "true"], check=False).returncode:
        pytest.skip("this machine forbids name spaces, and with them a small file system")
    out, kept = tmp_path / "out", tmp_path / "kept"
    out.mkdir()
    size = RESERVE // 1024 + room
    run = " ".join([*RUN, f"--device={brisk.file(tmp_path)}"])
    script = FULL.format(size=size, out=out, kept=kept, run=run)
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script], text=True, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    # Allure writes for itself: where it met the full disk first, pytest broke down.
    assert done.returncode in {ExitCode.ABORTED_OFF, ExitCode.OTHER_VERDICT}, done.stdout
    conclusion = conclude(read_journal(held(kept)).records)
    assert conclusion.exit_code == done.returncode
    assert conclusion.verdict in {Verdict.ERROR, Verdict.NO_VERDICT}
    assert {test.verdict for test in conclusion.tests} & {Verdict.ERROR, Verdict.NO_VERDICT}
