"""Measurands of the course of a current: how it ripples, ramps, falls back and stays above a level.

Beside those of `hil.features`, which take one figure of a record.
"""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np

from hil.capture import Samples
from hil.derivation import derived
from hil.device import Polarity
from hil.exact import Dimension, Exact, readable
from hil.features import SETTLE, STEP_TIME, largest, made, noise, nothing, own, steady
from hil.measurement import COVERAGE, Component, Measurement
from hil.units import Quantity
from hil.waveform import Instant, Waveform

BLOCK = 1.0
"""Length in s of the stretches whose spectra are averaged for a ripple."""
SLOWEST = 5.0
"""Frequency in Hz below which a change is drift, not ripple."""
FOOT, SHOULDER = 0.1, 0.9
"""Shares of the steady current between which a ramp is timed; the whole is taken as straight."""
_HANN = 1.5
"""Noise bandwidth of a Hann window in bins."""
_BAND = 0.02
"""Half-width, as a share of the steady current, of what counts as a level of a ramp."""


@derived
def ripple(wave: Waveform, phase: str = "hold") -> Measurement:
    """Peak-to-peak ripple of a phase: of the sine that has the r.m.s. of what is no white noise.

    Spectra of stretches of 1 s are averaged; the white floor, from their median, is taken off; what
    is left from 5 Hz to half the sampling rate is the ripple. A meter that integrates from sample
    to sample shows a ripple smaller, one that samples does not: the middle of both counts, and the
    distance is in the budget.
    """
    dimension = wave.capture.dimension
    width = round(BLOCK / wave.capture.interval)
    blocks = _blocks(wave, phase, width)
    if blocks is None or width < 4 * SLOWEST * BLOCK:
        return nothing(wave, dimension, f"ripple needs {BLOCK:g} s of finite samples in {phase}")
    if _idle(steady(wave, phase)):
        return nothing(wave, dimension, f"no current in {phase} that could have a ripple")
    power, frequency = _spectrum(blocks, wave.capture.interval)
    count = len(blocks)
    middle = (1 - 2 / (18 * count)) ** 3  # of a chi-squared with 2 n degrees of freedom, over n
    floor = float(np.median(power)) / middle
    excess = power - floor
    shown = np.sinc(frequency * wave.capture.interval) ** 2
    sampled, integrated = (float(np.sum(part)) for part in (excess, excess / shown))
    doubt = floor * math.sqrt(2 * _HANN * float(np.sum(shown**-2)) / count)
    seen, whole = (math.sqrt(max(each, 0.0)) for each in (sampled, integrated))
    rms = (seen + whole) / 2
    factor = 2 * math.sqrt(2)
    value = factor * rms
    alone = min(doubt / (2 * rms), math.sqrt(doubt)) if rms else math.sqrt(doubt)
    spread = math.hypot(alone, math.sqrt(_HANN * floor / count))
    return made(
        wave,
        value,
        dimension,
        (
            *wave.capture.source.accuracy.gains(value),
            Component(own("ripple noise", wave), factor * spread),
            Component(own("ripple aperture", wave), factor * abs(whole - seen) / math.sqrt(12)),
        ),
        note=f"peak to peak of the sine of the same r.m.s., {SLOWEST:g} Hz to "
        f"{frequency[-1]:.4g} Hz, over {count * BLOCK:g} s of {phase}, white noise taken off",
    )


def _idle(held: Measurement) -> bool:
    """Whether nothing flows beyond U."""
    return held.value.is_finite() and abs(held.value) <= held.expanded


def _blocks(wave: Waveform, phase: str, width: int) -> list[Samples] | None:
    """Whole stretches of a phase, without its ends; None if there is none, or it is not whole."""
    found = []
    for begin, end in wave.phase(phase):
        data = wave.between(begin + SETTLE, end - SETTLE)
        if not wave.holds(begin, end) or not np.all(np.isfinite(data)):
            return None
        found += [data[n : n + width] for n in range(0, data.size - width + 1, width)]
    return found or None


