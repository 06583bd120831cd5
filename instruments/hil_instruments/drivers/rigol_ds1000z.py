"""Rigol DS1000Z: one triggered acquisition of channel 1, in screen data (:WAV:MODE NORM).

Commands: MSO1000Z/DS1000Z Programming Guide. Eight bits: it gives timing, not accuracy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

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

DIVISIONS_ACROSS = 12
DIVISIONS_UP = 8
BEFORE = 2
"""Divisions shown before the trigger; the other ten lie after it."""
LOWEST_CODE, HIGHEST_CODE = 0, 255
"""At these codes the converter is at its end: the voltage may be anything beyond."""
ARMING = 1.0
"""Seconds of bench time in which the trigger must become ready."""
POLL = 0.01
"""Bench time in s between two looks at the trigger while it becomes ready."""
SLOPES = ("NEG", "POS", "RFAL")
STATUS = ("RUN", "WAIT", "TD", "AUTO", "STOP")
"""Words of :TRIG:STAT?: filling the time before the trigger, waiting for it, recording behind it,
triggering by itself, done."""
SOURCE = "DS1000Z data sheet: gain 3 % of full scale, offset 0.1 div + 2 mV"
"""Specification of the vertical system; its figures are from memory and await a check."""
GAIN_ERROR = 0.03


@dataclass(frozen=True, slots=True)
class Preamble:
    """What :WAV:PRE? tells of the data (its ten fields but format, type and count)."""

    points: int
    x_increment: float
    x_origin: float
    y_increment: float
    y_origin: float
    y_reference: float

    @classmethod
    def parse(cls, text: str) -> Preamble:
        """Read the reply; raises InstrumentError unless it is ten numbers with steps above 0."""
        fields = [float(encoding.number(field)) for field in text.split(",")]
        if len(fields) != 10:
            raise InstrumentError(f"{text!r} came for the preamble; expected ten numbers")
        _, _, points, _, x_increment, x_origin, _, y_increment, y_origin, y_reference = fields
        if not (x_increment > 0 and y_increment > 0):
            raise InstrumentError(f"{text!r}: increments in the preamble must be above 0")
        return cls(int(points), x_increment, x_origin, y_increment, y_origin, y_reference)


@dataclass
class _Armed:
    """An acquisition that is under way."""

    scale: float
    untriggered: float
    """Latest bench time at which it had not triggered yet."""
    triggered: float = math.inf
    """Earliest bench time at which it was seen to have triggered."""


class RigolDS1000Z(Instrument):
    """Voltage over time across the shunt, on channel 1 with a 1:1 probe."""

    def __init__(
        self, session: Session, clock: Clock, entry: InstrumentEntry, calibration: Calibration
    ) -> None:
        super().__init__(session, clock, entry, calibration)
        self._armed: _Armed | None = None

    def arm(self, *, level: float, span: float, full_scale: float, slope: str = "NEG") -> None:
        """Arm one acquisition.

        Args:
            level: Trigger level in V, within the vertical full scale.
            span: Time in s that must fit behind the trigger, 60 ns to 500 s.
            full_scale: Largest magnitude expected in V, up to 40 V.
            slope: NEG, POS or RFAL (either).

        Raises:
            UsageError: an argument is out of range.
            InstrumentError: a setting was refused, or the trigger does not become ready.
        """
        if slope not in SLOPES:
            raise UsageError(f"{self.name}: slope = {slope!r}; allowed: {', '.join(SLOPES)}")
        if not abs(level) <= full_scale:
            raise UsageError(f"{self.name}: level = {level} V lies beyond {full_scale} V")
        scale = self._step("full_scale", full_scale / (DIVISIONS_UP / 2), 1e-3, 10.0)
        time_scale = self._step("span", span / (DIVISIONS_ACROSS - BEFORE), 5e-9, 50.0)
        self._armed = None
        self._configure(
            ":STOP",
            ":CHAN1:DISP ON",
            ":CHAN1:COUP DC",
            ":CHAN1:PROB 1",
            ":CHAN1:OFFS 0",
            f":CHAN1:SCAL {_text(scale)}",
            f":TIM:SCAL {_text(time_scale)}",
            f":TIM:OFFS {_text((DIVISIONS_ACROSS / 2 - BEFORE) * time_scale)}",
            ":TRIG:EDG:SOUR CHAN1",
            f":TRIG:EDG:SLOP {slope}",
            f":TRIG:EDG:LEV {_text(level)}",
        )
        armed = _Armed(scale, self._clock.now())
        self._session.write(":SING")
        self._await_ready(armed)
        self._armed = armed

    def force(self) -> None:
        """Trigger now, whatever the level: the next `fetch` shows what flows.

        Raises:
            UsageError: `arm` was not called.
        """
        if self._armed is None:
            raise UsageError(f"{self.name} is not armed; arm() comes before force()")
        self._session.write(":TFOR")

    def fetch(self) -> Capture | None:
        """Return the acquisition, or None while it has not triggered.

        The instrument does not tell when it triggered. Bench time of the trigger lies between the
        last look that found it waiting and the first that did not (or the end, less what was
        recorded behind the trigger), so look often: `start_u` is that distance / sqrt(12). Within
        the capture, times are as good as the instrument's time base.

        Raises:
            UsageError: `arm` was not called.
            InstrumentError: data and preamble do not fit.
        """
        if self._armed is None:
            raise UsageError(f"{self.name} is not armed; arm() comes before fetch()")
        if self._look(self._armed) != "STOP":
            return None
        stopped = self._clock.now()
        armed, self._armed = self._armed, None
        for command in (":WAV:SOUR CHAN1", ":WAV:MODE NORM", ":WAV:FORM BYTE"):
            self._session.write(command)
        preamble = Preamble.parse(self._session.query(":WAV:PRE?"))
        codes = np.frombuffer(self._session.query_block(":WAV:DATA?"), dtype=np.uint8)
        if len(codes) != preamble.points or not len(codes):
            raise InstrumentError(
                f"{self.name} sent {len(codes)} points; its preamble says {preamble.points}"
            )
        return self._capture(armed, preamble, codes, stopped)

    def _capture(
        self, armed: _Armed, preamble: Preamble, codes: np.ndarray[Any, Any], stopped: float
    ) -> Capture:
        step = preamble.y_increment
        zero = -(preamble.y_origin + preamble.y_reference) * step
        sent = Codes(codes, step, zero, LOWEST_CODE, HIGHEST_CODE)
        behind = max(preamble.x_origin + (len(codes) - 1) * preamble.x_increment, 0.0)
        latest = max(min(armed.triggered, stopped - behind), armed.untriggered)
        trigger = (armed.untriggered + latest) / 2
        return Capture(
            sent.samples,
            trigger + preamble.x_origin,
            preamble.x_increment,
            math.hypot(latest - armed.untriggered, preamble.x_increment) / math.sqrt(12),
            Dimension.VOLTAGE,
            self._source(self._accuracy(armed.scale, step)),
            codes=sent,
        )

    def _accuracy(self, scale: float, resolution: float) -> Accuracy:
        offset = GAIN_ERROR * DIVISIONS_UP * scale + 0.1 * scale + 2e-3 + resolution / 2
        return Accuracy(f"{self.serial}[{scale:g} V/div]", gain=0.0, offset=offset, source=SOURCE)

    def _await_ready(self, armed: _Armed) -> None:
        """Look until the trigger waits; just after :SING it may still say STOP."""
        deadline = self._clock.now() + ARMING
        while (status := self._look(armed)) not in {"RUN", "WAIT", "TD"}:
            if self._clock.now() > deadline:
                raise InstrumentError(
                    f"{self.name}: {ARMING} s after :SING its trigger says {status}, not WAIT; "
                    f"check that channel 1 is on and the level lies within its range"
                )
            armed.triggered = math.inf
            self._clock.sleep(POLL)

    def _look(self, armed: _Armed) -> str:
        """Read the trigger's status and narrow down when it triggered."""
        before = self._clock.now()
        status = self._status()
        if status == "WAIT":
            armed.untriggered = before
        elif status in {"TD", "STOP"}:
            armed.triggered = min(armed.triggered, self._clock.now())
        return status

    def _status(self) -> str:
        status = self._session.query(":TRIG:STAT?").strip()
        if status not in STATUS:
            raise InstrumentError(
                f"{self.name}: trigger status {status!r}; expected one of {', '.join(STATUS)}"
            )
        return status

    def _step(self, name: str, wanted: float, smallest: float, largest: float) -> float:
        """Next setting of the 1-2-5 sequence that is not below `wanted`."""
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


def _text(value: float) -> str:
    return encoding.decimal_text(Decimal(repr(value)))
