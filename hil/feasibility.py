"""What a bench can decide, before anything is energised: requirement x signal path x range.

Foreseen from limits of error and declared figures alone; docs/feasibility.md says how well. Noise
is in no data sheet: a sample's sigma is taken as a third of the additive limit of error, within
which three sigma then lie.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from hil.bodies import FeasibilityBody
from hil.capture import Accuracy
from hil.device import DeviceProfile
from hil.exact import ARITHMETIC, Dimension, Exact, readable
from hil.features import SLOPE_WINDOW, STEP_TIME
from hil.measurement import COVERAGE, Calibration
from hil.requirement import Kind, Measurand, Requirement
from hil.waveform import WHOLE

METERS = {Dimension.CURRENT: "ammeter", Dimension.VOLTAGE: "voltmeter"}
"""Role that suites judge a signal by."""
NEEDED = tuple(METERS.values())
"""Roles without which off cannot be proven, so that nothing is energised."""
NOISE = 1 / 3
"""Standard deviation of a sample, as a share of the additive limit of error."""
EXTREME = math.sqrt(2)
"""Standard uncertainty of a corrected extreme, at most, in sigma of a sample."""
RIPPLE = 0.45
"""Standard uncertainty of a ripple, in sigma of a sample (by simulation of 9 s of noise)."""
AVERAGED = 100
"""Samples of a mean, at least."""
EVENT = 4e-3
"""Standard uncertainty in s of the moment of a command or of a relay, at most."""
START = 0.02 / math.sqrt(12)
"""The same of the begin of a recording."""
PACE = 2e-4
"""Limit of the relative error of a recorder's time base, as drivers hold it against the clock."""
AVERAGING = 0.443
"""-3 dB frequency of the mean over a time, times that time."""
_SEEN_WHOLE = {
    Measurand.EXTREME,
    Measurand.DIFFERENCE,
    Measurand.DURATION,
    Measurand.REST,
    Measurand.SIGN,
}
_BY_SAMPLES = {Measurand.REST.value, Measurand.SPAN.value}
_NEVER = {"uncertainty", "path", "figure"}
_OFFERED = 4  # instruments named to whoever has to find another one


@dataclass(frozen=True, slots=True)
class Path:
    """A way in which a signal reaches a number: an instrument in one of its ranges."""

    role: str
    """Bench role, as `ammeter`."""
    instrument: str
    """Maker and model."""
    range: str
    """As `10 mA`."""
    dimension: Dimension
    """What it shows: CURRENT or VOLTAGE."""
    accuracy: Accuracy | None
    """Limits of error in that range; None where its driver tells them only once it answers."""
    rate: float
    """Samples per second of a recording by it."""
    refusal: str = ""
    """Why it does not record at that rate; empty if it does."""
    judges: bool = False
    """Whether suites judge by it, in this range."""
    one_error: bool = True
    """Whether its additive error is the same all through a record, so that it cancels in a
    difference; not so of an oscilloscope, whose data sheet gives it as a share of full scale."""
    step: float = 0.0
    """Step of its converter, SI; 0 where that is finer than the limits of error."""

    def u(self, value: float) -> float:
        """Standard uncertainty of a mean, SI; not finite if the limits of error are not known."""
        if self.accuracy is None:
            return math.inf
        return math.hypot(*(part.contribution for part in self.accuracy.components(value)))

    @property
    def sigma(self) -> float:
        """Standard deviation of a sample, SI."""
        return NOISE * math.sqrt(3) * self.u(0.0)

    def gain(self, value: float) -> float:
        """The part of `u` that a difference of this size keeps."""
        if self.one_error:
            return math.sqrt(max(self.u(value) ** 2 - self.u(0.0) ** 2, 0.0))
        return math.sqrt(2) * self.u(value)


@dataclass(frozen=True, slots=True)
class _Claim:
    """One figure that must be told apart from another."""

    value: float
    """At which the instrument reads, SI."""
    room: float
    """What the expanded uncertainty must not exceed."""
    why: str
    """What that is, to follow "U is larger than the 10 uA"."""
    at: str = ""
    """Value to which the limit relates, in words."""
    by: float = 0.0
    """Setting in A by which a charge is delivered."""


