"""The ports of the core: what the bench asks of an instrument, whoever made it.

Every driver method blocks no longer than it must, raises BenchError when the world is wrong and
never decides anything. `serial` is the serial number from the instrument's identity.
"""

from __future__ import annotations

from typing import Protocol

from hil.capture import Accuracy, Capture, Sampling
from hil.device import Polarity, State
from hil.exact import Dimension, Exact
from hil.prompt import Prompt
from hil.units import Quantity


class Clock(Protocol):
    """Bench time: virtual on the in-process bench, wall time elsewhere."""

    def now(self) -> float:
        """Bench time in s, monotonic."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let bench time pass."""
        ...


class Identified(Protocol):
    """Whatever answers *IDN?."""

    @property
    def serial(self) -> str:
        """Serial number; starts with SIM- on a simulated instrument."""
        ...

    def errors(self) -> list[str]:
        """Read and empty the error queue."""
        ...

    def close(self) -> None:
        """Close the session; never changes the instrument's state."""
        ...


class Stimulator(Identified, Protocol):
    """The device under test."""

    def configure(self, current: Quantity, polarity: Polarity, dose: Quantity | None) -> None:
        """Set current, polarity and dose limit (None: the largest); nothing is energised."""
        ...

    def set_current(self, current: Quantity) -> None:
        """Change the setting, also while delivering."""
        ...

    def set_polarity(self, polarity: Polarity) -> None:
        """Ask for a polarity, also while delivering (the device may refuse: read `errors`)."""
        ...

    def watch_host(self, silence: Quantity) -> None:
        """Have a treatment end after so long a silence of the host; nothing is energised.

        Of a device that need not be told, nothing is sent.
        """
        ...

    def start(self) -> None:
        """Begin a treatment: ramp up, then hold. Energises the output."""
        ...

    def pause(self) -> None:
        """Ramp down and keep the dose account."""
        ...

    def resume(self) -> None:
        """Ramp up again. Energises the output."""
        ...

    def stop(self) -> None:
        """Normal stop with ramp-down; write-only, exempt from poisoning."""
        ...

    def abort(self) -> None:
        """Stop at once; write-only, exempt from poisoning."""
        ...

    def acknowledge(self) -> None:
        """Clear a latched fault, as an operator would; must not energise."""
        ...

    def state(self) -> State:
        """State that the device reports."""
        ...

    def fault(self) -> str:
        """Fault code that the device reports; empty for none."""
        ...

    def claimed_current(self) -> Quantity:
        """Current that the device believes to deliver, in A."""
        ...

    def claimed_charge(self) -> Quantity:
        """Charge that the device believes to have delivered in this treatment."""
        ...

    def impedance(self) -> Quantity:
        """Load impedance that the device reports, in ohm."""
        ...

    def claimed_voltage(self) -> Quantity:
        """Magnitude of the voltage at its output that the device reports, in V."""
        ...

    def claimed_polarity(self) -> Polarity:
        """Polarity with which the device reports to deliver."""
        ...

    def claimed_time(self) -> Quantity:
        """Time in s for which, by the device, its output was on in this treatment."""
        ...

    def limited(self) -> bool:
        """Whether the device reports that it cannot drive the setting into its load."""
        ...

    def shorted(self) -> bool:
        """Whether the device reports that its load is a short."""
        ...

    def self_test(self) -> bool:
        """Run *TST?; True if it passed."""
        ...

    def provoke(self, text: str) -> None:
        """Send text that no driver would send, as it is."""
        ...


class Multimeter(Identified, Protocol):
    """A digital multimeter: single readings, and a recorder of equidistant samples."""

    @property
    def sampling(self) -> Sampling:
        """Rates at which it can record, and how much it keeps between two drains."""
        ...

    def read(self, dimension: Dimension, full_scale: float) -> tuple[Quantity, Accuracy]:
        """One reading in a fixed range that holds `full_scale` (SI); infinite on overload."""
        ...

    def start_recording(self, dimension: Dimension, full_scale: float, rate: float) -> None:
        """Begin to sample at `rate` per second in a fixed range; earlier samples are dropped."""
        ...

    def drain(self) -> int:
        """Fetch what was sampled so far, before the memory is full; return its count."""
        ...

    def latest(self) -> Capture:
        """What the last drain brought, at its place in time; lost stretches as gaps."""
        ...

    def stop_recording(self) -> Capture:
        """End sampling, fetch the rest, return all since the start, with lost stretches as gaps."""
        ...


class Oscilloscope(Identified, Protocol):
    """Voltage over time across the shunt, at a time resolution that a multimeter lacks."""

    def arm(
        self,
        *,
        level: float,
        span: float,
        full_scale: float,
        slope: str = "NEG",
        points: int = 1_200,
    ) -> None:
        """Arm one acquisition: level, full scale in V, span in s, least number of samples."""
        ...

    def force(self) -> None:
        """Trigger an armed acquisition now, whatever its level."""
        ...

    def fetch(self) -> Capture | None:
        """Return the acquisition, or None while it has not triggered."""
        ...


