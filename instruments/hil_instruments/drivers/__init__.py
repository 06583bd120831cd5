"""Drivers by name, as a bench file writes them: one module each, none knows a limit.

Each function below builds the driver that a bench entry names for its role. mypy proves against the
tables that every driver keeps its role.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from hil.bench import BY_HAND, InstrumentEntry
from hil.cutoff import Make
from hil.device import DeviceProfile
from hil.errors import ConfigurationError
from hil.measurement import Calibration
from hil.roles import (
    Clock,
    Cutoff,
    ElectrodeLoad,
    Multimeter,
    OnTerminals,
    Oscilloscope,
    Source,
    Stimulator,
    Supply,
)
from hil_instruments.drivers import plugins
from hil_instruments.drivers.instrument import calibration_of
from hil_instruments.drivers.keithley_2000 import Keithley2000
from hil_instruments.drivers.keithley_2450 import Keithley2450, Keithley2450Terminals
from hil_instruments.drivers.keithley_2450_ammeter import Keithley2450Ammeter
from hil_instruments.drivers.keithley_6221 import Keithley6221
from hil_instruments.drivers.keithley_7001 import Keithley7001, Keithley7001Cutoff
from hil_instruments.drivers.keithley_dmm6500 import KeithleyDMM6500
from hil_instruments.drivers.keysight_34461a import Keysight34461A
from hil_instruments.drivers.keysight_34465a import Keysight34465A
from hil_instruments.drivers.keysight_34970a import Keysight34970A, Keysight34970ACutoff
from hil_instruments.drivers.keysight_e36300 import KeysightE36300, ThirdOutput
from hil_instruments.drivers.keysight_infiniivision import KeysightInfiniiVision
from hil_instruments.drivers.pymeasure_port import PyMeasureSource, PyMeasureSupply
from hil_instruments.drivers.relay_module import RelayModule
from hil_instruments.drivers.rigol_dp800 import RigolDP800, SecondChannel
from hil_instruments.drivers.rigol_ds1000z import RigolDS1000Z
from hil_instruments.drivers.scpi_stimulator import ScpiStimulator
from hil_instruments.drivers.siglent_sds1000xe import SiglentSDS1000XE
from hil_instruments.drivers.stimproof_cutoff import StimproofCutoff
from hil_instruments.manner import SCPI, Manner

if TYPE_CHECKING:
    from hil_instruments.transport import Session

__all__ = [
    "MAKES",
    "MODELS",
    "NAMES",
    "STIMULATORS",
    "brought_by",
    "calibration_of",
    "cutoff",
    "load",
    "manner",
    "multimeter",
    "oscilloscope",
    "reference",
    "source",
    "stimulator",
    "stimulator_names",
    "supply",
    "terminal_source",
]

_Made = TypeVar("_Made")
Factory: TypeAlias = "Callable[[Session, Clock, InstrumentEntry, Calibration], _Made]"

STIMULATORS: Mapping[
    str, Callable[[Session, Clock, InstrumentEntry, Calibration, DeviceProfile], Stimulator]
] = {"scpi-stimulator": ScpiStimulator}
MULTIMETERS: Mapping[str, Factory[Multimeter]] = {
    "keysight-34465a": Keysight34465A,
    "keysight-34461a": Keysight34461A,
    "keithley-dmm6500": KeithleyDMM6500,
    "keithley-2000": Keithley2000,
}
AMMETERS: Mapping[str, Factory[Multimeter]] = {"keithley-2450": Keithley2450Ammeter}
"""Instruments that fill the role of the ammeter alone."""
OSCILLOSCOPES: Mapping[str, Factory[Oscilloscope]] = {
    "rigol-ds1000z": RigolDS1000Z,
    "keysight-infiniivision": KeysightInfiniiVision,
    "siglent-sds1000xe": SiglentSDS1000XE,
}
LOADS: Mapping[str, Factory[ElectrodeLoad]] = {
    "keysight-34970a": Keysight34970A,
    "keithley-7001": Keithley7001,
}
SUPPLIES: Mapping[str, Factory[Supply]] = {
    "rigol-dp800": RigolDP800,
    "keysight-e36300": KeysightE36300,
    "pymeasure": PyMeasureSupply,
}
SOURCES: Mapping[str, Factory[Supply]] = {
    "rigol-dp800": SecondChannel,
    "keysight-e36300": ThirdOutput,
}
"""Second outputs of supplies, by the driver of the supply: sources of known sign."""
REFERENCES: Mapping[str, Factory[Source]] = {
    "keithley-2450": Keithley2450,
    "keithley-6221": Keithley6221,
    "pymeasure": PyMeasureSource,
}
"""Reference sources: they stand in no role of a run, meters are checked against them."""
TERMINAL_SOURCES: Mapping[str, Factory[OnTerminals]] = {"keithley-2450": Keithley2450Terminals}
CUTOFFS: Mapping[str, Factory[Cutoff]] = {
    "stimproof-cutoff": StimproofCutoff,
    "relay-module": RelayModule,
    "keysight-34970a": Keysight34970ACutoff,
    "keithley-7001": Keithley7001Cutoff,
}

MAKES: Mapping[str, Make] = {
    "stimproof-cutoff": Make(latches=False, lease=(0.1, 10.0)),
    "relay-module": Make(latches=False, lease=(0.1, 25.5)),
    "keysight-34970a": Make(latches=True, lease=None),
    "keithley-7001": Make(latches=False, lease=None),
}
"""Driver of a cut-off to what its manual says of it."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "stimulator": tuple(STIMULATORS),
    "ammeter": (*MULTIMETERS, *AMMETERS),
    "voltmeter": tuple(MULTIMETERS),
    "oscilloscope": tuple(OSCILLOSCOPES),
    "load": tuple(LOADS),
    "supply": tuple(SUPPLIES),
    "cutoff": tuple(CUTOFFS),
    "terminal_source": tuple(TERMINAL_SOURCES),
}
"""Role to the names of the drivers that can fill it."""

