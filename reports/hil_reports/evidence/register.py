"""The register of a folder of runs: which were begun, and how each ended, in the order of time.

`register.jsonl` stands beside the run folders and is only ever appended to. It is a chain of lines
like a journal's, each on the disk before the run goes on:

    opened   before a run's first record: number, run id, bench, device model, operator
    closed   after its end or its seal: head, hashes of journal and manifest, verdict, exit code
    stated   after a statement in its annex: the annex's head
    torn     what a writer left of its last line when it was killed

A run cites its opening entry, and lists what became of the runs before it: so a run that was
deleted, changed or repeated until it was green shows in the next report. A register that was
written anew does not hold the entries that the bundles cite; one that was shortened does not hold
the entry that the machine remembers in a second place (`memory`), and is refused. Where there is a
key, each entry is signed. Whoever deletes register, folders and that memory leaves no trace here:
the number and the head of the run before stand in each printed report.

Two runs may go on at once; for the moment of an entry the file is locked (`flock`). Where the
system has no `flock` (Windows) it is not: two entries at the very same instant then break the
chain, which the next run refuses.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict

from hil.bodies import (
    AskedBody,
    EarlierBody,
    EntryBody,
    PreviousBody,
    RegisterBody,
    RequirementBody,
    asked_sha256,
)
from hil.conclusion import Conclusion
from hil.errors import UsageError
from hil.journal import GENESIS, Chain, ChainBroken, Record, read
from hil_reports.evidence import foreign
from hil_reports.evidence.bag import MANIFEST, TAG_MANIFEST
from hil_reports.evidence.folder import DATA, JOURNAL, read_journal
from hil_reports.evidence.keys import PublicKey, Signer, decoded, encoded
from hil_reports.evidence.memory import Memory, Remembered
from hil_reports.evidence.seal import concluded, read_seal

if sys.platform != "win32":
    from fcntl import LOCK_EX, LOCK_NB, flock

REGISTER = "register.jsonl"
"""Name of the register, in the folder of the run folders."""
NEWEST = 100
"""Earlier runs that a run lists in any case; of older ones, those that are not as registered."""
PATIENCE = 10.0
"""Seconds that a run waits for another one that writes its entry."""
ADJUSTED = timedelta(minutes=1)
"""How far back a clock may go without being doubted: calibrations end on a date."""
_RETRY = 0.02
_SIGNED = "signed"
"""Key of an entry's body: public key and signature, base64, of whoever made it."""

AS_REGISTERED = "as registered"
NOT_CLOSED = "not closed"
CHANGED = "changed"
MISSING = "missing"
NOT_REGISTERED = "not registered"
STATES = {
    AS_REGISTERED: "its journal and its seal are those of the register",
    NOT_CLOSED: "it was opened and never closed: killed, or still going on",
    CHANGED: "its journal or its seal is not that of the register",
    MISSING: "its folder is not there",
    NOT_REGISTERED: "its folder is here, the register does not know it",
}
"""What became of an earlier run: word in the record to what it means."""


class OpenedBody(TypedDict):
    """Kind `opened`: what is known before a run's first record."""

    run_id: str
    bench: str
    manufacturer: str
    model: str
    operator: str
    expected: str  # provenance; what was earned, the closing entry says


class ClosedBody(TypedDict):
    """Kind `closed`: what became of a run; all hashes are SHA-256."""

    run_id: str
    opened: str  # hash of its opening entry
    head: str  # of the journal
    journal: str  # of the journal's file
    manifest: str  # of manifest-sha256.txt; empty if it is not sealed
    signer: str  # fingerprint of the seal's key; empty if it is not signed
    provenance: str  # as earned
    verdict: str
    code: int
    complete: bool
    serial: str
    firmware: str


class StatedBody(TypedDict):
    """Kind `stated`: a statement that was added to a run's annex."""

    run_id: str
    opened: str  # hash of its opening entry
    annex: str  # head of the annex with it


