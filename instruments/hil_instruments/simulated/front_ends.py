"""Which dialect an instrument of the bench file speaks: chosen by its model, as it names itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from hil.bench import InstrumentEntry
from hil.errors import ConfigurationError
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.dcon_relays import DconRelays
from hil_instruments.simulated.dialects.dermalux_d1 import DermaluxD1
from hil_instruments.simulated.dialects.galvan_gx2 import GalvanGX2
from hil_instruments.simulated.dialects.keithley_2000 import Keithley2000
from hil_instruments.simulated.dialects.keithley_2450 import Keithley2450
from hil_instruments.simulated.dialects.keithley_2450_ammeter import Keithley2450Ammeter
from hil_instruments.simulated.dialects.keithley_2450_terminals import Keithley2450Terminals
from hil_instruments.simulated.dialects.keithley_6221 import Keithley6221
from hil_instruments.simulated.dialects.keithley_7001 import Keithley7001
from hil_instruments.simulated.dialects.keithley_dmm6500 import KeithleyDMM6500
from hil_instruments.simulated.dialects.keysight_34461a import Keysight34461A
from hil_instruments.simulated.dialects.keysight_34465a import Keysight34465A
from hil_instruments.simulated.dialects.keysight_34970a import Keysight34970A
from hil_instruments.simulated.dialects.keysight_e36300 import KeysightE36300
from hil_instruments.simulated.dialects.keysight_infiniivision import KeysightInfiniiVision
from hil_instruments.simulated.dialects.rigol_dl3000 import RigolDL3000
from hil_instruments.simulated.dialects.rigol_dp800 import RigolDP800
from hil_instruments.simulated.dialects.rigol_ds1000z import RigolDS1000Z
from hil_instruments.simulated.dialects.siglent_sds1000xe import SiglentSDS1000XE
from hil_instruments.simulated.dialects.stimproof_cutoff import StimproofCutoff
from hil_instruments.simulated.dialects.stimulator import HostLink
from hil_instruments.simulated.scpi import Instrument

Maker: TypeAlias = Callable[[InstrumentEntry, World, int], Instrument]
Table: TypeAlias = Mapping[str, Maker]

_METERS: Table = {
    "34465A": Keysight34465A,
    "34460A": Keysight34461A,
    "34461A": Keysight34461A,
    "(MODEL )?DMM6500": KeithleyDMM6500,
    "(MODEL )?2000": Keithley2000,
}
_SWITCHES: Table = {
    "34970A": Keysight34970A,
    "DAQ970A": Keysight34970A,
    "(MODEL )?7001": Keithley7001,
}
STAND_INS: Table = {"(MODEL )?2450": Keithley2450, "(MODEL )?6221": Keithley6221}
"""Current sources that take the place of a stimulator, by model; every other model is firmware."""
MODELS: Mapping[str, Table] = {
    "ammeter": {**_METERS, "(MODEL )?2450": Keithley2450Ammeter},
    "voltmeter": _METERS,
    "oscilloscope": {
        r"DS1\d\d\dZ.*": RigolDS1000Z,
        r"[DM]SO-?X 3\d\d\d[AGT]": KeysightInfiniiVision,
        r"SDS1\d\d\dX-E": SiglentSDS1000XE,
    },
    "load": {**_SWITCHES, "DL3021A?": RigolDL3000},
    "supply": {r"DP8\d\dA?": RigolDP800, "E36312A": KeysightE36300},
    "cutoff": {"Cutoff-2": StimproofCutoff, "I-7060": DconRelays, **_SWITCHES},
    "terminal_source": {"(MODEL )?2450": Keithley2450Terminals},
    "stimulator": {**STAND_INS, "GX-2": GalvanGX2, "D1": DermaluxD1, ".*": HostLink},
}
"""Role to the models that can be simulated in it, each a pattern of the second field of *IDN?."""


def front_end(entry: InstrumentEntry, world: World, seed: int) -> Instrument:
    """Make the front end of an instrument of the bench file.

    Raises:
        ConfigurationError: no such model is simulated for the role; names those that are.
    """
    table = MODELS.get(entry.role, {})
    for pattern, make in table.items():
        if re.fullmatch(pattern, entry.model, re.IGNORECASE):
            return make(entry, world, seed)
    known = ", ".join(map(_spoken, table)) or "none"
    raise ConfigurationError(
        f"instruments.{entry.role}: model = {entry.model!r} is not simulated in this role; "
        f"allowed: {known}"
    )


def is_reference(entry: InstrumentEntry) -> bool:
    """Whether a stimulator is simulated as firmware behind a link, not in a dialect of its own."""
    table = MODELS["stimulator"]
    return next(
        make is HostLink
        for pattern, make in table.items()
        if re.fullmatch(pattern, entry.model, re.IGNORECASE)
    )


def _spoken(pattern: str) -> str:
    """A model's pattern as people write it: DS1xxxZ."""
    return re.sub(r"\(MODEL \)\?|\.\*|.\?$", "", pattern).replace(r"\d", "x")


def stands_in(entry: InstrumentEntry | None) -> bool:
    """Whether a bench entry puts a current source in the place of a stimulator."""
    return entry is not None and any(
        re.fullmatch(pattern, entry.model, re.IGNORECASE) for pattern in STAND_INS
    )