def table(
    requirements: Iterable[Requirement],
    paths: Sequence[Path],
    others: Sequence[Path],
    profile: DeviceProfile,
    lacking: Mapping[str, str] | None = None,
) -> list[FeasibilityBody]:
    """Foresee each requirement by each path that shows its signal.

    Args:
        requirements: what is to be judged.
        paths: those of the bench.
        others: those by which it could be judged were another instrument in the role.
        profile: the device: its declared range.
        lacking: requirement to what else the bench lacks for it, whatever its meters can do.
    """
    idle = no_proof(path.role for path in paths)
    rows = []
    for requirement in requirements:
        lack = idle or (lacking or {}).get(requirement.id, "")
        for row in _rows(requirement, paths, others, profile):
            if lack and row["judges"]:
                also = "" if row["decidable"] else row["reason"]
                row |= {"decidable": False, "cause": "path"}
                row["reason"] = "; ".join(filter(None, [lack, also]))
            rows.append(row)
    return rows


def no_proof(roles: Iterable[str]) -> str:
    """Say why nothing may be energised on a bench with these roles; empty if it may."""
    there = set(roles)
    missing = [role for role in NEEDED if role not in there]
    if not missing:
        return ""
    lacking = " and no ".join(missing)
    return f"the bench has no {lacking}: off cannot be proven, and nothing is energised"


def undecidable(rows: Iterable[FeasibilityBody]) -> dict[str, str]:
    """Requirement to why its judging path cannot decide it, whatever a test makes of it."""
    found: dict[str, str] = {}
    for row in rows:
        if row["judges"] and row["decidable"] is False and row["cause"] in _NEVER:
            found.setdefault(row["requirement"], row["reason"])
    return found


def judging(rows: Iterable[FeasibilityBody]) -> list[FeasibilityBody]:
    """The rows by which suites judge, one or two for each requirement."""
    return [row for row in rows if row["judges"]]


def decided(rows: Iterable[FeasibilityBody]) -> bool:
    """Whether every judging row is known to be decidable."""
    return all(row["decidable"] is True for row in judging(rows))


def in_short(rows: Iterable[FeasibilityBody]) -> str:
    """Say of how many requirements each path that judges it decides it at all settings."""
    found: dict[str, bool] = {}
    for row in judging(rows):
        found[row["requirement"]] = found.get(row["requirement"], True) and row["decidable"] is True
    return f"{sum(found.values())} of {len(found)} requirements can be decided on this bench"


def _rows(
    requirement: Requirement,
    paths: Sequence[Path],
    others: Sequence[Path],
    profile: DeviceProfile,
) -> Iterator[FeasibilityBody]:
    if requirement.limit.lacks:
        yield _blank(requirement) | {"cause": "figure", "reason": requirement.limit.lacks}
        return
    if exact := requirement.word or (
        "a count is exact" if requirement.measurand is Measurand.COUNT else ""
    ):
        yield _blank(requirement) | {"decidable": True, "reason": exact}
        return
    for signal in signals(requirement):
        mine = [path for path in paths if path.dimension is signal]
        if not any(path.judges for path in mine):
            row = _blank(requirement) | {"role": METERS[signal], "cause": "path"}
            row["reason"] = "; ".join(_shortcomings(requirement, mine, profile))
            yield _with_remedy(row, requirement, signal, others, profile)
        for path in mine:
            row = assess(requirement, path, profile)
            if row["judges"] and row["decidable"] is False:
                row = _with_remedy(row, requirement, signal, others, profile)
            yield row


def _shortcomings(
    requirement: Requirement, paths: Iterable[Path], profile: DeviceProfile
) -> Iterator[str]:
    """Why what else shows the signal does not decide."""
    for path in paths:
        row = assess(requirement, path, profile)
        if row["decidable"] is False:
            yield f"its {path.role} does not decide this: {row['reason']}"


def signals(requirement: Requirement) -> list[Dimension]:
    """What must be recorded to judge it: CURRENT, VOLTAGE or both."""
    if requirement.dimension is Dimension.VOLTAGE:
        return [Dimension.VOLTAGE]
    of_current = {Dimension.CURRENT, Dimension.CURRENT_SLOPE, Dimension.CHARGE}
    if requirement.dimension in of_current:
        return [Dimension.CURRENT]
    return [signal for signal, role in METERS.items() if role in requirement.roles]


