"""What the readings of a pre-flight show of the wiring: each check, with where to look if it fails.

A source of known sign drives a known circuit: source, its resistance, ammeter, cut-off, load and
shunt, back to the source; the voltmeter lies across load and shunt. Figures are SI floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from hil.agreement import METER_INPUT
from hil.bench import LoadEntry
from hil.exact import Dimension, readable

AGREEMENT = 0.03
"""Relative difference up to which source and ammeter agree: their resistance and read-back."""
SETTING = 0.1
"""Relative difference up to which setting and read-back of the source agree: each is tens of mV off
where it is small."""
PRESENT = 0.05
"""Share of what is expected below which a meter shows nothing."""
RESOLVED = 0.02
"""Largest relative error of the meters that is allowed for; what they resolve worse fails."""
ISOLATED = 1e-6
"""Current in A past an open cut-off up to which it isolates; ten times less than counts as off."""


@dataclass(frozen=True, slots=True)
class Check:
    """One proof, as it came out."""

    name: str
    expected: str
    measured: str
    remark: str = ""
    """What is wrong and which wire to look at; empty if it passed."""

    @property
    def passed(self) -> bool:
        """Whether it came out as expected."""
        return not self.remark


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading and the limit of its error, in SI."""

    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class Pair:
    """What ammeter and voltmeter read at the same circuit."""

    amperes: Reading
    volts: Reading

    @property
    def ohm(self) -> float:
        """Resistance across which the voltmeter lies, without its own."""
        if not self.volts.value:
            return 0.0
        siemens = self.amperes.value / self.volts.value - 1 / METER_INPUT
        return 1 / siemens if siemens else math.inf

    @property
    def share(self) -> float:
        """Limit of the relative error of `ohm`."""
        parts = self.amperes, self.volts
        if not all(each.value and math.isfinite(each.value) for each in parts):
            return math.inf
        return sum(abs(each.limit / each.value) for each in parts)


def source(asked: float, stands: float) -> Check:
    """Whether the source stands where it was told to, by its own read-back; both in V."""
    remark = ""
    if not abs(stands - asked) <= SETTING * asked:
        remark = (
            f"the bench source reads back {_volts(stands)} where {_volts(asked)} was set: look at "
            "the second output of the supply, and at what loads it"
        )
    return Check("source", f"{_volts(asked)} within {SETTING:.0%}", _volts(stands), remark)


def ammeter(drives: float, reading: Reading) -> Check:
    """Sign and size of the ammeter, against what the source drives through a shorted load."""
    expected = f"{_amperes(drives)} within {AGREEMENT:.0%}"
    value, remark = reading.value, ""
    told = f"the ammeter reads {_amperes(value)} where the source drives {_amperes(drives)}"
    if abs(value) < PRESENT * drives:
        remark = f"{told}: look at its fuse, its leads, and whether the cut-off really closes"
    elif abs(value + drives) <= AGREEMENT * drives:
        remark = f"{told}: its leads are reversed, swap them"
    elif not abs(value - drives) <= AGREEMENT * drives + reading.limit:
        remark = f"{told}: look at its range and calibration, and at the source's resistance"
    return Check("ammeter", expected, _amperes(value), remark)


def voltmeter(drives: float, reading: Reading) -> Check:
    """Sign of the voltmeter, against the source with the cut-off open."""
    value, remark = reading.value, ""
    told = f"the voltmeter reads {_volts(value)} where the source stands at {_volts(drives)}"
    if value < -PRESENT * drives:
        remark = f"{told}: its leads are reversed, swap them"
    elif value < PRESENT * drives:
        remark = f"{told}: look at its leads, the ammeter's fuse, and what else loads the terminals"
    elif not value <= (1 + AGREEMENT) * drives:
        remark = f"{told}: look at its range and calibration"
    return Check("voltmeter", f"above 0 V, at most {_volts(drives)}", _volts(value), remark)


