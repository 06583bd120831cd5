"""The computed tables of the page: parts of the circuit, and the fault catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeAlias

from bench_chart import MICRO
from bench_courses import BENCH, PROFILE

from hil_instruments.simulated.faults.catalogue import CataloguedFault, Layer, catalogue
from hil_instruments.simulated.physics.skin import RECOVERY_FACTOR, RECOVERY_PERIOD
from hil_instruments.simulated.physics.stage import OutputStage
from hil_instruments.simulated.physics.supply import SUPPLY_NOMINAL
from hil_instruments.simulated.physics.wiring import (
    AMMETER_BURDEN,
    EARTH_METER,
    VOLTMETER_RESISTANCE,
)

OHM = "\N{GREEK CAPITAL LETTER OMEGA}"
Row: TypeAlias = tuple[str, str, str, str]


def faults() -> str:
    """Count the catalogue by layer, and say what is not modelled and why."""
    known = catalogue()
    study = [f for f in known.values() if f.id[0] == "F" and int(f.id[1:]) <= 74]
    own = [f for f in known.values() if f not in study and f.layer.of_device]
    beyond = [f.id for f in known.values() if not f.layer.of_device]
    layers = Counter(f.layer for f in study)
    can = Counter(f.layer for f in study if f.modelled)
    judged = Counter(f.layer for f in study if f.caught_by)
    rows = ["| layer | faults | modelled | named shipped test fails |", "|---|---|---|---|"]
    rows += [
        f"| {layer.value} | {layers[layer]} | {can[layer]} | {judged[layer]} |"
        for layer in Layer
        if layers[layer]
    ]
    rows.append(f"| **F01 to F74** | **{len(study)}** | **{can.total()}** | **{judged.total()}** |")
    why = [f"- {f.id}, {f.title}: {f.unmodelled}" for f in study if not f.modelled]
    rows += ["", "Beyond the study:", ""]
    rows += ["| fault | what is wrong | severity, and its limit | violates |", "|---|---|---|---|"]
    rows += [f"| {f.id} | {f.title} | {_severity(f)} | {', '.join(f.violates)} |" for f in own]
    rest = f"Of instruments and links: {', '.join(beyond)}."
    return "\n".join([*rows, "", rest, "", "Not modelled:", "", *why])


def _severity(fault: CataloguedFault) -> str:
    severity = fault.severity
    return f"{severity.name}: {severity.limit}" if severity else "there or not"


def _plain(value: float, unit: str) -> str:
    """Write a figure with a prefix, as 100 pF."""
    for factor, prefix in (
        (1e6, "M"),
        (1e3, "k"),
        (1, ""),
        (1e-3, "m"),
        (1e-6, MICRO),
        (1e-9, "n"),
    ):
        if abs(value) >= factor * (1 - 1e-9):
            return f"{value / factor:.6g} {prefix}{unit}"
    return f"{value / 1e-12:.6g} p{unit}"


def values() -> str:
    """Tabulate the parts of the circuit as the code has them, and where each value is from."""
    head = "| part | value | source | how well known |\n|---|---|---|---|"
    rows = [*_device(), *_around(), *_skin()]
    return "\n".join([head, *(f"| {' | '.join(row)} |" for row in rows)])


def _device() -> Iterable[Row]:
    stage = OutputStage()
    yield "supply", _plain(SUPPLY_NOMINAL, "V"), "study 3.2: 9 V battery", "seen"
    compliance = str(PROFILE["output.compliance"])
    yield "compliance", compliance, "study 3.6: 30 V to 80 V", "project"
    for part, value in (
        ("boost supply, time constant", _plain(stage.boost_lag, "s")),
        ("boost supply, efficiency", f"{100 * stage.efficiency:g} %"),
        ("dead below", _plain(stage.brownout, "V")),
        ("current regulator, time constant", _plain(stage.lag, "s")),
        ("sense resistor", _plain(stage.sense_resistance, OHM)),
        ("capacitance across the output", _plain(stage.capacitance, "F")),
        ("stray capacitance before the relay", _plain(stage.stray, "F")),
        ("bleed while the relay is open", _plain(stage.bleed, OHM)),
    ):
        yield part, value, "chosen for this bench", "project"
    after = _plain(PROFILE.si("output.trip_time") / 2, "s")
    trip = f"{PROFILE['output.trip']} for {after}"
    yield "independent comparator", trip, "study 3.6: 5.0 mA within 10 ms", "project"
    times = f"{_plain(stage.operate, 's')}, {_plain(stage.release, 's')}"
    relay = "photovoltaic relay for some hundred volts"
    yield "output relay, operate and release", times, relay, "from memory"


def _around() -> Iterable[Row]:
    inputs = f"{_plain(AMMETER_BURDEN, OHM)}, {_plain(VOLTMETER_RESISTANCE, OHM)}"
    until = "until an instrument sets that of its range"
    yield "ammeter burden, voltmeter input", inputs, until, "from memory"
    yield "shunt", str(BENCH.shunt), "built-in bench file", "project"
    yield "leakage meter to earth", _plain(EARTH_METER, OHM), "study 2.1", "from memory"


def _skin() -> Iterable[Row]:
    skin, both, cole, dry = (BENCH.loads[name] for name in ("skin", "skin2", "cole", "dry"))
    ranged = "project; the range from memory"
    yield "R_s, deep tissue and gel", str(skin.series), "study 3.7: 100 Ω to 1 kΩ", ranged
    active = f"{skin.parallel} ∥ {skin.capacitance}"
    areas = "study 3.7, hydrated: 10 kΩ·cm² to 100 kΩ·cm², 10 nF/cm² to 100 nF/cm²"
    yield "R_p ∥ C_p, active electrode", active, areas, ranged
    dispersive = f"{both.second_parallel} ∥ {both.second_capacitance}"
    pad = "larger pad than the active one"
    yield "R_p ∥ C_p, dispersive electrode (`skin2`)", dispersive, pad, "project"
    yield "Cole's exponent (`cole`)", f"{cole.cole_alpha}", "study 3.7: 0.7 to 0.9", ranged
    falls = f"{dry.parallel} to {dry.final_resistance}, {dry.fall_time} at 1 mA"
    yield "dry skin (`dry`) falls", falls, "study 3.7, dynamic load", "project"
    back = f"to {RECOVERY_FACTOR:g} times its final value in {RECOVERY_PERIOD / 60:g} min"
    yield "and recovers", back, "study 3.7: Curdy, Kalia, Guy 2000", "seen"


TABLES: dict[str, Callable[[], str]] = {"values": values, "faults": faults}
