"""What a look of the limit monitor shows: an over-current, or a spike that is none."""

from __future__ import annotations

import numpy as np

from hil.capture import Samples

SURE, LASTING = 0.97, 0.8
"""What confirms a trigger of the monitor, as shares of its level: two samples in a row above the
first; or the end of the look above the second, which leaves room for all errors of an oscilloscope,
because a current that stays above its level never triggers it again."""
SPAN = 0.1
"""Seconds behind its trigger that a look shows."""
HEADROOM = 1.3
"""Full scale of a look, in levels."""
END = 50
"""Samples that count as the end of a look."""


def exceeded(samples: Samples, level: float) -> bool:
    """Whether a look shows the level exceeded by more than a spike of a single sample.

    What is missing or not a number counts as above: a look that shows nothing proves nothing.

    Args:
        samples: of one screen, signed, in the unit of the level; shape (n_samples,).
        level: magnitude, > 0.
    """
    size = np.abs(samples)
    if not size.size:
        return True
    above = ~(size <= SURE * level)
    lasts = not float(np.median(size[-END:])) < LASTING * level
    return bool(np.any(above[1:] & above[:-1])) or lasts
