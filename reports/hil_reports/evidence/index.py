"""The index of many runs: a SQLite file beside the run folders, made from them alone.

It is a cache, never more than a faster way to read the bundles, and proves nothing: a folder whose
journal has changed is read again, one that is gone is dropped, one that is damaged is listed as
damaged, and the whole file can be thrown away at any time. Figures that decided are kept as the
decimal text of the journal.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hil.bodies import JudgementBody
from hil.conclusion import Conclusion, severity
from hil.errors import UsageError
from hil_reports.evidence import foreign
from hil_reports.evidence.bag import MANIFEST, TAG_MANIFEST, digest_of, inventory, read_listing
from hil_reports.evidence.folder import DATA, JOURNAL, read_journal
from hil_reports.evidence.seal import concluded

INDEX = "index.sqlite"
"""Name of the index, in the folder of the run folders."""
VERSION = 1
"""Version of its tables; an index of another one is made anew."""
_END = 256  # bytes that are sure to hold the hash at the end of a journal
_TABLES = """
CREATE TABLE bundle (
    folder TEXT PRIMARY KEY, stamp TEXT NOT NULL, damage TEXT NOT NULL, sealed INTEGER NOT NULL,
    run_id TEXT, number INTEGER, begun TEXT, operator TEXT, bench TEXT, manufacturer TEXT,
    model TEXT, serial TEXT, firmware TEXT, firmware_name TEXT,
    firmware_sha256 TEXT, provenance TEXT, faults TEXT,
    partial TEXT, complete INTEGER, verdict TEXT, code INTEGER
);
CREATE TABLE requirement (
    folder TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL, verdict TEXT NOT NULL,
    PRIMARY KEY (folder, id)
) WITHOUT ROWID;
CREATE TABLE judgement (
    folder TEXT NOT NULL, requirement TEXT NOT NULL, rank INTEGER NOT NULL, test TEXT NOT NULL,
    at TEXT, value TEXT, unit TEXT, expanded TEXT, lower TEXT, upper TEXT, margin TEXT,
    verdict TEXT NOT NULL,
    PRIMARY KEY (folder, requirement, rank)
) WITHOUT ROWID;
CREATE INDEX by_requirement ON judgement (requirement, folder, rank);
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs are asked for; an empty field asks for nothing."""

    device: str = ""
    """Model, or manufacturer and model; case does not matter."""
    serial: str = ""
    """Serial number of the device."""
    firmware: str = ""
    """Version or name of the firmware, or the beginning of a build's SHA-256."""
    requirement: str = ""
    """Requirement that was in the scope."""
    verdict: str = ""
    """Verdict of the run; with a requirement, that of the requirement."""


EVERY_RUN = Wanted()


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of the index; of a damaged bundle only folder and damage are known."""

    folder: str
    damage: str
    """What is wrong with the bundle; empty if it hangs together."""
    sealed: bool
    run_id: str = ""
    number: int = 0
    begun: str = ""
    operator: str = ""
    bench: str = ""
    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    provenance: str = ""
    faults: str = ""
    partial: str = ""
    complete: bool = False
    verdict: str = ""
    """Of the run, or of the requirement that was asked for."""
    code: int = 0


@dataclass(frozen=True, slots=True)
class TrendRow:
    """The worst judgement of a run on one requirement; figures are decimal text in SI."""

    run: RunRow
    title: str
    at: str
    value: str
    """Empty if nothing was measured."""
    unit: str
    expanded: str
    lower: str
    upper: str
    margin: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did."""

    read: int
    """Bundles that were new or changed."""
    kept: int
    """Bundles that stand in the index as they are."""
    dropped: int
    """Bundles that are gone."""
    stored: bool
    """Whether the index is on the disk; not where the folder cannot be written."""