def isolation(reading: Pair, *, closed: bool) -> Check:
    """Whether nothing flows past the open cut-off into a shorted load, and it says that it is open.

    What flows into the voltmeter itself is allowed for. Either sign: it is no matter of polarity.
    """
    volts = abs(reading.volts.value)
    own = volts / METER_INPUT if math.isfinite(volts) else 0.0
    past = abs(reading.amperes.value) - own
    past = past if past >= 0 or math.isnan(past) else 0.0
    read_back = "closed" if closed else "open"
    measured = f"{_amperes(past)}, reads back {read_back}"
    remark = ""
    if closed:
        remark = "the cut-off was told to open and reads back closed: look at its contacts"
    elif not past <= ISOLATED:
        remark = (
            f"{_amperes(past)} flows into the load past the open cut-off: look for a wire or a "
            "welded contact that bypasses it"
        )
    return Check("cut-off", f"at most {_amperes(ISOLATED)}, reads back open", measured, remark)


def opened(*, closed: bool) -> Check:
    """Whether the cut-off reads back open after it was told to open."""
    remark = "the cut-off was told to open and reads back closed: its contacts may be welded"
    read_back = "closed" if closed else "open"
    return Check("cut-off opens", "reads back open", read_back, remark if closed else "")


def shunt(declared: float, found: Pair, short: LoadEntry, tolerance: float) -> Check:
    """The shunt, from what both meters read with a short circuit in the load's place."""
    ohm = found.ohm - float(short.resistance.base)
    allowed = declared * (tolerance + min(found.share, RESOLVED))
    remark = ""
    if not abs(ohm - declared) <= allowed:
        remark = (
            f"the shunt measures {_ohm(ohm)} and {_ohm(declared)} is declared: look at the shunt, "
            f"and at position {short.name} (channel {short.channel}) with its leads"
        )
    return Check("shunt", f"{_ohm(declared)} within {tolerance:.1%}", _ohm(ohm), remark)


def position(load: LoadEntry, beside: float, found: Pair, tolerance: float) -> Check:
    """A position of the switched load.

    Args:
        load: as declared.
        beside: what lies in series with it as measured, in ohm: the shunt.
        found: readings with this position.
        tolerance: relative.
    """
    declared, ohm = float(load.resistance.base), found.ohm - beside
    allowed = declared * tolerance + min(found.share, RESOLVED) * (declared + beside)
    remark = ""
    if not abs(ohm - declared) <= allowed:
        remark = (
            f"load position {load.name} measures {_ohm(ohm)} and {_ohm(declared)} is declared: "
            f"look at the resistor of channel {load.channel} and its leads"
        )
    name = f"load {load.name}"
    return Check(name, f"{_ohm(declared)} within {tolerance:.1%}", _ohm(ohm), remark)


def oscilloscope(expected: float, reading: Reading) -> Check:
    """Sign and size of what the oscilloscope sees across the shunt."""
    value, remark = reading.value, ""
    told = f"the oscilloscope sees {_volts(value)} across the shunt where {_volts(expected)} stands"
    if abs(value) < PRESENT * expected:
        remark = f"{told}: look at its probe, its leads, and the channel that it is plugged into"
    elif abs(value + expected) <= reading.limit:
        remark = (
            f"{told}: its probe is reversed, swap its leads; or the poles are crossed between "
            "cut-off and load"
        )
    elif not abs(value - expected) <= reading.limit:
        remark = f"{told}: look at the ratio of its probe and at the shunt"
    within = f"{_volts(expected)} within {_volts(reading.limit)}"
    return Check("oscilloscope", within, _volts(value), remark)


def identity(role: str, expected: str, came: str) -> Check:
    """Who answers in a role, again."""
    remark = "" if came == expected else f"{role} was {expected} and is {came}: look at its cable"
    return Check(f"identity of {role}", expected, came, remark)


def _ohm(ohm: float) -> str:
    return _readable(ohm, Dimension.RESISTANCE)


def _volts(volts: float) -> str:
    return _readable(volts, Dimension.VOLTAGE)


def _amperes(amperes: float) -> str:
    return _readable(amperes, Dimension.CURRENT)


def _readable(value: float, dimension: Dimension) -> str:
    return readable(Decimal(f"{value:.4g}"), dimension)
