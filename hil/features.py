"""Measurands of a waveform, each with its uncertainty budget."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import numpy as np

from hil.capture import Samples
from hil.derivation import derived
from hil.errors import UsageError
from hil.exact import Dimension, Exact, readable
from hil.mask import Line, Mask
from hil.measurement import COVERAGE, Component, Measurement, combined
from hil.waveform import EVENT_SOURCE, START_SOURCE, Instant, Waveform

SETTLE = 0.5
"""Seconds at each end of a hold that `steady` leaves out."""
SLOPE_WINDOW = 1.0
"""Length in s of the sliding least-squares window that defines `slope`."""
STEP_TIME = 5e-3
"""A change within this time in s is a step; slower changes are slope."""
_INDEPENDENT = 30.0
"""Independent slopes for each length of the sliding window (found by simulation)."""
_MISCOUNT = 1.0
"""Standard uncertainty, in sigma, from counting rivals among noisy samples (by simulation of
plateaus, ramps, decays of 5 ms to 2 s and short excursions)."""
_BLOCKS = "type A: means of ten blocks of the samples"
_IN_PLACE = "type A: second differences of neighbouring samples"
_PER_TIME = {Dimension.CURRENT: Dimension.CURRENT_SLOPE}
_INTEGRAL = {Dimension.CURRENT: Dimension.CHARGE}


@derived
def steady(wave: Waveform, phase: str = "hold") -> Measurement:
    """Mean over a commanded phase (signed), without 0.5 s at each end.

    Type A part: standard deviation of the means of ten blocks, so that slow wander counts; widened
    by sqrt(9/7) for the nine degrees of freedom (JCGM 101, 6.4.9), so that 2 u covers 95 %.
    """
    spans = wave.phase(phase)
    parts = [wave.between(begin + SETTLE, end - SETTLE) for begin, end in spans]
    data = np.concatenate(parts) if parts else np.empty(0)
    if data.size < 10:
        return nothing(wave, wave.capture.dimension, f"phase {phase} holds {data.size} samples")
    if not all(wave.holds(begin, end) for begin, end in spans):
        return nothing(wave, wave.capture.dimension, f"the record does not hold all of {phase}")
    if not np.all(np.isfinite(data)):
        return nothing(wave, wave.capture.dimension, f"overload or gap in phase {phase}")
    found = _mean(wave, data, f"mean over {phase}")
    idle = abs(found.value) <= found.expanded
    return replace(found, note=f"{found.note}; nothing beyond U") if idle else found


@derived
def mean(
    wave: Waveform, *, after: Instant | None = None, until: Instant | None = None
) -> Measurement:
    """Mean (signed) of all samples from one moment to another; default: the whole record."""
    data = wave.window(after, until)
    if data.size < 10 or not np.all(np.isfinite(data)):
        why = f"overload, gap or too little to average in {data.size} samples"
        return nothing(wave, wave.capture.dimension, why)
    return _mean(wave, data, "mean", _span_name(after, until))


def _mean(wave: Waveform, data: Samples, what: str, where: str = "") -> Measurement:
    """Mean of some samples; `where` tells them from others of the same capture."""
    value = float(np.mean(data))
    blocks = np.array([block.mean() for block in np.array_split(data, 10)])
    spread = float(np.std(blocks, ddof=1)) / math.sqrt(10) * math.sqrt(9 / 7)
    cause = own(what + where, wave)
    return made(
        wave,
        value,
        wave.capture.dimension,
        (
            *wave.capture.source.accuracy.components(value, cause),
            Component(f"noise {cause}", spread, dof=9, source=_BLOCKS),
        ),
        note=f"{what}, {data.size * wave.capture.interval:.4g} s",
    )


@derived
def peak(
    wave: Waveform, *, after: Instant | None = None, until: Instant | None = None
) -> Measurement:
    """Largest magnitude, corrected for noise: the maximum of N noisy samples lies above the truth.

    N counts the samples that could have been the maximum, so that neither a hold elsewhere nor the
    flank of a rounded top counts; sigma is measured in place from neighbouring samples. The raw
    extreme is kept in `raw`.
    """
    signed = wave.window(after, until)
    if signed.size < 3 or not np.all(np.isfinite(signed)):
        return nothing(wave, wave.capture.dimension, "overload or gap in the window of the peak")
    data = np.abs(signed)
    sigma = noise(signed)  # folded at zero it would look smaller than it is
    raw, value, spread = largest(data, sigma, 1.0)
    cause = own("extreme" + _span_name(after, until), wave)
    # An offset adds to a positive current and takes from the magnitude of a negative one.
    sign = -1.0 if signed[int(np.argmax(data))] < 0 else 1.0
    return made(
        wave,
        value,
        wave.capture.dimension,
        (
            *_scaled(wave.capture.source.accuracy.components(sign * value, cause), sign),
            Component(f"noise of the {cause}", spread, source=_IN_PLACE),
        ),
        raw=Decimal(repr(raw)),
        excursion=wave.shortest,
        note=f"largest magnitude, {_off(raw - value, wave)} taken off for noise",
    )


@derived
def slope(
    wave: Waveform, *, after: Instant | None = None, until: Instant | None = None
) -> Measurement:
    """Largest magnitude of the least-squares slope over a sliding 1 s window.

    The windows may begin up to 1 s before `after`: a step at `after` itself is seen whole.
    """
    kind = _derived(_PER_TIME, wave, "slope")
    data = wave.window(_earlier(after, SLOPE_WINDOW), until)
    width = round(SLOPE_WINDOW / wave.capture.interval)
    if width < 3 or data.size < width or not np.all(np.isfinite(data)):
        return nothing(wave, kind, f"slope needs {SLOPE_WINDOW} s of finite samples")
    slopes = np.abs(_sliding_slope(data, width)) / wave.capture.interval
    sigma = noise(data) * math.sqrt(12 / width**3) / wave.capture.interval
    raw, value, spread = largest(slopes, sigma, _INDEPENDENT / width)
    value = max(value, 0.0)
    cause = own("slope" + _span_name(after, until), wave)
    accuracy = wave.capture.source.accuracy
    return made(
        wave,
        value,
        kind,
        (
            *accuracy.gains(value),
            *wave.capture.paced(-value),
            *_scaled(accuracy.steps(cause), 2 / SLOPE_WINDOW),
            Component(f"noise of the {cause}", spread, source=_IN_PLACE),
        ),
        raw=Decimal(repr(raw)),
        excursion=SLOPE_WINDOW,
        note=f"largest least-squares slope over a sliding {SLOPE_WINDOW:g} s",
    )


@derived
def largest_step(
    wave: Waveform, *, after: Instant | None = None, until: Instant | None = None
) -> Measurement:
    """Largest change of the signal within 5 ms, noise averaged over 5 ms on both sides.

    The first window may begin 15 ms before `after`: a step at `after` itself is seen whole.
    """
    data = wave.window(_earlier(after, 3 * STEP_TIME), until)
    width = max(1, round(STEP_TIME / wave.capture.interval))
    if wave.capture.interval > STEP_TIME:
        why = f"samples every {wave.capture.interval:g} s cannot tell a step from a slope"
        return nothing(wave, wave.capture.dimension, why)
    if data.size < 3 * width or not np.all(np.isfinite(data)):
        return nothing(wave, wave.capture.dimension, "too few finite samples for a step")
    sums = np.concatenate(([0.0], np.cumsum(data)))
    means = (sums[width:] - sums[:-width]) / width
    changes = np.abs(means[2 * width :] - means[: -2 * width])
    sigma = noise(data) * math.sqrt(2 / width)
    raw, value, spread = largest(changes, sigma, min(3 / width, 1.0))
    value = max(value, 0.0)
    cause = own("step" + _span_name(after, until), wave)
    accuracy = wave.capture.source.accuracy
    return made(
        wave,
        value,
        wave.capture.dimension,
        (
            *accuracy.gains(value),
            *_scaled(accuracy.steps(cause), 2.0),
            Component(f"noise of the {cause}", spread, source=_IN_PLACE),
        ),
        raw=Decimal(repr(raw)),
        excursion=STEP_TIME + wave.capture.interval,
        note=f"largest change within {STEP_TIME * 1e3:g} ms",
    )


@derived
def charge(
    wave: Waveform, *, after: Instant | None = None, until: Instant | None = None
) -> Measurement:
    """Charge delivered from one moment to another, default all: integral of the magnitude, in C.

    The sign of each sample is that of the nearest one clearly off zero, so that noise about zero
    averages out instead of being rectified, and the feet of both ramps count in full.
    """
    kind = _derived(_INTEGRAL, wave, "charge")
    data = wave.window(after, until)
    if data.size < 2 or not np.all(np.isfinite(data)):
        return nothing(wave, kind, "overload or gap in the record of the charge")
    accuracy = wave.capture.source.accuracy
    floor = 6 * noise(data) + accuracy.limit(0.0)
    signs = _signs(data, floor)
    interval = wave.capture.interval
    value = float(np.sum(data * signs)) * interval
    carrying = float(np.sum(signs)) * interval  # an offset cancels between opposite polarities
    spread = noise(data) * interval * math.sqrt(data.size)
    cause = own("charge", wave)
    return made(
        wave,
        value,
        kind,
        (
            *accuracy.gains(value),
            *accuracy.offsets(carrying),
            *wave.capture.paced(value),
            *_scaled(accuracy.steps(cause), carrying),
            Component(f"noise of the {cause}", spread, source=_IN_PLACE),
        ),
        note=f"integral of the current over {data.size * interval:.4g} s",
    )


@derived
def energy(voltage: Waveform, current: Waveform) -> Measurement:
    """Energy delivered: the integral of voltage times current, in J; negative if it came back.

    Over the time that both records hold; the voltage is taken between its samples where those of
    the current lie. What a wrong distance between both starts would change is in the budget.

    Raises:
        UsageError: they are no voltage and no current.
    """
    for wave, wanted in ((voltage, Dimension.VOLTAGE), (current, Dimension.CURRENT)):
        if wave.capture.dimension is not wanted:
            came = wave.capture.dimension.name.lower()
            raise UsageError(f"energy needs a {wanted.name.lower()} there, not a {came}")
    begin = max(voltage.capture.start, current.capture.start)
    end = min(voltage.capture.end, current.capture.end)
    amperes, interval = current.between(begin, end), current.capture.interval
    reach = voltage.capture.interval  # the samples beside both ends count too
    if amperes.size < 3 or not np.all(np.isfinite(voltage.between(begin - reach, end + reach))):
        return nothing(current, Dimension.ENERGY, "no common time, or a gap or overload in it")
    if not np.all(np.isfinite(amperes)):
        return nothing(current, Dimension.ENERGY, "overload or gap in the current")
    times = current.capture.start + interval * (
        current.index(begin) + np.arange(amperes.size, dtype=np.float64)
    )
    volts = _at(voltage, times)
    value = float(np.sum(volts * amperes)) * interval
    delay = math.hypot(voltage.capture.start_u, current.capture.start_u)
    moved = [float(np.sum(_at(voltage, times + d) * amperes)) * interval for d in (-delay, delay)]
    cause = f"{own('energy', voltage)} {current.capture.sha256[:12]}"
    by_current, by_voltage = current.capture.source.accuracy, voltage.capture.source.accuracy
    passed, risen = (float(np.sum(each)) * interval for each in (amperes, volts))
    spread = math.hypot(noise(amperes) * _norm(volts), noise(volts) * _norm(amperes)) * interval
    whole = combined(
        Exact.si(value, Dimension.ENERGY).base,
        Dimension.ENERGY,
        [(nothing(wave, Dimension.ENERGY, ""), 1.0) for wave in (voltage, current)],
        f"integral of voltage times current over {amperes.size * interval:.4g} s",
    )
    return replace(
        whole,
        components=(
            *by_current.gains(value),
            *by_current.offsets(risen),
            *_scaled(by_current.steps(cause), risen),
            *by_voltage.gains(value),
            *by_voltage.offsets(passed),
            *_scaled(by_voltage.steps(cause), passed),
            *current.capture.paced(value),
            Component(
                f"distance of the starts {cause}",
                max(abs(each - value) for each in moved),
                source=START_SOURCE,
            ),
            Component(f"noise of the {cause}", spread, source=_IN_PLACE),
        ),
    )


def _at(wave: Waveform, times: Samples) -> Samples:
    """Samples of a waveform at other moments, between its own."""
    capture = wave.capture
    mine = capture.start + capture.interval * np.arange(len(wave.samples), dtype=np.float64)
    found: Samples = np.interp(times, mine, np.nan_to_num(wave.samples, posinf=0.0, neginf=0.0))
    return found


def _norm(data: Samples) -> float:
    return math.sqrt(float(np.sum(data * data)))


@derived
def outside(wave: Waveform, mask: Mask, *, after: Instant) -> Measurement:
    """Worst excess of the signal over a mask that follows an event; negative if it stays inside.

    Corrected for noise as `peak` is. How far the excess changes when the mask moves by the
    uncertainty of the event and of the recorder's start is in the budget: beside a step of the mask
    that is much. The value is NaN where the record does not hold all of the mask, where a sample is
    lost or in overload, or where a piece of the mask is shorter than a sample.

    Raises:
        UsageError: the mask is of another dimension.
    """
    if mask.dimension is not wave.capture.dimension:
        raise UsageError(
            f"a mask of {mask.dimension.name.lower()} was held against a "
            f"{wave.capture.dimension.name.lower()}; observe what the mask bounds"
        )
    kind = wave.capture.dimension
    begin, end = after.time + mask.begin, after.time + mask.end
    data = wave.between(begin, end + wave.capture.interval)
    if not wave.holds(begin, end):
        why = (
            f"the envelope reaches from {begin:.6g} s to {end:.6g} s, the record from "
            f"{wave.capture.start:.6g} s to {wave.capture.end:.6g} s"
        )
        return nothing(wave, kind, why)
    if not np.all(np.isfinite(data)):
        return nothing(wave, kind, "overload or gap in the record")
    pieces = [_piece(wave, line, after.time) for line in mask.lines]
    if not all(piece.size for piece in pieces):
        why = f"samples every {wave.capture.interval:g} s miss a piece of the mask"
        return nothing(wave, kind, why)
    sigma = noise(data)
    raw, value, spread = largest(np.concatenate(pieces), sigma, 1.0)
    worst = max(range(len(pieces)), key=lambda place: float(pieces[place].max()))
    line, mine = mask.lines[worst], wave.capture.sha256[:12]
    first = _span(wave, line, after.time)[0]
    place = first + int(pieces[worst].argmax())
    time = wave.capture.start + place * wave.capture.interval - after.time
    drift = _drift(wave, mask, after, sigma, value)
    excess = f"excess after {after.name} {after.time!r} {mine}"
    return made(
        wave,
        value,
        kind,
        (
            *_scaled(
                wave.capture.source.accuracy.components(float(wave.samples[place]), excess),
                line.side,
            ),
            Component(f"noise of the {excess}", spread, source=_IN_PLACE),
            Component(
                f"event {after.name} {mine} {after.time!r}",
                after.u,
                sensitivity=drift,
                source=EVENT_SOURCE,
            ),
            Component(
                f"recorder start {mine}",
                wave.capture.start_u,
                sensitivity=drift,
                source=START_SOURCE,
            ),
        ),
        raw=Decimal(repr(raw)),
        excursion=wave.shortest,
        note=f"worst excess {'above' if line.side > 0 else 'below'} the envelope, "
        f"{time:.4g} s after {after.name or 'the event'}, {_off(raw - value, wave)} taken off "
        "for noise",
    )


def _span(wave: Waveform, line: Line, event: float) -> tuple[int, int]:
    """First sample on a line of a mask, and the one behind the last; both ends belong to it."""
    start, interval = wave.capture.start, wave.capture.interval
    last = math.floor((event + line.end - start) / interval + 1e-9)
    return wave.index(event + line.begin), min(last + 1, len(wave.samples))


def _piece(wave: Waveform, line: Line, event: float) -> Samples:
    """How far each sample on a line of a mask lies outside of it; negative inside."""
    first, last = _span(wave, line, event)
    times = wave.capture.start + np.arange(first, last) * wave.capture.interval - event
    shares = np.clip((times - line.begin) / (line.end - line.begin), 0, 1)
    limits = line.first + (line.last - line.first) * shares
    excess: Samples = line.side * (wave.samples[first:last] - limits)
    return excess


def _drift(wave: Waveform, mask: Mask, after: Instant, sigma: float, value: float) -> float:
    """Change of the worst excess for each second by which the mask may lie wrong, per s."""
    error = COVERAGE * math.hypot(after.u, wave.capture.start_u)
    if error == 0:
        return 0.0
    changes = []
    for moved in (after.time - error, after.time + error):
        pieces = [_piece(wave, line, moved) for line in mask.lines]
        found = largest(np.concatenate(pieces), sigma, 1.0)[1]
        changes.append(abs(found - value))
    return max(changes) / error


def _signs(data: Samples, floor: float) -> Samples:
    """Sign of the nearest sample whose magnitude is above `floor`; of the sum if there is none."""
    clear = np.flatnonzero(np.abs(data) > floor)
    if not clear.size:
        return np.full(data.size, math.copysign(1.0, float(np.sum(data))))
    middles = (clear[:-1] + clear[1:]) // 2 + 1
    lengths = np.diff(np.concatenate(([0], middles, [data.size])))
    return np.repeat(np.sign(data[clear]), lengths)


def _off(value: float, wave: Waveform) -> str:
    return readable(Exact.si(value, wave.capture.dimension).base, wave.capture.dimension, digits=2)


def noise(data: Samples) -> float:
    """Standard deviation of white noise, from the median second difference of neighbours.

    A ramp has none, the median ignores steps and edges; 0.6745 is the median of |x| for a normal
    distribution.
    """
    if data.size < 3:
        return 0.0
    return float(np.median(np.abs(np.diff(data, n=2)))) / (0.6745 * math.sqrt(6))


def largest(data: Samples, sigma: float, share: float) -> tuple[float, float, float]:
    """Maximum, the same corrected for noise of `sigma`, and standard uncertainty of the latter.

    Half of the samples that could have been the maximum lie above the corrected one: their number
    and the correction are found together. `share`: independent samples per sample.
    """
    raw = float(data.max())
    count = share * int(np.count_nonzero(data >= raw - 6 * sigma))
    while True:
        excess, spread = _extreme_of(count)
        value = raw - excess * sigma
        found = 2 * share * int(np.count_nonzero(data >= value))
        if found >= count:
            return raw, value, math.hypot(spread, _MISCOUNT) * sigma
        count = found


def _extreme_of(count: float) -> tuple[float, float]:
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


def _earlier(moment: Instant | None, seconds: float) -> Instant | None:
    return None if moment is None else replace(moment, time=moment.time - seconds)


def _derived(kinds: dict[Dimension, Dimension], wave: Waveform, name: str) -> Dimension:
    found = wave.capture.dimension
    if found not in kinds:
        known = ", ".join(kind.name.lower() for kind in kinds)
        raise UsageError(f"{name} of a {found.name.lower()} was asked for; it is known of: {known}")
    return kinds[found]


def _scaled(parts: Iterable[Component], factor: float) -> tuple[Component, ...]:
    return tuple(replace(part, sensitivity=part.sensitivity * factor) for part in parts)


def _span_name(after: Instant | None, until: Instant | None) -> str:
    """Tells a stretch from others of one capture: what is by chance differs from one to another."""
    ends = [repr(each.time) if each else "" for each in (after, until)]
    return f" {ends[0]}..{ends[1]}" if any(ends) else ""


def own(cause: str, wave: Waveform) -> str:
    """Id of a cause that no other capture shares."""
    return f"{cause} {wave.capture.sha256[:12]}"


def made(
    wave: Waveform,
    value: float,
    dimension: Dimension,
    components: tuple[Component, ...],
    *,
    raw: Decimal | None = None,
    excursion: float | None = None,
    note: str,
) -> Measurement:
    """A value of one waveform, as worth as the instrument behind it."""
    source = wave.capture.source
    return Measurement(
        Exact.si(value, dimension).base,
        dimension,
        components,
        instruments=(source.serial,),
        calibration=source.calibration,
        captures=(wave.capture.sha256,),
        raw=raw,
        excursion=excursion,
        note=note,
    )


def nothing(wave: Waveform, dimension: Dimension, why: str) -> Measurement:
    """NaN, an ERROR when judged: the record does not show what was asked for."""
    return made(wave, math.nan, dimension, (), note=why)
