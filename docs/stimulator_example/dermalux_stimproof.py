"""Driver of the Dermalux D1 after its manual, revision 1.07: frames of single letters, not SCPI.

The whole of a driver that stimproof does not bring: session, clock and typed errors are its own,
the frames are this module's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from hil.bench import InstrumentEntry
from hil.device import DeviceProfile, Polarity, State
from hil.errors import InstrumentError, Unavailable, UsageError
from hil.exact import Dimension, Exact
from hil.line import SerialLine
from hil.measurement import Calibration
from hil.roles import Clock
from hil.units import A, C, Quantity, ohm, quantity
from hil_instruments.encoding import Identity
from hil_instruments.manner import Ask, Manner
from hil_instruments.transport import Session

CURRENT_STEP, CHARGE_STEP = Decimal("10E-6"), Decimal("0.1E-3")
"""A and C for each count of a setting."""
REFUSALS = {"1": "checksum", "2": "no such letter", "3": "value", "4": "not in this state"}
STATES = {
    "I": State.IDLE,
    "A": State.ARMED,
    "U": State.RAMP_UP,
    "H": State.HOLD,
    "P": State.PAUSED,
    "D": State.RAMP_DOWN,
    "E": State.DONE,
    "F": State.FAULT,
}
SIGNS = {Polarity.POSITIVE: "+", Polarity.NEGATIVE: "-"}
OPEN_LOAD = 999_999
"""Load in ohm at which the device stops counting."""
_STATUS = re.compile(r"([A-Z])([+-])(\d{4})(\d{6})(\d{5})(\d{6})(\d{6})([A-Z]*)", re.ASCII)


def framed(body: str) -> str:
    """A message to the device; the session adds its end."""
    return f"\x02{body}{checksum(body)}"


def checksum(body: str) -> str:
    """Sum of the bytes, modulo 256, in upper-case hexadecimal."""
    return f"{sum(body.encode('latin-1')) % 256:02X}"


def payload(reply: str, letter: str) -> str:
    """What an answer to a letter holds.

    Raises:
        InstrumentError: the frame is broken, answers something else, or is a refusal.
    """
    kind, body, told = reply[:1], reply[1:-2], reply[-2:]
    if len(reply) < 4 or kind not in "\x06\x15" or told != checksum(body):
        raise InstrumentError(f"{reply!r} came for {letter!r}: no frame, or a wrong checksum")
    if kind == "\x15":
        raise InstrumentError(f"{letter!r} was refused: {REFUSALS.get(body, body)}")
    if body[0] != letter:
        raise InstrumentError(f"{reply!r} came for {letter!r}: the answer to something else")
    return body[1:]


@dataclass(frozen=True)
class Status:
    """One answer to `?`."""

    state: str
    sign: str
    setting: int
    """Set current, in steps."""
    dose: int
    """Set dose, in steps."""
    current: int
    """Current that the device measures, in uA."""
    charge: int
    """Charge that it has counted, in steps."""
    load: int
    """Load in ohm."""
    fault: str


class DermaluxD1:
    """The device under test, over its serial line (implements `hil.roles.Stimulator`)."""

    def __init__(
        self,
        session: Session,
        clock: Clock,
        entry: InstrumentEntry,
        calibration: Calibration,
        profile: DeviceProfile,
    ) -> None:
        self._session = session
        self._largest_dose = profile["dose.maximum"]
        self._refusals: list[str] = []

    @staticmethod
    def manner(profile: DeviceProfile) -> Manner:
        """19200 baud, eight data bits, no parity; frames end with a carriage return."""

        def identity(ask: Ask) -> Identity:
            model, _, rest = payload(ask(framed("V")), "V").partition(";")
            serial, _, firmware = rest.partition(";")
            if not (model and serial and firmware):
                raise InstrumentError(f"{model};{rest} came for 'V'; expected model;serial;version")
            return Identity(profile.manufacturer, model, serial, firmware)

        return Manner(
            send_end="\r",
            reply_end="\r",
            patience=0.5,
            serial=SerialLine(baud=19_200),
            identity=identity,
        )

    @property
    def serial(self) -> str:
        """Serial number that the device told."""
        return self._session.identity.serial

    def configure(self, current: Quantity, polarity: Polarity, dose: Quantity | None) -> None:
        """Set current, polarity and dose limit, and read all three back; nothing is energised."""
        charge = self._largest_dose if dose is None else Exact.of(dose)
        steps = self._counted(Exact.of(current), Dimension.CURRENT, CURRENT_STEP, 9999)
        limit = self._counted(charge, Dimension.CHARGE, CHARGE_STEP, 999_999)
        for body in (f"I{steps:04d}", f"P{SIGNS[polarity]}", f"D{limit:06d}"):
            self._ask(body)
        told = self._status()
        if (told.setting, told.sign, told.dose) != (steps, SIGNS[polarity], limit):
            raise InstrumentError(
                f"{self._session.name}: {steps} steps, {SIGNS[polarity]} and {limit} were set, "
                f"{told.setting}, {told.sign} and {told.dose} are read back; nothing was started"
            )

    def set_current(self, current: Quantity) -> None:
        """Change the setting; a refusal is found in `errors`."""
        steps = self._counted(Exact.of(current), Dimension.CURRENT, CURRENT_STEP, 9999)
        self._order(f"I{steps:04d}")

    def set_polarity(self, polarity: Polarity) -> None:
        """Ask for a polarity; a refusal is found in `errors`."""
        self._order(f"P{SIGNS[polarity]}")

    def watch_host(self, silence: Quantity) -> None:
        """Raises Unavailable: it never looks whether its host still speaks."""
        raise Unavailable(f"{self._session.name} does not watch its host; {silence} was asked for")

    def start(self) -> None:
        """Begin a treatment. Energises the output."""
        self._order("G")

    def pause(self) -> None:
        """Ramp down and keep the dose account."""
        self._order("H")

    def resume(self) -> None:
        """Ramp up again. Energises the output."""
        self._order("R")

    def stop(self) -> None:
        """Normal stop; its answer is read by whoever asks next."""
        self._session.stop_write(framed("S"), answered=True)

    def abort(self) -> None:
        """Stop at once; its answer is read by whoever asks next."""
        self._session.stop_write(framed("X"), answered=True)

    def acknowledge(self) -> None:
        """Clear a latched fault."""
        self._order("C")

    def state(self) -> State:
        """State that the device reports; an unknown letter is an error."""
        letter = self._status().state
        if letter not in STATES:
            raise InstrumentError(f"{self._session.name} reports an unknown state {letter!r}")
        return STATES[letter]

    def fault(self) -> str:
        """Fault code; empty for none."""
        return self._status().fault

    def claimed_current(self) -> Quantity:
        """Current that the device measures."""
        return quantity(self._status().current * 1e-6, A)

    def claimed_charge(self) -> Quantity:
        """Charge that the device has counted."""
        return quantity(float(self._status().charge * CHARGE_STEP), C)

    def impedance(self) -> Quantity:
        """Load; infinite where the device stops counting."""
        load = self._status().load
        return quantity(float("inf") if load == OPEN_LOAD else float(load), ohm)

    def claimed_voltage(self) -> Quantity:
        """Raises Unavailable: its protocol has no word for it."""
        raise Unavailable(f"{self._session.name} does not tell the voltage at its output")

    def claimed_polarity(self) -> Polarity:
        """Raises Unavailable: its protocol has no word for it."""
        raise Unavailable(f"{self._session.name} does not tell with which polarity it delivers")

    def claimed_time(self) -> Quantity:
        """Raises Unavailable: its protocol has no word for it."""
        raise Unavailable(f"{self._session.name} does not tell how long a treatment has lasted")

    def limited(self) -> bool:
        """Raises Unavailable: its protocol has no word for it."""
        raise Unavailable(
            f"{self._session.name} does not tell whether compliance limits its current"
        )

    def shorted(self) -> bool:
        """Raises Unavailable: its protocol has no word for it."""
        raise Unavailable(f"{self._session.name} does not tell whether its load is a short")

    def self_test(self) -> bool:
        """Run the self-test; True if it passed."""
        return self._ask("T") == "0"

    def errors(self) -> list[str]:
        """What was refused since the last call, stops included."""
        for answer in self._session.late_answers():
            self._note("S" if answer[1:2] == "S" else "X", answer)
        found, self._refusals = self._refusals, []
        return found

    def provoke(self, text: str) -> None:
        """Send text as it is, and throw away what it may answer."""
        self._session.write(text)
        self._session.discard()

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def _ask(self, body: str) -> str:
        reply = self._session.query(framed(body))
        try:
            return payload(reply, body[0])
        except InstrumentError as err:
            raise InstrumentError(f"{self._session.name}: {err}") from err

    def _order(self, body: str) -> None:
        """Send a command; a refusal is kept for `errors`."""
        self._note(body[0], self._session.query(framed(body)))

    def _note(self, letter: str, reply: str) -> None:
        if reply[:1] == "\x15" and reply[2:] == checksum(reply[1:2]):
            self._refusals.append(f"{letter}: {REFUSALS.get(reply[1], reply[1])}")
        else:
            payload(reply, letter)

    def _status(self) -> Status:
        told = self._ask("?")
        found = _STATUS.fullmatch(told)
        if found is None:
            raise InstrumentError(f"{self._session.name}: {told!r} is no status")
        state, sign, setting, dose, current, charge, load, fault = found.groups()
        counts = (int(setting), int(dose), int(current), int(charge), int(load))
        return Status(state, sign, *counts, fault)

    def _counted(self, value: Exact, dimension: Dimension, step: Decimal, most: int) -> int:
        """Count of steps; a value between two is refused, never rounded."""
        count = value.require(dimension).base / step
        if count != count.to_integral_value() or not 0 <= count <= most:
            raise UsageError(f"{value} is no whole number of steps of {step}, 0 to {most} of them")
        return int(count)
