"""What the readings of a pre-flight show of the wiring: each check, with where to look if it fails.

Stage A: a source of known sign drives a known circuit: source, its resistance, ammeter, cut-off,
load and shunt, back to the source; the voltmeter lies across load and shunt. Stage B: the device
drives it, at its smallest setting. Figures are SI floats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hil.agreement import METER_INPUT, Comparison, Showing
from hil.bench import LoadEntry
from hil.bodies import InstrumentBody
from hil.device import DeviceProfile, Polarity
from hil.exact import Dimension, Exact, readable
from hil.measurement import COVERAGE
from hil.provenance import PREFIX

PROBE = "preflight:probe_arm"
"""Identity under which stage B judges; no test has it, for tests begin with `test`."""
SIGN, ACCURACY, OVERSHOOT, CEILING = "POL-SIGN", "LIM-ACC", "LIM-OVER", "LIM-CEIL"
JUDGED = (SIGN, ACCURACY, OVERSHOOT, CEILING)
"""Requirements that a device can be seen to break in stage B, whatever is in scope."""
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
    requirement: str = ""
    """What the device breaks by it; empty where the bench, or nobody, is to blame."""

    @property
    def passed(self) -> bool:
        """Whether it came out as expected."""
        return not self.remark

    @property
    def trusted(self) -> bool:
        """Whether the bench may be believed all the same: it passed, or the device is to blame."""
        return self.passed or bool(self.requirement)


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


def rest(mean: float, spread: float, limit: float) -> Check:
    """Zero and noise of the ammeter, as it records during a run, while nothing can flow.

    Args:
        mean: of the samples in A.
        spread: standard deviation of the samples in A.
        limit: of its error at zero in A, as its data sheet has it.
    """
    allowed = limit / COVERAGE
    remark = ""
    if not abs(mean) <= limit:
        remark = (
            f"the ammeter reads {_amperes(mean)} behind the open cut-off, with the device and all "
            "sources off: look at its zero, and for a wire that bypasses the cut-off"
        )
    elif not spread <= allowed:
        remark = (
            f"the ammeter's samples differ by {_amperes(spread)} rms while nothing flows: look for "
            "hum or noise that its leads pick up, at their shield and earth, and at its own state"
        )
    return Check(
        "ammeter at rest",
        f"{_amperes(0.0)} within {_amperes(limit)}, samples within {_amperes(allowed)} rms",
        f"{_amperes(mean)}, samples within {_amperes(spread)} rms",
        remark,
    )


def ammeter(drives: float, reading: Reading, leak: float = 0.0) -> Check:
    """Sign and size of the ammeter, against what the source drives through a shorted load.

    Args:
        drives: what the source drives, in A.
        reading: with the source.
        leak: what it reads without the source, in A: what a device without power gives of itself
            is no error of the meter.
    """
    own = reading.limit if math.isfinite(reading.limit) else 0.0  # an overload has no bound
    allowed = AGREEMENT * drives + own
    expected = f"{_amperes(drives)} within {_amperes(allowed)}"
    value, remark = reading.value - leak, ""
    beside = f" beside {_amperes(leak)} without the source" if abs(leak) > own else ""
    told = f"the ammeter reads {_amperes(value)} where the source drives {_amperes(drives)}{beside}"
    if abs(value) < PRESENT * drives:
        remark = f"{told}: look at its fuse, its leads, and whether the cut-off really closes"
    elif abs(value + drives) <= AGREEMENT * drives:
        remark = f"{told}: its leads are reversed, swap them"
    elif not abs(value - drives) <= allowed:
        remark = f"{told}: look at its range and calibration, and at the source's resistance"
    return Check("ammeter", expected, f"{_amperes(value)}{beside}", remark)


def voltmeter(drives: float, reading: Reading) -> Check:
    """Sign of the voltmeter, against the source with the cut-off open."""
    value, remark = reading.value, ""
    least, most = PRESENT * drives, (1 + AGREEMENT) * drives
    told = f"the voltmeter reads {_volts(value)} where the source stands at {_volts(drives)}"
    if value < -least:
        remark = f"{told}: its leads are reversed, swap them"
    elif value < least:
        remark = f"{told}: look at its leads, the ammeter's fuse, and what else loads the terminals"
    elif not value <= most:
        remark = f"{told}: look at its range and calibration"
    return Check("voltmeter", f"{_volts(least)} to {_volts(most)}", _volts(value), remark)


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
    return Check("shunt", f"{_ohm(declared)} within {_ohm(allowed)}", _ohm(ohm), remark)


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
    return Check(name, f"{_ohm(declared)} within {_ohm(allowed)}", _ohm(ohm), remark)


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


# -- stage B, the probe arm -----------------------------------------------------------------------


def probe_load(loads: Iterable[LoadEntry], profile: DeviceProfile) -> LoadEntry | None:
    """The plain load for the probe arm; None if none lies in the range that is declared.

    The smallest at which the smallest setting makes twice the voltage that counts as off, so that
    device off is told from device on; else the largest.
    """
    least, most = profile["output.load_min"], profile["output.load_max"]
    ranked = sorted(
        (each for each in loads if each.parallel is None and least <= each.resistance <= most),
        key=lambda each: each.resistance.base,
    )
    setting, off = profile["output.setpoint_min"], profile["output.off_voltage"]
    plain = [each for each in ranked if setting.base * each.resistance.base >= 2 * off.base]
    return next(iter([*plain, *reversed(ranked)]), None)


def obeyed(setting: Exact, complaints: Sequence[str], fault: str) -> Check:
    """Whether the device took its smallest setting and went on without a fault.

    Args:
        setting: that was commanded.
        complaints: errors that it reported to the commands.
        fault: code that it reported at the end, or what else it reported; empty if nothing.
    """
    expected, remark = f"takes {setting} and reports no fault", ""
    if fault:
        measured = f"reports {fault}"
        remark = (
            f"the device reported {fault} at its smallest setting of {setting}: look at its "
            "battery or supply, at the load's leads, and at what it calls a fault"
        )
    elif complaints:
        measured = f"refuses it: {'; '.join(complaints)}"
        remark = (
            f"the device refused its smallest setting of {setting}: {'; '.join(complaints)}; look "
            "at output.setpoint_min and [wire] of the device file"
        )
    else:
        measured = "took it"
    return Check("smallest setting", expected, measured, remark)


def breach(limit: Exact, setting: Exact, highest: str, shown: Showing) -> Check:
    """A current above the software limit at the smallest setting, which was judged a FAIL.

    Args:
        limit: software limit.
        setting: that was commanded.
        highest: largest magnitude, in words.
        shown: what both paths show where each is largest; the device is to blame if they agree.
    """
    expected = f"at most {limit}"
    remark = (
        f"at the smallest setting of {setting} the device drove {highest}, {expected} is allowed"
    )
    if shown is Showing.AGREED:
        return Check("software limit", expected, highest, remark, CEILING)
    remark += f"; of ammeter and voltmeter {shown.value}: look at both meters"
    return Check("software limit", expected, highest, remark)


def two_paths(found: Comparison) -> Check:
    """Whether a current flows, and ammeter and voltmeter make it the same."""
    both = (
        f"ammeter {_amperes(found.amperes)}, voltmeter over load and shunt "
        f"{_amperes(found.second)} ({_volts(found.volts)} across {_ohm(found.ohm)})"
    )
    expected = f"a current on which both agree within {_amperes(found.smallest)}"
    remark = ""
    if not found.agree:
        remark = (
            f"two paths contradict each other: {both}; they must agree within "
            f"{_amperes(found.smallest)}: look at both meters, the load and what lies beside it"
        )
    elif not found.present:
        remark = (
            f"the device delivers nothing that a meter sees: {both}; look at its output and its "
            "leads up to the ammeter"
        )
    return Check("two paths", expected, both, remark)


def sign(polarity: Polarity, found: Comparison, *, known: bool) -> Check:
    """Whether both paths have the sign that was commanded; ask only where both agree.

    Args:
        polarity: that was commanded.
        found: what both read.
        known: whether a source of known sign has proven both meters: else nobody can be blamed.
    """
    expected, measured = f"{polarity.value}, as commanded", _amperes(found.amperes)
    if found.amperes * polarity.sign > 0:
        return Check("sign", expected, measured)
    read = f"both paths read {measured} and {_volts(found.volts)}"
    told = f"{polarity.value} was commanded, {read}"
    if known:
        remark = (
            f"{told}; a source of known sign has proven both meters, so the device has the wrong "
            "sign, or its own leads up to the ammeter are reversed, which no check here tells apart"
        )
        return Check("sign", expected, measured, remark, SIGN)
    remark = (
        f"{told}; without a bench source nobody knows whether the device or the leads of both "
        "meters are reversed: add a source to [wiring], or look at all leads"
    )
    return Check("sign", expected, measured, remark)


def independence(ammeter: InstrumentBody, voltmeter: InstrumentBody, wiring: Mapping[str, str],
                 load: LoadEntry) -> str:  # fmt: skip
    """Say whether the two paths are independent, and why: from what is declared and who answered.

    They are with separate instruments, sense elements and calibrations. A simulated instrument has
    no certificate; its errors are drawn for it alone.
    """
    doubts = []
    meters = ammeter, voltmeter
    if ammeter["serial"] == voltmeter["serial"]:
        doubts.append(f"both are the instrument {ammeter['serial']}")
    places = [wiring.get(body["role"], "") for body in meters]
    if places[0] == places[1]:
        doubts.append(f"the bench file puts both at {places[0] or 'no place'}")
    real = [body for body in meters if not body["serial"].startswith(PREFIX)]
    named = [body["certificate"] for body in real]
    doubts += [f"no certificate for the {body['role']}" for body in real if not body["certificate"]]
    if len(real) > 1 and named[0] and named[0] == named[1]:
        doubts.append(f"one certificate, {named[0]}, for both")
    if doubts:
        return f"the two paths are NOT shown to be independent: {'; '.join(doubts)}"
    papers = " and ".join(named) or "none needed, both are simulated"
    return (
        f"the two paths are independent: ammeter {ammeter['serial']} by its own shunt, voltmeter "
        f"{voltmeter['serial']} over load {load.name} and the shunt; certificates: {papers}"
    )


def detectable(figures: Iterable[tuple[float, float]]) -> str:
    """Words for the smallest disagreement that two paths show: (current, disagreement) in A."""
    parts = [f"{_amperes(least)} at {_amperes(amperes)}" for amperes, least in figures]
    return f"the smallest disagreement of the two paths that shows is {', '.join(parts)} (k = 2)"


def _ohm(ohm: float) -> str:
    return _readable(ohm, Dimension.RESISTANCE)


def _volts(volts: float) -> str:
    return _readable(volts, Dimension.VOLTAGE)


def _amperes(amperes: float) -> str:
    return _readable(amperes, Dimension.CURRENT)


def _readable(value: float, dimension: Dimension) -> str:
    return readable(Decimal(f"{value:.4g}"), dimension)
