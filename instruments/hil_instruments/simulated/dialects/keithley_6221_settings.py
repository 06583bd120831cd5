"""Ranges, output stage and settings of a Keithley 6221.

Refs: 6221 specifications, HW 1/17/05 rev. B; bounds as Model 6220/6221 Reference Manual,
622x-901-01, and PyMeasure's driver have them.
"""

from __future__ import annotations

import math

from hil_instruments.simulated.dialects.settings import Setting, count, figure, switch, word
from hil_instruments.simulated.dialects.sourcing import SourceRange
from hil_instruments.simulated.physics.stage import OutputStage

LARGEST_CURRENT, LARGEST_COMPLIANCE = 0.105, 105.0
OVERRANGE = 1.05
RANGES = (
    SourceRange(2e-9, 0.004, 2e-12, 100e-15),
    SourceRange(20e-9, 0.003, 10e-12, 1e-12),
    SourceRange(200e-9, 0.003, 100e-12, 10e-12),
    SourceRange(2e-6, 0.001, 1e-9, 100e-12),
    SourceRange(20e-6, 0.0005, 10e-9, 1e-9),
    SourceRange(200e-6, 0.0005, 100e-9, 10e-9),
    SourceRange(2e-3, 0.0005, 1e-6, 100e-9),
    SourceRange(20e-3, 0.0005, 10e-6, 1e-6),
    SourceRange(100e-3, 0.001, 50e-6, 10e-6),
)
"""Specifications, 1 year, 23 +- 5 degC."""
COMPLIANCE_RANGES = (
    SourceRange(20.0, 0.001, 20e-3, 0.01),
    SourceRange(105.0, 0.001, 100e-3, 0.01),
)
MOST_POINTS = 100
"""Points of an arbitrary wave."""
_WAVES = "SINusoid|RAMP|SQUare|ARBitrary0|ARBitrary1|ARBitrary2|ARBitrary3|ARBitrary4"
_S, _W, _D = "[SOURce:]CURRent", "[SOURce:]WAVE", "[SOURce:]DELTa"
_EVER = math.inf
SETTLING = {"FAST": 2e-6, "SLOW": 100e-6}
"""Seconds to within 1 % of a step, by output response; ranges of 20 uA and above."""


def stage(response: str) -> OutputStage:
    """Output of the source itself: floating, fed by the mains, without comparator."""
    return OutputStage(
        lag=SETTLING[response] / math.log(100),
        sense_resistance=0.1,
        capacitance=100e-12,  # specification, output capacitance with the filter on
        bleed=1e12,
        comparator=False,
        boost_lag=1e-5,
        boost_dropout=1e-9,
        quiescent=0.0,
        brownout=0.0,
        brownout_hysteresis=0.0,
    )


