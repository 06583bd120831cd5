"""A pytest plugin that loses its own process at a chosen moment, and tells what was acknowledged.

Loaded into the runner of `hil run`; it stands about the evidence, and between it and the operating
system. A record that `Evidence.append` returned must outlive `kill -9`, one before a `barrier` that
returned must outlive a power cut. Both are told by a line in a log of its own, as soon as they have
returned, and so are the calls below them, in whose midst a crash may come:

    append <SHA-256 of the line>    acknowledged
    barrier                         all so far are acknowledged for good
    write, sync, replace            a line was written, the journal synced, a file got its name

`CRASH` says when to die: `write:12:0.4` after 40 % of the bytes of the 12th line, `sync:3:0` before
and `sync:3:1` after the third sync of the journal, `replace:2:0` before and `:1` after the second
file gets its name. With `CRASH_POWER=1` the evidence first loses what was not synced: the ends of
journal, transcript and blocks, except for that share of them, and the names of new captures.
Without `CRASH` it only tells.
"""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from typing import Any

from hil.journal import Record
from hil_reports.evidence import Evidence

_LOG = os.open(os.environ["CRASH_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
_CALL, _COUNT, _SHARE = (os.environ.get("CRASH") or "never:0:0").split(":")
_POWER = os.environ.get("CRASH_POWER") == "1"
_write, _fsync, _replace = os.write, os.fsync, os.replace
_append, _barrier = Evidence.append, Evidence.barrier
_seen = {"write": 0, "sync": 0, "replace": 0}
_synced: dict[str, int] = {}
"""Bytes of journal, transcript and its blocks that are on the disk."""
_named: list[str] = []
"""Captures whose name is not."""


def _now(call: str) -> bool:
    _seen[call] += 1
    return call == _CALL and _seen[call] == int(_COUNT)


def _die() -> None:
    if _POWER:
        for path, size in _synced.items():
            unsynced = os.path.getsize(path) - size
            os.truncate(path, size + int(unsynced * float(_SHARE)))
        for path in _named:
            os.unlink(path)
    os.kill(os.getpid(), signal.SIGKILL)


def _path(handle: int) -> Path:
    """The file under a handle; what stands in it when it is first seen is on the disk."""
    path = Path(os.readlink(f"/proc/self/fd/{handle}"))
    if path.name in {"journal.jsonl", "transcript.txt", "blocks.bin"}:
        _synced.setdefault(str(path), path.stat().st_size)
    return path


def write(handle: int, content: bytes) -> int:
    """Take a line of the journal, or the part of it that the crash leaves."""
    if _path(handle).name != "journal.jsonl":
        return _write(handle, content)
    if _now("write"):
        _write(handle, content[: int(len(content) * float(_SHARE))])
        _die()
    done = _write(handle, content)
    _write(_LOG, b"write\n")
    return done


def fsync(handle: int) -> None:
    """Sync a file, unless the crash comes before that."""
    path = _path(handle)
    last = path.name == "journal.jsonl" and _now("sync")
    if last and float(_SHARE) == 0:
        _die()
    size = os.fstat(handle).st_size
    _fsync(handle)
    if str(path) in _synced:
        _synced[str(path)] = size
    if path.name == "captures":
        _named.clear()
    if path.name == "journal.jsonl":
        _write(_LOG, b"sync\n")
    if last:
        _die()


def replace(source: Any, target: Any, **more: Any) -> None:  # noqa: ANN401  # as os.replace takes
    """Give a file its name, unless the crash comes before that."""
    capture = Path(target).suffix == ".h5"
    last = capture and _now("replace")
    if last and float(_SHARE) == 0:
        _die()
    _replace(source, target, **more)
    if capture:
        _named.append(os.fspath(target))
        _write(_LOG, b"replace\n")
    if last:
        _die()


def append(self: Evidence, kind: str, body: Any, **more: Any) -> Record:  # noqa: ANN401  # as it
    """Acknowledge a record once it is written."""
    record = _append(self, kind, body, **more)
    digest = hashlib.sha256(record.line.encode() + b"\n").hexdigest()
    _write(_LOG, f"append {digest}\n".encode())
    return record


def barrier(self: Evidence) -> None:
    """Acknowledge for good what is on the disk."""
    _barrier(self)
    _write(_LOG, b"barrier\n")


os.write, os.fsync, os.replace = write, fsync, replace
Evidence.append, Evidence.barrier = append, barrier  # type: ignore[method-assign]
