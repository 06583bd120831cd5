"""Whether a cut-off counts as independent: computed from what is known and declared of it.

It does if it opens when it is de-energised, breaks both poles, shares mainframe and supply with
neither load nor device, and opens by itself when its hardware lease is not renewed. Anything less
is a cut-off by software: something that still works must tell it to open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

INDEPENDENT, SOFTWARE = "independent", "software"
SHARED = ("own", "load", "device")
"""What a cut-off's mainframe and supply may be: its own, or that of the load or of the device."""


@dataclass(frozen=True, slots=True)
class Make:
    """What the manual of a cut-off says of it."""

    latches: bool
    """Whether its relays keep their position without power."""
    lease: tuple[float, float] | None
    """Shortest and longest hardware lease in s; None if it knows none."""


def too_weak(wiring: Mapping[str, str]) -> str:
    """Why no fault may be injected into a device behind this cut-off; empty if it may."""
    if wiring.get("cutoff_kind") == INDEPENDENT:
        return ""
    return (
        "injects a fault into the device, and the cut-off of this bench is one by software: "
        "nothing opens it but a command. Use an independent one (wiring.cutoff_kind)"
    )


def shortcomings(make: Make, wiring: Mapping[str, str]) -> tuple[str, ...]:
    """Why a cut-off is one by software; none if it is independent.

    Args:
        make: of its kind.
        wiring: of the bench file: `cutoff_poles`, `cutoff_mainframe`, `cutoff_supply`.
    """
    found = []
    if make.latches:
        found.append("its relays latch: without power they stay as they are")
    if make.lease is None:
        found.append("it has no hardware lease: nothing opens it but a command")
    if (poles := wiring.get("cutoff_poles", "none")) != "both":
        found.append(f"cutoff_poles is {poles}: one pole stays connected")
    for key in ("cutoff_mainframe", "cutoff_supply"):
        if (whose := wiring.get(key, "not declared")) != "own":
            told = whose if whose == "not declared" else f"that of the {whose}"
            found.append(f"{key} is {told}: both can fail at once")
    return tuple(found)
