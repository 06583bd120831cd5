"""The journal: what happened, in order, each record chained to the one before it by its hash.

A record is one line of canonical JSON: `n`, `kind`, `utc`, `bench` (bench time in s or null),
`body`, `prev` (hash of the record before, of the first one 64 zeros) and `hash`. What the bodies
hold stands in `hil.bodies`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from hil.errors import UsageError
from hil.exact import Exact

GENESIS = "0" * 64
"""`prev` of the first record."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the journal."""

    n: int
    kind: str
    utc: str
    bench: float | None
    body: Mapping[str, Any]
    prev: str
    hash: str

    @property
    def line(self) -> str:
        """Canonical JSON with the hash, without a line end."""
        return _canonical(
            {
                "n": self.n,
                "kind": self.kind,
                "utc": self.utc,
                "bench": self.bench,
                "body": self.body,
                "prev": self.prev,
                "hash": self.hash,
            }
        )


@dataclass
class Chain:
    """Makes records; knows the last hash and number, nothing else."""

    prev: str = GENESIS
    n: int = 0

    def append(
        self, kind: str, body: Mapping[str, Any], *, utc: datetime, bench: float | None
    ) -> Record:
        """Make the next record; raises UsageError if the body holds what JSON cannot carry."""
        if utc.tzinfo is None:
            raise UsageError(f"{utc} has no time zone; a record carries UTC")
        head = {
            "n": self.n,
            "kind": kind,
            "utc": utc.astimezone(UTC).isoformat(timespec="milliseconds"),
            "bench": None if bench is None else plain(round(bench, 6)),
            "body": plain(body),
            "prev": self.prev,
        }
        digest = hashlib.sha256(_canonical(head).encode()).hexdigest()
        self.prev, self.n = digest, self.n + 1
        return Record(**head, hash=digest)


class ChainBroken(UsageError):
    """A journal does not hang together: a record was changed, lost or added."""


def read(lines: Iterable[str]) -> Iterator[Record]:
    """Parse and verify a journal.

    A last line without its end is the mark of a killed writer and is left out by the caller.

    Raises:
        ChainBroken: names the first record that does not fit.
    """
    prev = GENESIS
    for n, line in enumerate(lines):
        try:
            raw = json.loads(line)
            record = Record(**raw)
            body = {key: value for key, value in raw.items() if key != "hash"}
            digest = hashlib.sha256(_canonical(body).encode()).hexdigest()
            # The text itself, too: a repeated key or 1E-5 for 1e-5 parses to the same record.
            same = line.removesuffix("\n") == record.line
        except (ValueError, TypeError, RecursionError) as err:
            raise ChainBroken(f"record {n} cannot be read: {err}") from err
        if not same or record.n != n or record.prev != prev or record.hash != digest:
            raise ChainBroken(f"record {n} ({record.kind}) does not follow from record {n - 1}")
        prev = digest
        yield record


def plain(value: Any) -> Any:  # noqa: ANN401  # a tree of JSON values
    """Turn a body into what JSON carries: Decimal and Exact as text, enums as their value.

    Raises:
        UsageError: for a NaN or infinite float, or for a type that has no form here.
    """
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(entry) for entry in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (Decimal, Exact)):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{value} has no place in a record; write it as text")
    if isinstance(value, str):
        return value.encode(
            errors="backslashreplace"
        ).decode()  # half a surrogate pair has no UTF-8
    if value is None or isinstance(value, (int, float, bool)):
        return value
    raise UsageError(f"a {type(value).__name__} has no form in a record")


def _canonical(value: object) -> str:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
