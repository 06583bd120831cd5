"""The reference model: which states a stimulator may report, after what was done to it.

It knows the states and transitions that every driver reports, and the times that the profile
declares; nothing of how a device works inside. Where two courses are allowed, as while an open
load is not yet detected, it follows both, until a report or a time decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from hil.device import DeviceProfile, State
from hil.sequence import Do

NEVER = float("-inf")
_AGAIN = 2.0
"""A ramp may take twice its declared time until its end is reported: what bounds it is a slope."""


class Mode(Enum):
    """What a device is about."""

    REST = "at rest"
    TREATING = "treating"
    PAUSED = "paused"
    LATCHED = "latched by a fault"


@dataclass(frozen=True, slots=True)
class Course:
    """One of the courses that a device may be on."""

    mode: Mode
    since: float = NEVER
    """Bench time in s of what brought it there."""
    tail: float = 0.0
    """Time in s for which it may still report the way down."""
    off: float = 0.0
    """Time in s within which its current must be off; of no meaning while treating."""
    changed: float = NEVER
    """When the setting was changed while treating."""


class Reference:
    """Follows commands, events and reports, each at its bench time in s, in order."""

    def __init__(self, profile: DeviceProfile, begin: float = 0.0) -> None:
        """Begin at rest, at a bench time in s."""
        self._up, self._down = profile.si("ramp.up_time"), profile.si("ramp.down_time")
        self._off = profile.si("protection.off_time")
        self._detect = profile.si("protection.open_time")
        self._dwell = profile.si("polarity.dwell")
        self._courses = {Course(Mode.REST)}
        self._opened: float | None = None
        self._rest: float | None = begin
        self.wrong = ""
        """The first report that no course allows, in words; empty while there is none."""
        self.rests: list[tuple[float, float]] = []
        """Spans during which the output must be off, from one thing that was done to the next."""

    @property
    def modes(self) -> set[Mode]:
        """What the device may be about."""
        return {course.mode for course in self._courses}

    @property
    def is_open(self) -> bool:
        """Whether the load is open."""
        return self._opened is not None

    def settled(self, time: float) -> bool:
        """Whether no way down can be under way any more."""
        return all(course.since + course.tail <= time for course in self._courses)

    def done(self, do: Do, time: float) -> None:
        """Take note of what was done."""
        self._advance(time)
        if do is Do.OPEN and self._opened is None:
            self._opened = time
        elif do is Do.RECONNECT:
            self._opened = None
        self._courses = {
            after for course in self._courses for after in self._after(course, do, time)
        }
        self._watch_rest(time)

    def told(self, state: State, time: float) -> None:
        """Hold a report against all courses; those that do not allow it are given up."""
        if self.wrong:
            return
        self._advance(time)
        allowed = {course: self._states(course, time) for course in self._courses}
        left = {course for course, states in allowed.items() if state in states}
        if not left:
            words = sorted({each.value for states in allowed.values() for each in states})
            self.wrong = (
                f"{state.value!r} was reported at {time:.2f} s; allowed: {', '.join(words)}, for "
                f"it is {' or '.join(sorted(mode.value for mode in self.modes))}"
            )
            return
        self._courses = left
        self._watch_rest(time)

    def ended(self, time: float) -> None:
        """Take note of the end of what is observed."""
        self._end_rest(time)

    def _after(self, course: Course, do: Do, time: float) -> set[Course]:
        """Where a command or an event may lead from a course."""
        under_way = time < course.since + course.tail
        match course.mode, do:
            case Mode.REST, Do.START:
                return {course, self._treating(time)} if under_way else {self._treating(time)}
            case Mode.PAUSED, Do.RESUME:
                return {course, self._treating(time)} if under_way else {self._treating(time)}
            case Mode.TREATING, Do.SET:
                return {replace(course, changed=time)}
            case Mode.TREATING, Do.PAUSE:
                return {self._falling(Mode.PAUSED, time)}
            case ((Mode.TREATING | Mode.PAUSED), Do.STOP):
                return {self._falling(Mode.REST, time)}
            case ((Mode.TREATING | Mode.PAUSED | Mode.REST), Do.ABORT):
                return {Course(Mode.REST, time, self._off, self._off)}
            case Mode.LATCHED, Do.ACKNOWLEDGE:
                cleared = Course(Mode.REST, time, 0.0, 0.0)
                return {course, cleared} if self.is_open else {cleared}
        return {course}

    def _treating(self, time: float) -> Course:
        return Course(Mode.TREATING, time)

    def _falling(self, mode: Mode, time: float) -> Course:
        return Course(mode, time, _AGAIN * self._down, self._down + self._off)

    def _states(self, course: Course, time: float) -> set[State]:
        """What a device on this course may report."""
        under_way = time < course.since + course.tail
        match course.mode:
            case Mode.REST:
                return {State.IDLE, State.DONE} | ({State.RAMP_DOWN} if under_way else set())
            case Mode.PAUSED:
                return {State.PAUSED} | ({State.RAMP_DOWN} if under_way else set())
            case Mode.LATCHED:
                return {State.FAULT}
        states = {State.HOLD}
        if time < course.since + _AGAIN * self._up + self._dwell:
            states |= {State.ARMED, State.RAMP_UP}
        if time < course.changed + _AGAIN * self._up:
            states |= {State.RAMP_UP, State.RAMP_DOWN}
        return states

    def _advance(self, time: float) -> None:
        """Follow an open load up to a time: it may be detected, and has to be in the end."""
        if self._opened is None:
            return
        found: set[Course] = set()
        for course in self._courses:
            falls = course.mode is not Mode.LATCHED and time < course.since + course.tail
            treats = course.mode is Mode.TREATING
            if treats or falls:
                found.add(Course(Mode.LATCHED, time, 0.0, self._off))
            if not treats or time <= self._deadline(course):
                found.add(course)
        self._courses = found

    def _deadline(self, course: Course) -> float:
        """When an open load must have been detected: it takes a current that is to flow."""
        flows = course.since + self._dwell + self._up / 10
        return max(self._opened or NEVER, flows) + self._detect

    def _watch_rest(self, time: float) -> None:
        """Note from when on the output must be off, where no course treats; else a span ends."""
        if Mode.TREATING not in self.modes:
            ends = max(course.since + course.off for course in self._courses)
            self._rest = ends if self._rest is None else max(self._rest, ends)
        elif self._rest is not None:
            self._end_rest(time)

    def _end_rest(self, time: float) -> None:
        if self._rest is not None and time > self._rest:
            self.rests.append((self._rest, time))
        self._rest = None