SETTINGS: dict[str, Setting] = {
    "level": figure(
        f"{_S}[:LEVel][:IMMediate][:AMPLitude]",
        0.0,
        (-LARGEST_CURRENT, LARGEST_CURRENT),
        unit="A",
    ),
    "range": figure(f"{_S}:RANGe", 0.1, (-LARGEST_CURRENT, LARGEST_CURRENT), unit="A"),
    "auto": switch(f"{_S}:RANGe:AUTO", on=False),
    "compliance": figure(f"{_S}:COMPliance", 10.0, (0.1, LARGEST_COMPLIANCE), unit="V"),
    "filter": switch(f"{_S}:FILTer[:STATe]", on=False),
    "delay": figure("[SOURce:]DELay", 1.0, (1e-3, 999999.999), unit="S"),
    "earthed": switch("OUTPut:LTEarth", on=False),
    "shield": word("OUTPut:ISHield", "GUARd|OLOW", "OLOW"),
    "response": word("OUTPut:RESPonse", "FAST|SLOW", "FAST"),
    "wave": word(f"{_W}:FUNCtion", _WAVES, "SIN"),
    "frequency": figure(f"{_W}:FREQuency", 1e3, (1e-3, 1e5), unit="HZ"),
    "amplitude": figure(f"{_W}:AMPLitude", 1e-3, (2e-12, LARGEST_CURRENT), unit="A"),
    "offset": figure(f"{_W}:OFFSet", 0.0, (-LARGEST_CURRENT, LARGEST_CURRENT), unit="A"),
    "duty": figure(f"{_W}:DCYCle", 50.0, (0.0, 100.0)),
    "duration": figure(f"{_W}:DURation:TIME", _EVER, (100e-9, _EVER), unit="S", words="INFinity"),
    "cycles": figure(f"{_W}:DURation:CYCLes", _EVER, (1e-3, _EVER), words="INFinity"),
    "ranging": word(f"{_W}:RANGing", "BEST|FIXed", "BEST"),
    "marker": switch(f"{_W}:PMARk:STATe", on=False),
    "marker_phase": figure(f"{_W}:PMARk[:LEVel]", 180.0, (-180.0, 360.0)),
    "marker_line": count(f"{_W}:PMARk:OLINe", 3, (1, 6)),
    "delta_high": figure(f"{_D}:HIGH", 1e-5, (0.0, LARGEST_CURRENT), unit="A"),
    "delta_low": figure(f"{_D}:LOW", -1e-5, (-LARGEST_CURRENT, 0.0), unit="A"),
    "delta_delay": figure(f"{_D}:DELay", 2e-3, (0.0, _EVER), words="INFinity", unit="S"),
    "delta_count": figure(f"{_D}:COUNt", _EVER, (1, _EVER), words="INFinity"),
    "delta_abort": switch(f"{_D}:CAB", on=False),
    "delta_cold": switch(f"{_D}:CSWitch", on=False),
    "sweep_start": figure(f"{_S}:STARt", 0.0, (-LARGEST_CURRENT, LARGEST_CURRENT), unit="A"),
    "sweep_stop": figure(f"{_S}:STOP", 0.1, (-LARGEST_CURRENT, LARGEST_CURRENT), unit="A"),
    "sweep_step": figure(f"{_S}:STEP", 0.01, (1e-13, 2 * LARGEST_CURRENT), unit="A"),
    "spacing": word("[SOURce:]SWEep:SPACing", "LINear|LOGarithmic|LIST", "LIN"),
    "points": count("[SOURce:]SWEep:POINts", 11, (2, 65535)),
    "sweep_ranging": word("[SOURce:]SWEep:RANGing", "BEST|AUTO|FIXed", "BEST"),
    "sweep_abort": switch("[SOURce:]SWEep:CABort[:STATe]", on=False),
    "sweep_count": figure("[SOURce:]SWEep:COUNt", 1.0, (1, _EVER), words="INFinity"),
    "unit": word("UNIT:VOLTage[:DC]", "V|OHMS|W|SIEMens", "V"),
    "buffer": count("TRACe:POINts", 100, (1, 65536)),
    "display": switch("DISPlay:ENABle", on=True),
    "format": word("FORMat[:DATA]", "ASCii|REAL|SREal", "ASC"),
    "arm_source": word(
        "ARM:SOURce", "IMMediate|TIMer|BUS|TLINk|BSTest|PSTest|NSTest|MANual", "IMM"
    ),
    "arm_timer": figure("ARM:TIMer", 0.1, (0.0, 99999.99), unit="S"),
    "arm_line": count("ARM:ILINe", 1, (1, 6)),
    "trigger_source": word("TRIGger:SOURce", "IMMediate|TLINk|BUS", "IMM"),
    "trigger_line": count("TRIGger:ILINe", 1, (1, 6)),
    "trigger_output": word("TRIGger:OUTPut", "DELay|NONE", "NONE"),
    "trigger_output_line": count("TRIGger:OLINe", 2, (1, 6)),
}
