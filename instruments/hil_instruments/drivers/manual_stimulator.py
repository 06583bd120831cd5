"""A device that has nothing but a front panel: a person works it and tells what its display shows.

Nothing of it is read over a line. What it believes to deliver is therefore not known: current,
charge, impedance, self-test and provocation are Unavailable. A moment lies somewhere between
prompt and answer.
"""

from __future__ import annotations

from collections.abc import Callable

from hil.device import DeviceProfile, Polarity, State
from hil.errors import BenchError, InstrumentError, Unavailable
from hil.exact import Exact
from hil.prompt import DONE, REFUSED, Prompt
from hil.roles import Dialogue
from hil.units import Quantity
from hil_instruments.encoding import Identity

PANEL = tuple(state.value for state in State)
"""What a display may show, as it is answered."""
NO_FAULT = "none"
"""Answer where the display shows no fault."""
_NO_LINE = (
    "the device is worked by hand and told of by its operator: {} cannot be read from it; what "
    "rests on it is not evaluated"
)


class ManualStimulator:
    """The device under test, worked by an operator.

    `abort` opens the cut-off at once and asks afterwards; so does an unanswered `stop`. From then
    on it energises nothing until its power was cut.
    """

    def __init__(
        self, dialogue: Dialogue, cut: Callable[[], None], profile: DeviceProfile, serial: str
    ) -> None:
        """Take over a device at rest; nothing is asked.

        Args:
            dialogue: asks the operator.
            cut: opens the cut-off.
            profile: device under test.
            serial: as the operator read it off the type plate.
        """
        self._dialogue, self._cut, self._profile, self._serial = dialogue, cut, profile, serial
        self._state: State | None = None
        self._watched = self._busy = False
        self._refusals: list[str] = []
        self.cut = False
        """Whether it has opened the cut-off since the device had its power."""

    @property
    def serial(self) -> str:
        """Serial number, as the operator read it off the type plate."""
        return self._serial

    @property
    def at_rest(self) -> bool:
        """Whether the display was told to show that nothing is delivered; asks nothing."""
        return self._state is not None and not self._state.delivers

    def renew(self) -> None:
        """Take note that the device's power was cut: nothing is known of its state."""
        self._state, self._watched, self.cut = None, False, False
        self._refusals.clear()

    def configure(self, current: Quantity, polarity: Polarity, dose: Quantity | None) -> None:
        """Have current, polarity and dose set and read back; nothing is energised.

        Raises:
            InstrumentError: the device did not take a setting, or its display shows another one.
            Unanswered: nobody did it in time.
        """
        charge = self._profile["dose.maximum"] if dose is None else Exact.of(dose)
        self._set("set current", "current", Exact.of(current))
        self._press("set polarity", f"Set the polarity to {polarity.value}.", polarity.value)
        self._set("set dose", "dose", charge)
        if refused := self.errors():
            raise InstrumentError(f"the device did not take a setting: {'; '.join(refused)}")

    def set_current(self, current: Quantity) -> None:
        """Have the setting changed, also while delivering; a refusal is found in `errors`."""
        self._press("set current", f"Set the current to {Exact.of(current)}.", _text(current))

    def set_polarity(self, polarity: Polarity) -> None:
        """Have a polarity set, also while delivering; a refusal is found in `errors`."""
        self._press("set polarity", f"Set the polarity to {polarity.value}.", polarity.value)

    def watch_host(self, silence: Quantity) -> None:
        """There is no host whose silence it could notice; raises Unavailable."""
        raise Unavailable(_NO_LINE.format(f"a silence of its host of {silence}"))

    def start(self) -> None:
        """Have a treatment begun. Energises the output; a refusal is found in `errors`."""
        self._need_path("start")
        if self._press("start", "Press START now."):
            self._believe(State.RAMP_UP)

    def pause(self) -> None:
        """Have the treatment paused; a refusal is found in `errors`."""
        if self._press("pause", "Press PAUSE now."):
            self._believe(State.RAMP_DOWN)

    def resume(self) -> None:
        """Have it resumed. Energises the output; a refusal is found in `errors`."""
        self._need_path("resume")
        if self._press("resume", "Press RESUME now."):
            self._believe(State.RAMP_UP)

    def stop(self) -> None:
        """Have it stopped by its ramp; where nobody does, the cut-off opens at once.

        Raises:
            Unanswered: nobody did it in time; the cut-off was opened.
        """
        try:
            pressed = self._press("stop", "Press STOP now.")
        except BaseException:
            self._open()
            raise
        if pressed:
            self._believe(State.RAMP_DOWN)

    def abort(self) -> None:
        """Open the cut-off at once, then ask for the device to be switched off; waits for nothing.

        Raises:
            BenchError: the cut-off could not be told to open.
        """
        self._state, self._watched = State.IDLE, False
        try:
            self._open()
        finally:
            self._dialogue.post(
                Prompt("abort", "ABORT: stop the device at once. The cut-off was told to open.")
            )

    def acknowledge(self) -> None:
        """Have a latched fault cleared; must not energise."""
        self._press("acknowledge", "Acknowledge the fault at the device.")
        self._state = None

    def state(self) -> State:
        """What the display showed when it was last told; asks only where nobody has told yet.

        Raises:
            Unanswered: nobody told in time.
        """
        if self._state is None:
            said = self._ask(Prompt("state", "Tell what the display shows.", answers=PANEL))
            self._believe(State(said))
        elif self._watched and not self._busy and (heard := self._dialogue.heard()) is not None:
            self._state, self._watched = State(heard), False
        if not self.cut:
            self._watch()
        return self._told

    def fault(self) -> str:
        """Fault that the display shows; empty for none.

        Raises:
            Unanswered: nobody told in time.
        """
        said = self._ask(
            Prompt("fault", f"Tell the fault that the display shows, or {NO_FAULT}.", answers=())
        )
        return "" if said.lower() == NO_FAULT else said

    def claimed_current(self) -> Quantity:
        """Not known; raises Unavailable."""
        raise Unavailable(_NO_LINE.format("the current that it believes to deliver"))

    def claimed_charge(self) -> Quantity:
        """Not known; raises Unavailable."""
        raise Unavailable(_NO_LINE.format("the charge that it believes to have delivered"))

    def impedance(self) -> Quantity:
        """Not known; raises Unavailable."""
        raise Unavailable(_NO_LINE.format("the impedance of its load"))

    def claimed_voltage(self) -> Quantity:
        """Not known; raises Unavailable."""
        raise Unavailable(_NO_LINE.format("the voltage at its output"))

    def claimed_polarity(self) -> Polarity:
        """Not known; raises Unavailable."""
        raise Unavailable(_NO_LINE.format("the polarity of its output"))

    def claimed_time(self) -> Quantity:
        """Not known; raises Unavailable."""
        raise Unavailable(_NO_LINE.format("the time of a treatment"))

    def limited(self) -> bool:
        """Not known; raises Unavailable."""
        raise Unavailable(_NO_LINE.format("that compliance keeps its current down"))

    def shorted(self) -> bool:
        """Not known; raises Unavailable."""
        raise Unavailable(_NO_LINE.format("a shorted load"))

    def self_test(self) -> bool:
        """Not known; raises Unavailable."""
        raise Unavailable(_NO_LINE.format("a self-test"))

    def provoke(self, text: str) -> None:
        """Nobody types a text into a panel; raises Unavailable."""
        raise Unavailable(_NO_LINE.format(f"an answer to {text!r}"))

    def errors(self) -> list[str]:
        """What the operator said the device did not take, since the last call."""
        found, self._refusals = self._refusals, []
        return found

    def close(self) -> None:
        """Ask nothing more; never changes the device."""

    @property
    def _told(self) -> State:
        if self._state is None:
            raise BenchError("the state of a device that is worked by hand is not known")
        return self._state

    def _set(self, to: str, name: str, wanted: Exact) -> None:
        """Have a value set, and hold what the display shows against it."""
        if not self._press(to, f"Set the {name} to {wanted}.", str(wanted)):
            return
        asked = Prompt(f"read {name}", f"Tell the {name} that is set, as {wanted}.", answers=())
        came = _read(self._ask(asked), wanted)
        if came is None or came.base != wanted.base:
            raise InstrumentError(
                f"the {name} was to be {wanted}, and the display shows "
                f"{'what is no ' + name if came is None else came}: the device would treat "
                "otherwise than it was told"
            )

    def _press(self, to: str, text: str, value: str = "") -> bool:
        """Have something done; False, and a refusal for `errors`, if the device did not take it."""
        taken = self._ask(Prompt(to, text, value)) == DONE
        if not taken:
            self._refusals.append(f"{text} {REFUSED} by the device, says the operator")
        return taken

    def _believe(self, state: State) -> None:
        """Take a state for what the display shows, and ask to be told when it changes."""
        self._state = state
        self._watched = False
        self._watch()

    def _ask(self, prompt: Prompt) -> str:
        """Ask; who looks at the state meanwhile asks for nothing beside it."""
        self._watched, self._busy = False, True
        try:
            return self._dialogue.ask(prompt)
        finally:
            self._busy = False

    def _watch(self) -> None:
        if not (self._watched or self._busy):
            shown = self._told.value
            text = f"The display showed {shown!r}. Tell when it shows something else."
            self._dialogue.post(Prompt("watch", text, shown, PANEL))
            self._watched = True

    def _open(self) -> None:
        self.cut = True
        self._cut()

    def _need_path(self, what: str) -> None:
        if self.cut:
            raise BenchError(
                f"{what}: the cut-off was opened with an abort, and stays open in this arming"
            )


def identity_of(dialogue: Dialogue, manufacturer: str, model: str) -> Identity:
    """Ask who the device is, as its type plate says.

    Raises:
        Unanswered: nobody told in time.
    """
    text = f"Tell the serial number on the type plate of the {manufacturer} {model}."
    return Identity(manufacturer, model, dialogue.ask(Prompt("serial", text, answers=())), "")


def _text(value: Quantity) -> str:
    return str(Exact.of(value))


def _read(said: str, like: Exact) -> Exact | None:
    """What somebody told as a quantity; None if it is none of that kind."""
    try:
        came = Exact.parse(said)
    except (ValueError, ArithmeticError):
        return None
    return came if came.dimension is like.dimension and came.base.is_finite() else None
