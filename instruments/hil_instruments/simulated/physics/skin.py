"""The load: electrodes on skin as links of R parallel C, and the skin that yields to current.

The resistance under the active electrode follows domain law R = R_final + (R_start - R_final) w,

    dw/dt = -|i| / (1 mA) w / fall_time + (1 - w) / recovery

with i the current through that resistance: it only falls while current flows, and left alone it
comes back slowly (three times its final value after 30 min, after Curdy, Kalia and Guy 2000).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hil.bench import LoadEntry
from hil_instruments.simulated.physics.cole import chain

FALL_CURRENT = 1e-3
"""Current in A at which a resistance falls with its `fall_time`."""
RECOVERY_PERIOD = 1800.0
"""Seconds of rest after which a fallen resistance is RECOVERY_FACTOR times its final one."""
RECOVERY_FACTOR = 3.0
ACTIVE, DISPERSIVE = "active", "dispersive"
"""Names of the electrodes; a link is named by its electrode and a number."""


@dataclass(frozen=True, slots=True)
class Link:
    """A resistance, with a capacitance beside it or none."""

    name: str
    ohm: float
    farad: float = 0.0


def links(entry: LoadEntry, share: float = 1.0, ohm: float | None = None) -> tuple[Link, ...]:
    """Return the links of a load from the active to the dispersive side, without its series part.

    Args:
        entry: the load.
        share: of the area of the active electrode that touches the skin.
        ohm: present resistance under the whole active electrode; None is that of the entry.
    """
    found: list[Link] = []
    if entry.parallel is not None and entry.capacitance is not None:
        resistance = float(entry.parallel.base) if ohm is None else ohm
        farad = float(entry.capacitance.base)
        found += _electrode(ACTIVE, resistance / share, farad * share, entry.cole_alpha)
    if entry.second_parallel is not None and entry.second_capacitance is not None:
        resistance, farad = float(entry.second_parallel.base), float(entry.second_capacitance.base)
        found += _electrode(DISPERSIVE, resistance, farad, entry.cole_alpha)
    return tuple(found)


def _electrode(name: str, ohm: float, farad: float, alpha: float | None) -> list[Link]:
    if alpha is None:
        return [Link(f"{name}.0", ohm, farad)]
    cole, tau = chain(alpha), ohm * farad
    pairs = enumerate(zip(cole.resistances, cole.times, strict=True))
    found = [Link(f"{name}.{k}", r * ohm, t * tau / (r * ohm)) for k, (r, t) in pairs]
    return [*found, Link(f"{name}.series", cole.series * ohm)] if cole.series else found


def rested(found: tuple[Link, ...], voltages: dict[str, float], span: float) -> dict[str, float]:
    """Return what the capacitors of an unconnected load hold in V after `span` seconds."""
    return {
        link.name: voltages.get(link.name, 0.0) * math.exp(-span / (link.ohm * link.farad))
        for link in found
        if link.farad
    }


@dataclass(frozen=True, slots=True)
class Fall:
    """How the resistance under an active electrode falls and recovers."""

    start: float
    """In ohm."""
    final: float
    """In ohm."""
    time: float
    """Time constant in s at FALL_CURRENT."""

    @classmethod
    def of(cls, entry: LoadEntry | None) -> Fall | None:
        """Return the law of a load; None if its resistance does not fall."""
        if entry is None or entry.parallel is None:
            return None
        if entry.final_resistance is None or entry.fall_time is None:
            return None
        parts = (entry.parallel, entry.final_resistance, entry.fall_time)
        return cls(*(float(part.base) for part in parts))

    @property
    def recovery(self) -> float:
        """Time constant in s of the recovery."""
        regained = (RECOVERY_FACTOR - 1) * self.final / (self.start - self.final)
        return RECOVERY_PERIOD / -math.log1p(-min(regained, 0.99))

    def resistance(self, wet: float) -> float:
        """Resistance in ohm; `wet` falls from 1 to 0."""
        return self.final + (self.start - self.final) * wet

    def pace(self, wet: float, current: float) -> float:
        """Change of `wet` per second under a current in A."""
        return 1 / self.recovery - self.rate(current) * wet

    def after(self, wet: float, current: float, span: float) -> float:
        """Return `wet` after a span in s of a constant current in A, or of its mean."""
        rate = self.rate(current)
        rest = 1 / self.recovery / rate
        return rest + (wet - rest) * math.exp(-rate * span)

    def rate(self, current: float) -> float:
        """Rate in 1/s at which it goes to rest under a current in A."""
        return abs(current) / FALL_CURRENT / self.time + 1 / self.recovery
