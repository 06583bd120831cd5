"""Somebody who works the front panel of the simulated device, as prompts ask."""

from __future__ import annotations

from decimal import Decimal

from hil.device import KINDS, DeviceProfile
from hil.exact import Exact
from hil.prompt import DONE, REFUSED, Prompt
from hil_instruments import encoding
from hil_instruments.simulated.bench import SimulatedBench

REACTION = 0.8
"""Bench time in s from a prompt to the key."""
HAND = 0.4
"""Bench time in s from the key to the answer."""
_KEYS = {
    "start": "start",
    "stop": "stop",
    "pause": "pause",
    "resume": "resume",
    "acknowledge": "acknowledge",
    "abort": "abort",
}
_NAMES = {"read current": "SOUR:CURR?", "read dose": "SOUR:DOSE?"}


class PanelOperator:
    """Presses keys after a reaction time, answers a while later (implements `Operator`).

    The keys are those of the reference firmware, whatever words the device file gives; the display
    shows what that firmware reports, faults and all.
    """

    def __init__(self, bench: SimulatedBench, profile: DeviceProfile) -> None:
        """Sit down at the device of a bench."""
        self._bench, self._wire = bench, profile.wire
        self._prompt: Prompt | None = None
        self._press_at = self._answer_at = 0.0
        self._pressed = ""

    def show(self, prompt: Prompt, patience: float) -> None:
        """Read a prompt."""
        del patience
        self._prompt, self._pressed = prompt, ""
        self._press_at = self._bench.clock.now() + REACTION

    def poll(self) -> str | None:
        """What is answered by now; keys are pressed when it is time for them."""
        prompt, now = self._prompt, self._bench.clock.now()
        if prompt is None or now < self._press_at:
            return None
        if prompt.to == "watch":
            shown = self._display()
            if shown == prompt.value:
                return None
            return self._told(shown)
        if not self._pressed:
            self._pressed, self._answer_at = self._do(prompt), now + HAND
        return self._told(self._pressed) if now >= self._answer_at else None

    def withdraw(self) -> None:
        """Leave the device alone."""
        self._prompt = None

    def _told(self, answer: str) -> str:
        self._prompt = None
        return answer

    def _do(self, prompt: Prompt) -> str:
        if prompt.to == "serial":
            return self._bench.instruments["stimulator"].serial
        if prompt.to == "state":
            return self._display()
        if prompt.to == "fault":
            fault = self._say(self._wire.commands["query_fault"])
            return "none" if fault.upper() == self._wire.no_fault.upper() else fault
        if prompt.to in _NAMES:
            return self._setting(prompt.to)
        self._say("*CLS")
        self._say(self._key(prompt))
        return DONE if self._say("SYST:ERR?").startswith(("0,", "+0,")) else REFUSED

    def _key(self, prompt: Prompt) -> str:
        if prompt.to in _KEYS:
            return self._wire.commands[_KEYS[prompt.to]]
        key = prompt.to.replace(" ", "_")
        if key == "set_polarity":
            words = {polarity.value: word for polarity, word in self._wire.polarities.items()}
            word = words[prompt.value]
        else:
            step = self._wire.units[KINDS[key]]
            word = encoding.pictured_text(Exact.parse(prompt.value).base / step.base, "")
        return self._wire.commands[key].replace("{}", word)

    def _setting(self, to: str) -> str:
        """A setting as the display shows it, in mA or mA*min."""
        key, unit = ("set_current", "mA") if to == "read current" else ("set_dose", "mA*min")
        value = Decimal(self._say(_NAMES[to])) * self._wire.units[KINDS[key]].base
        return f"{(value / Exact(Decimal(1), unit).base).normalize():f} {unit}"

    def _display(self) -> str:
        word = self._say(self._wire.commands["query_state"])
        return self._wire.states[word].value if word in self._wire.states else "fault"

    def _say(self, message: str) -> str:
        """Tell the firmware something, and hear what it answers; nothing without supply."""
        return self._bench.device.receive(message.encode()).decode().strip()
