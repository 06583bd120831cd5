"""Measurands of a waveform, each with its uncertainty budget."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np

from hil.capture import Samples
from hil.exact import Dimension, Exact
from hil.measurement import Component, Measurement
from hil.waveform import Instant, Waveform

SETTLE = 0.5
"""Seconds at each end of a hold that `steady` leaves out."""
SLOPE_WINDOW = 1.0
"""Length in s of the sliding least-squares window that defines `slope`."""
STEP_TIME = 5e-3
"""A change within this time in s is a step; slower changes are slope."""
_PER_TIME = {Dimension.CURRENT: Dimension.CURRENT_SLOPE}
_INTEGRAL = {Dimension.CURRENT: Dimension.CHARGE}


def steady(wave: Waveform, phase: str = "hold") -> Measurement:
    """Mean over a commanded phase (signed), without 0.5 s at each end.

    Type A part: standard deviation of the means of ten blocks, so that slow wander counts.
    """
    spans = wave.phase(phase)
    parts = [wave.between(begin + SETTLE, end - SETTLE) for begin, end in spans]
    data = np.concatenate(parts) if parts else np.empty(0)
    if data.size < 10:
        return _nothing(wave, wave.capture.dimension, f"phase {phase} holds {data.size} samples")
    mean = float(np.mean(data))
    blocks = np.array([block.mean() for block in np.array_split(data, 10)])
    spread = float(np.std(blocks, ddof=1)) / math.sqrt(10)
    return _measurement(
        wave,
        mean,
        wave.capture.dimension,
        (
            *wave.capture.source.accuracy.components(mean),
            Component(_own("noise", wave), spread, dof=9),
        ),
        note=f"mean over {phase}, {data.size * wave.capture.interval:.4g} s",
    )


def peak(
    wave: Waveform, *, after: Instant | None = None, until: Instant | None = None
) -> Measurement:
    """Largest magnitude, corrected for noise: the maximum of N noisy samples lies above the truth.

    N counts the samples that could have been the maximum (within 6 sigma of it); sigma is measured
    in place from neighbouring samples. The raw extreme is kept in `raw`.
    """
    data = np.abs(_window(wave, after, until))
    if data.size < 2 or not np.all(np.isfinite(data)):
        return _nothing(wave, wave.capture.dimension, "overload or gap in the window of the peak")
    raw = float(data.max())
    sigma = noise(data)
    rivals = int(np.count_nonzero(data >= raw - 6 * sigma))
    excess, spread = _extreme_of(rivals)
    value = raw - excess * sigma
    return _measurement(
        wave,
        value,
        wave.capture.dimension,
        (
            *wave.capture.source.accuracy.components(value),
            Component(_own("extreme", wave), spread * sigma),
        ),
        raw=Decimal(repr(raw)),
        note=f"largest magnitude, {excess * sigma:.2g} taken off for noise of {rivals} samples",
    )


def slope(
    wave: Waveform, *, after: Instant | None = None, until: Instant | None = None
) -> Measurement:
    """Largest magnitude of the least-squares slope over a sliding 1 s window."""
    kind = _PER_TIME[wave.capture.dimension]
    data = _window(wave, after, until)
    width = round(SLOPE_WINDOW / wave.capture.interval)
    if data.size < width or not np.all(np.isfinite(data)):
        return _nothing(wave, kind, f"slope needs {SLOPE_WINDOW} s of finite samples")
    slopes = _sliding_slope(data, width) / wave.capture.interval
    raw = float(np.abs(slopes).max())
    sigma = noise(data) * math.sqrt(12 / width**3) / wave.capture.interval
    excess, spread = _extreme_of(max(1, len(slopes) // width))
    value = max(raw - excess * sigma, 0.0)
    gain = wave.capture.source.accuracy.components(value)[0]
    return _measurement(
        wave,
        value,
        kind,
        (gain, Component(_own("slope noise", wave), spread * sigma)),
        raw=Decimal(repr(raw)),
        note=f"largest least-squares slope over a sliding {SLOPE_WINDOW:g} s",
    )


def largest_step(
    wave: Waveform, *, after: Instant | None = None, until: Instant | None = None
) -> Measurement:
    """Largest change of the signal within 5 ms, noise averaged over 5 ms on both sides."""
    data = _window(wave, after, until)
    width = max(1, round(STEP_TIME / wave.capture.interval))
    if data.size < 3 * width or not np.all(np.isfinite(data)):
        return _nothing(wave, wave.capture.dimension, "too few finite samples for a step")
    sums = np.concatenate(([0.0], np.cumsum(data)))
    means = (sums[width:] - sums[:-width]) / width
    changes = np.abs(means[2 * width :] - means[: -2 * width])
    raw = float(changes.max())
    sigma = noise(data) * math.sqrt(2 / width)
    rivals = int(np.count_nonzero(changes >= raw - 6 * sigma))
    excess, spread = _extreme_of(max(1, rivals // width))
    value = max(raw - excess * sigma, 0.0)
    gain = wave.capture.source.accuracy.components(value)[0]
    return _measurement(
        wave,
        value,
        wave.capture.dimension,
        (gain, Component(_own("step noise", wave), spread * sigma)),
        raw=Decimal(repr(raw)),
        note=f"largest change within {STEP_TIME * 1e3:g} ms",
    )


def charge(wave: Waveform) -> Measurement:
    """Charge delivered: the integral of the magnitude, in C.

    The sign of each sample is that of the last one clearly off zero, so that noise about zero
    averages out instead of being rectified.
    """
    kind = _INTEGRAL[wave.capture.dimension]
    data = wave.samples
    if data.size < 2 or not np.all(np.isfinite(data)):
        return _nothing(wave, kind, "overload or gap in the record of the charge")
    floor = 6 * noise(data) + wave.capture.source.accuracy.offset
    signs = np.where(np.abs(data) > floor, np.sign(data), 0.0)
    places = np.maximum.accumulate(np.where(signs != 0, np.arange(data.size), 0))
    interval = wave.capture.interval
    value = float(np.sum(data * signs[places])) * interval
    gain, offset = wave.capture.source.accuracy.components(value)
    carrying = float(np.count_nonzero(signs)) * interval
    return _measurement(
        wave,
        value,
        kind,
        (
            gain,
            Component(offset.id, offset.u, sensitivity=carrying),
            Component(_own("charge noise", wave), noise(data) * interval * math.sqrt(data.size)),
        ),
        note=f"integral of the current over {data.size * interval:.4g} s",
    )


def noise(data: Samples) -> float:
    """Standard deviation of white noise, from the median difference of neighbours.

    The median ignores steps and edges; 0.6745 is the median of |x| for a normal distribution.
    """
    if data.size < 2:
        return 0.0
    return float(np.median(np.abs(np.diff(data)))) / (0.6745 * math.sqrt(2))


def _extreme_of(count: int) -> tuple[float, float]:
    """Expected maximum of `count` standard normal samples and its standard deviation (Gumbel)."""
    if count < 2:
        return 0.0, 1.0
    root = math.sqrt(2 * math.log(count))
    centre = root - (math.log(math.log(count)) + math.log(4 * math.pi)) / (2 * root)
    return max(centre + 0.5772 / root, 0.0), math.pi / (math.sqrt(6) * root)


def _sliding_slope(data: Samples, width: int) -> Samples:
    """Least-squares slope per sample of each window, by running sums."""
    centred = data - data.mean()
    place = np.arange(data.size, dtype=np.float64)
    sums = np.concatenate(([0.0], np.cumsum(centred)))
    moments = np.concatenate(([0.0], np.cumsum(centred * place)))
    total = sums[width:] - sums[:-width]
    moment = moments[width:] - moments[:-width]
    middle = place[: total.size] + (width - 1) / 2
    slopes: Samples = (moment - middle * total) / (width * (width**2 - 1) / 12)
    return slopes


def _window(wave: Waveform, after: Instant | None, until: Instant | None) -> Samples:
    begin = after.time if after else -math.inf
    end = until.time if until else math.inf
    first = wave.index(begin) if math.isfinite(begin) else 0
    last = wave.index(end) if math.isfinite(end) else len(wave.samples)
    return wave.samples[first:last]


def _own(cause: str, wave: Waveform) -> str:
    """Id of a cause that no other capture shares."""
    return f"{cause} {wave.capture.sha256[:12]}"


def _measurement(
    wave: Waveform,
    value: float,
    dimension: Dimension,
    components: tuple[Component, ...],
    *,
    raw: Decimal | None = None,
    note: str,
) -> Measurement:
    source = wave.capture.source
    return Measurement(
        Exact.si(value, dimension).base,
        dimension,
        components,
        instruments=(source.serial,),
        calibration=source.calibration,
        captures=(wave.capture.sha256,),
        raw=raw,
        note=note,
    )


def _nothing(wave: Waveform, dimension: Dimension, why: str) -> Measurement:
    return _measurement(wave, math.nan, dimension, (), note=why)
