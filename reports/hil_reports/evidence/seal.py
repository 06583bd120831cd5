"""The seal of a run folder: a BagIt bag (RFC 8493) over data/, and its verification.

The views in report/ stand beside data/ and are no part of the bag: they can be made again. The seal
shows a change only to whoever knows the head or the hash of the manifest from elsewhere, as from
the printed report: who can write the folder can also seal it anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hil.errors import UsageError
from hil.journal import Record
from hil_reports.evidence.folder import CONFIG, DATA, TRANSCRIPT, load_capture, read_journal

MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
_DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_TAGS = ("bag-info.txt", "bagit.txt", MANIFEST)


@dataclass(frozen=True, slots=True)
class Seal:
    """What to write down elsewhere."""

    head: str
    """Hash of the last journal record."""
    manifest: str
    """SHA-256 of manifest-sha256.txt."""


def seal(folder: Path) -> Seal:
    """Seal a run folder; of an intact sealed one, return its seal.

    Raises:
        ChainBroken: the journal does not hang together; it is not sealed.
        UsageError: the folder was sealed and changed since, or has no journal records.
    """
    folder = Path(folder)
    if (folder / TAG_MANIFEST).exists():
        problems = verify(folder)
        if problems:
            raise UsageError(f"{folder} was sealed and has changed since: {'; '.join(problems)}")
        return _seal_of(folder)
    journal = read_journal(folder)
    if not journal.records:
        raise UsageError(f"{folder} holds no journal record; there is nothing to seal")
    files = list(_payload(folder))
    _write(folder / "bagit.txt", _DECLARATION)
    _write(folder / "bag-info.txt", _info(journal.records, files, torn=journal.torn))
    _write(folder / MANIFEST, _listing(folder, files))
    _write(folder / TAG_MANIFEST, _listing(folder, [folder / name for name in _TAGS]))
    return _seal_of(folder)


def verify(folder: Path) -> list[str]:
    """Check seal, chain, captures, documents and transcript of a run folder.

    Returns:
        Every problem in words; empty if the folder is sealed and intact.
    """
    folder = Path(folder)
    problems = _seal_problems(folder)
    try:
        records = read_journal(folder).records
    except UsageError as err:
        return [*problems, str(err)]
    if not records:
        return [*problems, "the journal is empty"]
    info = folder / "bag-info.txt"
    if info.exists() and f"Journal-Head: {records[-1].hash}\n" not in info.read_text("utf-8"):
        problems.append(f"the seal names another journal head than {records[-1].hash}")
    try:
        problems += _content_problems(folder, records)
    except (KeyError, TypeError, AttributeError) as err:
        problems.append(f"a record has not the form of this version: {err!r}")
    return problems


def _seal_problems(folder: Path) -> list[str]:
    if not (folder / TAG_MANIFEST).exists():
        return ["not sealed"]
    problems: list[str] = []
    tags = _read_listing(folder / TAG_MANIFEST, problems)
    unlisted = [name for name in _TAGS if name not in tags]
    problems += [f"{name} is not listed in {TAG_MANIFEST}" for name in unlisted]
    problems += _differences(folder, tags)
    listed = _read_listing(folder / MANIFEST, problems)
    problems += _differences(folder, listed)
    try:
        present = {_name(folder, path) for path in _payload(folder)}
    except UsageError as err:
        return [*problems, str(err)]
    problems += [f"{name} was added after the seal" for name in sorted(present - listed.keys())]
    return problems


def _content_problems(folder: Path, records: Iterable[Record]) -> Iterator[str]:
    """Whatever a record cites must be there and be what it was."""
    cited: dict[str, Any] = {}
    for record in records:
        if record.kind == "record":
            for capture in record.body["captures"]:
                cited.setdefault(capture["sha256"], (f"record {record.n}", capture))
        elif record.kind == "barrier":
            yield from _transcript_problems(folder, record)
        elif record.kind == "document":
            yield from _document_problems(folder, record)
    for where, capture in cited.values():
        try:
            load_capture(folder, capture)
        except UsageError as err:
            yield f"{where}: {err}"


def _transcript_problems(folder: Path, record: Record) -> Iterator[str]:
    path = folder / DATA / TRANSCRIPT
    length = record.body["bytes"]
    digest = hashlib.sha256()
    if path.exists():
        with path.open("rb") as file:
            digest.update(file.read(length))
    if digest.hexdigest() != record.body["transcript"]:
        yield f"{TRANSCRIPT}: its first {length} bytes are not those of record {record.n}"


def _document_problems(folder: Path, record: Record) -> Iterator[str]:
    path = folder / DATA / CONFIG / record.body["name"]
    if not path.exists():
        yield f"{CONFIG}/{record.body['name']} of record {record.n} is missing"
    elif _digest(path) != record.body["sha256"]:
        yield f"{CONFIG}/{record.body['name']} is not that of record {record.n}"


def _seal_of(folder: Path) -> Seal:
    return Seal(read_journal(folder).records[-1].hash, _digest(folder / MANIFEST))


def _info(records: tuple[Record, ...], files: list[Path], *, torn: bool) -> str:
    first, last = records[0], records[-1]
    size = sum(path.stat().st_size for path in files)
    lines = {
        "Bag-Software-Agent": f"stimproof {first.body.get('version', '')}".strip(),
        "Bagging-Date": last.utc[:10],
        "External-Identifier": first.body.get("run_id", "unknown"),
        "Payload-Oxum": f"{size}.{len(files)}",
        "Journal-Records": str(len(records)),
        "Journal-Torn": "yes" if torn else "no",
        "Journal-Head": last.hash,
    }
    return "".join(f"{key}: {' '.join(str(value).split())}\n" for key, value in lines.items())


def _payload(folder: Path) -> Iterator[Path]:
    for path in sorted((folder / DATA).rglob("*")):
        if path.is_symlink():
            raise UsageError(f"{_name(folder, path)} is a link; evidence holds files only")
        if path.is_file():
            yield path


def _listing(folder: Path, files: Iterable[Path]) -> str:
    return "".join(f"{_digest(path)}  {_escaped(_name(folder, path))}\n" for path in files)


def _read_listing(path: Path, problems: list[str]) -> dict[str, str]:
    entries = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        digest, _, name = line.partition("  ")
        if not name or ".." in name.split("/") or name.startswith("/"):
            problems.append(f"{path.name}: {line!r} is no entry")
        else:
            entries[name.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")] = digest
    return entries


def _differences(folder: Path, entries: dict[str, str]) -> Iterator[str]:
    for name, digest in entries.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif _digest(path) != digest:
            yield f"{name} was changed after the seal"


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _escaped(name: str) -> str:
    return name.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
