"""What stands on the bench: instruments in their roles, loads, wiring, ceiling, damage limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

from hil.calibration import Band, Circumstances, Specification
from hil.device import DeviceProfile
from hil.errors import ConfigurationError
from hil.exact import Dimension, Exact, readable
from hil.measurement import Calibration
from hil.requirement import Requirement
from hil.resistor import REFERENCE, Resistor

ROLES = ("stimulator", "ammeter", "voltmeter", "oscilloscope", "load", "supply", "cutoff")
"""Every role that a suite may ask for."""
WITHIN = 0.01
"""Relative error of a shunt of which nothing else is told: the pre-flight finds a larger one."""
USUAL = Band(18.0, 28.0)
"""Air in degC that is assumed where nobody measures or declares it."""
MARGIN = timedelta(days=1)
"""How long before its due date the calibration of a shunt must be for a run that begins today."""
WELDED = Decimal(10)
"""Multiple of the current that counts as off which a welded cut-off must let pass to be found."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a class of PyMeasure, as a bench file writes it."""

    name: str
    """As `source_current` or `ch_1.voltage`."""
    unit: str = ""
    """Unit of its number; empty for a switch."""
    least: Exact | None = None
    """Smallest value that may be set or read."""
    most: Exact | None = None
    """Largest one."""
    gain: float = 0.0
    """Limit of the relative error, a fraction."""
    offset: Exact | None = None
    """Limit of the additive error."""


@dataclass(frozen=True, slots=True)
class PyMeasureEntry:
    """How an instrument of PyMeasure fills a role."""

    path: str
    """Module and class."""
    off: str
    """Message that switches its output off, whatever PyMeasure would do."""
    attributes: Mapping[str, Attribute]
    """Meaning in the role to attribute."""
    source: str = ""
    """Data sheet and interval of its accuracy."""


@dataclass(frozen=True, slots=True)
class InstrumentEntry:
    """One instrument of the bench file."""

    role: str
    """One of ROLES."""
    driver: str
    """Name of the driver, as `keysight-34465a`."""
    resource: str
    """VISA resource name."""
    manufacturer: str
    """Expected first field of *IDN?."""
    model: str
    """Expected second field of *IDN?."""
    serial: str = ""
    """Expected serial number; empty accepts any."""
    certificate: str = ""
    """Calibration certificate; empty means none."""
    calibrated: date | None = None
    """Day of the calibration; None if never."""
    due: date | None = None
    """Day after which the calibration has expired."""
    accuracy: tuple[Specification, ...] = ()
    """Limits of error that stand in place of the data sheet's, by range and age."""
    circumstances: Circumstances = Circumstances()  # noqa: RUF009  # frozen
    """Under which it is used: age of its calibration, and air; no file gives them."""
    pymeasure: PyMeasureEntry | None = None
    """How PyMeasure drives it; None for every other driver."""


AIDS = ("operator", "thermometer", "indicator", "earth", "terminal_source", "loader", "jig")
"""Roles that a bench may fill or leave out."""
PATIENCE = 60.0
"""Bench time in s that an answer of an operator may take unless the file says otherwise."""
CLAIM = "claim"
"""Stands for a role where it is the device's own account of what it delivers, read from it."""
BY_HAND = "manual-stimulator"
"""Driver of a device that has nothing but a front panel; a person works it."""
FRONT_PANEL = "OPERATOR::PANEL"
"""Its resource name: it leads to the person, not to a line."""
OPERATOR_LINK = "OPERATOR"
"""Its interface; nobody but the person has seen what stands there, so it earns no HARDWARE."""


@dataclass(frozen=True, slots=True)
class ScriptedAnswer:
    """What a script says to prompts about one thing."""

    to: str
    """What the prompt is about, as `start`."""
    says: str
    """The answer; empty is none at all."""
    after: float = 0.0
    """Bench time in s from prompt to answer."""
    times: int = 0
    """How often it is given before the next one is; 0 for ever."""


