"""What reports print of the seal and of what was stated after it: signatures and corrections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from hil.journal import Record
from hil_reports.evidence import bag
from hil_reports.evidence.annex import CORRECTION, SIGNATURE, Annex, Entry, read_annex
from hil_reports.evidence.seal import read_seal
from hil_reports.text import clean, moment

View: TypeAlias = dict[str, Any]

NOT_SEALED: View = {
    "text": "not sealed",
    "signer": "",
    "annex": "",
    "signatures": [],
    "corrections": [],
}

_STATUS = {
    "COMPLETE": "the run ended by itself",
    "INCOMPLETE": "the run was lost or aborted; what it had not judged has no verdict",
}
"""What the status of a seal says."""


def seal_view(folder: Path, records: Sequence[Record]) -> View:
    """Lay out the seal and the annex of a run folder.

    Raises:
        UsageError: the annex is broken.
    """
    if not (folder / bag.TAG_MANIFEST).exists():
        return NOT_SEALED
    seal, annex = read_seal(folder), read_annex(folder)
    signed = "signed by" if seal.signer else "unsigned: who can write the folder can make it anew"
    return {
        "text": f"sealed {seal.status} ({_STATUS.get(seal.status, 'unknown')}), {signed}",
        "signer": seal.signer,
        "annex": annex.head,
        "signatures": _signatures(annex),
        "corrections": [
            _correction(entry, records) for entry in annex.entries if entry.kind == CORRECTION
        ],
    }


def _signatures(annex: Annex) -> list[View]:
    return [
        {
            "name": clean(entry.body["name"]),
            "time": moment(entry.utc),
            "meaning": clean(entry.body["meaning"]),
            "signer": entry.signer,
            "document": clean(document),
            "sha256": clean(sha256),
        }
        for entry in annex.entries
        for document, sha256 in [entry.document or ("", "")]
        if entry.kind == SIGNATURE
    ]


def _correction(entry: Entry, records: Sequence[Record]) -> View:
    body = entry.body
    record = records[body["record"]]
    return {
        "record": str(record.n),
        "said": _said(record),
        "requirement": clean(record.body.get("requirement", ""), 120),
        "text": clean(body["text"]),
        "reason": clean(body["reason"]),
        "author": clean(body["author"]),
        "time": moment(entry.utc),
        "signer": entry.signer,
    }


def _said(record: Record) -> str:
    """The corrected record in short: what it is, and of what."""
    about = ("requirement", "verdict", "test", "role", "serial", "name", "cause")
    told = [clean(record.body[key], 200) for key in about if record.body.get(key)]
    return f"{record.kind} of {moment(record.utc)}: {', '.join(told)}".removesuffix(": ")