def _spectrum(blocks: list[Samples], interval: float) -> tuple[Samples, Samples]:
    """Mean power of each frequency from SLOWEST on, which adds up to the square of the r.m.s."""
    width = blocks[0].size
    window = np.hanning(width + 1)[:-1]
    scale = 2 / (width * float(np.sum(window**2)))
    frequency = np.arange(width // 2 + 1) / (width * interval)
    chosen = slice(int(np.searchsorted(frequency, SLOWEST)), -1)
    place = np.arange(width) - (width - 1) / 2
    total = np.zeros(frequency.size)
    for block in blocks:
        trend = float(np.dot(place, block)) / float(np.dot(place, place))
        data = block - block.mean() - trend * place
        total += np.abs(np.fft.rfft(data * window)) ** 2
    return total[chosen] * scale / len(blocks), frequency[chosen]


@derived
def longest_above(
    wave: Waveform,
    level: Quantity | Exact,
    *,
    after: Instant | None = None,
    until: Instant | None = None,
) -> Measurement:
    """Longest time for which the magnitude stays above a level without a break; 0 if it never is.

    An overload counts as above. How much longer or shorter it would be if the meter erred at the
    level is in the budget.
    """
    exact = level if isinstance(level, Exact) else Exact.of(level)
    bound = float(exact.require(wave.capture.dimension).base)
    data = np.abs(wave.window(after, until))
    if not data.size or np.isnan(data).any():
        return nothing(wave, Dimension.TIME, "gap or no sample in the window")
    interval = wave.capture.interval
    parts = wave.capture.source.accuracy.components(bound)
    error = COVERAGE * math.hypot(*(part.contribution for part in parts))
    found, most, least = (_longest(data > bound + e) * interval for e in (0.0, -error, error))
    spread = max(most - found, found - least) / math.sqrt(3)
    return made(
        wave,
        found,
        Dimension.TIME,
        (
            Component(own("sampling", wave), interval / math.sqrt(6)),
            Component(own(f"level {exact}", wave), spread),
        ),
        note=f"longest time above {exact} without a break",
    )


def _longest(holds: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """Largest number of true values in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], holds, [False])).astype(np.int8)))
    return int(np.max(edges[1::2] - edges[::2], initial=0))


@derived
def ramp_time(wave: Waveform) -> Measurement:
    """Time of the first ramp up, from zero to the steady current of the hold that follows.

    Timed between 10 % and 90 % of the steady current, whatever that is, and taken as straight: what
    a gain error does to both cancels. A step passes both at once and lasts no time. Where no steady
    current follows, the ramp is not over at the end of the record: it lasts at least so long.

    Not finite (an ERROR when judged) where samples are lost, or the current stood at its steady
    value before the ramp began.
    """
    begin, end = wave.phase("ramp up")[0]
    held = _steady_or_none(wave)
    if held is None:
        return _endless(wave, begin)
    if not math.isfinite(held):
        return nothing(wave, Dimension.TIME, "overload or gap in the hold after the ramp")
    first, last = wave.index(begin), wave.index(end + SETTLE)
    data = np.abs(wave.samples[first:last])
    if not data.size or not np.all(np.isfinite(data)):
        return nothing(wave, Dimension.TIME, "overload or gap in the ramp")
    if data[0] > FOOT * held:
        stood = readable(Decimal(repr(float(data[0]))), wave.capture.dimension)
        return nothing(wave, Dimension.TIME, f"{stood} flowed before the ramp began")
    levels = [_passing(data, share * held, _BAND * held) for share in (FOOT, SHOULDER)]
    if any(level is None for level in levels):
        return _endless(wave, begin)
    interval = wave.capture.interval
    (foot, *doubt), (shoulder, *more) = (level for level in levels if level)
    seconds = (shoulder - foot) * interval / (SHOULDER - FOOT)
    straight = f"{FOOT:.0%} to {SHOULDER:.0%} of the steady current, divided by {SHOULDER - FOOT:g}"
    return made(
        wave,
        seconds,
        Dimension.TIME,
        (
            # It moves the shares of the steady current against the ramp, which begins at zero.
            *wave.capture.source.accuracy.offsets(seconds / held),
            Component(
                own("ramp noise", wave),
                math.hypot(*doubt, *more) * interval,
                sensitivity=1 / (SHOULDER - FOOT),
            ),
            Component(own("sampling", wave), interval / math.sqrt(6)),
        ),
        note="no ramp: the current jumped to its steady value"
        if seconds <= STEP_TIME
        else straight,
    )


def _steady_or_none(wave: Waveform) -> float | None:
    """Magnitude of the steady current of the hold; None where none came to flow."""
    if "hold" not in wave.phases:
        return None
    held = steady(wave)
    return None if _idle(held) else abs(float(held.value))


def _endless(wave: Waveform, begin: float) -> Measurement:
    """Time of a ramp that leads to no steady current: at least what the record holds of it."""
    observed = wave.capture.end - begin
    why = f"no steady current was reached in the {observed:.4g} s after the start"
    if not np.all(np.isfinite(wave.between(begin, wave.capture.end))):
        return nothing(wave, Dimension.TIME, f"{why}, and a gap or an overload hides why")
    found = made(
        wave,
        observed,
        Dimension.TIME,
        (Component(own("sampling", wave), wave.capture.interval / math.sqrt(6)),),
        note=why,
    )
    return replace(found, censored=True)


def _passing(data: Samples, level: float, band: float) -> tuple[float, float] | None:
    """Place at which a rising signal passes a level, and its uncertainty, both in samples.

    By a line through the samples around it; where it jumps past them, between the two samples of
    the jump. None where it does not rise through the level.
    """
    near = np.flatnonzero(np.abs(data - level) <= band)
    if near.size < 3:
        return _jumping(data, level)
    middle, half = round(float(near.mean())), max(near.size // 2, 1)
    first = max(middle - half, 0)
    around = data[first : middle + half + 1]
    place = np.arange(around.size) - (around.size - 1) / 2
    slope = float(np.dot(place, around)) / float(np.dot(place, place))
    if slope <= 0:
        return _jumping(data, level)
    passed = first + (around.size - 1) / 2 + (level - float(around.mean())) / slope
    return passed, noise(around) / slope / math.sqrt(around.size)


def _jumping(data: Samples, level: float) -> tuple[float, float] | None:
    """Place between the last sample at or below a level and the first above it, as `_passing`."""
    above = np.flatnonzero(data > level)
    return (float(above[0]) - 0.5, 0.5 / math.sqrt(3)) if above.size else None


@derived
def largest_fall(
    wave: Waveform,
    polarity: Polarity,
    *,
    after: Instant | None = None,
    until: Instant | None = None,
) -> Measurement:
    """How far the current, counted along a polarity, falls below what it had reached before.

    Averaged over 5 ms; corrected for noise as `largest_step` is. 0 where it only rises.
    """
    dimension, interval = wave.capture.dimension, wave.capture.interval
    width = max(1, round(STEP_TIME / interval))
    data = wave.window(after, until) * polarity.sign
    if data.size < 3 * width or not np.all(np.isfinite(data)):
        return nothing(wave, dimension, "too few finite samples for a fall")
    sums = np.concatenate(([0.0], np.cumsum(data)))
    means = (sums[width:] - sums[:-width]) / width
    falls = np.maximum.accumulate(means) - means
    sigma = noise(data) * math.sqrt(2 / width)
    _, value, spread = largest(falls, sigma, 1 / width)
    value = max(value, 0.0)
    return made(
        wave,
        value,
        dimension,
        (
            *wave.capture.source.accuracy.gains(value),
            Component(own("fall noise", wave), spread),
        ),
        excursion=STEP_TIME + interval,
        note="largest fall below what was reached before",
    )


@derived
def density(wave: Waveform, area: Quantity | Exact, phase: str = "hold") -> Measurement:
    """Steady current of a phase for each area of an electrode; the area counts as exact."""
    exact = area if isinstance(area, Exact) else Exact.of(area)
    size = float(exact.require(Dimension.AREA).base)
    held = abs(steady(wave, phase))
    if _idle(held):
        why = f"no current in {phase} that could have a density"
        return nothing(wave, Dimension.CURRENT_DENSITY, why)
    return replace(
        held,
        value=Exact.si(float(held.value) / size, Dimension.CURRENT_DENSITY).base,
        dimension=Dimension.CURRENT_DENSITY,
        components=tuple(
            replace(part, sensitivity=part.sensitivity / size) for part in held.components
        ),
        note=f"{held.note}, through {exact}",
    )
