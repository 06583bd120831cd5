"""Why a fault would do nothing on a device: then it is refused, lest a run on it look healthy.

Only what no treatment within the device's declared range can change counts: its figures, and the
words that it lacks. Whether a suite comes to the treatment that shows a fault is told by `trigger`
in the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from hil.device import DeviceProfile
from hil.errors import Unavailable, UsageError
from hil.exact import Exact
from hil_instruments.simulated.faults.catalogue import When
from hil_instruments.simulated.faults.decisions import COLLIDING
from hil_instruments.simulated.faults.device import CLIPPED, OVERDRIVEN
from hil_instruments.simulated.faults.ramps import FALLING
from hil_instruments.simulated.faults.spec import FaultSpec

Look: TypeAlias = Callable[[DeviceProfile, float], str]
"""Says of a device and a severity in SI why nothing happens; empty if something does."""


def refuse_idle(specs: list[FaultSpec], profile: DeviceProfile) -> None:
    """Refuse what would do nothing on a device.

    Raises:
        UsageError: names the fault, why it cannot set in, and what the device would have to be.
    """
    for spec in specs:
        if lack := _lack(spec, profile, alone=len(specs) == 1):
            raise UsageError(
                f"--fault {spec}: {spec.fault.title}: would do nothing on "
                f"{profile.manufacturer} {profile.model}: {lack}"
            )


def _lack(spec: FaultSpec, profile: DeviceProfile, *, alone: bool) -> str:
    for action in spec.fault.needs:
        if profile.wire.commands and action not in profile.wire.commands:
            return f"the device file declares no {action} in [wire]"
    try:
        severity = spec.resolved(profile).severity
    except Unavailable as err:
        return f"{err}; declare it, or give severity=..."
    look = _LOOKS.get(spec.id)
    why = look(profile, float(severity.base) if severity else 0.0) if look else ""
    return why or (_never_above(spec, profile) if alone else "")


def _never_above(spec: FaultSpec, profile: DeviceProfile) -> str:
    """Another fault may drive the current there, so this holds for one that is alone."""
    onset, largest = spec.sets_in, profile["output.setpoint_max"]
    if onset is None or onset.when is not When.ABOVE or onset.at is None or onset.at < largest:
        return ""
    half = Exact(largest.magnitude / 2, largest.unit)
    return (
        f"it sets in above {onset.at}, and the largest setting is {largest}; give "
        f"{replace(spec, onset=replace(onset, at=half))}"
    )


def _short_ramp(profile: DeviceProfile, severity: float) -> str:
    del severity
    time = profile["ramp.up_time"]
    if float(time.base) > 2 * FALLING:
        return ""
    return f"ramp.up_time = {time}: allowed: more than {2 * FALLING:g} s, half of which it falls"


def _even_slope(profile: DeviceProfile, severity: float) -> str:
    nominal = profile.si("output.setpoint_max") / profile.si("ramp.up_time")
    if severity > nominal:
        return ""
    return f"severity = {severity * 1e3:g} mA/s: allowed: above {nominal * 1e3:g} mA/s, its slope"


def _not_clipped(profile: DeviceProfile, severity: float) -> str:
    limit = profile.si("output.software_limit")
    if limit > CLIPPED and severity > CLIPPED:
        return ""
    return (
        f"the converter clips at {CLIPPED * 1e3:g} mA; allowed: output.software_limit and severity "
        f"above it, and they are {limit * 1e3:g} mA and {severity * 1e3:g} mA"
    )


def _not_beyond(profile: DeviceProfile, severity: float) -> str:
    del severity
    limit, driven = (
        profile.si("output.software_limit"),
        OVERDRIVEN * profile.si("output.setpoint_max"),
    )
    if driven > limit:
        return ""
    return (
        f"it drives {driven * 1e3:g} mA at the largest setting; allowed: an output.software_limit "
        f"below that, and it is {limit * 1e3:g} mA"
    )


def _not_colliding(profile: DeviceProfile, severity: float) -> str:
    del severity
    collides = COLLIDING * profile.si("output.software_limit")
    largest = profile.si("output.setpoint_max")
    if largest > collides:
        return ""
    return (
        f"it needs a setting above {collides * 1e3:g} mA ({COLLIDING:.0%} of output.software_limit)"
        f"; the largest one is {largest * 1e3:g} mA"
    )


def _never_limited(profile: DeviceProfile, severity: float) -> str:
    del severity
    volts, largest = profile["output.compliance"], profile["output.setpoint_max"]
    load = profile["output.load_max"]
    if volts.base < largest.base * load.base:
        return ""
    return (
        f"compliance never limits the current: {volts} drive {largest} into {load}, the largest "
        "declared load; allowed: an output.compliance below that"
    )


_LOOKS: Mapping[str, Look] = {
    "F04": _even_slope,
    "F13": _not_clipped,
    "F31": _never_limited,
    "F39": _not_beyond,
    "F50": _never_limited,
    "F73": _not_beyond,
    "F74": _not_colliding,
    "F76": _short_ramp,
}