@dataclass(frozen=True, slots=True)
class AidEntry:
    """An optional role of the bench file."""

    role: str
    """One of AIDS."""
    by: str
    """Who fills it: `simulated`, `script`, an operator at a `terminal`, or an `instrument`."""
    patience: float = PATIENCE
    """Bench time in s that an answer may take."""
    answers: tuple[ScriptedAnswer, ...] = ()
    """The script, in its order."""
    images: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Of a loader: name to the version and SHA-256 that must read back."""
    instrument: InstrumentEntry | None = None
    """Where an instrument fills it."""


@dataclass(frozen=True, slots=True)
class LoadEntry:
    """One position of the switched load."""

    name: str
    """As tests write it: `2k`, `skin`, `open`, `short`, `bleed`."""
    channel: int
    """Channel of the switch card."""
    series: Exact
    """Series resistance; the whole resistance of a plain resistor."""
    parallel: Exact | None = None
    """Resistance beside the capacitance, of a skin network."""
    capacitance: Exact | None = None
    """Capacitance of a skin network."""
    second_parallel: Exact | None = None
    """Resistance beside the capacitance under the dispersive electrode."""
    second_capacitance: Exact | None = None
    """Capacitance under the dispersive electrode."""
    cole_alpha: float | None = None
    """Exponent of Cole's element in place of each capacitance; None is a plain capacitor."""
    final_resistance: Exact | None = None
    """What `parallel` falls to while current flows; None does not fall."""
    fall_time: Exact | None = None
    """Time constant of that fall at 1 mA; at 2 mA it falls twice as fast."""

    @property
    def resistance(self) -> Exact:
        """Direct-current resistance, before any fall."""
        parts = (self.series, self.parallel, self.second_parallel)
        total = sum((part.base for part in parts if part is not None), Decimal(0))
        return Exact(total, "ohm")


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source of known sign, which proves the wiring before a run.

    It is the second output of the supply, against the dispersive lead, and reaches the device's end
    of the ammeter through a resistance and a channel of the switch unit.
    """

    series: Exact
    """Resistance that limits its current whatever else fails."""
    voltage: Exact
    """Largest voltage that is set."""
    channel: int
    """Channel of the switch unit that joins it; none of a load."""

    @property
    def current(self) -> Exact:
        """Largest current that it can drive, into a short circuit."""
        return Exact(self.voltage.base / self.series.base, "A")


@dataclass(frozen=True, slots=True)
class ShuntEntry:
    """How well the resistance of the shunt is known."""

    tolerance: float = WITHIN
    """Limit of its relative error at 23 degC, or with `coverage` its relative uncertainty."""
    source: str = "the pre-flight, which takes it for what is declared within 1 %"
    """Certificate, or data sheet with its revision."""
    coverage: float | None = None
    """Coverage factor k; None where `tolerance` is a limit."""
    per_kelvin: float = 0.0
    """Limit of its relative change for each kelvin away from 23 degC."""
    certificate: str = ""
    """Of its calibration; empty means none."""
    calibrated: date | None = None
    """Day of the calibration; None if never."""
    due: date | None = None
    """Day after which the calibration has expired."""
    circumstances: Circumstances = Circumstances()  # noqa: RUF009  # frozen
    """Under which it is used; no file gives them."""

    @property
    def calibration(self) -> Calibration:
        """State of its calibration on the day of the readings; of none, and on none, UNKNOWN."""
        today = self.circumstances.today
        if not self.certificate or self.due is None or today is None:
            return Calibration.UNKNOWN
        # A resistor tells no serial number by which the end of a run would find it expired.
        return Calibration.VALID if today + MARGIN <= self.due else Calibration.EXPIRED


@dataclass(frozen=True)
class FirmwareEntry:
    """A build of firmware, as a bench file declares it."""

    name: str
    """Of its file."""
    sha256: str
    """Of the bytes of that file, in hexadecimal."""


@dataclass(frozen=True)
class BenchDescription:
    """The bench as described; what it really is, identities and pre-flight must show."""

    name: str
    """For the report."""
    instruments: Mapping[str, InstrumentEntry]
    """Role to instrument."""
    loads: Mapping[str, LoadEntry]
    """Position name to load; `open` is always possible and needs no entry."""
    wiring: Mapping[str, str]
    """Node of each instrument, shunt side, poles, bonds, sign convention."""
    shunt: Exact
    """Resistance of the shunt under the oscilloscope."""
    ceiling: Exact
    """Current at which the bench trips: above every requirement, below the damage limit."""
    damage_current: Exact
    """Current that damages the bench."""
    damage_voltage: Exact
    """Voltage that damages the bench."""
    source: SourceEntry | None = None
    """Source of known sign; None leaves signs, loads and shunt to what is declared."""
    bleed: str = "bleed"
    """Load position that discharges the output."""
    clock_scale: float = 1.0
    """Bench seconds per wall second of a served simulated bench; 1 on hardware."""
    aids: Mapping[str, AidEntry] = field(default_factory=dict)
    """Optional role to what fills it."""
    shunt_known: ShuntEntry = ShuntEntry()  # frozen
    """How well that is known."""
    air: Band | None = None
    """Temperatures between which the air at the bench is kept, where no thermometer stands."""
    firmware: FirmwareEntry | None = None
    """Build that runs in the device of a served simulated bench; None is the reference firmware."""
    text: str = field(default="", repr=False)
    """The file as read; goes into the plan."""

    @property
    def entries(self) -> Mapping[str, InstrumentEntry]:
        """Role to instrument, those of optional roles too."""
        aids = {role: aid.instrument for role, aid in self.aids.items() if aid.instrument}
        return {**self.instruments, **aids}

    @property
    def roles(self) -> frozenset[str]:
        """Roles that the bench fills."""
        return frozenset({*self.instruments, *self.aids})

    @property
    def by_hand(self) -> bool:
        """Whether a person works the device, at its front panel."""
        device = self.instruments.get("stimulator")
        return device is not None and device.driver == BY_HAND


def under(bench: BenchDescription, today: date, air: Band | None) -> BenchDescription:
    """The bench as it is used: on a day, and in air between two temperatures, None if unknown."""
    instruments = {
        role: replace(entry, circumstances=Circumstances(entry.calibrated, today, air))
        for role, entry in bench.instruments.items()
    }
    known = bench.shunt_known
    known = replace(known, circumstances=Circumstances(known.calibrated, today, air))
    return replace(bench, instruments=instruments, shunt_known=known)


def shunt_of(bench: BenchDescription, *, simulated: bool) -> Resistor:
    """The shunt of a bench in use, with its tolerance and what the air makes of it.

    Args:
        bench: as `under` gives it.
        simulated: whether it is: such a shunt has no calibration, and needs none.
    """
    known = bench.shunt_known
    air = known.circumstances.air or USUAL
    return Resistor(
        "shunt",
        bench.shunt,
        known.tolerance,
        known.source,
        coverage=known.coverage,
        per_kelvin=known.per_kelvin,
        warmth=max(abs(air.coldest - REFERENCE), abs(air.warmest - REFERENCE)),
        calibration=Calibration.VALID if simulated else known.calibration,
    )


def check(bench: BenchDescription, profile: DeviceProfile) -> None:
    """Refuse a bench that could not judge the device, or that the device could destroy.

    Raises:
        ConfigurationError: names each problem.
    """
    if found := problems(bench, profile):
        raise ConfigurationError("; ".join(f"{name}: {text}" for name, text in found))


def problems(
    bench: BenchDescription, profile: DeviceProfile | None = None
) -> list[tuple[str, str]]:
    """Return (key of the bench file, what is wrong there) of each problem; none if it suits.

    Args:
        bench: the bench.
        profile: the device that it shall judge; None asks for the problems of the bench alone.
    """
    found = [*_instrument_problems(bench), *_load_problems(bench)]
    found += [(f"shunt{key}", text) for key, text in _undated(bench.shunt_known)]
    if not bench.ceiling < bench.damage_current:
        text = f"{bench.ceiling} must lie below limits.damage_current = {bench.damage_current}"
        found.append(("limits.ceiling", text))
    if bench.source is not None:
        found += _source_problems(bench, bench.source)
    if profile is None:
        return found
    found += _identity_problems(bench, profile)
    if bench.source is not None and bench.bleed in bench.loads:
        found += _bleed_problems(bench, bench.source, profile)
    trip, compliance = profile["output.trip"], profile["output.compliance"]
    if not trip < bench.ceiling:
        text = (
            f"{bench.ceiling} must lie above the device's own trip, output.trip = {trip}, "
            "else that trip cannot be tested"
        )
        found.append(("limits.ceiling", text))
    if not compliance < bench.damage_voltage:
        text = f"{bench.damage_voltage} must lie above output.compliance = {compliance}"
        found.append(("limits.damage_voltage", text))
    return found


def out_of_reach(bench: BenchDescription, requirement: Requirement) -> str:
    """Say why a requirement cannot be tested here: its limit is beyond what may happen on it.

    Requirement <= ceiling < damage limit: else the bench would trip, or break, before the device
    could be seen to fail. Empty if it can be tested.
    """
    if why := _lacking(bench, requirement):
        return why
    most = {
        Dimension.CURRENT: ("limits.ceiling", bench.ceiling),
        Dimension.VOLTAGE: ("limits.damage_voltage", bench.damage_voltage),
    }
    limit = requirement.limit
    if limit.relates or requirement.dimension not in most:
        return ""
    name, end = most[requirement.dimension]
    beyond = [figure for figure in limit.figures if abs(figure.base) > end.base]
    if not beyond:
        return ""
    return (
        f"{requirement.id}: its limit of {beyond[0]} lies above {name} = {end} of the bench file; "
        "what lies above it is never let happen, so the device could not be seen to fail"
    )


def _lacking(bench: BenchDescription, requirement: Requirement) -> str:
    """Say which optional role, or whose account, a requirement needs that there is not."""
    absent = [role for role in requirement.roles if role in AIDS and role not in bench.aids]
    if absent:
        return (
            f"{requirement.id}: needs {', '.join(absent)}, which the bench file does not have: add "
            f"[aids.{absent[0]}]"
        )
    if bench.by_hand and CLAIM in requirement.roles:
        return (
            f"{requirement.id}: rests on what the device claims to deliver, and a device that is "
            "worked by hand is read by no line"
        )
    return ""


def _identity_problems(bench: BenchDescription, profile: DeviceProfile) -> list[tuple[str, str]]:
    """The device that the bench expects must be the one that is judged: reports name it."""
    entry = bench.instruments.get("stimulator")
    if entry is None:
        return []
    pairs = {
        "manufacturer": (entry.manufacturer, profile.manufacturer),
        "model": (entry.model, profile.model),
    }
    return [
        (
            f"instruments.stimulator.{key}",
            f"{expected!r}; the device file says {declared!r}, and both must be the same: "
            "the verdicts of one device would stand under the name of another",
        )
        for key, (expected, declared) in pairs.items()
        if expected != declared
    ]


def _instrument_problems(bench: BenchDescription) -> list[tuple[str, str]]:
    found = []
    if "stimulator" not in bench.instruments:
        text = "missing; a bench without the device under test judges nothing"
        found.append(("instruments.stimulator", text))
    first: dict[str, str] = {}
    for role, entry in bench.instruments.items():
        if (other := first.setdefault(entry.resource.upper(), role)) != role:
            text = f'"{entry.resource}" is also the {other}; each role has its own instrument'
            found.append((f"instruments.{role}.resource", text))
        found += [(f"instruments.{role}{key}", text) for key, text in _undated(entry)]
    return found


def _undated(entry: InstrumentEntry | ShuntEntry) -> Iterator[tuple[str, str]]:
    """What is wrong with the record of a calibration: the last of its key, and why."""
    parts = (entry.certificate, entry.calibrated, entry.due)
    if any(parts) and not all(parts):
        text = (
            "certificate, calibrated and due (or interval) belong together; give all three, or "
            "none if it was never calibrated"
        )
        yield "", text
    if entry.calibrated and entry.due and entry.due < entry.calibrated:
        yield ".due", f"{entry.due} lies before calibrated = {entry.calibrated}"


def future_problems(bench: BenchDescription, today: date) -> list[tuple[str, str]]:
    """Return (key of the bench file, what is wrong there) of each calibration yet to come."""
    days = {f"instruments.{role}": entry.calibrated for role, entry in bench.instruments.items()}
    days["shunt"] = bench.shunt_known.calibrated
    return [
        (
            f"{key}.calibrated",
            f"{day} lies in the future: today is {today} (UTC); correct the date, or the clock of "
            "this machine",
        )
        for key, day in days.items()
        if day and day > today
    ]


def _source_problems(bench: BenchDescription, source: SourceEntry) -> list[tuple[str, str]]:
    found = []
    taken = {load.channel: name for name, load in bench.loads.items()}
    if source.channel in taken:
        text = f"{source.channel} is the channel of load {taken[source.channel]}; take another"
        found.append(("wiring.source.channel", text))
    if not source.current < bench.ceiling:
        text = (
            f"{source.voltage} behind {source.series} can drive {source.current}, which must lie "
            f"below limits.ceiling = {bench.ceiling}: raise the resistance"
        )
        found.append(("wiring.source.series", text))
    return found


def _bleed_problems(
    bench: BenchDescription, source: SourceEntry, profile: DeviceProfile
) -> list[tuple[str, str]]:
    """Off is proven into the bleed load: what a welded contact passes there must show."""
    bleed, off = bench.loads[bench.bleed].resistance, profile["protection.off_current"]
    passes = Exact(source.voltage.base / (source.series.base + bleed.base), "A")
    if passes.base >= WELDED * off.base:
        return []
    text = (
        f"through welded contacts the bench source drives {readable(passes.base, passes.dimension)}"
        f" into {bleed}; at least {WELDED} times protection.off_current = {off} must flow there, "
        "or they count as open: lower the resistance"
    )
    return [(f"loads.{bench.bleed}", text)]


def load_problem(load: LoadEntry) -> str:
    """Return what is wrong with the parts of one load; empty if they fit together."""
    pairs = ("parallel", "capacitance"), ("second_parallel", "second_capacitance")
    for first, second in pairs:
        if (getattr(load, first) is None) != (getattr(load, second) is None):
            return f"a skin network needs both {first} and {second}, a resistor none"
    if load.parallel is None:
        extras = ("second_parallel", "cole_alpha", "final_resistance", "fall_time")
        if found := [name for name in extras if getattr(load, name) is not None]:
            return f"{found[0]} belongs to a skin network: give parallel and capacitance too"
        return ""
    if (load.final_resistance is None) != (load.fall_time is None):
        return "a resistance that falls needs both final_resistance and fall_time"
    if load.final_resistance is None:
        return ""
    if load.cole_alpha is not None:
        return "cole_alpha and final_resistance exclude each other: Cole's element does not fall"
    if not load.final_resistance < load.parallel:
        return f"final_resistance = {load.final_resistance} must lie below parallel"
    return ""


def _load_problems(bench: BenchDescription) -> list[tuple[str, str]]:
    found = []
    if bench.bleed not in bench.loads:
        text = f'missing; the bleed load "{bench.bleed}" discharges the output'
        found.append((f"loads.{bench.bleed}", text))
    if "open" in bench.loads:
        found.append(("loads.open", '"open" is always there and has no channel; remove it'))
    first: dict[int, str] = {}
    for name, load in bench.loads.items():
        if (other := first.setdefault(load.channel, name)) != name:
            text = f"{load.channel} is also the channel of {other}; each position needs its own"
            found.append((f"loads.{name}.channel", text))
    return found
