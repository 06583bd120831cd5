"""Headers: the patterns of a command table, and the tree that finds a written header in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hil_instruments.simulated.scpi.errors import ScpiError

LONGEST_MNEMONIC = 12
"""Characters of a mnemonic (IEEE 488.2, 7.6.1.4)."""
LARGEST_SUFFIX = 10**9
_Entry = TypeVar("_Entry")


def short_form(word: str) -> str:
    """Return the short form of a mnemonic: its capitals, as CURR of CURRent."""
    return "".join(letter for letter in word if not letter.islower())


@dataclass(frozen=True, slots=True)
class Slot:
    """A numeric suffix of a pattern: `<n>`, or `<1-4>` with its limits."""

    place: int
    """Among the suffixes of the pattern, from 0."""
    low: int = 0
    high: int = LARGEST_SUFFIX


@dataclass(frozen=True, slots=True)
class Mnemonic:
    """One node of a pattern."""

    name: str
    """As written in the pattern, `CURRent`."""
    slot: Slot | None

    def forms(self) -> set[str]:
        """Short and long form in capitals."""
        return {short_form(self.name), self.name.upper()}


_MNEMONIC = re.compile(r"(\*?[A-Za-z_][A-Za-z0-9_]*)(?:<(?:n|(\d+)-(\d+))>)?\Z")
_SUFFIX = re.compile(r"<(?:n|\d+-\d+)>")


def variants(pattern: str) -> list[tuple[Mnemonic, ...]]:
    """Return the paths of a pattern: with and without each of its optional nodes.

    Raises:
        ValueError: the pattern is none.
    """
    slots = iter(range(pattern.count("<")))
    numbered = [
        (text, next(slots) if "<" in text else -1)
        for text in re.findall(r"[\[\]]|[^:\[\]]+", pattern.rstrip("?"))
    ]
    return [tuple(_mnemonic(*each) for each in path) for path in _expand(numbered)]


def _expand(pieces: list[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    opening = next((at for at, piece in enumerate(pieces) if piece[0] == "["), None)
    if opening is None:
        yield pieces
        return
    closing, depth = opening, 1
    while depth:
        closing += 1
        depth += {"[": 1, "]": -1}.get(pieces[closing][0], 0)
    before, inner, after = pieces[:opening], pieces[opening + 1 : closing], pieces[closing + 1 :]
    yield from _expand(before + inner + after)
    yield from _expand(before + after)


def _mnemonic(text: str, place: int) -> Mnemonic:
    found = _MNEMONIC.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no node of a header pattern; as CURRent, CHANnel<n>")
    name, low, high = found.groups()
    if place < 0:
        return Mnemonic(name, None)
    return Mnemonic(name, Slot(place, int(low or 0), int(high or LARGEST_SUFFIX)))


def suffix_count(pattern: str) -> int:
    """Return how many numeric suffixes a pattern has."""
    return len(_SUFFIX.findall(pattern))


@dataclass(slots=True)
class _Node(Generic[_Entry]):
    children: dict[str, _Node[_Entry]] = field(default_factory=dict)
    entries: dict[bool, tuple[_Entry, tuple[Slot | None, ...]]] = field(default_factory=dict)
    """For the command (False) and the query (True)."""


class Tree(Generic[_Entry]):
    """Finds what a header stands for, in any spelling; a later entry replaces an earlier one."""

    def __init__(self, patterns: Mapping[str, _Entry]) -> None:
        """Plant the patterns, as `[SENSe:]CURRent[:DC]:RANGe?`.

        Raises:
            ValueError: a pattern is none.
        """
        self._root: _Node[_Entry] = _Node()
        for pattern, entry in patterns.items():
            for path in variants(pattern):
                self._plant(path, pattern.endswith("?"), entry)

    def _plant(self, path: tuple[Mnemonic, ...], query: bool, entry: _Entry) -> None:
        node = self._root
        for mnemonic in path:
            forms = mnemonic.forms()
            child = next((node.children[form] for form in forms if form in node.children), None)
            child = child or _Node()
            node.children.update(dict.fromkeys(forms, child))
            node = child
        node.entries[query] = entry, tuple(mnemonic.slot for mnemonic in path)

    def find(self, header: str) -> tuple[_Entry, tuple[int, ...]]:
        """Return what a full header in capitals stands for, and its suffixes (1 where left out).

        Raises:
            ScpiError: it is not known, or a suffix is out of its range.
        """
        query = header.endswith("?")
        node, written = self._root, []
        for name in header.removesuffix("?").split(":"):
            child, suffix = _child(node, name)
            if child is None:
                raise ScpiError(_unknown(name), header[:80])
            node = child
            written.append(suffix)
        found = node.entries.get(query)
        if found is None:
            raise ScpiError(-113, header[:80])
        entry, slots = found
        return entry, _suffixes(header, slots, written)


def _unknown(name: str) -> int:
    return -112 if len(name) > LONGEST_MNEMONIC else -113


def _child(node: _Node[_Entry], name: str) -> tuple[_Node[_Entry] | None, int | None]:
    child = node.children.get(name)
    if child is not None:
        return child, None
    bare = name.rstrip("0123456789")
    child = node.children.get(bare)
    digits = name[len(bare) :]
    if child is None or not digits:
        return None, None
    return child, int(digits) if len(digits) < 10 else LARGEST_SUFFIX + 1


def _suffixes(
    header: str, slots: tuple[Slot | None, ...], written: list[int | None]
) -> tuple[int, ...]:
    values: dict[int, int] = {}
    for slot, suffix in zip(slots, written, strict=True):
        number = 1 if suffix is None else suffix
        if slot is None:
            if number != 1:
                raise ScpiError(-114, f"{header[:80]}; no suffix {number} belongs there")
        elif not slot.low <= number <= slot.high:
            allowed = f"{slot.low} to {slot.high}"
            raise ScpiError(-114, f"{header[:80]}; suffix {number}, allowed: {allowed}")
        else:
            values[slot.place] = number
    count = max((slot.place for slot in slots if slot), default=-1) + 1
    return tuple(values.get(place, 1) for place in range(count))
