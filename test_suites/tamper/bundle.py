"""Bundles to tamper with: copies of a sealed run, and what an attacker can do to one."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from framework import brisk
from hil.journal import Chain, Record
from hil_reports.evidence import Evidence, annex, bag, checkpoint, dsse, read_journal, seal
from hil_reports.evidence.keys import Signer
from hil_reports.report import write_report

JOURNAL = "data/journal.jsonl"
TAGS = (*bag.TAGS, bag.TAG_MANIFEST)
_HIL = [sys.executable, "-c", "from hil_fixtures.cli import main; main()"]


def now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def make(out: Path, key: str) -> Path:
    """Judge the simulated device by one small suite.

    Args:
        out: a new folder.
        key: path of the key that signs; empty for none.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    judged = ("--device", str(brisk.file(out.parent)))
    line = [*_HIL, "run", "--suite", "polarity", "--depth", "smoke", *judged, "--out", str(out)]
    environment = {**os.environ, "STIMPROOF_KEY": key}
    subprocess.run(line, check=True, capture_output=True, timeout=100, env=environment)
    return out / (out / "latest").read_text().strip()


def state(folder: Path, signer: Signer, record: int = 2) -> None:
    """Sign a run, correct one of its records, and make its reports, as `hil` does."""
    cited = read_journal(folder).records[record]
    body = {"name": "Ada Example", "meaning": "reviewed"}
    annex.add(folder, annex.SIGNATURE, body, signer=signer, utc=now)
    body = {"record": record, "hash": cited.hash, "reason": "typed wrong", "author": "Bob Example"}
    annex.add(folder, annex.CORRECTION, body | {"text": "2 kOhm"}, signer=signer, utc=now)
    write_report(folder, signer)


def another(folder: Path, target: Path, signer: Signer) -> Path:
    """Make a run that differs from another by one record, sealed and stated in the same way."""
    shutil.copytree(folder, target)
    strip(target)
    with Evidence.resume(target, now) as evidence:
        evidence.append("note", {"text": "another run"})
    seal(target, signer)
    state(target, signer)
    return target


def copy(folder: Path, target: Path) -> Path:
    """Copy a folder by links; whoever changes a file must `put` it."""
    return shutil.copytree(folder, target, copy_function=os.link)


def put(path: Path, content: bytes) -> None:
    """Write a file anew, so that copies of its folder keep the old one."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def files(folder: Path, under: str = "") -> list[Path]:
    """Plain files in order of their names."""
    return [folder / name for name in bag.inventory(folder, under).files]


def strip(folder: Path) -> None:
    """Take the seal off, with all that was stated after it."""
    for name in (*TAGS, dsse.ATTESTATION, dsse.SIGNER, annex.ANNEX):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "report", ignore_errors=True)


def remanifest(folder: Path) -> None:
    """Make all listings again, as who knows the format can; the attestation stays."""
    kept = {}
    for name in (dsse.ATTESTATION, dsse.SIGNER):
        if (folder / name).exists():
            kept[name] = (folder / name).read_bytes()
    for name in TAGS:
        (folder / name).unlink(missing_ok=True)
    seal(folder)
    for name, content in kept.items():
        put(folder / name, content)
    if kept:
        said = (folder / bag.INFO).read_text()
        signer = fingerprint(kept[dsse.SIGNER])
        put(folder / bag.INFO, said.replace(": nobody", f": {signer}").encode())
        retag(folder)


def retag(folder: Path) -> None:
    """Make the tag manifest again."""
    tags = bag.listing({name: bag.digest_of(folder / name) for name in bag.TAGS})
    put(folder / bag.TAG_MANIFEST, tags.encode())


def fingerprint(pem: bytes) -> str:
    """Name a public key, without our code."""
    body = b"".join(pem.split(b"-----")[2].split())
    return hashlib.sha256(base64.b64decode(body)).hexdigest()


Edit = Callable[[Record], Record | None]


def rechain(folder: Path, edit: Edit, signer: Signer | None = None) -> None:
    """Edit records and chain all anew.

    Args:
        folder: a run folder.
        edit: gives each record in a new form, or None to leave it out.
        signer: signs the checkpoints anew; without one they stay as they are.
    """
    chain = Chain()
    lines = []
    for record in map(edit, read_journal(folder).records):
        if record is None:
            continue
        body = record.body
        if record.kind == checkpoint.KIND and signer is not None:
            body = checkpoint.checkpoint_body(signer, chain.prev)
        made = chain.append(
            record.kind, body, utc=datetime.fromisoformat(record.utc), bench=record.bench
        )
        lines.append(f"{made.line}\n")
    put(folder / JOURNAL, "".join(lines).encode())


def with_body(record: Record, **changes: object) -> Record:
    """A record with changes in its body."""
    return replace(record, body={**record.body, **changes})


def of_kind(record: Record, kind: str, body: Mapping[str, object]) -> Record:
    """A record of another kind in the place of one."""
    return replace(record, kind=kind, body=dict(body))


def fail_to_pass(record: Record) -> Record | None:
    """Turn a judgement into another one, and leave the rest as it is."""
    if record.kind != "judgement":
        return record
    return with_body(record, reason="it was a PASS all along", verdict="PASS")


def unsigned(folder: Path, target: Path) -> Path:
    """The same run as if it had been made without a key."""
    copy(folder, target)
    strip(target)
    rechain(target, lambda record: None if record.kind == checkpoint.KIND else record)
    seal(target)
    write_report(target)
    return target


def rewrite_annex(folder: Path, lines: Iterable[bytes]) -> None:
    """Write the annex line by line."""
    put(folder / annex.ANNEX, b"".join(lines))


def envelope(path: Path) -> dict[str, Any]:
    """Read an envelope."""
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content
