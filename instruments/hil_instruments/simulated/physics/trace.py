"""One node of the table as a function of time, for any number of samples at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hil_instruments.simulated.physics.network import Network
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.segment import BOOST_DECAY
from hil_instruments.simulated.physics.table import Array, Rows, Table, grown
from hil_instruments.simulated.physics.wiring import YIELD

_FLOOR = 1e-16  # A or V below which an exponential has faded


class Trace:
    """One node, a row for each segment."""

    def __init__(self, node: Node, table: Table) -> None:
        """Begin empty over a table."""
        self._node, self._table = node, table
        self._count = 0
        self._levels: Array = np.empty(0)
        self._slopes: Array = np.empty(0)
        self._sizes: Array = np.empty((0, 0))
        self._fades: Array = np.empty(0)
        self._tails: Array = np.empty(0)
        self._sums: Array = np.empty(0)
        self._swings: npt.NDArray[np.complex128] = np.empty(0, dtype=np.complex128)
        self._pulses: Array = np.empty(0)

    def cut(self, count: int) -> None:
        """Drop the rows from number `count` on."""
        self._count = min(self._count, count)

    def extend(self) -> None:
        """Take in the rows that it does not have yet."""
        table, first = self._table, self._count
        if first == table.count:
            return
        self._reserve()
        for network, rows in table.groups(first, table.count):
            self._fill(network, rows)
        fresh = slice(first, table.count)
        sizes, rates = self._sizes[fresh], table.rates[fresh]
        lives = np.log(np.maximum(np.abs(sizes), _FLOOR) / _FLOOR) / rates
        self._fades[fresh] = lives.max(axis=1)
        self._tails[fresh] = (sizes / rates).sum(axis=1)
        self._count = table.count
        self._add_up(max(first - 1, 0))

    def _reserve(self) -> None:
        table = self._table
        rows, width = len(table.starts), table.width
        if len(self._levels) == rows and self._sizes.shape[1] == width:
            return
        for name in ("_levels", "_slopes", "_fades", "_tails", "_sums", "_pulses", "_swings"):
            setattr(self, name, grown(getattr(self, name), (rows,)))
        self._sizes = grown(self._sizes, (rows, width))

    def _fill(self, network: Network, rows: Rows) -> None:
        """Weigh what the table holds as this node sees it."""
        table, node = self._table, self._node
        feeds = table.feeds[rows]
        self._sizes[rows], self._slopes[rows], self._swings[rows] = 0.0, 0.0, 0.0
        if node is Node.BOOST:
            self._levels[rows] = feeds[:, 0]
            self._sizes[rows, len(network.rates) + BOOST_DECAY] = feeds[:, 1]
            return
        if node is Node.SUPPLY:
            self._levels[rows] = feeds[:, 2]
            return
        factor = feeds[:, 4] if node is Node.SUPPLY_CURRENT else np.ones(len(rows))
        probe = Node.SENSE.value if node is Node.SUPPLY_CURRENT else node.value
        levels, slopes = table.levels[rows, :4], table.levels[rows, 4]
        gains = np.array(network.gains[probe])
        seen = levels @ gains - slopes * network.drags[probe][YIELD]
        self._levels[rows] = factor * seen + (feeds[:, 3] if probe != node.value else 0.0)
        self._slopes[rows] = factor * slopes * gains[YIELD]
        weights = np.array((*network.probes[probe], *network.transfers[probe]))
        width = len(weights)
        self._sizes[rows, :width] = factor[:, None] * table.sizes[rows, :width] * weights
        self._swings[rows] = factor * table.swings[rows] * network.sways[probe]
        self._pulses[rows] = network.pulse

    def _add_up(self, first: int) -> None:
        """Sum the integrals of whole segments from row `first` on."""
        starts, last = self._table.starts[: self._count], self._count - 1
        ages = np.diff(starts[first:])
        inside = self._inside(np.arange(first, last), ages, self._tails)
        if first == 0:
            self._sums[0] = 0.0
        self._sums[first + 1 : last + 1] = self._sums[first] + np.cumsum(inside)

    def _inside(self, rows: Rows, ages: Array, base: Array) -> Array:
        """Base, plus the integral from the begin of each row to an age in s, less its tail."""
        total: Array = base[rows]
        total += self._levels[rows] * ages
        if self._slopes[: self._count].any():
            total += self._slopes[rows] * ages * ages / 2
        live = np.flatnonzero(ages < self._fades[rows])
        where, age = rows[live], ages[live]
        for k in range(self._table.width):
            size = self._sizes[where, k]
            if size.any():
                rate = self._table.rates[where, k]
                total[live] -= size / rate * np.exp(-rate * age)
        if self._swings[: self._count].any():
            turn = np.exp(1j * self._pulses[rows] * ages) - 1
            total += (self._swings[rows] * turn / (1j * self._pulses[rows])).real
        return total

    def values(self, times: Array) -> Array:
        """Values at times in s."""
        rows, ages = self._locate(times)
        y: Array = self._levels[rows]
        if self._slopes[: self._count].any():
            y += self._slopes[rows] * ages
        live = np.flatnonzero(ages < self._fades[rows])
        where, age = rows[live], ages[live]
        for k in range(self._table.width):
            size = self._sizes[where, k]
            if size.any():
                y[live] += size * np.exp(-self._table.rates[where, k] * age)
        if self._swings[: self._count].any():
            y += (self._swings[rows] * np.exp(1j * self._pulses[rows] * ages)).real
        return y

    def integrals(self, times: Array) -> Array:
        """Integrals from some fixed time to times in s."""
        rows, ages = self._locate(times)
        return self._inside(rows, ages, self._sums[: self._count] + self._tails[: self._count])

    def _locate(self, times: Array) -> tuple[Rows, Array]:
        """Row of each time, and its age there in s."""
        starts = self._table.starts[: self._count]
        if np.all(times[1:] >= times[:-1]):
            edges = np.searchsorted(times, starts[1:], side="left")
            counts = np.diff(edges, prepend=0, append=len(times))
            rows = np.repeat(np.arange(self._count), counts)
        else:
            rows = np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)
        return rows, times - starts[rows]
