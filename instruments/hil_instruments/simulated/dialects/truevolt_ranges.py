"""Ranges, accuracy, noise and limits of a Truevolt 34465A.

Truevolt data sheet (1 year, 23 +- 5 degC), from memory; the resolution that belongs to each
integration time is that of the Operating and Service Guide. Shunts are from memory, from the burden
voltages of the data sheet.
"""

from __future__ import annotations

from hil_instruments.simulated.metrology.converter import Range

RANGES = {
    "CURR": (
        Range(1e-6, 0.0005, 0.00005, resistance=1000.0, noise=10),
        Range(10e-6, 0.0005, 0.00002, resistance=1000.0, noise=3),
        Range(100e-6, 0.0005, 0.00025, resistance=100.0, noise=10),
        Range(1e-3, 0.0005, 0.00006, resistance=100.0),
        Range(10e-3, 0.0005, 0.0002, resistance=2.0, noise=5),
        Range(100e-3, 0.0005, 0.00005, resistance=2.0),
        Range(1.0, 0.001, 0.0001, resistance=0.1, noise=5),
        Range(3.0, 0.002, 0.0002, 1.0, resistance=0.1, noise=2),
    ),
    "VOLT": (
        Range(0.1, 0.00005, 0.000035, noise=10),
        Range(1.0, 0.00004, 0.000007),
        Range(10.0, 0.000035, 0.000005),
        Range(100.0, 0.00004, 0.000006),
        Range(1000.0, 0.00004, 0.00001, 1.0),
    ),
    "CURR:AC": tuple(
        Range(full, 0.001, 0.0004, resistance=ohm, noise=100)
        for full, ohm in zip(
            (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 3.0), (100.0, 100.0, 2.0, 2.0, 0.1, 0.1), strict=True
        )
    ),
    "VOLT:AC": tuple(Range(full, 0.0006, 0.0003, noise=100) for full in (0.1, 1, 10, 100, 750.0)),
    "RES": tuple(Range(10.0**n, 0.0001, 0.00001) for n in range(2, 10)),
    "FRES": tuple(Range(10.0**n, 0.0001, 0.00001) for n in range(2, 10)),
    "CAP": tuple(Range(10.0**n, 0.004, 0.001) for n in range(-9, -3)),
    "CONT": (Range(1e3, 0.0001, 0.0002),),
    "DIOD": (Range(5.0, 0.0001, 0.0002),),
    "FREQ": tuple(Range(full, 0.0001, 0.0) for full in (0.1, 1, 10, 100, 750.0)),
    "PER": tuple(Range(full, 0.0001, 0.0) for full in (0.1, 1, 10, 100, 750.0)),
    "TEMP": (Range(1000.0, 0.0001, 0.0001),),
    "VOLT:RAT": tuple(Range(10.0**n, 0.00005, 0.00001) for n in range(-1, 4)),
}
"""Function to its ranges. Only voltage and current are wired on this bench."""
LINE_CYCLES = (0.001, 0.002, 0.006, 0.02, 0.06, 0.2, 1.0, 10.0, 100.0)
RESOLUTIONS = (30e-6, 15e-6, 6e-6, 3e-6, 1.5e-6, 0.7e-6, 0.3e-6, 0.1e-6, 0.03e-6)
"""Share of range that belongs to each of LINE_CYCLES."""
DIGITIZING_CYCLES = 3
"""So many of LINE_CYCLES need option DIG."""
LINE_PERIOD = 0.02
"""Seconds of one power line cycle (50 Hz)."""
SHORTEST_APERTURE, SHORTEST_DIGITIZING, LONGEST_APERTURE = 200e-6, 20e-6, 1.0
"""Limits of APERture in s, the second with option DIG."""
APERTURE_STEP = 2e-6
ALTERNATING_INPUT = 1e6
"""Input resistance in ohm of alternating voltage."""
AUTO_STEP = 5e-3
"""Seconds that autoranging takes for each range it passes. From memory."""
GATES = {3.0: 1.667, 20.0: 0.25, 200.0: 0.025}
"""Alternating quantities: lowest frequency in Hz to seconds of a reading. From memory."""

DIRECT = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]"}
ALTERNATING = {"VOLT:AC": "VOLTage:AC", "CURR:AC": "CURRent:AC"}
RESISTIVE = {"RES": "RESistance", "FRES": "FRESistance"}
INTEGRATING = {**DIRECT, **RESISTIVE, "TEMP": "TEMPerature"}
RANGED = {**DIRECT, **ALTERNATING, **RESISTIVE, "CAP": "CAPacitance"}
PERIODIC = {"FREQ": "FREQuency", "PER": "PERiod"}
_REST = {"CONT": "CONTinuity", "DIOD": "DIODe", "TEMP": "TEMPerature"}
FUNCTIONS = {**RANGED, **PERIODIC, **_REST, "VOLT:RAT": "VOLTage[:DC]:RATio"}
COUNTING_GATES = (0.001, 0.01, 0.1, 1.0)
"""Seconds over which a frequency or period is counted."""
UNITS = {"VOLT": "VDC", "CURR": "ADC", "VOLT:AC": "VAC", "CURR:AC": "AAC"}
RANGE_WORDS = "MINimum|MAXimum|DEFault|AUTO"
SETTING_WORDS = "MINimum|MAXimum|DEFault"
UNIT_SUFFIXES = ("A", "V", "OHM", "F")
