"""The annex: what was signed or corrected after the seal, chained to it and signed.

`annex.jsonl` lies beside data/ and has the journal's line format; its first record follows from
the SHA-256 of the tag manifest. Each statement is followed by a checkpoint of whoever made it.
Nothing in the sealed bag changes. Who can write the folder can cut whole records off the annex's
end, or remove it: so its head stands in the register of the bench, in reports, and in what
`hil verify` prints.

A signature may name a document: a signed copy of the report, which cannot be made again. It lies
in `signed/`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hil.errors import BenchError, UsageError
from hil.journal import Chain, Record, read
from hil_reports.evidence import bag, checkpoint, foreign
from hil_reports.evidence.keys import Signer

try:
    import fcntl
except ImportError:  # Windows: two that sign at once break the chain, which verify names
    fcntl = None  # type: ignore[assignment]

ANNEX = "annex.jsonl"
DOCUMENTS = "signed"
"""Folder of the documents that signatures name."""
SIGNATURE, CORRECTION = "signature", "correction"
_STATEMENTS = {SIGNATURE, CORRECTION}
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One statement, and who vouches for it."""

    n: int
    """Number of its record in the annex."""
    kind: str
    """signature or correction."""
    utc: str
    """When it was made, by the clock of whoever made it."""
    body: Mapping[str, Any]
    """Of a signature: name, meaning, and document (file, sha256) if there is one. Of a correction:
    record, hash, reason, author, text."""
    signer: str
    """Fingerprint of the key that signed it."""
    head: str
    """Head of the annex when it was made."""

    @property
    def document(self) -> tuple[str, str] | None:
        """File, from the run folder, and SHA-256 of what a signature names; None for nothing.

        Raises:
            UsageError: it names something in another form.
        """
        match self.body.get("document"):
            case None:
                return None
            case {"file": str(file), "sha256": str(sha256)} if _DIGEST.fullmatch(sha256):
                return file, sha256
        raise UsageError(f"record {self.n} names a document in a form that is not ours")


@dataclass(frozen=True, slots=True)
class Annex:
    """All of an annex; empty if there is none."""

    entries: tuple[Entry, ...] = ()
    head: str = ""
    """Hash of its last record; empty if there is none."""


def read_annex(folder: Path) -> Annex:
    """Read and verify the annex of a sealed run folder.

    Raises:
        ChainBroken: a record does not follow from the one before it, or the first from the seal.
        UsageError: the end is torn, or a statement is not signed.
    """
    try:
        content = _whole(folder / ANNEX)
    except foreign.Absent:
        return Annex()
    records = tuple(read(content, _seal_hash(folder)))
    if not records:
        raise UsageError(f"{ANNEX} is empty")
    return Annex(tuple(_entries(records)), records[-1].hash)


def add(
    folder: Path,
    kind: str,
    body: Mapping[str, Any],
    *,
    signer: Signer,
    utc: Callable[[], datetime],
) -> Annex:
    """Append a signed statement; it is on the disk afterwards.

    Args:
        folder: a sealed run folder.
        kind: signature or correction.
        body: what is stated, as in `Entry`.
        signer: who vouches for it.
        utc: the wall clock, timezone-aware.

    Raises:
        UsageError: the folder is not sealed, or the annex is broken.
        BenchError: the disk did not take it.
    """
    if not (folder / bag.TAG_MANIFEST).exists():
        raise UsageError(f"{folder} is not sealed; seal it first: hil seal {folder}")
    path = folder / ANNEX
    if os.path.lexists(path) and not foreign.is_plain(path):
        raise UsageError(f"{path} is a link, or no file: nothing is written to it")
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        chain = _chain(folder)
        stated = chain.append(kind, body, utc=utc(), bench=None)
        signed = checkpoint.checkpoint_body(signer, stated.hash)
        closed = chain.append(checkpoint.KIND, signed, utc=utc(), bench=None)
        content = f"{stated.line}\n{closed.line}\n".encode()
        if os.write(handle, content) != len(content):
            raise BenchError(f"the disk took {ANNEX} in part; is it full?")
        os.fsync(handle)
    except OSError as err:
        raise BenchError(f"the disk refused {ANNEX}: {err.strerror}") from err
    finally:
        os.close(handle)
    return read_annex(folder)


def _chain(folder: Path) -> Chain:
    """Go on where the annex ends."""
    if not (folder / ANNEX).stat().st_size:
        return Chain(_seal_hash(folder))
    annex = read_annex(folder)
    return Chain(annex.head, 2 * len(annex.entries))


def _seal_hash(folder: Path) -> str:
    return bag.digest_of(folder / bag.TAG_MANIFEST)


def _whole(path: Path) -> bytes:
    content = foreign.content_of(path, foreign.ENVELOPE)
    torn = len(content) - content.rfind(b"\n") - 1
    if torn:
        raise UsageError(
            f"{ANNEX} ends within a record; if its writer was killed, cut the last {torn} bytes"
        )
    return content


def _entries(records: tuple[Record, ...]) -> Iterator[Entry]:
    for stated, signed in zip(records[::2], (*records[1::2], None), strict=False):
        if stated.kind not in _STATEMENTS:
            raise UsageError(f"record {stated.n} is a {stated.kind}; an annex holds statements")
        if signed is None or signed.kind != checkpoint.KIND:
            raise UsageError(f"record {stated.n} ({stated.kind}) is not signed")
        try:
            signer = checkpoint.signer_of(signed.body, stated.hash)
        except UsageError as err:
            raise UsageError(f"record {signed.n}: {err}") from err
        entry = Entry(stated.n, stated.kind, stated.utc, stated.body, signer, signed.hash)
        _ = entry.document  # one in another form is refused with all the rest
        yield entry
