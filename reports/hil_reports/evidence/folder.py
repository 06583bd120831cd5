"""The evidence of a run: the only writer and reader of its data/ folder.

    data/journal.jsonl      one chained record a line
    data/captures/*.h5      samples, one file a capture
    data/transcript.txt     what was said on the wire
    data/config/*           configuration files, in full

A record is one `write`, so that a killed process leaves whole lines and at most one torn one. What
must survive a power failure is synced at a `barrier`: captures and transcript first, then the
journal that cites them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from hil.bodies import CaptureBody, DocumentBody
from hil.capture import Capture
from hil.errors import BenchError, UsageError
from hil.journal import Chain, Record, read
from hil_reports.evidence import captures

DATA = "data"
"""Folder of the evidence within a run folder."""
JOURNAL = "journal.jsonl"
TRANSCRIPT = "transcript.txt"
CONFIG = "config"
_BUFFER = 1 << 16


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal that was read and found to hang together."""

    records: tuple[Record, ...]
    """All whole records, in order."""
    torn: bool
    """Whether the file ends inside a record: the mark of a killed writer."""
    tail: bytes = b""
    """The torn end as it stands."""


def read_journal(folder: Path) -> Journal:
    """Read and verify the journal of a run folder.

    Raises:
        ChainBroken: a record was changed, lost or added; names the first that does not fit.
        UsageError: there is no journal.
    """
    path = Path(folder) / DATA / JOURNAL
    try:
        content = path.read_bytes()
    except FileNotFoundError as err:
        raise UsageError(f"{path} does not exist: {folder} is no run folder") from err
    end = content.rfind(b"\n") + 1
    tail = content[end:]
    return Journal(tuple(read(content[:end])), bool(tail), tail)


def cited_captures(records: Iterable[Record]) -> dict[str, CaptureBody]:
    """What the records of a journal say about each capture, by its hash."""
    return {
        body["sha256"]: body
        for record in records
        if record.kind == "record"
        for body in record.body["captures"]
    }


def load_capture(folder: Path, cited: CaptureBody) -> Capture:
    """Read a capture of a run folder and check it against what the journal says about it.

    Raises:
        UsageError: it is missing, was changed, or is another one.
    """
    return captures.load(Path(folder) / DATA, cited)


def capture_loader(folder: Path, records: Iterable[Record]) -> Callable[[str], Capture]:
    """Return what reads a capture of a run folder by its hash.

    It raises UsageError for one that no record cites, and as `load_capture`.
    """
    cited = cited_captures(records)

    def load(sha256: str) -> Capture:
        if sha256 not in cited:
            raise UsageError(f"no record of the journal cites a capture {sha256!r}")
        return load_capture(folder, cited[sha256])

    return load