@dataclass(frozen=True, slots=True)
class Opening:
    """What a run says of its place in the register."""

    entry: EntryBody
    """For the run record."""
    body: RegisterBody
    """Kind `register`: what became of the runs before it."""


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of the register."""

    number: int
    opened: Record
    closed: tuple[Mapping[str, Any], ...]
    witnessed: bool
    """Whether a run that began after its closing cites an entry that rests on it."""

    @property
    def run_id(self) -> str:
        return str(self.opened.body["run_id"])

    @property
    def head(self) -> str:
        return str(self.closed[-1]["head"]) if self.closed else ""


class Register:
    """The register of the run folders in one folder."""

    def __init__(
        self, out: Path, utc: Callable[[], datetime], signer: Signer | None = None
    ) -> None:
        """Name the folder; nothing is read yet.

        Args:
            out: folder of the run folders.
            utc: the wall clock, timezone-aware.
            signer: who signs what is entered; None leaves it unsigned.
        """
        self.out = out
        self.path = out / REGISTER
        self._utc = utc
        self._signer = signer
        self._memory = Memory.find()

    def open(self, about: OpenedBody) -> Opening:
        """Register that a run begins; the entry is on the disk afterwards.

        Raises:
            UsageError: the folder cannot be written, the register is broken, or it is gone while
                runs that were registered in it are still here.
        """
        known = self.path.exists()
        if not known:
            self._refuse_renewal()
        with self._locked() as handle:
            records = self._tidy(handle)
            remembered = self._memory.of(records[0].hash) if records else None
            newest = max((record.utc for record in records), default="")
            runs = _runs(records)
            number = len(runs) + 1
            last = runs[-1] if runs else None
            entry = self._enter(handle, records, "opened", {"number": number, **about})
            first = records[0].hash if records else entry.hash
            others = set(self._memory.begun(self.out)) - {first}
            self._memory.settle(self.out, first)
        if not known:
            _sync_folder(self.out)
        older, rows = _condensed(self._earlier(runs, about))
        before: PreviousBody | None = {"run_id": last.run_id, "head": last.head} if last else None
        return Opening(
            {"number": number, "entry": entry.hash, "previous": before},
            {
                "number": number,
                "bench": about["bench"],
                "earlier": [*rows, *self._strangers(runs, about)],
                "older": dict(Counter(row["verdict"] for row in older)),
                "first": first,
                "remembered": remembered.entries if remembered else 0,
                "others": len(others),
                "behind": _behind(entry.utc, newest),
                "signers": dict(Counter(map(_signer_of, records))),
                "asked": self._asked(rows),
            },
        )

    def close(self, folder: Path, conclusion: Conclusion) -> None:
        """Register what became of a run; a second time only if it has been sealed or changed since.

        Args:
            folder: its run folder.
            conclusion: what its journal amounts to.

        Raises:
            UsageError: the register is gone or broken, or was never told that this run began.
        """
        opened = conclusion.run["register"]["entry"]
        if not self.path.exists():
            raise UsageError(
                f"{self.path} is gone: run {folder.name} was registered in it and cannot be "
                "closed; restore it, then: hil seal"
            )
        sealed = read_seal(folder) if (folder / TAG_MANIFEST).exists() else None
        body: ClosedBody = {
            "run_id": conclusion.run["run_id"],
            "opened": opened,
            "head": conclusion.head,
            "journal": _digest(folder / DATA / JOURNAL),
            "manifest": sealed.manifest if sealed else "",
            "signer": sealed.signer if sealed else "",
            "provenance": conclusion.provenance.word,
            "verdict": conclusion.verdict.value,
            "code": int(conclusion.exit_code),
            "complete": conclusion.complete,
            "serial": conclusion.serial,
            "firmware": conclusion.firmware,
        }
        with self._locked() as handle:
            records = self._tidy(handle)
            run = next((run for run in _runs(records) if run.opened.hash == opened), None)
            if run is None:
                raise UsageError(
                    f"{self.path} holds no opening entry of run {folder.name}: it is not the "
                    "register that this run began in, or it was cut; restore it, then: hil seal"
                )
            if not run.closed or _unsigned(run.closed[-1]) != body:
                self._enter(handle, records, "closed", body)

    def state(self, folder: Path, head: str) -> bool:
        """Register the head of a run's annex.

        Args:
            folder: its run folder.
            head: of its annex, with the statement that was added.

        Returns:
            Whether the run began in this register; of another one nothing is entered.

        Raises:
            UsageError: the register is broken, or cannot be written.
        """
        if not self.path.exists():
            return False
        opened = _cited_entry(folder / DATA / JOURNAL)
        with self._locked() as handle:
            records = self._tidy(handle)
            run = next((record for record in records if record.hash == opened), None)
            if run is None:
                return False
            body: StatedBody = {"run_id": run.body["run_id"], "opened": opened, "annex": head}
            self._enter(handle, records, "stated", body)
        return True

    def stated(self, folder: Path) -> str:
        """Return the newest head of a run's annex that was registered; empty for none.

        Raises:
            ChainBroken: the register is broken.
        """
        opened = _cited_entry(folder / DATA / JOURNAL)
        heads = [
            str(entry.body["annex"])
            for entry in self.entries()
            if entry.kind == "stated" and entry.body["opened"] == opened
        ]
        return heads[-1] if heads else ""

    def knows(self, folder: Path) -> bool:
        """Whether a run began in this register; raises UsageError if the register is broken."""
        opened = _cited_entry(folder / DATA / JOURNAL)
        return any(entry.hash == opened for entry in self.entries())

    def entries(self) -> tuple[Record, ...]:
        """All whole entries, in order; none if there is no register.

        Raises:
            ChainBroken: an entry was changed, lost or added; names the first that does not fit.
            UsageError: it cannot be read.
        """
        records = self._read()
        if self._lost(records):
            records = self._read()  # another run may have made an entry between the two looks
            self._refuse_cut(records)
        return records

    def _read(self) -> tuple[Record, ...]:
        try:
            content = foreign.content_of(self.path, foreign.EVIDENCE)
        except foreign.Absent:
            return ()
        return self._parsed(content)[0]

    def states(self) -> list[tuple[str, str]]:
        """Return (run id, what became of it) of every run on every bench, oldest first.

        Raises:
            ChainBroken: the register is broken.
        """
        return [(run.run_id, self._state(run)) for run in _runs(list(self.entries()))]

    def _parsed(self, content: bytes) -> tuple[tuple[Record, ...], bytes]:
        whole, end, tail = content.rpartition(b"\n")
        try:
            records = tuple(read(whole + end))
            for record in records:
                _signer_of(record)
        except ChainBroken as err:
            raise ChainBroken(
                f"{self.path}: {err}. It was changed by hand or by a faulty disk, and is not "
                "renewed: restore it from a copy, or move it away together with the run folders "
                "beside it, keep both, and begin in an empty folder with --out"
            ) from err
        return records, tail

    def _tidy(self, handle: int) -> list[Record]:
        """Read the locked register; a torn last line is cut off and kept as an entry."""
        content = _content(handle)
        records, tail = self._parsed(content)
        self._refuse_cut(records)
        if not records:
            self._refuse_renewal()
        found = list(records)
        if tail:
            os.ftruncate(handle, len(content) - len(tail))
            text = tail.decode(errors="backslashreplace")
            found.append(self._enter(handle, found, "torn", {"text": text}))
        return found

    def _enter(
        self, handle: int, records: list[Record], kind: str, body: Mapping[str, Any]
    ) -> Record:
        """Make an entry behind those that were read, and remember it."""
        entry = _append(handle, records, kind, body, self._utc(), self._signer)
        first = records[0] if records else entry
        self._memory.keep(first.hash, entry.n + 1, entry.hash)
        return entry

    def _refuse_cut(self, records: Sequence[Record]) -> None:
        """A register that does not hold what is remembered of it is neither read nor gone on with.

        Raises:
            ChainBroken: it was shortened, or gone on with from a copy.
        """
        lost = self._lost(records)
        if lost is not None:
            raise ChainBroken(
                f"{self.path} was cut or goes on from an older copy: it has {len(records)} "
                f"entries, and entry {lost.entries - 1}, {lost.head[:16]}, that was written on "
                "this machine is not among them. Restore it from a copy, or move it away together "
                "with the run folders beside it, keep both, and begin in an empty folder with --out"
            )

    def _lost(self, records: Sequence[Record]) -> Remembered | None:
        """The end of the register that is remembered, if these entries do not hold it."""
        told = self._memory.of(records[0].hash) if records else None
        if told is None or [e.hash for e in records[told.entries - 1 :][:1]] == [told.head]:
            return None
        return told

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as err:
            raise UsageError(f"--out {self.out}: cannot be written: {err.strerror}") from err
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise UsageError(f"{self.path} is no file: it is not read, and nothing written")
            self._wait_for(handle)
            yield handle
        finally:
            os.close(handle)  # which unlocks it

    def _wait_for(self, handle: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while not _lock(handle):
            if time.monotonic() > deadline:
                raise UsageError(
                    f"{self.path} is locked by another process for {PATIENCE:g} s; an entry takes "
                    "milliseconds: look for a run that hangs"
                )
            time.sleep(_RETRY)

    def _refuse_renewal(self) -> None:
        """A register that is gone is not begun anew beside the runs that it held."""
        orphans = [folder.name for folder in self._folders()]
        if orphans:
            state = "without an entry" if self.path.exists() else "gone"
            raise UsageError(
                f"{self.path} is {state}, and {len(orphans)} run folders stand here, as "
                f"{orphans[-1]}: a register is not renewed. Restore it, or begin in an empty "
                "folder with --out"
            )

    def _folders(self) -> list[Path]:
        """Run folders, oldest first; none if the folder itself is not there."""
        if not self.out.is_dir():
            return []
        return [
            path for path in sorted(self.out.iterdir()) if foreign.is_plain(path / DATA / JOURNAL)
        ]

    def _earlier(self, runs: list[_Run], about: OpenedBody) -> list[EarlierBody]:
        return [
            self._row(run)
            for run in runs
            if run.opened.body["manufacturer"] == about["manufacturer"]
            and run.opened.body["model"] == about["model"]
        ]

    def _asked(self, rows: Sequence[EarlierBody]) -> dict[str, AskedBody]:
        """What each requirement asked for when it was last judged, by runs that nobody changed."""
        asked: dict[str, AskedBody] = {}
        for row in reversed(rows):
            if row["state"] != AS_REGISTERED:
                continue
            partial, requirements = _planned(self.out / row["run_id"] / DATA / JOURNAL)
            for name, sha256 in requirements.items():
                asked.setdefault(name, {"run_id": row["run_id"], "sha256": sha256})
            if not partial:
                break
        return asked

    def _row(self, run: _Run) -> EarlierBody:
        last = run.closed[-1] if run.closed else {}
        return {
            "number": run.number,
            "run_id": run.run_id,
            "bench": run.opened.body["bench"],
            "opened": run.opened.utc,
            "operator": run.opened.body["operator"],
            "serial": last.get("serial", ""),
            "firmware": last.get("firmware", ""),
            "provenance": last.get("provenance", ""),
            "verdict": last.get("verdict", ""),
            "code": last.get("code"),
            "state": self._state(run),
            "head": run.head,
        }

    def _state(self, run: _Run) -> str:
        """Whether a run stands as registered; its captures are for `hil verify` to look at.

        Nobody cites the newest closings yet, so what they say is held against the bundle.
        """
        folder = self.out / run.run_id
        journal = folder / DATA / JOURNAL
        if not foreign.is_plain(journal):
            return MISSING
        cited = _cited_entry(journal)
        if not run.closed:  # of a run that begins at this moment the first record is still to come
            return NOT_CLOSED if cited in {"", run.opened.hash} else CHANGED
        told = run.closed[-1]
        sealed = _digest(folder / MANIFEST)
        same = _digest(journal) == told["journal"] and told["manifest"] in {"", sealed}
        steady = len({entry["journal"] for entry in run.closed}) == 1
        if not (same and steady and cited == run.opened.hash):
            return CHANGED
        return AS_REGISTERED if run.witnessed or _ended_as(folder, told) else CHANGED

    def _strangers(self, runs: list[_Run], about: OpenedBody) -> Iterator[EarlierBody]:
        """Run folders of this device model that the register does not know."""
        known = {run.run_id for run in runs}
        for folder in self._folders():
            if folder.name in known:
                continue
            try:
                run, plan = (record.body for record in read_journal(folder).records[:2])
                device = plan["manufacturer"], plan["model"]
                mine = device == (about["manufacturer"], about["model"])
                bench, operator = plan["bench_name"], run["operator"]
            except (UsageError, ValueError, KeyError, TypeError):
                mine = True  # whatever it is, it is no run that can be left out
                bench = operator = ""
            if mine:
                yield {
                    "number": 0,
                    "run_id": folder.name,
                    "bench": bench,
                    "opened": "",
                    "operator": operator,
                    "serial": "",
                    "firmware": "",
                    "provenance": "",
                    "verdict": "",
                    "code": None,
                    "state": NOT_REGISTERED,
                    "head": "",
                }


def _lock(handle: int) -> bool:
    """Lock a file for this process, unless another one holds it."""
    if sys.platform != "win32":
        try:
            flock(handle, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _condensed(rows: list[EarlierBody]) -> tuple[list[EarlierBody], list[EarlierBody]]:
    """Part those that are old and as registered, and of which a number says enough."""
    old = [row for row in rows[:-NEWEST] if row["state"] == AS_REGISTERED]
    return old, [row for row in rows if row not in old]


def _runs(records: list[Record]) -> list[_Run]:
    closed: dict[str, list[Record]] = {}
    for record in records:
        if record.kind == "closed":
            closed.setdefault(record.body["opened"], []).append(record)
    opened = [record for record in records if record.kind == "opened"]
    newest = opened[-1].n if opened else 0
    return [
        _Run(
            record.body["number"],
            record,
            tuple(entry.body for entry in closed.get(record.hash, ())),
            all(entry.n < newest for entry in closed.get(record.hash, ())),
        )
        for record in opened
    ]


def _cited_entry(journal: Path) -> str:
    """Opening entry that a run's first record cites; empty if it cites none."""
    try:
        with foreign.opened(journal, foreign.EVIDENCE) as (file, _):
            line = next(iter(foreign.Lines(file, journal)), b"")
    except UsageError:
        return ""
    try:
        return str(json.loads(line)["body"]["register"]["entry"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _planned(journal: Path) -> tuple[bool, dict[str, str]]:
    """Whether a run's scope was partial, and what its requirements asked for, by their ids."""
    try:
        with foreign.opened(journal, foreign.EVIDENCE) as (file, _):
            run, plan = (
                json.loads(line)["body"] for line in islice(foreign.Lines(file, journal), 2)
            )
        requirements: list[RequirementBody] = plan["requirements"]
        return bool(run["partial"]), {body["id"]: asked_sha256(body) for body in requirements}
    except (UsageError, ValueError, KeyError, TypeError, RecursionError):
        return True, {}  # a run of another version has no plan that can be told


def _ended_as(folder: Path, told: Mapping[str, Any]) -> bool:
    """Whether a bundle amounts to what its closing entry says."""
    try:
        found = concluded(read_journal(folder).records)
    except UsageError:
        return False
    keys = ("head", "provenance", "verdict", "code", "serial", "firmware")
    return found is not None and tuple(map(told.get, keys)) == (
        found.head,
        found.provenance.word,
        found.verdict.value,
        int(found.exit_code),
        found.serial,
        found.firmware,
    )


def _behind(utc: str, newest: str) -> float:
    """Seconds by which the clock was set back; 0 where it may have been adjusted only."""
    if not newest:
        return 0.0
    lead = datetime.fromisoformat(newest) - datetime.fromisoformat(utc)
    return lead.total_seconds() if lead > ADJUSTED else 0.0


def _unsigned(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != _SIGNED}


def _signer_of(entry: Record) -> str:
    """Fingerprint of whoever signed an entry; empty if nobody did.

    Raises:
        ChainBroken: its signature is not good.
    """
    if _SIGNED not in entry.body:
        return ""
    try:
        public = PublicKey.read(decoded(entry.body[_SIGNED]["public_key"]))
        utc = datetime.fromisoformat(entry.utc)
        bare = Chain(entry.prev, entry.n).append(
            entry.kind, _unsigned(entry.body), utc=utc, bench=None
        )
        good = public.signed(_message(bare), decoded(entry.body[_SIGNED]["signature"]))
    except (UsageError, ValueError, KeyError, TypeError) as err:
        raise ChainBroken(f"the signature of record {entry.n} cannot be read: {err}") from err
    if not good:
        raise ChainBroken(f"the signature of record {entry.n} is not good")
    return public.fingerprint


def _message(bare: Record) -> bytes:
    """What is signed of an entry: its hash as it would be without the signature."""
    return f"stimproof register {bare.hash}\n".encode()


def _append(
    handle: int,
    records: list[Record],
    kind: str,
    body: Mapping[str, Any],
    utc: datetime,
    signer: Signer | None,
) -> Record:
    """Write one entry behind those that were read, and bring it to the disk."""
    prev, n = (records[-1].hash, records[-1].n + 1) if records else (GENESIS, 0)
    record = Chain(prev, n).append(kind, body, utc=utc, bench=None)
    if signer is not None:
        signed = {
            "public_key": encoded(signer.public.der),
            "signature": encoded(signer.sign(_message(record))),
        }
        record = Chain(prev, n).append(kind, {**body, _SIGNED: signed}, utc=utc, bench=None)
    line = f"{record.line}\n".encode()
    size = os.fstat(handle).st_size
    try:
        done = os.write(handle, line)
        os.fsync(handle)
    except OSError as err:
        os.ftruncate(handle, size)
        raise UsageError(f"the disk refused an entry of {REGISTER}: {err.strerror}") from err
    if done != len(line):
        os.ftruncate(handle, size)  # half an entry would be one that was never made
        raise UsageError(f"the disk took {done} of {len(line)} bytes of an entry of {REGISTER}")
    return record


def _content(handle: int) -> bytes:
    os.lseek(handle, 0, os.SEEK_SET)
    parts = []
    while part := os.read(handle, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _digest(path: Path) -> str:
    """SHA-256 of a file; nothing if there is none, or what stands there is no file."""
    try:
        return foreign.digest_of(path, foreign.EVIDENCE)
    except UsageError:
        return ""


def _sync_folder(path: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