class Index:
    """The index of the run folders in one folder."""

    def __init__(self, out: Path, connection: sqlite3.Connection, *, stored: bool) -> None:
        """Hold an open index; use `opened`."""
        self.out = out
        self._sql = connection
        self._stored = stored

    def refresh(self, told: Callable[[int, int], None] = lambda done, total: None) -> Refreshed:
        """Read what has changed since.

        Args:
            told: is given how many bundles are done, and how many there are.
        """
        present = {_named(path): path for path in _bundles(self.out)}
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")  # another process that refreshes waits here
            known = dict(self._sql.execute("SELECT folder, stamp FROM bundle"))
            gone = known.keys() - present.keys()
            for name in gone:
                self._drop(name)
            read = 0
            for done, (name, path) in enumerate(present.items()):
                told(done, len(present))
                stamp = _stamp(path)
                if known.get(name) != stamp:
                    self._drop(name)
                    self._take(name, path, stamp)
                    read += 1
        return Refreshed(read, len(present) - read, len(gone), self._stored)

    def runs(self, wanted: Wanted = EVERY_RUN) -> list[RunRow]:
        """Return the runs that are asked for, oldest first.

        Damaged bundles are among them where no property of a run is asked for.
        """
        condition, values = _where(wanted)
        verdict = "requirement.verdict" if wanted.requirement else "bundle.verdict"
        rows = self._sql.execute(
            f"SELECT {_columns(verdict)} FROM bundle {_join(wanted)}{condition} "
            "ORDER BY begun, bundle.folder",
            values,
        )
        return [_run_row(row) for row in rows]

    def trend(
        self,
        requirement: str,
        wanted: Wanted = EVERY_RUN,
        at: Callable[[str], bool] = lambda _: True,
    ) -> list[TrendRow]:
        """Return the worst judgement of each run on a requirement, oldest run first.

        Args:
            requirement: its id.
            wanted: which runs; the verdict is that of the judgement.
            at: takes the value that a judgement relates to, as text, and says whether it counts.

        Raises:
            UsageError: no run in the index has this requirement in its scope.
        """
        condition, values = _where(
            Wanted(wanted.device, wanted.serial, wanted.firmware, requirement)
        )
        known = [row[0] for row in self._sql.execute("SELECT DISTINCT id FROM requirement")]
        if requirement not in known:
            raise UsageError(
                f"requirement {requirement}: in the scope of no run in {self.out}; known: "
                f"{', '.join(sorted(known)) or 'none'}"
            )
        rows = self._sql.execute(
            f"SELECT {_columns('requirement.verdict')}, title, at, value, unit, expanded, lower, "
            f"upper, margin, judgement.verdict FROM bundle {_join(wanted, always=True)}"
            "JOIN judgement ON judgement.folder = bundle.folder "
            f"AND judgement.requirement = requirement.id{condition} "
            "ORDER BY begun, bundle.folder, rank",
            values,
        )
        worst: dict[str, TrendRow] = {}
        for row in rows:
            run, rest = _run_row(row[: len(_RUN)]), [text or "" for text in row[len(_RUN) :]]
            if run.folder not in worst and at(rest[1]):
                worst[run.folder] = TrendRow(run, *rest)
        return [row for row in worst.values() if wanted.verdict in {"", row.verdict}]

    def _drop(self, name: str) -> None:
        for table in ("bundle", "requirement", "judgement"):
            self._sql.execute(f"DELETE FROM {table} WHERE folder = ?", (name,))

    def _take(self, name: str, path: Path, stamp: str) -> None:
        sealed = os.path.lexists(path / TAG_MANIFEST)
        try:
            self._enter(name, stamp, _read(path, sealed=sealed), sealed=sealed)
        except (UsageError, KeyError, OverflowError, sqlite3.Error) as err:
            self._drop(name)  # what was entered before the first figure that has no place here
            self._sql.execute(
                "INSERT INTO bundle (folder, stamp, damage, sealed) VALUES (?, ?, ?, ?)",
                (name, stamp, " ".join(str(err).split()), sealed),
            )

    def _enter(self, name: str, stamp: str, found: Conclusion, *, sealed: bool) -> None:
        run, plan = found.run, found.plan
        build = run["firmware"]
        self._insert(
            "bundle",
            [
                (
                    name, stamp, "", sealed, run["run_id"], run["register"]["number"],
                    found.begun, run["operator"], plan["bench_name"], plan["manufacturer"],
                    plan["model"], found.serial, found.firmware,
                    build["name"] if build else found.firmware, build["sha256"] if build else "",
                    found.provenance.word, ", ".join(run["faults"]), run["partial"], found.complete,
                    found.verdict.value, int(found.exit_code),
                )
            ],
        )  # fmt: skip
        rows = found.requirements
        self._insert(
            "requirement",
            ((name, r.requirement["id"], r.requirement["title"], r.verdict.value) for r in rows),
        )
        for row in rows:
            ranked = sorted(row.judgements, key=severity)
            self._insert(
                "judgement", (_judgement(name, rank, body) for rank, body in enumerate(ranked))
            )

    def _insert(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        for row in rows:
            marks = ", ".join("?" * len(row))
            self._sql.execute(f"INSERT INTO {table} VALUES ({marks})", row)


@contextmanager
def opened(out: Path, *, rebuild: bool = False) -> Iterator[Index]:
    """Open the index of a folder; made anew where it is missing, of another version or no index.

    Where the folder cannot be written it is made in memory.

    Args:
        out: folder of the run folders.
        rebuild: throw the old one away first.

    Raises:
        UsageError: there is no such folder.
    """
    if not out.is_dir():
        raise UsageError(f"--out {out}: there is no such folder; name the one that holds the runs")
    path = out / INDEX
    if os.path.lexists(path) and not foreign.is_plain(path):
        raise UsageError(f"{path} is a link, or no file; move it away: the index is made anew")
    if rebuild or (path.exists() and not _is_current(path)):
        path.unlink(missing_ok=True)
    stored = os.access(path if path.exists() else out, os.W_OK)
    connection = sqlite3.connect(path if stored else ":memory:", timeout=60, isolation_level=None)
    try:
        if not connection.execute("PRAGMA user_version").fetchone()[0]:
            connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        yield Index(out, connection, stored=stored)
    finally:
        connection.close()


def _is_current(path: Path) -> bool:
    connection = sqlite3.connect(path)
    try:
        sound = connection.execute("PRAGMA quick_check").fetchone()[0] == "ok"
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError:
        return False
    finally:
        connection.close()
    return sound and version == VERSION


def _bundles(out: Path) -> list[Path]:
    return [path for path in sorted(out.iterdir()) if (path / DATA).is_dir()]


def _named(path: Path) -> str:
    """Name of a run folder as text; of one that is no UTF-8, with its bytes written out."""
    return os.fsencode(path.name).decode(errors="backslashreplace")


def _stamp(folder: Path) -> str:
    """What changes when a bundle does: end, size, times and inode of its journal, and of its seal.

    A time of change cannot be set by hand, as one of modification can; a clock that is set back, or
    whoever writes the index itself, is for `rebuild`.
    """
    journal = folder / DATA / JOURNAL
    try:
        state = journal.stat()
        with foreign.opened(journal, foreign.EVIDENCE) as (file, size):
            file.seek(max(0, size - _END))
            end = file.read(_END)
    except (OSError, UsageError):
        return "no journal"
    seals = [folder / MANIFEST, folder / TAG_MANIFEST]
    states = [state, *(path.stat() for path in seals if path.exists())]
    head = hashlib.sha256(end).hexdigest()
    return " ".join([head, *(_state(one) for one in states)])


def _state(of: os.stat_result) -> str:
    return f"{of.st_size}/{of.st_mtime_ns}/{of.st_ctime_ns}/{of.st_ino}"


def _read(folder: Path, *, sealed: bool) -> Conclusion:
    """What a bundle amounts to.

    Raises:
        UsageError: it is damaged.
    """
    found = concluded(read_journal(folder).records)
    if found is None:
        raise UsageError(f"{JOURNAL} does not begin with run and plan")
    if sealed:
        name = f"{DATA}/{JOURNAL}"
        files = len(inventory(folder, DATA).files)
        content = foreign.content_of(folder / MANIFEST, foreign.manifest_bytes(files))
        if read_listing(content).get(name) != digest_of(folder / DATA / JOURNAL):
            raise UsageError(f"{name} is not the one that was sealed")
    return found


def _judgement(name: str, rank: int, body: JudgementBody) -> tuple[object, ...]:
    measured = body["measured"]
    return (
        name, body["requirement"], rank, body["test"], body["at"],
        measured["value"] if measured else None,
        measured["unit"] if measured else None,
        measured["expanded"] if measured else None,
        body["lower"], body["upper"], body["margin"], body["verdict"],
    )  # fmt: skip


_RUN = (
    "folder", "damage", "sealed", "run_id", "number", "begun", "operator", "bench", "manufacturer",
    "model", "serial", "firmware", "provenance", "faults", "partial", "complete", "verdict", "code",
)  # fmt: skip


def _columns(verdict: str) -> str:
    return ", ".join(verdict if name == "verdict" else f"bundle.{name}" for name in _RUN)


def _join(wanted: Wanted, *, always: bool = False) -> str:
    asked = always or wanted.requirement
    return "JOIN requirement ON requirement.folder = bundle.folder " if asked else ""


def _where(wanted: Wanted) -> tuple[str, list[str]]:
    parts: list[tuple[str, list[str]]] = []
    if wanted.device:
        text = "lower(?) IN (lower(model), lower(manufacturer || ' ' || model))"
        parts.append((text, [wanted.device]))
    if wanted.serial:
        parts.append(("serial = ?", [wanted.serial]))
    if wanted.firmware:
        text = (
            "(? IN (firmware, firmware_name) "
            "OR (length(?) >= 7 AND substr(firmware_sha256, 1, length(?)) = lower(?)))"
        )
        parts.append((text, [wanted.firmware] * 4))
    if wanted.requirement:
        parts.append(("requirement.id = ?", [wanted.requirement]))
    if wanted.verdict:
        verdict = "requirement.verdict" if wanted.requirement else "bundle.verdict"
        parts.append((f"{verdict} = ?", [wanted.verdict]))
    if not parts:
        return "", []
    values = [value for _, mine in parts for value in mine]
    return f" WHERE {' AND '.join(text for text, _ in parts)}", values


def _run_row(row: tuple[object, ...]) -> RunRow:
    given = {name: value for name, value in zip(_RUN, row, strict=True) if value is not None}
    given |= {name: bool(given.get(name)) for name in ("sealed", "complete")}
    return RunRow(**given)  # type: ignore[arg-type]  # the columns are its fields, as _TABLES says
