"""What the journal's records say of files, held against the files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from hil.errors import UsageError
from hil.exchanges import Message, read_message
from hil.journal import Record
from hil_reports.evidence import checkpoint, foreign
from hil_reports.evidence.bag import Problem
from hil_reports.evidence.captures import FOLDER
from hil_reports.evidence.folder import CONFIG, DATA, JOURNAL
from hil_reports.evidence.transcript import BLOCKS, TRANSCRIPT

JOURNAL_FILE = f"{DATA}/{JOURNAL}"
_TRANSCRIPT = f"{DATA}/{TRANSCRIPT}"
_BLOCKS = f"{DATA}/{BLOCKS}"
CITING = frozenset({"record", "barrier", "document", "plan", "sentinel", checkpoint.KIND})
"""Kinds of records that cite a file, or vouch for others."""
_PIECE = 1 << 20
_FORM = (KeyError, TypeError, AttributeError, ValueError)


def cited_problems(
    folder: Path, records: Iterable[Record], hashes: Mapping[str, str]
) -> Iterator[Problem]:
    """Find what a record cites and is not there, or is not what it was.

    Args:
        folder: the run folder; only its transcript and the blocks of it are read.
        records: of its journal, those of a kind in `CITING` at least.
        hashes: name of each file to its SHA-256.
    """
    barriers = []
    for record in records:
        try:
            if record.kind == "barrier":
                barriers.append(_barrier(record))
            for name, sha256 in _cited(record):
                if name not in hashes:
                    yield Problem(name, "is missing", record.n)
                elif hashes[name] != sha256:
                    yield Problem(name, "is not the file that was recorded", record.n)
        except _FORM as err:
            text = f"{record.kind} has not the form of this version: {err!r}"
            yield Problem(JOURNAL_FILE, text, record.n)
    yield from _transcript_problems(folder, barriers, hashes)


def checkpoint_signers(records: Iterable[Record], problems: list[Problem]) -> set[str]:
    """Return the fingerprints of all who signed a checkpoint; bad ones become problems."""
    signers = set()
    for record in records:
        if record.kind == checkpoint.KIND:
            try:
                signers.add(checkpoint.signer_of(record.body, record.prev))
            except UsageError as err:
                problems.append(Problem(JOURNAL_FILE, f"checkpoint: {err}", record.n))
    return signers


def _barrier(record: Record) -> tuple[int, str, int]:
    """Length and hash of the transcript at a barrier, and the number of its record."""
    length, sha256 = record.body["bytes"], record.body["transcript"]
    if type(length) is not int or length < 0:
        raise ValueError(f"{length!r} is no number of bytes")
    return length, sha256, record.n


def _cited(record: Record) -> Iterator[tuple[str, str]]:
    """Name and hash of each file that a record cites."""
    body = record.body
    if record.kind == "record":
        for capture in body["captures"]:
            yield f"{DATA}/{FOLDER}/{capture['dataset']}.h5", capture["file_sha256"]
    if record.kind == "sentinel":
        yield f"{DATA}/{body['file']}", body["sha256"]
    documents = [body] if record.kind == "document" else []
    if record.kind == "plan":
        documents = [body["device"], body["bench"], *body.get("catalogues", ())]
        documents += [body["scenario"]] if "scenario" in body else []
    for document in documents:
        if hashlib.sha256(document["text"].encode()).hexdigest() != document["sha256"]:
            raise ValueError(f"the text of {document['name']} is not what its hash says")
        yield f"{DATA}/{CONFIG}/{document['name']}", document["sha256"]


def _transcript_problems(
    folder: Path, barriers: list[tuple[int, str, int]], hashes: Mapping[str, str]
) -> Iterator[Problem]:
    """The transcript must begin with what each barrier had seen of it."""
    if not barriers:
        return
    if _TRANSCRIPT not in hashes:
        yield Problem(_TRANSCRIPT, "is missing", barriers[0][2])
        return
    running, at = hashlib.sha256(), 0
    try:
        with foreign.opened(folder / _TRANSCRIPT, foreign.EVIDENCE) as (file, _):
            for length, sha256, n in barriers:
                at += _update(running, file, length - at)
                if at != length or running.hexdigest() != sha256:
                    text = f"its first {length} bytes are not those that were recorded"
                    yield Problem(_TRANSCRIPT, text, n)
                    return
    except UsageError as err:
        yield Problem(_TRANSCRIPT, str(err))
        return
    yield from _block_problems(folder, at)


def _block_problems(folder: Path, length: int) -> Iterator[Problem]:
    """The blocks must stand one behind the other, each as its line in the transcript cites it.

    Args:
        folder: the run folder.
        length: bytes of the transcript that a barrier vouches for.
    """
    end = 0
    try:
        with (
            foreign.opened(folder / _TRANSCRIPT, foreign.EVIDENCE) as (file, _),
            foreign.opened(folder / _BLOCKS, foreign.EVIDENCE) as (blocks, _),
        ):
            for message in _cited_blocks(file, length):
                block = message.block
                if block is None:
                    continue
                if block.begin != end:
                    text = f"line {message.line} cites a block at byte {block.begin}, not {end}"
                    yield Problem(_TRANSCRIPT, text)
                    return
                running = hashlib.sha256()
                end += _update(running, blocks, block.count)
                if end != block.begin + block.count or running.hexdigest() != block.sha256:
                    cited = f"the {block.count} bytes from byte {block.begin} on"
                    text = f"{cited} are not those that line {message.line} of {TRANSCRIPT} cites"
                    yield Problem(_BLOCKS, text)
                    return
    except UsageError as err:
        yield Problem(_BLOCKS, str(err))


def _cited_blocks(file: BinaryIO, length: int) -> Iterator[Message]:
    """Messages of a transcript that may cite a block; raises UsageError for what is no line."""
    for number, line in enumerate(file, 1):
        length -= len(line)
        if length < 0:
            return
        if b" block " in line:
            yield read_message(number, line.decode(errors="replace").removesuffix("\n"))


def _update(running: hashlib._Hash, file: BinaryIO, count: int) -> int:
    """Hash the next bytes of a file, piece by piece; return how many there were."""
    done = 0
    while done < count and (piece := file.read(min(_PIECE, count - done))):
        running.update(piece)
        done += len(piece)
    return done
