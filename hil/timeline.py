"""From a scenario to the list of things to do, each at its time after the start command."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hil.device import DeviceProfile, Polarity
from hil.errors import UsageError
from hil.exact import Exact
from hil.scenario import (
    Abort,
    Change,
    DirectCurrent,
    Disturbance,
    LoadStep,
    Moment,
    Open,
    Pause,
    Phase,
    Programme,
    Reverse,
    Scenario,
    Stop,
    exact,
)


class Verb(Enum):
    """What a step does; the value names the event in the record."""

    START = "start"
    STOP = "stop"
    ABORT = "abort"
    PAUSE = "pause"
    RESUME = "resume"
    OPEN = "open"
    RECONNECT = "reconnect"
    LOAD = "load step"
    REVERSE = "reverse"
    CHANGE = "change"
    SUPPLY_OFF = "supply off"
    SUPPLY_ON = "supply on"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do."""

    time: float
    """Seconds after the start command, >= 0."""
    verb: Verb
    """What to do."""
    value: Exact | Polarity | str | None = None
    """With what: a setting, a load, a polarity."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A scenario laid out in time for one device."""

    stimulus: DirectCurrent
    """Output form."""
    polarity: Polarity
    """Polarity at the start."""
    steps: tuple[Step, ...]
    """In order of time; the first is the start, one is a stop."""
    stop: float
    """Time of the stop command."""
    end: float
    """Time at which the recording ends."""
    ends_by_dose: bool
    """Whether the device may end by itself before `stop`: the programme has a dose."""


def lay_out(scenario: Scenario, profile: DeviceProfile) -> Timeline:
    """Resolve phases into times by the ramp times that the profile declares.

    Raises:
        UsageError: if the device or this version cannot run the scenario.
    """
    programme = _single(scenario, profile)
    stimulus = programme.stimulus
    if not isinstance(stimulus, DirectCurrent):
        raise UsageError(
            f"{type(stimulus).__name__} was asked for; a {profile.device_class.name} "
            "device delivers direct current"
        )
    up, down = profile.si("ramp.up_time"), profile.si("ramp.down_time")
    hold = float(programme.hold.base)
    early = [d for d in scenario.disturbances if isinstance(d, Stop)]
    begins = {Phase.START: 0.0, Phase.HOLD: up}
    planned = _planned_stop(scenario, begins, hold, up + down)
    begins |= {Phase.STOP: planned, Phase.AFTER: planned + down}
    stop = min([planned, *(_time(d.at, begins) for d in early)])
    begins |= {Phase.STOP: stop, Phase.AFTER: stop + down}
    polarity = stimulus.polarity or profile.polarity
    steps = [Step(0.0, Verb.START), Step(stop, Verb.STOP)]
    for disturbance in scenario.disturbances:
        steps += _steps(disturbance, scenario, begins, polarity)
    steps.sort(key=lambda step: step.time)
    end = max(stop + down, steps[-1].time) + float(scenario.observe.after.base)
    return Timeline(stimulus, polarity, tuple(steps), stop, end, programme.dose is not None)


def _single(scenario: Scenario, profile: DeviceProfile) -> Programme:
    if len(scenario.programmes) > 1:
        raise UsageError(
            f"the scenario uses {len(scenario.programmes)} channels; "
            "this bench drives and measures one"
        )
    programme = scenario.programmes[0]
    if programme.channel not in profile.channels:
        known = ", ".join(profile.channels)
        raise UsageError(f"channel {programme.channel!r} was asked for; the device has: {known}")
    return programme


def _planned_stop(
    scenario: Scenario, begins: dict[Phase, float], hold: float, ramps: float
) -> float:
    """Time of the programme's own stop: each pause before it puts it off, with its two ramps."""
    stop = begins[Phase.HOLD] + hold
    pauses = [d for d in scenario.disturbances if isinstance(d, Pause) and d.at.phase in begins]
    for pause in sorted(pauses, key=lambda pause: _time(pause.at, begins)):
        if _time(pause.at, begins) < stop:
            stop += float(exact(pause.duration).base) + ramps
    return stop


def _time(moment: Moment, begins: dict[Phase, float]) -> float:
    return begins[moment.phase] + float(moment.offset.base)


def _steps(
    disturbance: Disturbance, scenario: Scenario, begins: dict[Phase, float], polarity: Polarity
) -> list[Step]:
    time = _time(disturbance.at, begins)
    match disturbance:
        case Stop():
            return []  # it is the stop of the timeline
        case Open(duration=None):
            return [Step(time, Verb.OPEN)]
        case Open(duration=duration) if duration is not None:
            again = Step(time + float(exact(duration).base), Verb.RECONNECT, scenario.load)
            return [Step(time, Verb.OPEN), again]
        case LoadStep(load=load):
            return [Step(time, Verb.LOAD, load if isinstance(load, str) else exact(load))]
        case Pause(duration=duration):
            return [Step(time, Verb.PAUSE), Step(time + float(exact(duration).base), Verb.RESUME)]
        case Abort():
            return [Step(time, Verb.ABORT)]
        case Reverse():
            return [Step(time, Verb.REVERSE, polarity.opposite)]
        case Change(setpoint=setpoint):
            return [Step(time, Verb.CHANGE, exact(setpoint))]
    dip = disturbance.duration
    if dip is None:
        raise UsageError("a supply dip needs a duration")
    return [Step(time, Verb.SUPPLY_OFF), Step(time + float(exact(dip).base), Verb.SUPPLY_ON)]
