"""The evidence of a run: nothing that was acknowledged is lost, nothing changes unseen."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from hil.capture import Accuracy, Capture, Source
from hil.errors import BenchError, UsageError
from hil.exact import Dimension
from hil.journal import ChainBroken
from hil.measurement import Calibration
from hil_reports.evidence import Evidence, capture_loader, load_capture, read_journal, seal, verify


def clock():
    begin, steps = datetime(2026, 3, 1, tzinfo=UTC), count()
    return lambda: begin + timedelta(seconds=next(steps))


def capture(samples, **changes) -> Capture:
    accuracy = Accuracy("SIM-2[10 mA]", 5e-4, 2e-6, "data sheet")
    source = Source("ammeter", "SIM-2", accuracy, Calibration.EXPIRED)
    fields = {
        "samples": np.array(samples, dtype=np.float64),
        "start": 1.25,
        "interval": 0.001,
        "start_u": 1e-5,
        "dimension": Dimension.CURRENT,
        "source": source,
        "gaps": (),
    }
    return Capture(**(fields | changes))


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def written(folder) -> Path:
    """A run with a capture, a document and a transcript."""
    with Evidence.create(folder, clock()) as evidence:
        evidence.append("run", {"run_id": "r1", "version": "0"})
        evidence.append("document", evidence.document("bench.toml", "a = 1\n"))
        stored = evidence.capture(capture([0.0, np.nan], gaps=((1, 1),)), "current")
        evidence.append("record", {"captures": [stored]})
        evidence.transcript(0.0, "load", "write", "*IDN?")
    return folder


def test_a_record_is_readable_by_others_as_soon_as_append_returns(folder):
    evidence = Evidence.create(folder, clock())
    record = evidence.append("run", {"run_id": "r1"}, bench=0.5)
    assert read_journal(folder).records == (record,)


def test_an_existing_folder_with_content_is_refused(folder):
    folder.mkdir()
    (folder / "note.txt").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        Evidence.create(folder, clock())


def test_a_journal_continues_over_processes(written):
    with Evidence.resume(written, clock()) as evidence:
        evidence.transcript(0.1, "load", "read", "SIM")
        evidence.append("end", {})
    assert [r.kind for r in read_journal(written).records][-2:] == ["end", "barrier"]
    seal(written)
    assert verify(written).problems == ()  # the transcript's running hash covers both processes


def test_a_torn_line_is_kept_as_a_record_and_the_chain_goes_on(written):
    path = written / "data" / "journal.jsonl"
    whole = len(read_journal(written).records)
    with path.open("ab") as file:
        file.write(b'{"bench":null,"bo\xff')
    journal = read_journal(written)
    assert (len(journal.records), journal.torn) == (whole, True)
    Evidence.resume(written, clock()).close()
    journal = read_journal(written)
    assert journal.records[-1].body == {"text": '{"bench":null,"bo\\xff'}
    assert not journal.torn


def test_a_line_torn_at_any_byte_costs_itself_alone(folder):
    """Also within a character of two bytes, behind the hash, and before the line end."""
    with Evidence.create(folder, clock()) as evidence:
        evidence.append("run", {"run_id": "r1"})
        kept = read_journal(folder).records
        evidence.append("note", {"text": "2 Ω ± 1"})
    path = folder / "data" / "journal.jsonl"
    content = path.read_bytes()
    begin = content.index(b"\n") + 1
    assert read_journal(folder).records[:1] == kept
    for end in range(begin + 1, len(content)):
        path.write_bytes(content[:end])
        assert read_journal(folder).records == kept
        assert read_journal(folder).tail == content[begin:end]
        Evidence.resume(folder, clock()).close()
        records = read_journal(folder).records
        assert [record.kind for record in records] == ["run", "torn"]
        text = content[begin:end].decode(errors="backslashreplace")
        assert records[1].body == {"text": text}
    for end in (begin, len(content)):  # between two lines nothing is torn
        path.write_bytes(content[:end])
        assert not read_journal(folder).torn


@pytest.mark.parametrize("line", [0, 2, -1])
def test_a_changed_record_is_found(written, line):
    path = written / "data" / "journal.jsonl"
    lines = path.read_text().splitlines()
    lines[line] = lines[line].replace('"utc":"2026', '"utc":"2027')
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ChainBroken, match=r"record \d"):
        read_journal(written)
    with pytest.raises(ChainBroken):
        Evidence.resume(written, clock())


def test_a_lost_record_is_found(written):
    path = written / "data" / "journal.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:1] + lines[2:]) + "\n")
    with pytest.raises(ChainBroken, match="record 1"):
        read_journal(written)


def test_a_second_writer_is_noticed_and_the_chain_stays_whole(folder):
    first = Evidence.create(folder, clock())
    first.append("run", {"run_id": "r1"})
    second = Evidence.resume(folder, clock())
    second.append("note", {})
    with pytest.raises(BenchError, match="another process"):
        first.append("note", {})
    assert len(read_journal(folder).records) == 2


def test_a_record_that_the_disk_refused_leaves_the_chain_as_it_was(folder, monkeypatch):
    evidence = Evidence.create(folder, clock())
    evidence.append("run", {})
    real = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda fd, line: real(fd, line[:9]))
        with pytest.raises(BenchError, match="took 9 of"):
            evidence.append("note", {})
    evidence.append("note", {})
    assert [r.n for r in read_journal(folder).records] == [0, 1]


def test_a_body_that_has_no_form_leaves_the_chain_as_it_was(folder):
    evidence = Evidence.create(folder, clock())
    evidence.append("run", {"run_id": "r1"})
    with pytest.raises(UsageError):
        evidence.append("note", {"value": float("nan")})
    evidence.append("note", {})
    assert [r.n for r in read_journal(folder).records] == [0, 1]


def test_text_that_is_no_unicode_is_journaled_as_escapes(folder):
    evidence = Evidence.create(folder, clock())
    evidence.append("run", {"idn": b"\xff\xfe".decode(errors="surrogateescape"), "電": "流\n"})
    assert read_journal(folder).records[0].body == {"idn": "\\udcff\\udcfe", "電": "流\n"}


def test_the_barrier_journals_the_transcript_only_when_it_has_grown(folder):
    evidence = Evidence.create(folder, clock())
    evidence.append("run", {})
    evidence.barrier()
    evidence.transcript(0.0, "load", "write", "MEAS?")
    evidence.barrier()
    evidence.barrier()
    records = read_journal(folder).records
    assert [r.kind for r in records] == ["run", "barrier"]
    text = (folder / "data" / "transcript.txt").read_bytes()
    assert records[1].body == {"transcript": hashlib.sha256(text).hexdigest(), "bytes": len(text)}


def test_the_barrier_syncs_captures_before_the_journal_that_cites_them(folder, monkeypatch):
    evidence = Evidence.create(folder, clock())
    synced = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), real(fd))
    )
    evidence.append("record", {"captures": [evidence.capture(capture([1.0]), "current")]})
    evidence.barrier()
    names = [Path(path).name for path in synced]
    (stored,) = (folder / "data" / "captures").iterdir()
    assert names == [f"{stored.stem}.part", "captures", "journal.jsonl"]
    evidence.barrier()
    assert len(synced) == len(names)  # nothing new, nothing to sync


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", "a\\b", "/etc/x"])
def test_a_document_stays_in_its_folder(folder, name):
    evidence = Evidence.create(folder, clock())
    with pytest.raises(UsageError, match="plain file name"):
        evidence.document(name, "text")


def test_a_document_is_never_replaced_by_another_text(folder):
    evidence = Evidence.create(folder, clock())
    body = evidence.document("bench.toml", "a = 1\r\n")
    assert body["sha256"] == hashlib.sha256(b"a = 1\r\n").hexdigest()
    assert evidence.document("bench.toml", "a = 1\r\n") == body
    with pytest.raises(UsageError, match="another text"):
        evidence.document("bench.toml", "a = 2\n")


def test_a_capture_comes_back_whole_with_its_source(folder):
    original = capture([-0.0, np.nan, np.inf, 4e-3], start=3, gaps=((1, 1),))
    evidence = Evidence.create(folder, clock())
    body = evidence.capture(original, "current")
    back = load_capture(folder, body)
    assert back.samples.tobytes() == original.samples.tobytes()
    assert (back.source, back.gaps, back.start, back.interval, back.start_u, back.dimension) == (
        original.source,
        original.gaps,
        original.start,
        original.interval,
        original.start_u,
        original.dimension,
    )


def test_a_capture_is_stored_once_whatever_its_channel(folder):
    evidence = Evidence.create(folder, clock())
    first = evidence.capture(capture([1.0]), "current")
    second = evidence.capture(capture([1.0]), "again")
    assert (first["channel"], second["channel"]) == ("current", "again")
    assert len(list((folder / "data" / "captures").iterdir())) == 1


def test_a_capture_that_is_there_is_not_written_again_by_the_next_process(written):
    (path,) = (written / "data" / "captures").iterdir()
    before = path.stat().st_mtime_ns, path.stat().st_ino
    with Evidence.resume(written, clock()) as evidence:
        evidence.capture(capture([0.0, np.nan], gaps=((1, 1),)), "current")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_another_capture_under_the_same_name_is_found(folder):
    evidence = Evidence.create(folder, clock())
    bodies = [evidence.capture(capture([value]), "current") for value in (1.0, 2.0)]
    first, second = (folder / "data" / "captures" / f"{b['dataset']}.h5" for b in bodies)
    first.write_bytes(second.read_bytes())
    with pytest.raises(UsageError, match="the hash of the file is"):
        load_capture(folder, bodies[0])
    swapped = {**bodies[0], "file_sha256": bodies[1]["file_sha256"]}
    with pytest.raises(UsageError, match="its hash is"):
        load_capture(folder, swapped)


@pytest.mark.parametrize("place", [0.55, 0.9, 0.999])
def test_a_changed_byte_of_a_capture_is_found(folder, place):
    evidence = Evidence.create(folder, clock())
    body = evidence.capture(capture(np.linspace(0, 1, 5000)), "current")
    path = folder / "data" / "captures" / f"{body['dataset']}.h5"
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 1
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"was changed|cannot be read"):
        load_capture(folder, body)


@pytest.mark.parametrize("sha256", ["", "../../journal", "A" * 64, "0" * 64])
def test_a_capture_that_is_not_there_is_an_error_in_words(written, sha256):
    with pytest.raises(UsageError, match=r"no SHA-256|cannot be read"):
        load_capture(written, {"sha256": sha256, "file_sha256": "0" * 64})
    with pytest.raises(UsageError, match="no record of the journal cites"):
        capture_loader(written, read_journal(written).records)(sha256)


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from hil.capture import Accuracy, Capture, Source
from hil.exact import Dimension
from hil.measurement import Calibration
from hil_reports.evidence import Evidence
source = Source("ammeter", "SIM-2", Accuracy("a", 0.0, 0.0, ""), Calibration.VALID)
evidence = Evidence.create(Path(sys.argv[1]), lambda: datetime.now(UTC))
evidence.append("run", {"run_id": "r1"})
noise = np.random.default_rng(0)
for n in range(10**6):
    taken = Capture(noise.normal(size=5000), n, 1e-3, 0.0, Dimension.CURRENT, source)
    body = evidence.capture(taken, "current")
    record = evidence.append("record", {"captures": [body]})
    evidence.transcript(float(n), "ammeter", "read", bytes(1000))
    evidence.barrier()
    print(record.n, flush=True)
"""


def test_what_was_acknowledged_before_kill_9_is_there_and_whole(folder):
    command = [sys.executable, "-c", WRITER, str(folder)]
    delay = random.uniform(0.01, 0.1)  # each run of this test tries another moment
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline())]
        time.sleep(delay)
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout.read().split()]
    Evidence.resume(folder, clock()).close()
    records = read_journal(folder).records
    assert acknowledged[-1] < len(records)
    seal(folder)
    assert verify(folder).problems == ()  # loads every capture that a record cites
