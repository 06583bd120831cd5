"""What one scenario left behind: waveforms, events, states, and the device's own claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hil.device import State
from hil.errors import UsageError
from hil.exact import Exact
from hil.scenario import Scenario
from hil.waveform import Instant, Waveform


@dataclass(frozen=True, slots=True)
class Claim:
    """What the device said of itself, and when."""

    value: Exact
    """As it said."""
    moment: Instant
    """When it was asked."""


@dataclass(frozen=True)
class Record:
    """Evidence of one scenario on one device."""

    id: str
    """First digits of the hash over scenario and seed; names it in the journal."""
    scenario: Scenario | None
    """What was run; None for an arming that a test drove by hand."""
    waveforms: Mapping[str, Waveform]
    """Channel, as `current`, to its waveform."""
    events: Mapping[str, Instant]
    """What happened and when; a repeated event carries a number, as `open 2`."""
    states: tuple[tuple[float, State], ...]
    """Bench time and state at each poll."""
    claimed_charge: Exact
    """Charge that the device says it delivered, read after the end."""
    complaints: tuple[str, ...] = ()
    """Errors that the device reported to commands of the scenario, in order."""
    fault: str = ""
    """Fault code that the device reported at the end; empty for none."""
    dispute: str = ""
    """How ammeter and voltmeter disagree beyond their uncertainty; empty if they agree."""

    @property
    def current(self) -> Waveform:
        """Current into the load, positive out of the active electrode, in A."""
        return self._waveform("current")

    @property
    def voltage(self) -> Waveform:
        """Active against dispersive terminal, in V."""
        return self._waveform("voltage")

    def event(self, name: str) -> Instant:
        """When something happened; raises UsageError if it did not."""
        if name not in self.events:
            known = ", ".join(self.events) or "none"
            raise UsageError(f"the record has no event {name!r}; it has: {known}")
        return self.events[name]

    def state_at(self, time: float) -> State:
        """State that the device reported last before a bench time."""
        before = [state for polled, state in self.states if polled <= time]
        if not before:
            raise UsageError(f"no state was polled before {time} s")
        return before[-1]

    def _waveform(self, channel: str) -> Waveform:
        if channel not in self.waveforms:
            known = ", ".join(self.waveforms) or "none"
            raise UsageError(f"{channel!r} was not observed; the record has: {known}")
        return self.waveforms[channel]
