"""The Cole element, R / (1 + (j w tau)^alpha), as a chain of R parallel C with a proven bound.

The element is a distribution of relaxation times, known in closed form. Sampled finely it is a
chain of some hundred links; balanced truncation shortens the chain. Since the system is symmetric,
what comes out is again a chain of positive R and C, and twice the sum of the Hankel singular values
left out bounds the error of the impedance at every frequency (Enns 1984, Glover 1984). The little
that is then missing at zero frequency is put in series as a resistance, so that direct current is
exact; that at most doubles the bound elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

SMALLEST_ALPHA, LARGEST_ALPHA = 0.5, 0.95
"""Exponents for which the chain is tested."""
BOUND = 4e-4
"""Error of the impedance at any frequency that a chain stays below, a share of R."""
_REACH = 16.0  # the share of relaxation times left out is below exp(-_REACH)
_ACCURACY = 16.0  # and the error of the sampling about exp(-_ACCURACY)
_WIDEST = 0.2  # spacing of the samples in ln(tau)


@dataclass(frozen=True, slots=True)
class Chain:
    """Links of R parallel C in series, for R = 1 ohm and tau = 1 s."""

    resistances: tuple[float, ...]
    """Of each link, in ohm."""
    times: tuple[float, ...]
    """Of each link, R C in s."""
    series: float
    """Resistance in series, in ohm; all resistances add up to 1 ohm."""
    bound: float
    """Largest error of its impedance in ohm, at any frequency."""


@lru_cache(maxsize=32)
def chain(alpha: float) -> Chain:
    """Return the shortest chain whose error stays below BOUND.

    Args:
        alpha: exponent, SMALLEST_ALPHA to LARGEST_ALPHA; 1 would be a plain capacitor.
    """
    times, shares = _sampled(alpha)
    rates, feeds = 1 / times, np.sqrt(shares / times)
    gramian = np.outer(feeds, feeds) / (rates[:, None] + rates)
    values, vectors = np.linalg.eigh(gramian)
    errors = 2 * np.cumsum(np.maximum(values, 0.0))  # of leaving out the first, the first two, ...
    kept = vectors[:, np.searchsorted(errors, BOUND / 2) :]
    left_out = float(errors[len(values) - kept.shape[1] - 1])
    rates, turn = np.linalg.eigh((kept.T * rates) @ kept)
    resistances = (turn.T @ (kept.T @ feeds)) ** 2 / rates
    series = max(0.0, 1.0 - float(resistances.sum()))
    resistances *= (1.0 - series) / resistances.sum()
    return Chain(
        resistances=tuple(resistances.tolist()),
        times=tuple((1 / rates).tolist()),
        series=series,
        bound=left_out + series + math.exp(2 - _REACH),
    )


def _sampled(alpha: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sample the distribution of relaxation times.

    Returns:
        Times for tau = 1 s, and the share of R at each.
    """
    pole = min(math.pi / 2, math.pi * (1 - alpha) / alpha)  # nearest the real axis of ln(tau)
    spacing = min(_WIDEST, 2 * math.pi * pole / _ACCURACY)
    count = math.ceil(_REACH / alpha / spacing)
    places = spacing * np.arange(-count, count + 1)
    angle = alpha * math.pi
    density = math.sin(angle) / (2 * math.pi) / (np.cosh(alpha * places) + math.cos(angle))
    return np.exp(places), density * spacing
