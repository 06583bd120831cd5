"""What evidence costs: appending, verifying and storing, each beside the least that must be done.

A run of all suites at their smallest depth is judged first; its records are chained anew to a long
journal, and its captures are stored and verified again, so that all are as large as real ones.
Every figure is the best of several rounds, in which the contestants take turns.

    python benchmarks/evidence.py [RUN]     RUN is a run folder to take records and captures from
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import h5py

from hil.bodies import CaptureBody
from hil.capture import Capture
from hil.journal import Chain, Record, read, verify_chain
from hil_reports.evidence import (
    Evidence,
    cited_captures,
    load_capture,
    read_journal,
)
from hil_reports.evidence.bag import digests
from hil_reports.evidence.captures import image_of

ROUNDS = 5
APPENDED, SYNCED, VERIFIED = 5_000, 300, 100_000
LEAST_RECORDS, LEAST_BYTES = 100_000, 1e9
"""Records and bytes of waveforms a second that verification has to reach."""


def best(contestants: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of each, best of several rounds taken in turn."""
    seconds = dict.fromkeys(contestants, float("inf"))
    for _ in range(ROUNDS):
        for name, contestant in contestants.items():
            begin = time.perf_counter()
            contestant()
            seconds[name] = min(seconds[name], time.perf_counter() - begin)
    return seconds


def show(title: str, unit: str, amount: float, seconds: dict[str, float]) -> dict[str, float]:
    """Print the rate of each and its ratio to the first; return the rates."""
    print(title)
    first = next(iter(seconds.values()))
    for name, each in seconds.items():
        print(f"  {name:<46} {amount / each:12,.0f} {unit}   {first / each:6.2f}")
    return {name: amount / each for name, each in seconds.items()}


def judged(out: Path) -> Path:
    """A run of all suites at their smallest depth."""
    line = [sys.executable, "-m", "hil_fixtures", "run", "--depth", "smoke", "--out", str(out)]
    subprocess.run(line, stdout=subprocess.DEVNULL, check=True)
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    return folder


def appending(records: list[Record], place: Path) -> None:
    """Appends with and without bringing each to the disk."""
    turn = iter(range(10**6))

    def ours(count: int, *, synced: bool) -> None:
        with Evidence.create(place / f"e{next(turn)}", lambda: datetime.now(UTC)) as evidence:
            for n in range(count):
                record = records[n % len(records)]
                evidence.append(record.kind, record.body, bench=record.bench)
                if synced:
                    evidence.barrier()

    def bare(count: int, *, synced: bool) -> None:
        handle = os.open(place / f"w{next(turn)}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for n in range(count):
            os.write(handle, records[n % len(records)].line.encode() + b"\n")
            if synced:
                os.fsync(handle)
        os.close(handle)

    def database(count: int, *, synced: bool) -> None:
        base = sqlite3.connect(place / f"s{next(turn)}", isolation_level=None)
        base.execute("pragma journal_mode = wal")
        base.execute(f"pragma synchronous = {'full' if synced else 'off'}")
        base.execute("create table record (n integer primary key, line text)")
        for n in range(count):
            line = records[n % len(records)].line
            base.execute("insert into record values (?, ?)", (n, line))
        base.close()

    for title, count, synced in (
        ("append, on the disk at the next barrier", APPENDED, False),
        ("append, each on the disk", SYNCED, True),
    ):
        seconds = best(
            {
                "os.write alone": partial(bare, count, synced=synced),
                "SQLite, write-ahead log": partial(database, count, synced=synced),
                "stimproof, canonical and chained": partial(ours, count, synced=synced),
            }
        )
        show(title, "records/s", count, seconds)


def verifying(records: list[Record]) -> bool:
    """Verification of a long journal; True if it reaches what is asked for."""
    chain, lines = Chain(), []
    now = datetime.now(UTC)
    for n in range(VERIFIED):
        record = records[n % len(records)]
        lines.append(chain.append(record.kind, record.body, utc=now, bench=record.bench).line)
    content = "".join(f"{line}\n" for line in lines).encode()

    def parse_and_hash() -> None:
        for line in content.splitlines():
            json.loads(line)
            hashlib.sha256(line).hexdigest()

    def hash_alone() -> None:
        for line in content.splitlines():
            hashlib.sha256(line).hexdigest()

    seconds = best(
        {
            "json.loads and SHA-256 of each line": parse_and_hash,
            "SHA-256 of each line": hash_alone,
            "stimproof, the chain on its bytes": lambda: verify_chain(content),
            "stimproof, and each record parsed": lambda: list(read(content)),
        }
    )
    size = len(content) / VERIFIED
    rates = show(f"verify a journal, {size:.0f} bytes a record", "records/s", VERIFIED, seconds)
    return rates["stimproof, the chain on its bytes"] >= LEAST_RECORDS


def waveforms(folder: Path, cited: dict[str, CaptureBody]) -> bool:
    """Verification of capture files; True if it reaches what is asked for."""
    names = {f"data/captures/{body['dataset']}.h5": 0 for body in cited.values()}
    sizes = {name: (folder / name).stat().st_size for name in names}
    content = [(folder / name).read_bytes() for name in names]

    def two_threads() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda part: hashlib.sha256(part).digest(), content))

    seconds = best(
        {
            "hashlib, from memory": lambda: [hashlib.sha256(part).digest() for part in content],
            "hashlib, from memory, two threads": two_threads,
            "stimproof, files against the journal": lambda: digests(folder, sizes),
        }
    )
    size = sum(sizes.values())
    title = f"verify waveforms, {len(sizes)} files, {size / 1e6:.0f} MB"
    rates = show(title, "MB/s", size / 1e6, seconds)
    return rates["stimproof, files against the journal"] >= LEAST_BYTES / 1e6