class Evidence:
    """The sole writer of a run folder; one process at a time.

    A second writer is noticed at the next append, because the journal is then longer than this
    one left it. Errors of the disk are BenchError: the run cannot be believed without its records.
    """

    def __init__(self, folder: Path, utc: Callable[[], datetime], chain: Chain) -> None:
        self.folder = folder
        self.data = folder / DATA
        self._utc = utc
        self._chain = chain
        self._journal = _open(self.data / JOURNAL)
        self._size = os.fstat(self._journal).st_size
        self._talk = _open(self.data / TRANSCRIPT)
        self._talk_hash = hashlib.sha256((self.data / TRANSCRIPT).read_bytes())
        self._talk_size = self._talk_barrier = os.fstat(self._talk).st_size
        self._talk_buffer: list[str] = []
        self._talk_waiting = 0
        self._stored: dict[str, CaptureBody] = {}
        self._unsynced = False  # a capture's name
        self._dirty = True  # the files themselves are new
        self._closed = False

    @classmethod
    def create(cls, folder: Path, utc: Callable[[], datetime]) -> Evidence:
        """Begin a run folder.

        Args:
            folder: is made; may exist only if it is empty.
            utc: the wall clock, timezone-aware.

        Raises:
            UsageError: the folder holds something: evidence is never overwritten.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty; a run needs a new folder")
        (folder / DATA).mkdir()
        return cls(folder, utc, Chain())

    @classmethod
    def resume(cls, folder: Path, utc: Callable[[], datetime]) -> Evidence:
        """Continue the chain that another process began; verifies it first.

        A torn last line is cut off and kept as the text of a record of kind `torn`.

        Raises:
            ChainBroken: the journal was changed.
            UsageError: there is no journal, or the folder is sealed.
        """
        folder = Path(folder)
        if (folder / "tagmanifest-sha256.txt").exists():
            raise UsageError(f"{folder} is sealed; nothing can be added to it")
        journal = read_journal(folder)
        last = journal.records[-1] if journal.records else None
        chain = Chain(last.hash, last.n + 1) if last else Chain()
        if journal.torn:
            path = folder / DATA / JOURNAL
            os.truncate(path, path.stat().st_size - len(journal.tail))
        evidence = cls(folder, utc, chain)
        if journal.torn:
            evidence.append("torn", {"text": journal.tail.decode(errors="backslashreplace")})
        return evidence

    def __enter__(self) -> Evidence:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, kind: str, body: Mapping[str, Any], *, bench: float | None = None) -> Record:
        """Write one record.

        Args:
            kind: kind of record, as in `hil.journal`.
            body: what JSON carries, plus Decimal, Exact and enums.
            bench: bench time in s, or None outside of it.

        Raises:
            UsageError: the body holds what a record cannot carry; nothing was written.
            BenchError: another process wrote, or the disk did not take the whole line.
        """
        before = self._chain.prev, self._chain.n
        record = self._chain.append(kind, body, utc=self._utc(), bench=bench)
        line = record.line.encode() + b"\n"
        try:
            self._write(line)
        except BenchError:
            self._chain.prev, self._chain.n = before
            raise
        self._dirty = True
        return record

    def barrier(self) -> None:
        """Bring everything written so far to the disk; free if nothing was.

        When the transcript has grown, its length and running hash are journaled as `barrier`.
        """
        self._flush_transcript()
        if self._talk_size != self._talk_barrier:
            os.fsync(self._talk)
            self._talk_barrier = self._talk_size
            self.append(
                "barrier",
                {"transcript": self._talk_hash.hexdigest(), "bytes": self._talk_size},
            )
        if not self._dirty:
            return
        if self._unsynced:
            _sync(self.data / captures.FOLDER)
            self._unsynced = False
        os.fsync(self._journal)
        self._dirty = False

    def capture(self, capture: Capture, channel: str) -> CaptureBody:
        """Store a capture once and return what a record says about it.

        Args:
            capture: samples in SI with their source.
            channel: name within the record, as `current`.
        """
        name = capture.sha256
        if name not in self._stored:
            digest = captures.store(self.data, capture)
            self._unsynced = self._dirty = True
            self._stored[name] = {
                "channel": channel,
                "sha256": name,
                "file_sha256": digest,
                "dataset": name[: captures.DIGITS],
                "count": len(capture.samples),
                "start": capture.start,
                "start_u": capture.start_u,
                "interval": capture.interval,
                "unit": capture.dimension.value,
                "serial": capture.source.serial,
                "gaps": [list(gap) for gap in capture.gaps],
            }
        return {**self._stored[name], "channel": channel}

    def transcript(self, line: str) -> None:
        """Note one line of what was said on the wire; on the disk at the next barrier."""
        self._talk_buffer.append(line)
        self._talk_waiting += len(line)
        if self._talk_waiting > _BUFFER:
            self._flush_transcript()

    def document(self, name: str, text: str) -> DocumentBody:
        """Keep a configuration file in full under data/config/.

        Args:
            name: a plain file name.
            text: its content; stored as UTF-8 without changing line ends.

        Raises:
            UsageError: the name leads elsewhere, or another text stands under it.
        """
        if PurePosixPath(name).name != name or "\\" in name or name in {"", ".", ".."}:
            raise UsageError(f"{name!r} is no plain file name")
        content = text.encode(errors="backslashreplace")
        path = self.data / CONFIG / name
        path.parent.mkdir(exist_ok=True)
        if path.exists() and path.read_bytes() != content:
            raise UsageError(f"{CONFIG}/{name} exists with another text; evidence is not replaced")
        path.write_bytes(content)
        _sync(path)
        return {
            "name": name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "text": content.decode(),
        }

    def close(self) -> None:
        """Make a last barrier and close the files; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self.barrier()
        finally:
            os.close(self._journal)
            os.close(self._talk)

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._journal).st_size
        if size != self._size:
            raise BenchError(
                f"{JOURNAL} has {size} bytes, {self._size} were written here: "
                "another process wrote or cut it; the run cannot go on"
            )
        try:
            done = os.write(self._journal, line)
        except OSError as err:
            raise BenchError(f"the disk refused a record: {err}") from err
        if done != len(line):
            os.ftruncate(self._journal, size)  # half a line would break the chain for good
            raise BenchError(f"the disk took {done} of {len(line)} bytes of a record; is it full?")
        self._size += done

    def _flush_transcript(self) -> None:
        if not self._talk_buffer:
            return
        text = "".join(f"{line}\n" for line in self._talk_buffer)
        content = text.encode(errors="backslashreplace")
        self._talk_buffer.clear()
        self._talk_waiting = 0
        done = os.write(self._talk, content)
        self._talk_size += done
        self._talk_hash.update(content[:done])
        if done != len(content):
            raise BenchError(f"the disk took {done} of {len(content)} bytes of the transcript")


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
