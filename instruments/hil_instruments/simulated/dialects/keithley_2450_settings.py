"""Settings of a Keithley 2450, with the bounds and defaults of its Reference Manual, section 6."""

from __future__ import annotations

import math

from hil_instruments.simulated.dialects.keithley_2450_ranges import SHORTEST_DELAY, SOURCES
from hil_instruments.simulated.dialects.settings import Setting, count, figure, switch, word

LINE_FREQUENCY = 50
PROTECTIONS = {"NONE": math.inf} | {
    f"PROT{volts}": float(volts) for volts in (2, 5, 10, *range(20, 200, 20))
}
"""Over-voltage protection in V by its word."""
_SOURCES = {"VOLT": ("VOLTage", "V", 210.0), "CURR": ("CURRent", "A", 1.05)}
_LIMITS = {"VOLT": ("ILIMit", "A", 1.05, 1.05e-4), "CURR": ("VLIMit", "V", 210.0, 21.0)}
_SENSES = {
    "VOLT": ("VOLTage[:DC]", "V", (0.02, 210.0), 20.0, "VOLT"),
    "CURR": ("CURRent[:DC]", "A", (1e-8, 1.05), 1e-4, "AMP"),
    "RES": ("RESistance", "OHM", (20.0, 210e6), 2e5, "OHM"),
}


def _of_source(function: str) -> dict[str, Setting]:
    node, unit, most = _SOURCES[function]
    limit_node, limit_unit, largest, default = _LIMITS[function]
    header, least = f"SOURce:{node}", SOURCES[function][0].full_scale
    return {
        f"level_{function}": figure(
            f"{header}[:LEVel][:IMMediate][:AMPLitude]", 0.0, (-most, most), unit=unit
        ),
        f"range_{function}": figure(f"{header}:RANGe", least, (-most, most), unit=unit),
        f"auto_{function}": switch(f"{header}:RANGe:AUTO", on=True),
        f"limit_{function}": figure(
            f"{header}:{limit_node}[:LEVel]", default, (-largest, largest), unit=limit_unit
        ),
        f"delay_{function}": figure(f"{header}:DELay", SHORTEST_DELAY, (0.0, 1e4), unit="S"),
        f"delay_auto_{function}": switch(f"{header}:DELay:AUTO", on=True),
        f"user_delay_{function}": figure(f"{header}:DELay:USER<1-5>", 0.0, (0.0, 1e4), unit="S"),
        f"readback_{function}": switch(f"{header}:READ:BACK", on=True),
        f"capacitance_{function}": switch(f"{header}:HIGH:CAPacitance", on=False),
        f"off_{function}": word(f"OUTPut:{node}:SMODe", "NORMal|HIMPedance|ZERO|GUARd", "NORM"),
    }


def _of_sense(function: str) -> dict[str, Setting]:
    node, unit, bounds, default, shown = _SENSES[function]
    header = f"[SENSe:]{node}"
    return {
        f"sense_range_{function}": figure(f"{header}:RANGe[:UPPer]", default, bounds, unit=unit),
        f"sense_auto_{function}": switch(f"{header}:RANGe:AUTO", on=True),
        f"cycles_{function}": figure(f"{header}:NPLCycles", 1.0, (0.01, 10.0)),
        f"sense_delay_{function}": figure(f"{header}:DELay:USER<1-5>", 0.0, (0.0, 1e4), unit="S"),
        f"autozero_{function}": switch(f"{header}:AZERo[:STATe]", on=True),
        f"four_wire_{function}": switch(f"{header}:RSENse", on=False),
        f"filter_{function}": switch(f"{header}:AVERage[:STATe]", on=False),
        f"filter_count_{function}": count(f"{header}:AVERage:COUNt", 10, (1, 100)),
        f"filter_type_{function}": word(f"{header}:AVERage:TCONtrol", "REPeat|MOVing", "REP"),
        f"unit_{function}": word(f"{header}:UNIT", "OHM|AMP|VOLT", shown),
    }


SETTINGS: dict[str, Setting] = {
    **_of_source("VOLT"),
    **_of_source("CURR"),
    **_of_sense("VOLT"),
    **_of_sense("CURR"),
    **_of_sense("RES"),
    "source": word("SOURce:FUNCtion[:MODE]", "VOLTage|CURRent", "VOLT"),
    "protection": word("SOURce:VOLTage:PROTection[:LEVel]", "|".join(PROTECTIONS), "NONE"),
    "count": count("[SENSe:]COUNt", 1, (1, 300_000)),
    "terminals": word("ROUTe:TERMinals", "FRONt|REAR", "FRON"),
    "format": word("FORMat[:DATA]", "ASCii|REAL", "ASC"),
    "order": word("FORMat:BORDer", "NORMal|SWAPped", "SWAP"),
    "fill": word("TRACe:FILL:MODE", "CONTinuous|ONCE", "CONT"),
    "precision": count("FORMat:ASCii:PRECision", 0, (0, 16)),
}
