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
    """A numeric suffix of a pattern: `<n>`, `<1-4>` with limits, `<1-4?>` told from none."""

    place: int
    """Among the suffixes of the pattern, from 0."""
    low: int = 0
    high: int = LARGEST_SUFFIX
    default: int = 1
    """What stands for a suffix that is left out."""


@dataclass(frozen=True, slots=True)
class Mnemonic:
    """One node of a pattern."""

    name: str
    """As written in the pattern, `CURRent`."""
    slot: Slot | None

    def forms(self) -> set[str]:
        """Short and long form in capitals."""
        return {short_form(self.name), self.name.upper()}


_MNEMONIC = re.compile(r"(\*?[A-Za-z_][A-Za-z0-9_]*)(?:<(?:n|(\d+)-(\d+))(\??)>)?\Z")


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
    name, low, high, told = found.groups()
    if place < 0:
        return Mnemonic(name, None)
    slot = Slot(place, int(low or 0), int(high or LARGEST_SUFFIX), 0 if told else 1)
    return Mnemonic(name, slot)


@dataclass(frozen=True, slots=True)
class _Planted(Generic[_Entry]):
    entry: _Entry
    slots: tuple[Slot | None, ...]
    """Of the nodes on the way here."""
    defaults: tuple[int, ...]
    """Of all suffixes of the pattern."""


@dataclass(slots=True)
class _Node(Generic[_Entry]):
    children: dict[str, _Node[_Entry]] = field(default_factory=dict)
    entries: dict[bool, _Planted[_Entry]] = field(default_factory=dict)
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
            paths = variants(pattern)
            slots = [mnemonic.slot for mnemonic in paths[0] if mnemonic.slot]
            defaults = tuple(slot.default for slot in slots)
            for path in paths:
                planted = _Planted(entry, tuple(each.slot for each in path), defaults)
                self._plant(path, pattern.endswith("?"), planted)

    def _plant(self, path: tuple[Mnemonic, ...], query: bool, planted: _Planted[_Entry]) -> None:
        node = self._root
        for mnemonic in path:
            forms = mnemonic.forms()
            child = next((node.children[form] for form in forms if form in node.children), None)
            child = child or _Node()
            node.children.update(dict.fromkeys(forms, child))
            node = child
        node.entries[query] = planted

    def find(self, header: str) -> tuple[_Entry, tuple[int, ...]]:
        """Return what a full header in capitals stands for, and its numeric suffixes.

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
        return found.entry, _suffixes(header, found, written)


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


def _suffixes(header: str, found: _Planted[_Entry], written: list[int | None]) -> tuple[int, ...]:
    numbers = list(found.defaults)
    for slot, suffix in zip(found.slots, written, strict=True):
        if slot is None:
            if suffix not in {None, 1}:
                raise ScpiError(-114, f"{header[:80]}; no suffix {suffix} belongs there")
        elif suffix is not None or slot.default:
            numbers[slot.place] = 1 if suffix is None else suffix
            if not slot.low <= numbers[slot.place] <= slot.high:
                allowed = f"{slot.low} to {slot.high}"
                raise ScpiError(-114, f"{header[:80]}; suffix {suffix}, allowed: {allowed}")
    return tuple(numbers)
