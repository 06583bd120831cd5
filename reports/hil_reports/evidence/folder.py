"""The evidence of a run: the only writer and reader of its data/ folder.

    data/journal.jsonl      one chained record a line
    data/captures/*.h5      samples, one file a capture
    data/transcript.txt     what was said on the wire
    data/blocks.bin         the blocks of bytes among it
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
from hil.errors import UsageError
from hil.journal import Chain, Record, follow
from hil_reports.evidence import captures, foreign
from hil_reports.evidence.disk import DiskFull, Growing, Reserve, sync_folder
from hil_reports.evidence.transcript import Transcript

DATA = "data"
"""Folder of the evidence within a run folder."""
JOURNAL = "journal.jsonl"
CONFIG = "config"


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
        UsageError: there is no journal, or what stands under its name is none.
    """
    path = Path(folder) / DATA / JOURNAL
    try:
        with foreign.opened(path, foreign.EVIDENCE) as (file, _):
            lines = foreign.Lines(file, path)
            records = tuple(link.record() for link in follow(lines))
    except foreign.Absent as err:
        raise UsageError(f"{path} does not exist: {folder} is no run folder") from err
    return Journal(records, bool(lines.tail), lines.tail)


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


def _line(record: Record) -> bytes:
    """A record's line; raises UsageError for one that is too long to be read back."""
    line = record.line.encode() + b"\n"
    if len(line) > foreign.LINE:
        raise UsageError(f"a {record.kind} of {len(line)} bytes is too long for the journal")
    return line


class Evidence:
    """The sole writer of a run folder; one process at a time.

    A second writer is noticed at the next append, because the journal is then longer than this
    one left it. Errors of the disk are BenchError: the run cannot be believed without its records.
    """

    def __init__(self, folder: Path, utc: Callable[[], datetime], chain: Chain) -> None:
        self.folder = folder
        self.data = folder / DATA
        self.full = ""
        """Why the run has to end: the disk is full, what is left is for its last records."""
        self._utc = utc
        self._chain = chain
        self._journal = Growing(self.data / JOURNAL)
        self._talk = Transcript(self.data)
        self._reserve = Reserve(folder)
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
            UsageError: the folder holds something, for evidence is never overwritten; or it cannot
                be written.
        """
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise UsageError(f"{folder} is not empty; a run needs a new folder")
            (folder / DATA).mkdir()
        except OSError as err:
            raise UsageError(f"{folder} cannot be written: {err}; choose another folder") from err
        evidence = cls(folder, utc, Chain())
        sync_folder(evidence.data)
        sync_folder(folder)
        return evidence

    @classmethod
    def resume(cls, folder: Path, utc: Callable[[], datetime]) -> Evidence:
        """Continue the chain that another process began; verifies it first.

        A torn last line is cut off and kept as the text of a record of kind `torn`.

        Raises:
            ChainBroken: the journal was changed.
            UsageError: there is no journal, the folder is sealed, or it cannot be written.
        """
        folder = Path(folder)
        if (folder / "tagmanifest-sha256.txt").exists():
            raise UsageError(f"{folder} is sealed; nothing can be added to it")
        journal = read_journal(folder)
        last = journal.records[-1] if journal.records else None
        chain = Chain(last.hash, last.n + 1) if last else Chain()
        if journal.torn:
            path = folder / DATA / JOURNAL
            try:
                os.truncate(path, path.stat().st_size - len(journal.tail))
            except OSError as err:
                raise UsageError(f"{path} cannot be written: {err}") from err
        evidence = cls(folder, utc, chain)
        if journal.torn:
            evidence.append("torn", {"text": journal.tail.decode(errors="backslashreplace")})
        return evidence

    def __enter__(self) -> Evidence:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def said(self) -> int:
        """Bytes of the transcript so far: where what is said next will begin."""
        return self._talk.said

    def append(self, kind: str, body: Mapping[str, Any], *, bench: float | None = None) -> Record:
        """Write one record.

        On a full disk the room that was kept for it is used; `full` then says so.

        Args:
            kind: kind of record, as in `hil.bodies`.
            body: what JSON carries, plus Decimal, Exact and enums.
            bench: bench time in s, or None outside of it.

        Raises:
            UsageError: the body holds what a record cannot carry; nothing was written.
            BenchError: another process wrote, or the disk did not take the whole line.
        """
        before = self._chain.prev, self._chain.n
        record = self._chain.append(kind, body, utc=self._utc(), bench=bench)
        try:
            self._write(_line(record))
        except BaseException:
            self._chain.prev, self._chain.n = before
            raise
        self._dirty = True
        return record

    def _write(self, line: bytes) -> None:
        try:
            self._journal.append(line)
        except DiskFull as err:
            if not self._reserve.release():
                raise
            self.full = str(err)
            self._journal.append(line)

    def barrier(self) -> None:
        """Bring everything written so far to the disk; free if nothing was.

        When the transcript has grown, its length and running hash are journaled as `barrier`.

        Raises:
            BenchError: the disk refused some of it; what it took of the journal is synced.
        """
        try:
            if grown := self._talk.sync():
                self.append("barrier", grown)
        finally:
            self._sync_records()

    def _sync_records(self) -> None:
        if not self._dirty:
            return
        if self._unsynced:
            sync_folder(self.data / captures.FOLDER)
            self._unsynced = False
        self._journal.sync()
        self._dirty = False

    def capture(self, capture: Capture, channel: str) -> CaptureBody:
        """Store a capture once and return what a record says about it.

        Args:
            capture: samples in SI with their source.
            channel: name within the record, as `current`.

        Raises:
            BenchError: the disk refused it.
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

    def transcript(self, at: float, role: str, way: str, said: str | bytes) -> None:
        """Note one message that went or came over the wire; on the disk at the next barrier.

        Never raises for the disk, or a command that stops would not be sent.

        Args:
            at: bench time in s.
            role: whose line it went or came over.
            way: write, read, stop or error.
            said: its text, or the payload of the block that came.
        """
        self._talk.note(at, role, way, said)

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
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
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
            self._reserve.release()
            self._journal.close()
            self._talk.close()
