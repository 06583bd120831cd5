"""Ranges, accuracy, noise and limits of a Keithley DMM6500.

Data sheet, 1 year; from memory but for the burden voltages (page 13, of alternating current, from
which the shunts are taken) and the noise over integration time (page 9, of resistance, taken for
all functions).
"""

from __future__ import annotations

from hil_instruments.simulated.metrology.converter import Range

_SHUNTS = ((1e-5, 15e3), (1e-4, 1400.0), (1e-3, 170.0), (1e-2, 17.0), (0.1, 2.0), (1.0, 0.55))
_VOLTAGE = (
    Range(0.1, 0.00003, 0.000035, noise=5),
    Range(1.0, 0.000025, 0.000006, noise=2),
    Range(10.0, 0.000025, 0.000005),
    Range(100.0, 0.00004, 0.000006, noise=2),
    Range(1000.0, 0.00004, 0.000006, 1.01, noise=2),
)
_CURRENT = (
    *(Range(full, 0.0005, 0.00006, resistance=ohm, noise=3) for full, ohm in _SHUNTS),
    Range(3.0, 0.0012, 0.0002, 1.01, resistance=0.57, noise=5),
)
RANGES = {
    "CURR:DC": _CURRENT,
    "VOLT:DC": _VOLTAGE,
    "CURR:AC": tuple(
        Range(full, 0.001, 0.0004, resistance=ohm, noise=50)
        for full, ohm in (*_SHUNTS[1:], (3.0, 0.57))
    ),
    "VOLT:AC": tuple(Range(full, 0.0006, 0.0003, noise=50) for full in (0.1, 1, 10, 100, 750.0)),
    "RES": tuple(Range(10.0**n, 0.000075, 0.000006) for n in range(9)),
    "FRES": tuple(Range(10.0**n, 0.000075, 0.000006) for n in range(9)),
    "CAP": tuple(Range(10.0**n, 0.004, 0.001) for n in range(-9, -2)),
    "VOLT:DC:RAT": _VOLTAGE,
    "FREQ:VOLT": tuple(Range(full, 0.0001, 0.0) for full in (0.1, 1, 10, 100, 750.0)),
    "PER:VOLT": tuple(Range(full, 0.0001, 0.0) for full in (0.1, 1, 10, 100, 750.0)),
    "DIOD": (Range(10.0, 0.0001, 0.0002),),
    "CONT": (Range(1e3, 0.0001, 0.0002),),
    "TEMP": (Range(1000.0, 0.0001, 0.0001),),
    "DIG:VOLT": tuple(Range(each.full_scale, 0.0004, 0.0004, each.overrange) for each in _VOLTAGE),
    "DIG:CURR": tuple(
        Range(each.full_scale, 0.001, 0.0005, each.overrange, each.resistance)
        for each in _CURRENT[1:]
    ),
}
"""Function to its ranges; only voltage and current are wired on this bench."""
NOISE = ((0.0005, 65e-6), (0.01, 7e-6), (0.1, 5e-6), (1.0, 1.5e-6), (5.0, 1e-6))
"""(line cycles, standard deviation as a share of range)."""
QUANTITY = {
    "CURR:DC": "CURR",
    "VOLT:DC": "VOLT",
    "CURR:AC": "CURR:AC",
    "VOLT:AC": "VOLT:AC",
    "DIG:VOLT": "VOLT",
    "DIG:CURR": "CURR",
    "FREQ:VOLT": "FREQ",
}
"""Function to what a meter measures; every other function reads overload."""
UNITS = {
    "VOLT:DC": "Volt DC",
    "CURR:DC": "Amp DC",
    "VOLT:AC": "Volt AC",
    "CURR:AC": "Amp AC",
    "DIG:VOLT": "Volt DC",
    "DIG:CURR": "Amp DC",
    "RES": "Ohm",
    "FRES": "Ohm",
    "TEMP": "Celsius",
    "CAP": "Farad",
    "FREQ:VOLT": "Hertz",
    "PER:VOLT": "Second",
}

INTEGRATING = {
    "VOLT:DC": "VOLTage[:DC]",
    "CURR:DC": "CURRent[:DC]",
    "RES": "RESistance",
    "FRES": "FRESistance",
    "DIOD": "DIODe",
    "TEMP": "TEMPerature",
    "VOLT:DC:RAT": "VOLTage[:DC]:RATio",
}
ALTERNATING = {"VOLT:AC": "VOLTage:AC", "CURR:AC": "CURRent:AC"}
PERIODIC = {"FREQ:VOLT": "FREQuency[:VOLTage]", "PER:VOLT": "PERiod[:VOLTage]"}
DIGITIZING = {"DIG:VOLT": "DIGitize:VOLTage", "DIG:CURR": "DIGitize:CURRent"}
MEASURING = {
    **INTEGRATING,
    **ALTERNATING,
    **PERIODIC,
    "CAP": "CAPacitance",
    "CONT": "CONTinuity",
}
ALL = {**MEASURING, **DIGITIZING}
RANGED = {f: n for f, n in ALL.items() if f not in {"DIOD", "TEMP", "CONT", *PERIODIC}}
AUTOMATIC = {f: n for f, n in RANGED.items() if f not in DIGITIZING}

LONGEST_APERTURE = {50.0: 0.24, 60.0: 0.25}
SHORTEST_APERTURE = {50.0: 10e-6, 60.0: 8.33e-6}
"""Limits of the integration time in s, by line frequency in Hz."""
MOST_CYCLES = {50.0: 12.0, 60.0: 15.0}
FEWEST_CYCLES = 0.0005
GATE = (2e-3, 273e-3, 200e-3)
"""Aperture of frequency and period in s: least, largest, default."""
FASTEST, SLOWEST = 1e6, 1e3
"""Digitised readings per second."""
SHORTEST_DIGITIZED, LONGEST_DIGITIZED = 1e-6, 1e-3
"""Aperture in s of a digitised reading."""
ALTERNATING_INPUT = 1.1e6
AUTO_STEP = 5e-3
"""Seconds that autoranging takes for each range it passes. From memory."""
SETTLING = {3.0: 2.5, 30.0: 0.25, 300.0: 0.04}
"""Detector bandwidth in Hz to seconds of a reading of an alternating quantity. From memory."""