def _blank(requirement: Requirement) -> FeasibilityBody:
    return {
        "requirement": requirement.id,
        "measurand": requirement.measurand.value,
        "role": "",
        "instrument": "",
        "range": "",
        "judges": True,
        "at": "",
        "unit": requirement.dimension.value,
        "u": None,
        "room": None,
        "bandwidth": None,
        "excursion": None,
        "decidable": False,
        "cause": "",
        "reason": "",
    }


def _with_remedy(
    row: FeasibilityBody,
    requirement: Requirement,
    signal: Dimension,
    others: Sequence[Path],
    profile: DeviceProfile,
) -> FeasibilityBody:
    """The row with the instruments that would decide it, of those that have a driver."""
    named = []
    for path in others:
        if path.dimension is signal:
            found = assess(requirement, path, profile)
            if found["decidable"]:
                named.append(f"{path.instrument} ({path.range} range, U = {_of(found, 'u')})")
    would = f"it would be decided by: {', '.join(named[:_OFFERED])}"
    remedy = would if named else "no instrument that has a driver here decides it"
    return row | {"reason": "; ".join(filter(None, [row["reason"], remedy]))}


def assess(requirement: Requirement, path: Path, profile: DeviceProfile) -> FeasibilityBody:
    """Foresee one requirement by one path; of several settings the hardest one counts."""
    requirement = _as_current(requirement, profile)
    measurand = requirement.measurand
    row = _blank(requirement) | {
        "role": path.role,
        "instrument": path.instrument,
        "range": path.range,
        "judges": path.judges,
        "bandwidth": AVERAGING * path.rate,
        "excursion": _excursion(measurand, path),
    }
    claims = _claims(requirement, path, profile)
    if path.accuracy is None or not claims:
        why = "its limits of error are" if claims else "a limit of this kind is"
        return row | {"decidable": None, "reason": f"{why} not foreseen; judged by what comes"}
    weighed = [
        (expanded(measurand, path, claim.value, profile, by=claim.by), claim) for claim in claims
    ]
    unit = requirement.dimension
    if unit in {Dimension.TRUTH, Dimension.RESISTANCE}:
        unit = path.dimension
    if measurand in {Measurand.DURATION, Measurand.REST, Measurand.SPAN}:
        level = float(_level(path, profile).base)
        beside = COVERAGE * path.u(level)
        if beside > level:
            weighed = [(beside, _Claim(level, level, "of the level by which it is timed"))]
            unit = path.dimension
    u, claim = max(weighed, key=lambda pair: pair[0] / pair[1].room if pair[1].room else math.inf)
    row |= {"at": claim.at, "unit": unit.value, "u": u, "room": claim.room}
    if path.refusal:
        return row | {"cause": "rate", "reason": path.refusal}
    if u <= claim.room and path.accuracy.standing is not Calibration.VALID:
        why = f"nothing passes by it: its calibration is {path.accuracy.standing.value}"
        return row | {"decidable": None, "reason": why}
    if u <= claim.room:
        return row | {"decidable": True}
    reason = f"U = {_of(row, 'u')} is larger than the {_of(row, 'room')} {claim.why}"
    if path.step:
        reason += f" (one step of its converter is {_shown(path.step, path.dimension)})"
    if any(u <= claim.room for u, claim in weighed):
        return row | {"cause": "in part", "reason": f"{reason}; at other settings it decides"}
    return row | {"cause": "uncertainty", "reason": reason}


def _as_current(requirement: Requirement, profile: DeviceProfile) -> Requirement:
    """A density as the current that makes it under the declared electrode; all else as it is."""
    figure, area = requirement.limit.figure, profile.figures.get("electrode.area")
    if requirement.dimension is not Dimension.CURRENT_DENSITY or figure is None or area is None:
        return requirement
    current = Exact.si(ARITHMETIC.multiply(figure.base, area.value.base), Dimension.CURRENT)
    limit = replace(requirement.limit, figure=current)
    return replace(requirement, dimension=Dimension.CURRENT, limit=limit)


