"""Segments as a table for numpy, a row each: what they hold for every node."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from hil_instruments.simulated.physics.network import Network
from hil_instruments.simulated.physics.segment import Segment

Array: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.intp]
_Kind = TypeVar("_Kind", np.float64, np.complex128)


class Table:
    """What segments have in common for every node: times, rates, sources, modes."""

    def __init__(self) -> None:
        """Begin empty."""
        self.count = 0
        """Rows in use."""
        self.width = 0
        """Exponentials in a row."""
        self.starts: Array = np.empty(0)
        """Bench times in s."""
        self.rates: Array = np.empty((0, 0))
        """Of the exponentials, in 1/s: of the modes, of the sources; then ones."""
        self.sizes: Array = np.empty((0, 0))
        """Of the same: free amplitudes of the modes, amplitudes of the sources; then zeros."""
        self.levels: Array = np.empty((0, 5))
        """Constant parts of the four sources in A, slope of the second in A/s."""
        self.feeds: Array = np.empty((0, 5))
        """Boost aim and excess, supply in V, quiescent current in A, draw."""
        self.swings: npt.NDArray[np.complex128] = np.empty(0, dtype=np.complex128)
        """Of the sinusoid of the first source in A."""
        self.networks: list[Network] = []
        """Of each row."""

    def cut(self, count: int) -> None:
        """Drop the rows from number `count` on."""
        self.count = min(self.count, count)
        del self.networks[count:]

    def extend(self, segments: list[Segment]) -> None:
        """Take in the segments that it does not have yet."""
        fresh = segments[self.count :]
        if not fresh:
            return
        widest = max(len(segment.free) + len(segment.drive.amplitudes) for segment in fresh)
        self._reserve(len(segments), max(self.width, widest))
        rows = slice(self.count, len(segments))
        self.starts[rows] = [segment.start for segment in fresh]
        self.levels[rows] = [(*s.drive.levels, s.drive.slope) for s in fresh]
        self.swings[rows] = [segment.drive.swing for segment in fresh]
        self.feeds[rows] = [segment.feed.row for segment in fresh]
        self.networks += [segment.network for segment in fresh]
        self.rates[rows], self.sizes[rows] = 1.0, 0.0
        for network, found in self.groups(self.count, len(segments)):
            some = [segments[number] for number in found.tolist()]
            width = len(network.rates) + len(network.decays)
            self.rates[found, :width] = (*network.rates, *network.decays)
            self.sizes[found, :width] = [(*s.free, *s.drive.amplitudes) for s in some]
        self.count = len(segments)

    def groups(self, first: int, last: int) -> list[tuple[Network, Rows]]:
        """Rows first to last (excluded) by their network."""
        found: dict[int, list[int]] = {}
        for number in range(first, last):
            found.setdefault(id(self.networks[number]), []).append(number)
        return [(self.networks[rows[0]], np.array(rows)) for rows in found.values()]

    def _reserve(self, count: int, width: int) -> None:
        if count <= len(self.starts) and width <= self.width:
            return
        rows = max(64, 2 * count if count > len(self.starts) else len(self.starts))
        self.width = width
        self.starts = grown(self.starts, (rows,))
        self.rates = grown(self.rates, (rows, width), fill=1.0)
        self.sizes = grown(self.sizes, (rows, width))
        self.levels = grown(self.levels, (rows, 5))
        self.feeds = grown(self.feeds, (rows, 5))
        self.swings = grown(self.swings, (rows,))


def grown(
    array: npt.NDArray[_Kind], shape: tuple[int, ...], fill: float = 0.0
) -> npt.NDArray[_Kind]:
    """Copy into a larger array."""
    larger = np.full(shape, fill, dtype=array.dtype)
    larger[tuple(slice(0, size) for size in array.shape)] = array
    return larger
