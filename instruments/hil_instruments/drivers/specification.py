"""What instruments can decide, by their data sheets: known from a bench file, nothing is opened.

A driver is asked as it will be during a run, so that whatever it rests its limits of error on
counts here too. It is given a session that refuses every exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn, cast

from hil.bench import InstrumentEntry
from hil.capture import Accuracy
from hil.errors import UsageError
from hil.exact import Dimension
from hil.feasibility import Path
from hil.measurement import Calibration
from hil.roles import Clock
from hil_instruments import drivers, transport
from hil_instruments.drivers.meter import Meter
from hil_instruments.drivers.oscilloscope import SingleShot


class _Unopened:
    """In place of a session and of a clock: knows what the bench file says, and nothing else."""

    def __init__(self, entry: InstrumentEntry) -> None:
        self.identity = transport.Identity(
            entry.manufacturer, entry.model.upper(), entry.serial or entry.role, ""
        )
        self.name = f"{entry.role} ({entry.model})"

    def __getattr__(self, name: str) -> NoReturn:
        raise UsageError(f"{self.name} is not opened; its {name} is not known")


def meter_paths(
    entry: InstrumentEntry, dimension: Dimension, full_scale: float, rate: float
) -> list[Path]:
    """Ways in which a multimeter can record a signal; the first is the range that a run takes.

    Args:
        entry: of the ammeter or voltmeter; its model may be one of a family, and no more.
        dimension: CURRENT or VOLTAGE.
        full_scale: that the range must hold, SI.
        rate: samples per second.
    """
    made = drivers.multimeter(*_parts(entry))
    instrument = f"{entry.manufacturer} {entry.model}".strip()
    if not isinstance(made, Meter):
        return [Path(entry.role, instrument, "", dimension, None, rate, judges=True)]
    fitting = [
        (chosen, accuracy)
        for chosen, accuracy in made.limits_of_error(dimension)
        if full_scale <= chosen.full_scale
    ]
    offered, refusal = made.sampling, ""
    if not offered.carries(rate):
        ending = f" and ends after {offered.memory}" if offered.ends else ""
        refusal = (
            f"{instrument} records {offered.slowest:g} to {offered.fastest:g} samples per second"
            f"{ending}, and suites record {rate:g} without an end"
        )
    return [
        Path(entry.role, instrument, chosen.name, dimension, accuracy, rate, refusal, place == 0)
        for place, (chosen, accuracy) in enumerate(fitting)
    ]


def ranges(entry: InstrumentEntry) -> dict[str, tuple[Dimension, float]]:
    """Name of each range of a multimeter to what it measures, and its full scale in SI."""
    made = drivers.multimeter(*_parts(entry))
    if not isinstance(made, Meter):
        return {}
    return {
        each.name: (dimension, each.full_scale)
        for table in (made.reading_ranges, made.recording_ranges)
        for dimension, found in table.items()
        for each in found
    }


def oscilloscope_path(
    entry: InstrumentEntry, level: float, span: float, shunt: float, tolerance: float
) -> Path:
    """How an oscilloscope shows a current, by the voltage across a shunt.

    Args:
        entry: of the oscilloscope.
        level: largest magnitude in A that it must show.
        span: seconds of one look.
        shunt: ohm.
        tolerance: limit of the relative error of the shunt.
    """
    made = drivers.oscilloscope(*_parts(entry))
    instrument = f"{entry.manufacturer} {entry.model}".strip()
    if not isinstance(made, SingleShot):
        return Path(entry.role, instrument, "", Dimension.CURRENT, None, 1 / span)
    scale, step, across = made.limits_of_error(level * shunt)
    through = Accuracy(
        across.id,
        gain=across.gain + tolerance,
        offset=across.offset / shunt,
        source=f"{across.source}; shunt within {tolerance:.2g}",
    )
    return Path(
        entry.role,
        instrument,
        f"{scale:g} V/div on {shunt:g} ohm",
        Dimension.CURRENT,
        through,
        1 / made.interval(span),
        one_error=False,
        step=step / shunt,
    )


def families(role: str) -> Iterator[InstrumentEntry]:
    """Entries of all multimeters that have a driver, as they might stand in a role."""
    for driver in drivers.NAMES[role]:
        for model in re.sub(r"\(.*?\)\??", "", drivers.MODELS.get(driver, "")).split("|"):
            if model:
                yield InstrumentEntry(role, driver, "", "", model)


def offering(rate: float) -> list[str]:
    """Models of multimeters that have a driver and record at a rate in 1/s."""
    entries = families("ammeter")
    return [e.model for e in entries if drivers.multimeter(*_parts(e)).sampling.carries(rate)]


def _parts(entry: InstrumentEntry) -> tuple[transport.Session, Clock, InstrumentEntry, Calibration]:
    stand_in: Any = _Unopened(entry)
    return cast("transport.Session", stand_in), cast("Clock", stand_in), entry, Calibration.UNKNOWN
