"""Statements about a waveform: which polarity it has, when it changes, whether it is as set."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np

from hil.derivation import derived
from hil.device import Polarity
from hil.exact import Dimension, Exact, readable
from hil.features import mean, steady
from hil.measurement import Component, Measurement, Shape, truth
from hil.units import Quantity
from hil.waveform import Instant, Waveform


@derived
def has_sign(wave: Waveform, polarity: Polarity, phase: str = "hold") -> Measurement:
    """Whether the mean over a phase has the sign of a polarity, beyond its uncertainty.

    Not finite (an ERROR when judged) if the phase was not recorded as a whole, or if the mean lies
    within its expanded uncertainty of zero.
    """
    return _signed(wave, steady(wave, phase), polarity, f"mean over {phase}", "commanded")


@derived
def flows_as_told(wave: Waveform, told: Polarity, *, after: Instant, until: Instant) -> Measurement:
    """Whether the mean between two moments has the sign that a device reports; as `has_sign`."""
    return _signed(wave, mean(wave, after=after, until=until), told, "mean", "reported")


def _signed(
    wave: Waveform, found: Measurement, polarity: Polarity, what: str, origin: str
) -> Measurement:
    if not found.value.is_finite() or abs(found.value) <= found.expanded:
        return _unknown(wave, f"no sign in the {what}: {found}")
    holds = (found.value > 0) == (polarity is Polarity.POSITIVE)
    return _seen(wave, holds, f"{what} {found}, {origin} {polarity.value}")


@derived
def keeps_sign(
    wave: Waveform,
    polarity: Polarity,
    floor: Quantity | Exact,
    *,
    after: Instant,
    until: Instant | None = None,
) -> Measurement:
    """Whether nothing beyond `floor` flows against a polarity between two moments."""
    bound = _si(floor, wave)
    data = wave.window(after, until)
    if not data.size or not np.all(np.isfinite(data)):
        return _unknown(wave, "overload, gap or no sample in the window of the sign")
    worst = float((data * polarity.sign).min())
    against = readable(Decimal(repr(-worst)), wave.capture.dimension)
    side = "against" if worst < 0 else "short of"
    shown = against.lstrip("-")
    note = f"the lowest value is {shown} {side} the {polarity.value} polarity"
    return _seen(wave, worst >= -bound, note, wave.shortest)


@derived
def set_or_off(
    wave: Waveform,
    setting: Quantity | Exact,
    tolerance: Quantity | Exact,
    floor: Quantity | Exact,
    *,
    after: Instant,
    until: Instant,
) -> Measurement:
    """Whether a signal keeps a setting to a tolerance, or stays within `floor` all the time."""
    target, room, rest = (_si(each, wave) for each in (setting, tolerance, floor))
    data = np.abs(wave.window(after, until))
    if not data.size or not np.all(np.isfinite(data)):
        return _unknown(wave, "overload, gap or no sample in the window")
    held, most = float(data.mean()), float(data.max())
    holds = abs(held - target) <= room or most <= rest
    told = [readable(Decimal(repr(each)), wave.capture.dimension) for each in (held, room, rest)]
    note = "mean magnitude {}; allowed: {} within {}, or at most {} all along"
    return _seen(wave, holds, note.format(told[0], setting, *told[1:]), wave.shortest)


@derived
def rest_between(wave: Waveform, floor: Quantity | Exact) -> Measurement:
    """Shortest time between currents of opposite sign during which both stay within `floor`.

    Not finite (an ERROR when judged) if the sign never changes in the record.
    """
    bound = _si(floor, wave)
    data = wave.samples
    places = np.flatnonzero(np.abs(data) > bound)
    if not np.all(np.isfinite(data)) or places.size < 2:
        return _unknown(wave, "overload, gap or no current in the record")
    signs = np.sign(data[places])
    changes = np.flatnonzero(np.diff(signs))
    if not changes.size:
        return _unknown(wave, "the sign never changes in the record", Dimension.TIME)
    gaps = np.diff(places)[changes] - 1
    interval = wave.capture.interval
    source = wave.capture.source
    return Measurement(
        Exact.si(float(gaps.min()) * interval, Dimension.TIME).base,
        Dimension.TIME,
        (
            Component(
                f"sampling of both ends {wave.capture.sha256[:12]}",
                interval / math.sqrt(6),
                divisor=math.sqrt(6),
                shape=Shape.TRIANGULAR,
                source="interval of the samples",
            ),
        ),
        instruments=(source.serial,),
        calibration=source.calibration,
        captures=(wave.capture.sha256,),
        excursion=wave.shortest,
        note=f"shortest rest between opposite signs, of {changes.size}",
    )


def _si(floor: Quantity | Exact, wave: Waveform) -> float:
    exact = floor if isinstance(floor, Exact) else Exact.of(floor)
    return float(exact.require(wave.capture.dimension).base)


def _seen(wave: Waveform, holds: bool, note: str, excursion: float | None = None) -> Measurement:
    """A statement that is worth as much as the instrument behind it."""
    source = wave.capture.source
    return truth(
        holds,
        note,
        captures=(wave.capture.sha256,),
        instruments=(source.serial,),
        calibration=source.calibration,
        excursion=excursion,
    )


def _unknown(wave: Waveform, why: str, dimension: Dimension = Dimension.TRUTH) -> Measurement:
    source = wave.capture.source
    return Measurement(
        Exact.si(math.nan, dimension).base,
        dimension,
        instruments=(source.serial,),
        calibration=source.calibration,
        captures=(wave.capture.sha256,),
        note=why,
    )


def along(measured: Measurement, polarity: Polarity) -> Measurement:
    """The same measurement, positive where it has the sign of a polarity."""
    return measured if polarity is Polarity.POSITIVE else -measured