def _excursion(measurand: Measurand, path: Path) -> float | None:
    if measurand is Measurand.STEP:
        return STEP_TIME + 1 / path.rate
    if measurand is Measurand.SLOPE:
        return SLOPE_WINDOW
    return WHOLE / path.rate if measurand in _SEEN_WHOLE else None


def expanded(
    measurand: Measurand, path: Path, value: float, profile: DeviceProfile, *, by: float = 0.0
) -> float:
    """Expanded uncertainty (k = 2) that a judgement is foreseen to have, in the unit of the value.

    Args:
        measurand: what is taken of a record.
        path: by which it is recorded.
        value: that is judged, SI.
        profile: the device: its slowest ramp and smallest setting.
        by: setting in A by which a charge is delivered; 0 is the smallest.
    """
    by = by or profile.si("output.setpoint_min")
    return COVERAGE * math.hypot(*_parts(measurand, path, value, profile, by))


def _parts(
    measurand: Measurand, path: Path, value: float, profile: DeviceProfile, by: float
) -> tuple[float, ...]:
    interval = 1 / path.rate
    noise = EXTREME * path.sigma
    match measurand:
        case Measurand.MEAN:
            return path.u(value), path.sigma / math.sqrt(AVERAGED)
        case Measurand.DIFFERENCE:
            return path.gain(value), noise
        case Measurand.STEP:
            return path.gain(value), noise * math.sqrt(2 / max(STEP_TIME / interval, 1.0))
        case Measurand.SLOPE:
            width = SLOPE_WINDOW / interval
            sloping = noise * math.sqrt(12 / width**3) / interval
            return path.gain(value * SLOPE_WINDOW) / SLOPE_WINDOW, sloping
        case Measurand.CHARGE:  # an offset counts for as long as current flows
            ramps = profile.si("ramp.up_time") + profile.si("ramp.down_time")
            held = profile.si("output.compliance") / profile.si("output.load_max")
            pace = PACE * value / math.sqrt(3)
            return path.gain(value), pace, path.u(0.0) * (value / min(by, held) + ramps)
        case Measurand.DURATION:
            sampling = interval / math.sqrt(12)
            return EVENT, START, sampling, _crossing(path, value, profile)
        case Measurand.RIPPLE:  # what averaged spectra leave of the noise
            return path.gain(value), RIPPLE * path.sigma
        case Measurand.REST | Measurand.SPAN:
            return (interval / math.sqrt(6),)
        case _:
            return path.u(value), noise


def _crossing(path: Path, seconds: float, profile: DeviceProfile) -> float:
    """Standard uncertainty in s from the error of the level; none of a stop that is abrupt."""
    down = profile.si("ramp.down_time")
    if seconds <= down:
        return 0.0
    slope = _smallest(path, profile) / down
    return COVERAGE * path.u(float(_level(path, profile).base)) / math.sqrt(3) / slope


def _level(path: Path, profile: DeviceProfile) -> Exact:
    """What counts as off on a path."""
    voltage = path.dimension is Dimension.VOLTAGE
    return profile["output.off_voltage" if voltage else "protection.off_current"]


def _smallest(path: Path, profile: DeviceProfile) -> float:
    """What the smallest setting makes on a path, into the smallest load."""
    voltage = path.dimension is Dimension.VOLTAGE
    return profile.si("output.setpoint_min") * (profile.si("output.load_min") if voltage else 1.0)


def _claims(requirement: Requirement, path: Path, profile: DeviceProfile) -> list[_Claim]:
    """What must be told apart for it; none of a limit that is not foreseen."""
    limit = requirement.limit
    if limit.kind is Kind.TRUE:
        of_mean = requirement.measurand is Measurand.MEAN
        floor = _smallest(path, profile) if of_mean else float(_level(path, profile).base)
        return [_Claim(floor, floor, "by which a sign is told")]
    if requirement.dimension is Dimension.RESISTANCE and limit.relative:
        return list(_shares(float(limit.relative), path, profile))
    if limit.relates:
        return list(_tolerances(requirement, path, profile))
    if limit.kind is Kind.BETWEEN and limit.lower and limit.upper:
        ends = float(limit.lower.base), float(limit.upper.base)
        return [_Claim(max(map(abs, ends)), (ends[1] - ends[0]) / 2, "of half its tolerance")]
    if limit.kind is Kind.ENVELOPE:
        levels = sorted({abs(float(level.base)) for level in limit.figures} - {0.0})
        return [_Claim(level, level, "of a level of its envelope") for level in levels]
    figure = float(limit.figure.base) if limit.figure else 0.0
    if limit.kind is Kind.AT_LEAST:
        return [_Claim(figure, abs(figure), "of its limit")]
    healthy = _healthy(requirement.dimension, figure, profile)
    why = "of its limit"
    if healthy:
        shown = _shown(healthy, requirement.dimension)
        why = f"between {shown}, which a healthy device may reach, and its limit"
    return [_Claim(figure, figure - healthy, why)]


