"""The journal: what happened, in order, each record chained to the one before it by its hash.

A record is one line of JSON, its keys in this order: `n` (number, from 0), `prev` (hash of the
record before), `kind`, `utc`, `bench` (bench time in s or null), `body` and `hash`:

    {"n":0,"prev":"00..","kind":"run","utc":"..","bench":null,"body":{..},"hash":"ab.."}

`hash` is the SHA-256, in hexadecimal, of the line up to the comma before "hash", and a closing
brace. So a chain is checked on its bytes, and a line is parsed only where it is read. Every value
is canonical: keys of a body sorted, no spaces, UTF-8. What bodies hold stands in `hil.bodies`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from hil.errors import UsageError
from hil.exact import Exact

GENESIS = "0" * 64
"""`prev` of a journal's first record."""
_HASH = b',"hash":"'
_TAIL = len(_HASH) + 64 + len(b'"}')
_KIND = b'","kind":"'


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
    line: str = field(repr=False)
    """The line itself, without its line end."""


@dataclass
class Chain:
    """Makes records; knows the last hash and number, nothing else."""

    prev: str = GENESIS
    n: int = 0

    def append(
        self, kind: str, body: Mapping[str, Any], *, utc: datetime, bench: float | None
    ) -> Record:
        """Make the next record.

        Args:
            kind: a plain word.
            body: what `plain` takes.
            utc: the wall clock, timezone-aware.
            bench: bench time in s, rounded here to a microsecond; None outside of a bench.

        Raises:
            UsageError: the body holds what JSON cannot carry; the chain stays as it was.
        """
        if utc.tzinfo is None:
            raise UsageError(f"{utc} has no time zone; a record carries UTC")
        if not kind.isidentifier():
            raise UsageError(f"{kind!r} is no kind of record; allowed: letters, digits and _")
        time = None if bench is None else plain(round(bench, 6))
        when = utc.astimezone(UTC).isoformat(timespec="milliseconds")
        held = plain(body)
        n, prev = self.n, self.prev
        head = _head(n, prev, kind, when, time, held)
        digest = hashlib.sha256(head.encode()).hexdigest()
        self.prev, self.n = digest, n + 1
        return Record(n, kind, when, time, held, prev, digest, _line(head, digest))


class ChainBroken(UsageError):
    """A journal does not hang together: a record was changed, lost or added."""


@dataclass(frozen=True, slots=True)
class Link:
    """A line that follows from the one before it, by its bytes; not parsed yet."""

    n: int
    line: bytes
    """Without its line end."""
    prev: str
    hash: str

    @property
    def kind(self) -> str:
        """Kind of the record."""
        begin = self.line.index(_KIND) + len(_KIND)
        return self.line[begin : self.line.index(b'"', begin)].decode(errors="backslashreplace")

    def record(self) -> Record:
        """Parse the line.

        Raises:
            ChainBroken: it is no record, or not in canonical form: a repeated key, or 1E-5 for
                1e-05, hides another record behind the one that is read.
        """
        try:
            text = self.line.decode()
            record = Record(**json.loads(text), line=text)
            head = _head(record.n, record.prev, record.kind, record.utc, record.bench, record.body)
            same = _line(head, record.hash) == text
        except (ValueError, TypeError, RecursionError) as err:
            raise ChainBroken(f"record {self.n} cannot be read: {err}") from err
        if not same or not isinstance(record.body, dict):
            raise ChainBroken(f"record {self.n} is no record in canonical form: it was changed")
        return record


def links(content: bytes, prev: str = GENESIS) -> Iterator[Link]:
    """Verify a chain line by line, on its bytes alone.

    Args:
        content: whole lines; a torn end is the mark of a killed writer and left out by the caller.
        prev: what the first record follows.

    Raises:
        ChainBroken: names the first record that does not follow from the one before it.
    """
    return follow(_lines(content), prev)


def _lines(content: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(content):
        end = content.find(b"\n", start) + 1 or len(content)
        yield content[start:end]
        start = end


def follow(lines: Iterable[bytes], prev: str = GENESIS) -> Iterator[Link]:
    """Verify a chain as `links` does; each line comes with its line end."""
    for n, whole in enumerate(lines):
        if not whole.endswith(b"\n"):
            raise ChainBroken(f"record {n} has no line end: it was cut")
        line = whole[:-1]
        head = hashlib.sha256(line[:-_TAIL])
        head.update(b"}")
        digest = head.hexdigest()
        begin = b'{"n":%d,"prev":"%b%b' % (n, prev.encode(), _KIND)
        if not line.startswith(begin) or line[-_TAIL:] != b'%b%b"}' % (_HASH, digest.encode()):
            raise ChainBroken(f"record {n} does not follow from {_before(n)}")
        yield Link(n, line, prev, digest)
        prev = digest


def verify_chain(content: bytes, prev: str = GENESIS) -> Chain:
    """Verify all lines of a chain on their bytes; return the chain that goes on from there.

    Raises:
        ChainBroken: as `links`.
    """
    chain = Chain(prev)
    for link in links(content, prev):
        chain.prev, chain.n = link.hash, link.n + 1
    return chain


def read(content: bytes, prev: str = GENESIS) -> Iterator[Record]:
    """Verify and parse the lines of a chain.

    Raises:
        ChainBroken: names the first record that does not fit.
    """
    return (link.record() for link in links(content, prev))


def _head(  # the fields of a record, in the order of its line
    n: int, prev: str, kind: str, utc: str, bench: float | None, body: Mapping[str, Any]
) -> str:
    """What a record's hash is the hash of; hashes, kinds and times hold nothing to escape."""
    return (
        f'{{"n":{n},"prev":"{prev}","kind":"{kind}","utc":"{utc}"'
        f',"bench":{_canonical(bench)},"body":{_canonical(body)}}}'
    )


def _line(head: str, digest: str) -> str:
    return f'{head[:-1]},"hash":"{digest}"}}'


def _before(n: int) -> str:
    return f"record {n - 1}" if n else "the begin of the chain"


def plain(value: Any) -> Any:  # noqa: ANN401  # a tree of JSON values
    """Turn a body into what JSON carries: Decimal and Exact as text, enums as their value.

    Raises:
        UsageError: for a NaN or infinite float, or for a type that has no form here.
    """
    kind = type(value)
    if kind is str and value.isascii():  # most of what is written, and free to check
        return value
    if value is None or kind is int or kind is bool:
        return value
    if kind is dict or isinstance(value, Mapping):
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


_canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode
