"""Words of a report that not every reader has met, each in one sentence."""

from __future__ import annotations

TERMS = (
    (
        "u, U, k",
        "standard uncertainty; expanded uncertainty U = k u. With k = 2 the true value lies within "
        "U of the measured one with a probability of about 95 %",
    ),
    ("guard band w", "how far inside its limit a value must lie to be accepted"),
    (
        "TUR, U / limit",
        "test uncertainty ratio: width of a two-sided tolerance over 2 U; of a one-sided limit the "
        "share of it that U is",
    ),
    ("p", "probability that the true value lies within its limits"),
    (
        "raw extreme",
        "largest sample as it was recorded; from the value that is judged, what noise adds to the "
        "largest of many samples was taken off",
    ),
    (
        "excursion that shows whole",
        "a departure, as a pulse, that lasts at least so long is recorded at its full height; a "
        "shorter one may be seen smaller than it was, or not at all",
    ),
    (
        "at least, ≥ before a time",
        "censored: the record ended before the event that was waited for, so that the true time "
        "is no shorter",
    ),
    (
        "lease, its keeper",
        "leave to keep the current path closed, which lapses within seconds; who keeps it renews "
        "it, and the cut-off opens the path where nobody does",
    ),
    (
        "claim (a role)",
        "what the device says of itself, asked over its interface; no measurement",
    ),
    (
        "air",
        "temperature of the air at the bench; air of U is the range for which the limits of error "
        "in a budget hold",
    ),
    (
        "bench time",
        "time of the one clock by which samples and events of a run are dated, in s",
    ),
    (
        "capture, record",
        "samples of one instrument; the captures and events of one course of a test",
    ),
)
"""Term and meaning, in the order in which a reader meets them."""
