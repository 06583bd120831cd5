"""Functions, ranges and settings of a Keithley 2000.

Data sheets of the 2000 and the 2016, which share their front end: accuracies of direct voltage and
current, shunts, noise, speeds (looked up). The rest is from memory.
"""

from __future__ import annotations

from hil_instruments.simulated.dialects.settings import Setting, count, figure, switch, word
from hil_instruments.simulated.metrology.converter import Range

LINE_FREQUENCY = 50
OVERHEAD = 0.33e-3
"""Seconds of a reading beside its aperture: 2 000 readings/s at 0.01 cycles of 60 Hz."""
AUTO_STEP = 10e-3
"""Seconds that autoranging takes for each range it passes; less than 30 ms in all by the sheet."""
NOISE = ((0.01, 15e-6), (0.1, 2.2e-6), (1.0, 0.4e-6), (10.0, 0.15e-6))
"""(line cycles, standard deviation as a share of range), of the range of 10 V."""
ALTERNATING_INPUT = 1e6

_VOLTAGE = (
    Range(0.1, 50e-6, 35e-6, noise=10),
    Range(1.0, 30e-6, 7e-6, noise=2),
    Range(10.0, 30e-6, 5e-6),
    Range(100.0, 45e-6, 6e-6, noise=2),
    Range(1000.0, 45e-6, 6e-6, 1.01, noise=2),
)
_CURRENT = (
    Range(0.01, 500e-6, 80e-6, resistance=10.0, noise=10),
    Range(0.1, 500e-6, 800e-6, resistance=0.1, noise=100),
    Range(1.0, 800e-6, 80e-6, resistance=0.1, noise=10),
    Range(3.0, 1200e-6, 40e-6, 1.05, resistance=0.1, noise=10),
)
RANGES = {
    "VOLT:DC": _VOLTAGE,
    "CURR:DC": _CURRENT,
    "VOLT:AC": tuple(Range(full, 0.0006, 0.0003, noise=100) for full in (0.1, 1, 10, 100, 750.0)),
    "CURR:AC": tuple(Range(full, 0.001, 0.0004, resistance=0.1, noise=100) for full in (1.0, 3.0)),
    "RES": tuple(Range(10.0**n, 0.0001, 0.00001) for n in range(2, 9)),
    "FRES": tuple(Range(10.0**n, 0.0001, 0.00001) for n in range(2, 9)),
    "FREQ": (Range(750.0, 0.0001, 0.0),),
    "PER": (Range(750.0, 0.0001, 0.0),),
    "TEMP": (Range(1000.0, 0.0001, 0.0001),),
    "DIOD": (Range(3.0, 0.0001, 0.0002),),
    "CONT": (Range(1e3, 0.0001, 0.0002),),
}
"""Function to its ranges; only voltage and current are wired on this bench."""
FUNCTIONS = {
    "VOLT:DC": "VOLTage[:DC]",
    "CURR:DC": "CURRent[:DC]",
    "VOLT:AC": "VOLTage:AC",
    "CURR:AC": "CURRent:AC",
    "RES": "RESistance",
    "FRES": "FRESistance",
    "FREQ": "FREQuency",
    "PER": "PERiod",
    "TEMP": "TEMPerature",
    "DIOD": "DIODe",
    "CONT": "CONTinuity",
}
RANGED = {f: FUNCTIONS[f] for f in ("VOLT:DC", "CURR:DC", "VOLT:AC", "CURR:AC", "RES", "FRES")}
MEASURED = {**RANGED, **{f: FUNCTIONS[f] for f in ("FREQ", "PER", "TEMP")}}
PERIODIC = ("FREQ", "PER")
QUANTITY = {
    "VOLT:DC": "VOLT",
    "CURR:DC": "CURR",
    "VOLT:AC": "VOLT:AC",
    "CURR:AC": "CURR:AC",
    "FREQ": "FREQ",
}
"""Function to what a meter measures; every other function reads overload."""
UNITS = {"VOLT:DC": "VDC", "CURR:DC": "ADC", "VOLT:AC": "VAC", "CURR:AC": "AAC", "RES": "OHM"}
_LONGEST = 999_999.999


def _of(function: str) -> dict[str, Setting]:
    header = f"[SENSe:]{FUNCTIONS[function]}"
    settings = {
        f"digits_{function}": count(f"{header}:DIGits", 7, (4, 7)),
        f"reference_{function}": figure(f"{header}:REFerence", 0.0, (-1e9, 1e9)),
        f"reference_on_{function}": switch(f"{header}:REFerence:STATe", on=False),
    }
    if function in PERIODIC:
        settings[f"gate_{function}"] = figure(f"{header}:APERture", 1.0, (0.01, 1.0), unit="S")
        return settings
    settings[f"cycles_{function}"] = figure(f"{header}:NPLCycles", 1.0, (0.01, 10.0))
    settings[f"filter_{function}"] = switch(f"{header}:AVERage[:STATe]", on=False)
    settings[f"filter_count_{function}"] = count(f"{header}:AVERage:COUNt", 10, (1, 100))
    settings[f"filter_kind_{function}"] = word(f"{header}:AVERage:TCONtrol", "REPeat|MOVing", "MOV")
    if function.endswith(":AC"):
        settings[f"band_{function}"] = figure(f"{header}:DETector:BANDwidth", 30.0, (3.0, 300.0))
    return settings


TRIGGER: dict[str, Setting] = {
    "source": word("TRIGger[:SEQuence]:SOURce", "IMMediate|TIMer|MANual|BUS|EXTernal", "IMM"),
    "timer": figure("TRIGger[:SEQuence]:TIMer", 0.1, (1e-3, _LONGEST), unit="S"),
    "delay": figure("TRIGger[:SEQuence]:DELay", 0.0, (0.0, _LONGEST), unit="S"),
    "delay_auto": switch("TRIGger[:SEQuence]:DELay:AUTO", on=True),
    "triggers": count("TRIGger[:SEQuence]:COUNt", 1, (1, 9999), words="INFinity"),
    "samples": count("SAMPle:COUNt", 1, (1, 1024)),
    "continuous": switch("INITiate:CONTinuous", on=False),
}
SETTINGS: dict[str, Setting] = {
    **{name: each for function in MEASURED for name, each in _of(function).items()},
    **TRIGGER,
    "zero": switch("SYSTem:AZERo:STATe", on=True),
    "beeps": switch("SYSTem:BEEPer:STATe", on=True),
    "shown": switch("DISPlay:ENABle", on=True),
    "format": word("FORMat[:DATA]", "ASCii|REAL|SREal|DREal", "ASC"),
    "order": word("FORMat:BORDer", "NORMal|SWAPped", "SWAP"),
    "feed": word("TRACe:FEED", "SENSe|SENSe1|CALCulate|CALCulate1|NONE", "SENS"),
    "storing": word("TRACe:FEED:CONTrol", "NEXT|NEVer", "NEV"),
    "room": count("TRACe:POINts", 100, (2, 1024)),
}
KEPT = ("feed", "storing", "room")
"""Settings that *RST leaves as they are (6514 Instruction Manual, page 8-4; of the 2000 from
memory)."""