class ElectrodeLoad(Identified, Protocol):
    """Switched load in place of electrodes and skin."""

    def select(self, channel: int | None) -> None:
        """Connect one position; None opens the load."""
        ...

    def selected(self) -> int | None:
        """Position that is connected now."""
        ...

    def join(self, channel: int) -> None:
        """Close a channel that is no position, as that of a source."""
        ...

    def part(self, channel: int) -> None:
        """Open it again."""
        ...


class Supply(Identified, Protocol):
    """Supply of the device under test."""

    def on(self, voltage: Quantity, current_limit: Quantity) -> None:
        """Switch on."""
        ...

    def off(self) -> None:
        """Switch off."""
        ...

    def is_on(self) -> bool:
        """Whether the output is on."""
        ...

    def output_voltage(self) -> Quantity:
        """Measured output voltage."""
        ...


class Source(Identified, Protocol):
    """A reference source: what a meter must read of it is known from its own data sheet."""

    def drive(self, value: Quantity, limit: Quantity) -> Accuracy:
        """Drive a signed current into at most a voltage, or a signed voltage at most at a current.

        The range is fixed. Energises what is joined. Returns the limits of its error.
        """
        ...

    def off(self) -> None:
        """Drive nothing and open the output; write-only, exempt from poisoning."""
        ...

    def is_on(self) -> bool:
        """Whether the output is on."""
        ...

    def limited(self) -> bool:
        """Whether the limit, not the value, says what is driven now."""
        ...


class Cutoff(Identified, Protocol):
    """Relay that opens both poles between device and load; de-energised means open."""

    def epoch(self) -> int:
        """Epoch that the relay holds; the next close needs a larger one."""
        ...

    def close_relay(self, epoch: int) -> None:
        """Close under a fencing epoch; an epoch that is not newer than the last trip is refused."""
        ...

    def renew(self, seconds: float) -> None:
        """Keep closed for that long from now; without renewal the relay opens by itself."""
        ...

    def open_relay(self) -> None:
        """Open now; write-only, exempt from poisoning."""
        ...

    def is_closed(self) -> bool:
        """State of the contacts, read back."""
        ...


# The roles below are optional: a bench file may leave each of them out.


class Operator(Protocol):
    """A person at the bench, or what stands for one. Nothing here waits for an answer."""

    def show(self, prompt: Prompt, patience: float) -> None:
        """Put a prompt in place of the one before; it is taken away after `patience` bench s."""
        ...

    def poll(self) -> str | None:
        """The answer as it was given, once; None while there is none."""
        ...

    def withdraw(self) -> None:
        """Take the prompt away."""
        ...


class Dialogue(Protocol):
    """Prompts one after another, journaled, with a patience; the bench goes on meanwhile."""

    def ask(self, prompt: Prompt) -> str:
        """Ask and wait for the answer, while the bench is watched; raises Unanswered."""
        ...

    def post(self, prompt: Prompt) -> None:
        """Ask and wait for nothing: `heard` tells the answer, until something else is asked."""
        ...

    def heard(self) -> str | None:
        """What was answered to the posted prompt, once; None while nothing was."""
        ...


class IndicatorSensor(Protocol):
    """Sees or hears a lamp or buzzer of the device."""

    def is_on(self) -> bool:
        """Whether the indicator is lit, or sounds, now."""
        ...


class Thermometer(Protocol):
    """Air at the bench."""

    def ambient(self) -> Exact:
        """Temperature in degC, as read."""
        ...

    @property
    def limits(self) -> Exact:
        """Limits of the error of a reading, +/-, in degC."""
        ...


class EarthPath(Protocol):
    """Switch between a pole of the bench's circuit and protective earth; rests open."""

    def join(self) -> None:
        """Earth the dispersive lead; refused while the output may be energised."""
        ...

    def part(self) -> None:
        """Let it float; always passes."""
        ...

    def is_joined(self) -> bool:
        """State of the contact, read back."""
        ...


class TerminalSource(Protocol):
    """Source on the terminals of a device that is off: what comes back into it is seen."""

    def apply(self, voltage: Quantity, limit: Quantity) -> None:
        """Put a signed voltage on the terminals, at most at a current."""
        ...

    def drawn(self) -> Quantity:
        """Current that it drives into the device, in A."""
        ...

    def off(self) -> None:
        """Take it off the terminals; always passes."""
        ...


class Jig(Protocol):
    """A jig inside the device that injects a single fault; transparent until it is told."""

    def halt(self) -> None:
        """Stop the processor at once; it runs again after a reset, its own or by new power."""
        ...


class OnTerminals(Identified, TerminalSource, Protocol):
    """An instrument in the role of the terminal source."""


class FirmwareLoader(Protocol):
    """Puts firmware into the device."""

    def images(self) -> tuple[str, ...]:
        """Names of what can be flashed."""
        ...

    def flash(self, name: str) -> None:
        """Flash an image; raises BenchError unless version and hash read back as its own."""
        ...

    def installed(self) -> tuple[str, str]:
        """Version and SHA-256 of what the device runs, read back from it."""
        ...
