"""What oscilloscopes of every family share: one acquisition that is armed, watched and fetched.

None of them tells when it triggered. Its bench time lies between the last look that found it
waiting and the first that did not (or the end, less what was recorded behind the trigger).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hil.bench import InstrumentEntry
from hil.capture import Accuracy, Capture, Codes
from hil.errors import InstrumentError, UsageError
from hil.exact import Dimension
from hil.measurement import Calibration
from hil.roles import Clock
from hil_instruments import encoding
from hil_instruments.drivers.instrument import Instrument

if TYPE_CHECKING:
    from hil_instruments.transport import Session

DIVISIONS_UP = 8
ARMING = 1.0
"""Seconds of bench time in which the trigger must become ready."""
POLL = 0.01
"""Bench time in s between two looks at the trigger while it becomes ready."""
BEFORE = 2
"""Divisions before the trigger, at most."""
SLOPES = ("NEG", "POS", "RFAL")
SCREEN = 1_200
"""Points of an acquisition whose caller asks for no more: those of a screen."""


class Phase(Enum):
    """Where an acquisition is."""

    FILLING = "fills the time before the trigger"
    WAITING = "waits for the trigger"
    RECORDING = "records behind the trigger"
    STOPPED = "stands still"
    FREE = "triggers by itself"


@dataclass
class Armed:
    """An acquisition that is under way."""

    scale: float
    """Volts per division."""
    time_scale: float
    """Seconds per division."""
    points: int
    """Least number of samples that is asked for."""
    untriggered: float
    """Latest bench time at which it had not triggered yet."""
    triggered: float = math.inf
    """Earliest bench time at which it was seen to have triggered."""


@dataclass(frozen=True)
class Trace:
    """One acquisition as it was read."""

    codes: Codes
    origin: float
    """Time of the first sample, from the trigger, in s."""
    interval: float
    """Seconds from sample to sample."""


@dataclass(frozen=True, slots=True)
class Preamble:
    """What :WAV:PRE? tells of the data, as Rigol and Keysight have it.

    Its ten fields but format, type and count.
    """

    points: int
    x_increment: float
    x_origin: float
    y_increment: float
    y_origin: float
    y_reference: float

    @classmethod
    def parse(cls, text: str) -> Preamble:
        """Read the reply; raises InstrumentError unless it is ten numbers with steps above 0."""
        fields = [float(value) for value in encoding.listed(text, 10)]
        _, _, points, _, x_increment, x_origin, _, y_increment, y_origin, y_reference = fields
        if not (x_increment > 0 and y_increment > 0):
            raise InstrumentError(f"{text!r}: increments in the preamble must be above 0")
        return cls(int(points), x_increment, x_origin, y_increment, y_origin, y_reference)


class SingleShot(Instrument):
    """Voltage over time across the shunt, on channel 1 with a 1:1 probe; eight bits."""

    behind: ClassVar[float]
    """Divisions of the screen behind the trigger."""
    scales: ClassVar[tuple[float, float]]
    """Finest and coarsest volts per division."""
    time_scales: ClassVar[tuple[float, float]]
    """Shortest and longest seconds per division."""
    deepest: ClassVar[int]
    """Largest number of samples that may be asked for."""
    slopes: ClassVar[Sequence[str]] = SLOPES
    accuracy: ClassVar[tuple[float, float, float]]
    """Limit of error: share of full scale, divisions, volts."""
    source: ClassVar[str]
    """Where these figures come from."""
    steps: ClassVar[float] = 25.0
    """Steps of the converter in a division."""

    def __init__(
        self, session: Session, clock: Clock, entry: InstrumentEntry, calibration: Calibration
    ) -> None:
        super().__init__(session, clock, entry, calibration)
        self._armed: Armed | None = None

    def arm(
        self,
        *,
        level: float,
        span: float,
        full_scale: float,
        slope: str = "NEG",
        points: int = SCREEN,
    ) -> None:
        """Arm one acquisition.

        Args:
            level: Trigger level in V, within the vertical full scale.
            span: Time in s that must fit behind the trigger.
            full_scale: Largest magnitude expected in V.
            slope: NEG, POS or RFAL (either).
            points: Least number of samples; more of them take longer to fetch.

        Raises:
            UsageError: an argument is out of range; nothing was sent.
            InstrumentError: a setting was refused or reads back otherwise, or the trigger does not
                become ready.
        """
        if slope not in self.slopes:
            raise UsageError(f"{self.name}: slope = {slope!r}; allowed: {', '.join(self.slopes)}")
        if not abs(level) <= full_scale:
            raise UsageError(f"{self.name}: level = {level} V lies beyond {full_scale} V")
        if not 0 < points <= self.deepest:
            raise UsageError(f"{self.name}: points = {points}; allowed: 1 to {self.deepest}")
        scale = self._step("full_scale", full_scale / (DIVISIONS_UP / 2), self.scales)
        time_scale = self._step("span", span / self.behind, self.time_scales)
        self._armed = None
        armed = Armed(scale, time_scale, points, self._clock.now())
        self._prepare(armed, level, slope)
        armed.untriggered = self._clock.now()
        self._start()
        self._await_ready(armed)
        self._armed = armed

    def limits_of_error(self, full_scale: float) -> tuple[float, float, Accuracy]:
        """Volts per division that hold a full scale in V, step of the converter in V, limits.

        Nothing is asked.

        Raises:
            UsageError: no setting holds it.
        """
        scale = self._step("full_scale", full_scale / (DIVISIONS_UP / 2), self.scales)
        step = scale / self.steps
        return scale, step, self._accuracy(scale, step)

    def interval(self, span: float, points: int = SCREEN) -> float:
        """Seconds from sample to sample, at most, where `span` s fit behind the trigger."""
        time_scale = self._step("span", span / self.behind, self.time_scales)
        return time_scale * (self.behind + BEFORE) / points

    def force(self) -> None:
        """Trigger now, whatever the level: the next `fetch` shows what flows.

        Raises:
            UsageError: `arm` was not called.
        """
        if self._armed is None:
            raise UsageError(f"{self.name} is not armed; arm() comes before force()")
        self._trigger()

    def fetch(self) -> Capture | None:
        """Return the acquisition, or None while it has not triggered.

        Look often: `start_u` is the distance between two looks / sqrt(12). Within the capture,
        times are as good as the instrument's time base.

        Raises:
            UsageError: `arm` was not called.
            InstrumentError: data and their description do not fit together, or what was armed.
        """
        if self._armed is None:
            raise UsageError(f"{self.name} is not armed; arm() comes before fetch()")
        if self._look(self._armed) is not Phase.STOPPED:
            return None
        stopped = self._clock.now()
        armed, self._armed = self._armed, None
        return self._capture(armed, self._read(armed), stopped)

    # What a family fills in.

    @abstractmethod
    def _prepare(self, armed: Armed, level: float, slope: str) -> None:
        """Stop, set and read back; raises InstrumentError."""

    @abstractmethod
    def _start(self) -> None:
        """Begin the acquisition."""

    @abstractmethod
    def _trigger(self) -> None:
        """Trigger by command."""

    @abstractmethod
    def _phase(self) -> Phase:
        """Ask where the acquisition is; raises InstrumentError for a word that is unknown."""

    @abstractmethod
    def _read(self, armed: Armed) -> Trace:
        """Read the acquisition that has ended; raises InstrumentError if it is another's."""

    # Shared.

    def _capture(self, armed: Armed, trace: Trace, stopped: float) -> Capture:
        step = trace.codes.scale
        if not trace.codes.values.size:
            raise InstrumentError(f"{self.name} sent an acquisition without a point")
        self._check_reach(armed, trace.codes)
        samples = trace.codes.samples
        behind = max(trace.origin + (len(samples) - 1) * trace.interval, 0.0)
        latest = max(min(armed.triggered, stopped - behind), armed.untriggered)
        trigger = (armed.untriggered + latest) / 2
        return Capture(
            samples,
            trigger + trace.origin,
            trace.interval,
            math.hypot(latest - armed.untriggered, trace.interval) / math.sqrt(12),
            Dimension.VOLTAGE,
            self._source(self._accuracy(armed.scale, step)),
            codes=trace.codes,
        )

    def _check_reach(self, armed: Armed, codes: Codes) -> None:
        """Refuse a trace whose converter spans something else than what was armed."""
        whole = (codes.highest - codes.lowest) * codes.scale
        asked = DIVISIONS_UP * armed.scale
        if not 0.9 * asked <= whole <= 2 * asked:
            raise InstrumentError(
                f"{self.name} sent a trace of {whole:.4g} V from end to end, where {asked:.4g} V "
                "was set: somebody else changed its range, or its probe ratio"
            )

    def _accuracy(self, scale: float, resolution: float) -> Accuracy:
        share, divisions, volts = self.accuracy
        offset = share * DIVISIONS_UP * scale + divisions * scale + volts + resolution / 2
        name = f"{self.serial}[{scale:g} V/div]"
        return Accuracy(name, gain=0.0, offset=offset, source=self.source)

    def _await_ready(self, armed: Armed) -> None:
        """Look until the trigger waits; just after the start it may still stand."""
        deadline = self._clock.now() + ARMING
        while (phase := self._look(armed)) in {Phase.STOPPED, Phase.FREE}:
            if self._clock.now() > deadline:
                raise InstrumentError(
                    f"{self.name}: {ARMING} s after its start it {phase.value} and does not wait "
                    f"for a trigger; check that channel 1 is on and the level lies in its range"
                )
            armed.triggered = math.inf
            self._clock.sleep(POLL)

    def _look(self, armed: Armed) -> Phase:
        """Ask for the phase and narrow down when it triggered."""
        before = self._clock.now()
        phase = self._phase()
        if phase is Phase.WAITING:
            armed.untriggered = before
        elif phase in {Phase.RECORDING, Phase.STOPPED}:
            armed.triggered = min(armed.triggered, self._clock.now())
        return phase

    def _step(self, name: str, wanted: float, ends: tuple[float, float]) -> float:
        """Next setting of the 1-2-5 sequence that is not below `wanted`."""
        smallest, largest = ends
        if not 0 < wanted <= largest:
            raise UsageError(
                f"{self.name}: {name} needs {wanted:g} a division; allowed: above 0, up to "
                f"{largest:g}"
            )
        decade = math.floor(math.log10(max(wanted, smallest)))
        for exponent in (decade, decade + 1):
            for digit in (1, 2, 5):
                step = float(f"{digit}e{exponent}")
                if step >= max(wanted, smallest) * (1 - 1e-9):
                    return step
        raise AssertionError("the 1-2-5 sequence has a step in every decade")


def unsigned(payload: bytes) -> np.ndarray[Any, Any]:
    """Codes of one byte each, 0 to 255."""
    return np.frombuffer(payload, dtype=np.uint8)
