"""Records across runs, at scale: the index of many bundles, and the register of as many runs.

One run of the whole scope is judged; its journal is then chained anew under other run ids, serial
numbers and firmware versions, so that each bundle is as large as a real one. The peer does the
least that any index must: it parses every line as JSON, checks nothing, and keeps what a table
shows. Both read the same files in the same process, one after the other.

    history.py [NUMBER]     NUMBER of bundles, 1000 unless told
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hil.journal import Chain, Record
from hil_fixtures import plan
from hil_fixtures.plan import Options
from hil_reports.evidence import read_journal
from hil_reports.evidence.index import Wanted, opened
from hil_reports.evidence.register import Register
from hil_reports.trend import in_order, trend_svg

_REQUIREMENT = "LIM-ACC"
_NOW = datetime(2026, 6, 1, tzinfo=UTC)


@contextlib.contextmanager
def timed(what: str, per: int = 1) -> Iterator[None]:
    """Print how long a block took, in all and for each of `per`."""
    begin = time.perf_counter()
    yield
    seconds = time.perf_counter() - begin
    each = f" {1e3 * seconds / per:8.3f} ms each" if per > 1 else ""
    print(f"  {what:<52} {seconds:9.3f} s{each}", flush=True)


def judged(out: Path) -> Path:
    """One run of the whole scope."""
    line = [sys.executable, "-m", "hil_fixtures", "run", "--out", str(out)]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    return folder


def changed(record: Record, number: int) -> dict[str, object]:
    """The body of a record as another run's: its id, and the device that it met."""
    body = dict(record.body)
    if record.kind == "run":
        body["run_id"] = name(number)
        body["register"] = {"number": number + 1, "entry": "e" * 64, "previous": None}
    elif record.kind == "instrument" and body["role"] == "stimulator":
        body |= {"serial": f"SN-{number % 40}", "firmware": f"1.{number // 200}"}
    return body


def name(number: int) -> str:
    """Run id of a synthetic run."""
    return f"{datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number):%Y%m%dT%H%M%SZ}-0000"


def multiplied(records: tuple[Record, ...], out: Path, number: int) -> int:
    """Write bundles; return the bytes of all journals."""
    size = 0
    for place in range(number):
        chain = Chain()
        shift = timedelta(hours=place)
        lines = [
            chain.append(
                record.kind,
                changed(record, place),
                utc=datetime.fromisoformat(record.utc) + shift,
                bench=record.bench,
            ).line
            for record in records
        ]
        folder = out / name(place) / "data"
        folder.mkdir(parents=True)
        size += (folder / "journal.jsonl").write_bytes(("\n".join(lines) + "\n").encode())
    return size


def peer(out: Path, path: Path) -> None:
    """Parse every line and keep a row for each run and judgement; check nothing."""
    with contextlib.closing(sqlite3.connect(path)) as sql, sql:
        sql.execute("CREATE TABLE run (id, serial, firmware)")
        sql.execute("CREATE TABLE judgement (run, requirement, value, lower, upper, verdict)")
        for journal in out.glob("*/data/journal.jsonl"):
            for line in journal.read_bytes().splitlines():
                record = json.loads(line)
                body = record["body"]
                if record["kind"] == "instrument":
                    sql.execute(
                        "INSERT INTO run VALUES (?, ?, ?)",
                        (journal.parts[-3], body["serial"], body["firmware"]),
                    )
                elif record["kind"] == "judgement":
                    value = body["measured"]["value"] if body["measured"] else None
                    row = (journal.parts[-3], body["requirement"], value, body["lower"],
                           body["upper"], body["verdict"])  # fmt: skip
                    sql.execute("INSERT INTO judgement VALUES (?, ?, ?, ?, ?, ?)", row)


def index(out: Path, number: int) -> None:
    """Time the index: made, made again, asked."""
    with opened(out, rebuild=True) as made:
        with timed("index made from the bundles", number):
            made.refresh()
        with timed("index looked at again, nothing changed", number):
            made.refresh()
        with timed("all runs"):
            rows = made.runs()
        with timed("runs of one serial number with one firmware"):
            some = made.runs(Wanted(serial="SN-7", firmware="1.1"))
        with timed("trend of a requirement over all runs"):
            trend = made.trend(_REQUIREMENT)
        with timed("its plot"):
            svg = trend_svg(in_order(trend), _REQUIREMENT)
    print(f"  {len(rows)} runs, {len(some)} of one device, {len(trend)} points, {len(svg)} bytes")


def register(out: Path) -> None:
    """Time a run's opening and closing with every bundle before it in the register."""
    made = plan.make(Options())
    device = made.profile
    about = {
        "bench": made.bench.name,
        "manufacturer": device.manufacturer,
        "model": device.model,
        "operator": "",
        "expected": "SIMULATED",
    }
    chain, lines = Chain(), []
    folders = sorted(path for path in out.iterdir() if path.is_dir())
    for place, folder in enumerate(folders):
        told = {"number": place + 1, "run_id": folder.name, **about}
        opened = chain.append("opened", told, utc=_NOW, bench=None)
        content = (folder / "data" / "journal.jsonl").read_bytes()
        closed = {
            "run_id": folder.name,
            "opened": opened.hash,
            "head": "h" * 64,
            "journal": hashlib.sha256(content).hexdigest(),
            "manifest": "",
            "signer": "",
            "provenance": "SIMULATED",
            "verdict": "PASS",
            "code": 0,
            "complete": True,
            "serial": "SN-1",
            "firmware": "1.0",
        }
        lines += [opened.line, chain.append("closed", closed, utc=_NOW, bench=None).line]
    book = Register(out, lambda: _NOW)
    book.path.write_text("".join(f"{line}\n" for line in lines))
    with timed(f"run {len(folders) + 1} opened, each journal hashed", len(folders)):
        told = book.open({"run_id": "next", **about})
    print(f"  {len(told.body['earlier'])} rows, {sum(told.body['older'].values())} in numbers")


def main() -> None:
    """Print all figures."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        first, out = Path(folder) / "first", Path(folder) / "runs"
        records = read_journal(judged(first)).records
        size = multiplied(records, out, number)
        print(f"{number} bundles of {len(records)} records, {size / 1e6:.0f} MB of journals")
        index(out, number)
        with timed("peer: json.loads of each line into two tables", number):
            peer(out, Path(folder) / "peer.sqlite")
        register(out)


if __name__ == "__main__":
    main()
