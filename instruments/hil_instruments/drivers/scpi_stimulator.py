"""Any stimulator that speaks in lines of text: its words come from the device profile alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING

from hil.bench import InstrumentEntry
from hil.device import KINDS, LINK, OFFERED, DeviceProfile, ErrorWords, Polarity, Reporting, State
from hil.errors import ConfigurationError, InstrumentError, ReplyTimeout, Unavailable
from hil.exact import Exact
from hil.measurement import Calibration
from hil.roles import Clock
from hil.units import A, C, Quantity, V, ohm, quantity, s
from hil_instruments import encoding
from hil_instruments.drivers.instrument import LONGEST_QUEUE, MEND, Instrument, one_of
from hil_instruments.encoding import Identity
from hil_instruments.manner import Ask, Manner

if TYPE_CHECKING:
    from hil_instruments.transport import Session

READBACK = Decimal("0.0001")
"""Share of a setting by which what is read back may differ: the digits that a device rounds to."""


class ScpiStimulator(Instrument):
    """The device under test, as `wire` of its profile says; docs/your-stimulator.md has each key.

    What bounds the current of a patient is read back where the profile names the query.
    """

    def __init__(
        self,
        session: Session,
        clock: Clock,
        entry: InstrumentEntry,
        calibration: Calibration,
        profile: DeviceProfile,
    ) -> None:
        super().__init__(session, clock, entry, calibration)
        self._wire = profile.wire
        self._largest_dose = profile["dose.maximum"]
        self._refusals: list[str] = []
        self._hears_from = 0.0
        self._counters: dict[str, tuple[str, Callable[[str], Decimal]]] = {}
        """Query of a number to its command, and to what reads the reply."""

    @staticmethod
    def manner(profile: DeviceProfile) -> Manner:
        """How a device of this profile is spoken to."""
        wire = profile.wire

        def identity(ask: Ask) -> Identity:
            said = encoding.reply_fields(ask(wire.identity), wire.identity_reply)
            return Identity(
                said.get("manufacturer", profile.manufacturer),
                said["model"],
                said["serial"],
                said.get("firmware", ""),
            )

        return Manner(
            wire.send_end,
            wire.reply_end,
            wire.echo,
            wire.patience,
            wire.energised,
            wire.serial,
            identity,
        )

    def configure(self, current: Quantity, polarity: Polarity, dose: Quantity | None) -> None:
        """Set current, polarity and dose limit (None: the largest); nothing is energised.

        Raises:
            InstrumentError: the device refused a setting, or reads back another one.
            ConfigurationError: the profile lacks a command, unit or word.
            UsageError: the device cannot be sent a value without rounding it.
        """
        charge = self._largest_dose if dose is None else Exact.of(dose)
        settings = [
            ("set_current", self._number("set_current", Exact.of(current))),
            ("set_polarity", self._polarity(polarity)),
            ("set_dose", self._number("set_dose", charge)),
        ]
        messages = [self._filled(key, word) for key, word in settings]
        self.errors()
        for (key, _), message in zip(settings, messages, strict=True):
            self._tell(key, message)
        if refused := self.errors():
            raise InstrumentError(
                f"{self.name} refused one of {', '.join(map(repr, messages))}: {'; '.join(refused)}"
            )
        for key, word in settings:
            self._read_back(key, word)

    def set_current(self, current: Quantity) -> None:
        """Change the setting, also while delivering; a refusal is found in `errors`."""
        word = self._number("set_current", Exact.of(current))
        self._tell("set_current", self._filled("set_current", word))

    def set_polarity(self, polarity: Polarity) -> None:
        """Ask for a polarity, also while delivering; a refusal is found in `errors`."""
        self._tell("set_polarity", self._filled("set_polarity", self._polarity(polarity)))

    def watch_host(self, silence: Quantity) -> None:
        """Have a treatment end after so long a silence; nothing is sent where no words are known.

        Raises:
            InstrumentError: the device refused it.
        """
        if LINK not in self._wire.commands:
            return
        message = self._filled(LINK, self._number(LINK, Exact.of(silence)))
        self.errors()
        self._tell(LINK, message)
        if refused := self.errors():
            raise InstrumentError(f"{self.name} refused {message!r}: {'; '.join(refused)}")

    def start(self) -> None:
        """Begin a treatment. Energises the output; a refusal is found in `errors`."""
        self._tell("start", self._command("start"))

    def pause(self) -> None:
        """Ramp down and keep the dose account; raises Unavailable where the device cannot."""
        self._tell("pause", self._command("pause"))

    def resume(self) -> None:
        """Ramp up again. Energises the output; a refusal is found in `errors`."""
        self._tell("resume", self._command("resume"))

    def stop(self) -> None:
        """Normal stop with ramp-down; write-only, exempt from poisoning."""
        self._stop("stop")

    def abort(self) -> None:
        """Stop at once; write-only, exempt from poisoning."""
        self._stop("abort")

    def acknowledge(self) -> None:
        """Clear a latched fault, as an operator would; must not energise."""
        self._tell("acknowledge", self._command("acknowledge"))

    def state(self) -> State:
        """State that the device reports; raises InstrumentError for a word not in the profile."""
        return self._understood(
            self._command("query_state"), self._value("query_state"), one_of(self._wire.states)
        )

    def fault(self) -> str:
        """Fault code that the device reports; empty for none."""
        word = self._value("query_fault")
        return "" if word.upper() == self._wire.no_fault.upper() else word

    def claimed_current(self) -> Quantity:
        """Current that the device believes to deliver, in A."""
        return quantity(self._reading("query_current"), A)

    def claimed_charge(self) -> Quantity:
        """Charge that the device believes to have delivered in this treatment, in C."""
        return quantity(self._reading("query_charge"), C)

    def impedance(self) -> Quantity:
        """Load impedance that the device reports, in ohm; infinite for an open load."""
        return quantity(self._reading("query_impedance"), ohm)

    def claimed_voltage(self) -> Quantity:
        """Magnitude of the voltage that the device reports, in V; raises Unavailable."""
        return quantity(self._reading("query_voltage"), V)

    def claimed_polarity(self) -> Polarity:
        """Polarity that it says to deliver with; raises Unavailable where it has no word."""
        words = {word: polarity for polarity, word in self._wire.polarities.items()}
        return self._understood(
            self._command("query_polarity"), self._value("query_polarity"), one_of(words)
        )

    def claimed_time(self) -> Quantity:
        """Time for which, by the device, its output was on in this treatment, in s."""
        return quantity(self._reading("query_time"), s)

    def limited(self) -> bool:
        """Whether it says that compliance keeps its current down; raises Unavailable."""
        return self._value("query_limited") == self._wire.yes

    def shorted(self) -> bool:
        """Whether it says that its load is a short; raises Unavailable where it has no word."""
        return self._value("query_short") == self._wire.yes

    def self_test(self) -> bool:
        """Run the self-test; True if it answers the word for passed."""
        return _same(self._value("self_test", self._wire.self_test), self._wire.passed)

    def errors(self) -> list[str]:
        """Read and empty what the device has refused since the last call, oldest first.

        Raises:
            InstrumentError: the reply is none, or the queue does not end.
        """
        reading: dict[Reporting, Callable[[ErrorWords], list[str]]] = {
            Reporting.QUEUE: self._queued,
            Reporting.STATUS: self._flagged,
            Reporting.ANSWER: self._answered,
            Reporting.NONE: lambda _: [],
        }
        return reading[self._wire.errors.kind](self._wire.errors)

    def provoke(self, text: str) -> None:
        """Send text that no driver would send, as it is; of its answer only a refusal is kept."""
        self._wait()
        if self._wire.errors.kind is Reporting.ANSWER:
            self._provoke_answer(text)
        else:
            self._session.write(text)
            if "?" in text:
                self._session.discard()
        self._settle()

    def _provoke_answer(self, text: str) -> None:
        """A device that answers each command may answer this with anything, or with nothing."""
        try:
            answer = self._session.query(text)
        except ReplyTimeout:
            self._session.recover()
            return
        with suppress(InstrumentError):
            if self._is_refusal(answer):
                self._refusals.append(f"{text}: {answer}")

    # --- refusals -------------------------------------------------------------------------------

    def _queued(self, words: ErrorWords) -> list[str]:
        found: list[str] = []
        while len(found) < LONGEST_QUEUE:
            reply = self._reply(words.query)
            code = self._read(words.query, reply, words.reply)["code"]
            if _same(code, words.none):
                return found
            found.append(reply)
        raise InstrumentError(
            f"{self.name}: {words.query!r} was answered by more than {LONGEST_QUEUE} errors; {MEND}"
        )

    def _flagged(self, words: ErrorWords) -> list[str]:
        word = self._read(words.query, self._reply(words.query), words.reply)[encoding.VALUE]
        bits = self._understood(words.query, word, encoding.status) & words.mask
        return [f'{bits},"status bits of a refusal"'] if bits else []

    def _answered(self, words: ErrorWords) -> list[str]:
        late = [
            answer
            for answer in self._session.late_answers()
            if self._understood("(answer to a stop)", answer, self._is_refusal)
        ]
        found, self._refusals = [*self._refusals, *late], []
        return found

    def _is_refusal(self, answer: str) -> bool:
        words = self._wire.errors
        if answer.strip() == words.taken:
            return False
        try:
            encoding.reply_fields(answer, words.refused)
        except InstrumentError as err:
            raise InstrumentError(
                f"{answer!r} came to a command; expected {words.taken} or {words.refused}"
            ) from err
        return True

    # --- messages -------------------------------------------------------------------------------

    def _tell(self, key: str, message: str) -> None:
        """Send a command; where it is answered, keep a refusal for `errors`."""
        self._wait()
        if self._is_answered(key):
            answer = self._session.query(message)
            if self._understood(message, answer, self._is_refusal):
                self._refusals.append(f"{message}: {answer}")
        else:
            self._session.write(message)
        self._settle()

    def _stop(self, key: str) -> None:
        self._session.stop_write(self._command(key), answered=self._is_answered(key))
        self._settle()

    def _is_answered(self, key: str) -> bool:
        words = self._wire.errors
        return words.kind is Reporting.ANSWER and key not in words.silent

    def _reply(self, message: str, timeout: float | None = None) -> str:
        self._wait()
        return self._session.query(message, timeout=timeout)

    def _settle(self) -> None:
        self._hears_from = self._clock.now() + self._wire.settle

    def _wait(self) -> None:
        """Let the device come to hear again after its last command."""
        if not self._wire.settle:
            return
        rest = self._hears_from - self._clock.now()
        if rest > 0:
            self._clock.sleep(min(rest, self._wire.settle))

    # --- words ----------------------------------------------------------------------------------

    def _command(self, key: str) -> str:
        if key in self._wire.commands:
            return self._wire.commands[key]
        error = Unavailable if key in OFFERED else ConfigurationError
        raise error(
            f"{self.name}: wire.commands of the device profile has no {key!r}; it has "
            f"{', '.join(self._wire.commands)}"
        )

    def _step(self, key: str) -> Exact:
        """What a 1 stands for in the message of an action, or in the reply to it."""
        units, kind = self._wire.units, KINDS[key]
        step = units.get(key) or units.get(kind)
        if step is None:
            raise ConfigurationError(
                f"{self.name}: wire.units of the device profile has no {kind!r}; it has "
                f"{', '.join(units)}"
            )
        return step

    def _picture(self, key: str) -> str:
        return self._wire.numbers.get(key) or self._wire.numbers.get(KINDS[key], "")

    def _number(self, key: str, value: Exact) -> str:
        step = self._step(key)
        count = value.require(step.dimension).base / step.base
        return encoding.pictured_text(count, self._picture(key))

    def _polarity(self, polarity: Polarity) -> str:
        if polarity not in self._wire.polarities:
            raise ConfigurationError(
                f"{self.name}: wire.polarities of the device profile has no {polarity.value!r}"
            )
        return self._wire.polarities[polarity]

    def _filled(self, key: str, word: str) -> str:
        template = self._command(key)
        if template.count("{}") != 1:
            raise ConfigurationError(
                f"{self.name}: wire.commands.{key} = {template!r} needs one {{}} for its value"
            )
        return template.replace("{}", word)

    # --- replies --------------------------------------------------------------------------------

    def _value(self, key: str, timeout: float | None = None) -> str:
        """What stands for {} in the reply to a query."""
        command = self._command(key)
        reply = self._reply(command, timeout)
        return self._read(command, reply, self._pattern(key))[encoding.VALUE]

    def _pattern(self, key: str) -> str:
        return self._wire.replies.get(key, "{}")

    def _read(self, command: str, reply: str, pattern: str) -> dict[str, str]:
        return self._understood(command, reply, self._fields(pattern))

    def _fields(self, pattern: str) -> Callable[[str], dict[str, str]]:
        """Make what takes a reply apart; it raises InstrumentError for a refusal."""
        words = self._wire.errors

        def fields(reply: str) -> dict[str, str]:
            if words.kind is Reporting.ANSWER and pattern != words.refused:
                self._need_no_refusal(reply, words)
            return encoding.reply_fields(reply, pattern)

        return fields

    def _need_no_refusal(self, reply: str, words: ErrorWords) -> None:
        try:
            encoding.reply_fields(reply, words.refused)
        except InstrumentError:
            return
        raise InstrumentError(f"the device refused: {reply}")

    def _counted(self, key: str) -> Decimal:
        """Number that answers a query, in SI."""
        if key not in self._counters:
            self._counters[key] = self._command(key), self._counter(key)
        command, read = self._counters[key]
        return self._understood(command, self._reply(command), read)

    def _counter(self, key: str) -> Callable[[str], Decimal]:
        """Make what reads the reply to a query of a number."""
        fields, picture, base = (
            self._fields(self._pattern(key)),
            self._picture(key),
            self._step(key).base,
        )
        open_load = self._wire.open_load if key == "query_impedance" else ""

        def read(reply: str) -> Decimal:
            if open_load and reply.strip() == open_load:
                return Decimal("Infinity")
            return encoding.pictured_number(fields(reply)[encoding.VALUE], picture) * base

        return read

    def _reading(self, key: str) -> float:
        value = self._counted(key)
        endless = key == "query_impedance" and value == Decimal("Infinity")
        if not (value.is_finite() or endless):
            raise InstrumentError(
                f"{self.name}: {self._command(key)!r}: {value} is no reading; {MEND}"
            )
        return float(value)

    def _read_back(self, setting: str, word: str) -> None:
        """Hold what the device says was set against what was sent, where it can be asked."""
        key = f"query_{setting}"
        if key not in self._wire.commands:
            return
        if setting == "set_polarity":
            came = self._value(key)
            agrees = came == word
        else:
            sent, value = Decimal(word) * self._step(setting).base, self._counted(key)
            came = f"{value / self._step(key).base}"
            agrees = value.is_finite() and abs(value - sent) <= READBACK * abs(sent)
        if not agrees:
            raise InstrumentError(
                f"{self.name}: {self._filled(setting, word)!r} was taken, and "
                f"{self._command(key)!r} reads back {came}: the device would treat otherwise than "
                f"it was told; nothing was started"
            )


def _same(code: str, none: str) -> bool:
    """Whether two codes are one, written as numbers (+0 and 0) or as words."""
    try:
        return encoding.integer(code) == encoding.integer(none)
    except InstrumentError:
        return code == none