def storing(folder: Path, cited: dict[str, CaptureBody]) -> None:
    """Making capture files, and reading them back with both hashes checked."""
    captures = [load_capture(folder, body) for body in cited.values()]
    size = sum(capture.samples.nbytes for capture in captures)

    def plain(capture: Capture, **filters: object) -> bytes:
        buffer = io.BytesIO()
        with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
            file.create_dataset("samples", data=capture.samples, **filters)
        return buffer.getvalue()

    packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}
    contestants: dict[str, Callable[[], list[bytes]]] = {
        "h5py, gzip 1, shuffle, fletcher32": lambda: [plain(c, **packed) for c in captures],
        "h5py, as it is": lambda: [plain(c) for c in captures],
        "stimproof, gzip, shuffle, fletcher32": lambda: [image_of(c) for c in captures],
    }
    title = f"make capture files, {len(captures)} captures, {size / 1e6:.0f} MB of samples"
    show(title, "MB/s", size / 1e6, best(dict(contestants)))
    for name, contestant in contestants.items():
        part = sum(map(len, contestant())) / size
        print(f"  {name:<46} {part:12.3f} of the size")

    def with_h5py() -> None:
        for body in cited.values():
            with h5py.File(folder / "data" / "captures" / f"{body['dataset']}.h5") as file:
                file["samples"][()]

    seconds = best(
        {
            "h5py": with_h5py,
            "stimproof, file and content hash checked": lambda: [
                load_capture(folder, body) for body in cited.values()
            ],
        }
    )
    show("read capture files", "MB/s", size / 1e6, seconds)


def main(run: Path | None) -> int:
    """Print all figures; return 1 if verification is slower than asked for."""
    with tempfile.TemporaryDirectory() as place:
        folder = run or judged(Path(place) / "runs")
        records = list(read_journal(folder).records)
        cited = cited_captures(records)
        appending(records, Path(place))
        reached = [verifying(records), waveforms(folder, cited)]
        storing(folder, cited)
    print(f"asked for: {LEAST_RECORDS:,} records/s, {LEAST_BYTES / 1e9:g} GB/s of waveforms")
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else None))