def _shares(relative: float, path: Path, profile: DeviceProfile) -> Iterator[_Claim]:
    """A share of what each end of the settings makes in the smallest load: that of a ratio."""
    for name in ("output.setpoint_min", "output.setpoint_max"):
        scale = profile.si(name) / profile.si("output.setpoint_min")
        signal = _smallest(path, profile) * scale
        yield _Claim(signal, relative * signal, f"of that share of it by {profile[name]}")


def _tolerances(requirement: Requirement, path: Path, profile: DeviceProfile) -> Iterator[_Claim]:
    limit = requirement.limit
    small = requirement.measurand is Measurand.RIPPLE or (
        requirement.measurand is Measurand.DIFFERENCE and path.one_error
    )
    for at in _related(requirement, profile):
        tolerance = float(limit.tolerance(at))
        excess = tolerance if limit.kind is Kind.EXCESS else 0.0
        value = tolerance if small else float(at.base) + excess
        if requirement.dimension is not Dimension.CHARGE:
            yield _Claim(value, tolerance, f"of its tolerance at {at}", str(at))
            continue
        for name in ("output.setpoint_min", "output.setpoint_max"):
            where = f"{at} by {profile[name]}"
            yield _Claim(value, tolerance, f"of its tolerance at {where}", where, profile.si(name))


def _related(requirement: Requirement, profile: DeviceProfile) -> list[Exact]:
    """Values to which a limit may relate: the ends of what the device is declared for."""
    limit, dimension = requirement.limit, requirement.dimension
    if dimension is Dimension.CHARGE:
        ends = [profile["dose.maximum"]]
        if limit.figure and limit.relative:  # where both parts are one, an offset weighs most
            share = Exact(limit.figure.base / limit.relative, dimension.value)
            ends.append(min(share.to(limit.figure.unit), ends[0]))
        return ends
    names: Mapping[Dimension, Sequence[str]] = {
        Dimension.CURRENT: ("output.setpoint_min", "output.setpoint_max"),
        Dimension.VOLTAGE: ("output.compliance",),
        Dimension.TIME: ("ramp.up_time",),
    }
    return [profile[name] for name in names.get(dimension, ())]


def _healthy(dimension: Dimension, figure: float, profile: DeviceProfile) -> float:
    """Largest declared value below an upper limit, SI: a healthy device may reach it."""
    most, up, down = (
        profile.si(name) for name in ("output.setpoint_max", "ramp.up_time", "ramp.down_time")
    )
    declared = {
        Dimension.CURRENT: (most,),
        Dimension.VOLTAGE: (profile.si("output.compliance"),),
        Dimension.CURRENT_SLOPE: (most / up, most / down),
        Dimension.CHARGE: (profile.si("dose.maximum"),),
        Dimension.TIME: (down, up),
    }
    return max((each for each in declared.get(dimension, ()) if each < figure), default=0.0)


def least(row: FeasibilityBody) -> bool:
    """Whether U is foreseen from the samples alone: a ramp across the level adds to it."""
    return row["u"] is not None and row["measurand"] in _BY_SAMPLES


def _of(row: FeasibilityBody, name: str) -> str:
    return shown(row[name], row["unit"])  # type: ignore[literal-required]  # u or room


def shown(value: float | None, unit: str) -> str:
    """A figure of a row in words; a dash where there is none."""
    return "-" if value is None else _shown(value, Dimension(unit))


def _shown(value: float, dimension: Dimension) -> str:
    return readable(Decimal(f"{value:.3g}"), dimension)