MODELS: Mapping[str, str] = {
    "keysight-34465a": "34465A",
    "keysight-34461a": "34460A|34461A",
    "keithley-dmm6500": "(MODEL )?DMM6500",
    "keithley-2000": "(MODEL )?2000",
    "keithley-2450": "(MODEL )?2450",
    "keithley-6221": "(MODEL )?6221",
    "rigol-ds1000z": r"DS1\d\d\dZ.*",
    "keysight-34970a": "34970A|DAQ970A",
    "keithley-7001": "(MODEL )?7001",
    "keysight-infiniivision": r"[DM]SO-?X 3\d\d\d[AGT]",
    "siglent-sds1000xe": r"SDS1\d\d\dX-E",
    "rigol-dp800": r"DP8\d\dA?",
    "keysight-e36300": "E36312A|E36313A",
    "relay-module": "I-7060",
    "stimproof-cutoff": "Cutoff-2",
}
"""Driver to the models that it speaks to, a pattern; that of a stimulator takes its words from the
device file."""

MANNERS: Mapping[str, Manner] = {
    "relay-module": RelayModule.MANNER,
    **dict.fromkeys((*MULTIMETERS, *AMMETERS, *OSCILLOSCOPES), Manner(energised=1.0)),
}
"""Driver to how its instrument is spoken to, where that is not SCPI."""


def stimulator(
    session: Session,
    clock: Clock,
    entry: InstrumentEntry,
    calibration: Calibration,
    profile: DeviceProfile,
) -> Stimulator:
    """Build the driver of the device under test; it takes its words from the profile.

    Raises:
        ConfigurationError: no such driver for this role, which names those there are; or that of
            another package is broken, which names that.
    """
    make, parts = _stimulator(entry), (session, clock, entry, calibration, profile)
    if entry.driver in STIMULATORS:
        return make(*parts)
    made: Stimulator = plugins.called(entry.driver, make, *parts)
    plugins.check(entry.driver, made)
    return made


def manner(entry: InstrumentEntry, profile: DeviceProfile) -> Manner:
    """How the instrument of a bench entry is spoken to.

    Raises:
        ConfigurationError: the driver of another package is broken.
    """
    if entry.role != "stimulator" or entry.driver == BY_HAND:
        return MANNERS.get(entry.driver, SCPI)
    asked = getattr(_stimulator(entry), "manner", None)
    found = plugins.called(entry.driver, asked, profile) if callable(asked) else SCPI
    if not isinstance(found, Manner):
        raise ConfigurationError(
            f"driver {entry.driver!r} of {plugins.origin(entry.driver)}: manner(profile) returns "
            f"{found!r}; a hil_instruments.manner.Manner belongs there"
        )
    return found


def stimulator_names() -> tuple[str, ...]:
    """Names of the drivers of stimulators: ours, and those of installed packages."""
    return (*STIMULATORS, BY_HAND, *plugins.names())


def brought_by(entry: InstrumentEntry) -> str:
    """Distribution and version of the driver of an entry; empty if it is one of ours."""
    foreign = entry.role == "stimulator" and entry.driver not in {*STIMULATORS, BY_HAND}
    return plugins.origin(entry.driver) if foreign else ""


def _stimulator(
    entry: InstrumentEntry,
) -> Callable[[Session, Clock, InstrumentEntry, Calibration, DeviceProfile], Stimulator]:
    if entry.driver in STIMULATORS:
        return STIMULATORS[entry.driver]
    if entry.driver == BY_HAND:
        raise ConfigurationError(
            f"instruments.{entry.role}: driver = {entry.driver!r} is worked by an operator, over "
            "no session; open it with the station of a bench that has [aids.operator]"
        )
    if entry.driver not in plugins.names():
        raise ConfigurationError(
            f"instruments.{entry.role}: driver = {entry.driver!r}; allowed: "
            f"{', '.join(stimulator_names())}; a package registers others in {plugins.GROUP}"
        )
    found: Callable[..., Stimulator] = plugins.load(entry.driver)
    return found


def _builder(table: Mapping[str, Factory[_Made]]) -> Factory[_Made]:
    """Make what builds the driver that an entry names; it raises ConfigurationError if unknown."""

    def build(
        session: Session, clock: Clock, entry: InstrumentEntry, calibration: Calibration
    ) -> _Made:
        if entry.driver not in table:
            raise ConfigurationError(
                f"instruments.{entry.role}: driver = {entry.driver!r}; allowed: {', '.join(table)}"
            )
        return table[entry.driver](session, clock, entry, calibration)

    return build


_ammeter, _voltmeter = _builder({**MULTIMETERS, **AMMETERS}), _builder(MULTIMETERS)


def multimeter(
    session: Session, clock: Clock, entry: InstrumentEntry, calibration: Calibration
) -> Multimeter:
    """Build the driver of an ammeter or voltmeter; raises ConfigurationError if unknown."""
    build = _ammeter if entry.role == "ammeter" else _voltmeter
    return build(session, clock, entry, calibration)


oscilloscope = _builder(OSCILLOSCOPES)
load = _builder(LOADS)
supply = _builder(SUPPLIES)
source = _builder(SOURCES)
"""Of the supply's second output."""
reference = _builder(REFERENCES)
terminal_source = _builder(TERMINAL_SOURCES)
cutoff = _builder(CUTOFFS)
