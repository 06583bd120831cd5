"""SCPI as an instrument hears it: messages, headers, parameters, status, error queue, replies.

An instrument subclasses `Instrument` and marks its handlers with `@scpi("HEADer:PATTern", ...)`.
What a message means never depends on the instrument's state, so the parsed form is kept and a
repeated query costs one look-up.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, TypeVar

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import VirtualClock

ERROR_QUEUE = 20
"""Entries of an error queue; the last one becomes -350 when more come."""
LONGEST_KEPT = 256
"""Longest message, and largest number of messages, whose parsed form is kept."""

_TEXTS = {
    0: "No error",
    -100: "Command error",
    -101: "Invalid character",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -123: "Exponent too large",
    -131: "Invalid suffix",
    -138: "Suffix not allowed",
    -171: "Invalid expression",
    -200: "Execution error",
    -211: "Trigger ignored",
    -213: "Init ignored",
    -214: "Trigger deadlock",
    -220: "Parameter error",
    -221: "Settings conflict",
    -222: "Data out of range",
    -224: "Illegal parameter value",
    -230: "Data corrupt or stale",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
}
_COMMAND_ERROR, _EXECUTION_ERROR, _DEVICE_ERROR, _QUERY_ERROR = 32, 16, 8, 4


class ScpiError(Exception):
    """An entry of the error queue, raised where a message cannot be obeyed."""

    def __init__(self, code: int, detail: str = "", text: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.text = text or _TEXTS.get(code, "Device-specific error")
        self.detail = detail

    def __str__(self) -> str:
        detail = f";{self.detail}" if self.detail else ""
        return f'{self.code},"{(self.text + detail)[:255]}"'.replace("\n", " ")


@dataclass(frozen=True, slots=True)
class Pending:
    """A reply that will be complete later: a measurement that takes its time."""

    ready: float
    """Bench time, of the bench's own count, at which it is complete; infinite for never."""
    produce: Callable[[], str | bytes]
    """Makes the reply, called once, at that time or later; may raise ScpiError."""


Answer: TypeAlias = str | bytes | Pending | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """How one parameter is read."""

    convert: Callable[[str], object]
    """From its text to a value; raises ScpiError."""
    optional: bool = False
    """Whether it may be left out; the handler then takes its own default."""


# --- parameters -------------------------------------------------------------------------------

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:\s*[eE]\s*([+-]?\d+))?\s*(\S.*)?\Z")
_MULTIPLIERS = {
    "EX": 1e18,
    "PE": 1e15,
    "T": 1e12,
    "G": 1e9,
    "MA": 1e6,
    "K": 1e3,
    "": 1.0,
    "M": 1e-3,
    "U": 1e-6,
    "N": 1e-9,
    "P": 1e-12,
}
_MEGA_UNITS = {"HZ", "OHM"}  # SCPI-99: MHZ and MOHM are mega, every other M is milli


def _short(word: str) -> str:
    return "".join(letter for letter in word if not letter.islower())


def _words(pattern: str) -> dict[str, str]:
    """Return every spelling of `POSitive|NEGative`, each with its short form."""
    spellings: dict[str, str] = {}
    for word in filter(None, pattern.split("|")):
        spellings[_short(word)] = spellings[word.upper()] = _short(word)
    return spellings


def _factors(units: tuple[str, ...], others: Mapping[str, float]) -> dict[str, float]:
    factors = {name.upper(): factor for name, factor in others.items()}
    for unit in (name.upper() for name in units):
        for prefix, factor in _MULTIPLIERS.items():
            mega = prefix == "M" and unit in _MEGA_UNITS
            factors[prefix + unit] = 1e6 if mega else factor
    return factors


def number(*units: str, words: str = "", others: Mapping[str, float] | None = None) -> Parameter:
    """A number in the base unit, or one of `words` (given back in its short form).

    Args:
        units: units that may be written after it, with any SCPI multiplier; none forbids a suffix.
        words: keywords that may stand in its place, as `MINimum|MAXimum`.
        others: further suffixes and their factors.
    """
    known, factors = _words(words), _factors(units, others or {})

    def convert(text: str) -> float | str:
        if text.upper() in known:
            return known[text.upper()]
        found = _NUMBER.match(text)
        if found is None:
            raise ScpiError(-104, f"{text!r} is no number{words and f' and none of {words}'}")
        digits, exponent, suffix = found.groups()
        if exponent and (len(exponent) > 6 or abs(int(exponent)) > 32000):
            raise ScpiError(-123, f"{text!r}; the exponent may reach 32000")
        value = float(f"{digits}e{exponent}") if exponent else float(digits)
        if suffix is None:
            return value
        if not factors:
            raise ScpiError(-138, f"{text!r}; write the number alone")
        if suffix.upper() not in factors:
            allowed = ", ".join((*units, *(others or {})))
            raise ScpiError(-131, f"{suffix!r} in {text!r}; allowed: {allowed}")
        return value * factors[suffix.upper()]

    return Parameter(convert)


def integer(words: str = "") -> Parameter:
    """A whole number (rounded, as SCPI asks), or one of `words` in its short form."""
    plain = number(words=words)

    def convert(text: str) -> int | str:
        value = plain.convert(text)
        if isinstance(value, str):
            return value
        if not isinstance(value, float) or abs(value) > 2**53:
            raise ScpiError(-222, f"{text!r} is too large")
        return round(value)

    return Parameter(convert)


def choice(words: str) -> Parameter:
    """One of `POSitive|NEGative`, given back in its short form."""
    known = _words(words)

    def convert(text: str) -> str:
        if text.upper() in known:
            return known[text.upper()]
        if _NUMBER.match(text) and text not in known:
            raise ScpiError(-104, f"{text!r}; one of {words} belongs here")
        raise ScpiError(-224, f"{text!r}; allowed: {words}")

    return Parameter(convert)


def boolean() -> Parameter:
    """ON, OFF, or a number, of which only 0 is off."""

    def convert(text: str) -> bool:
        if text.upper() in {"ON", "OFF"}:
            return text.upper() == "ON"
        try:
            return round(float(text)) != 0
        except (ValueError, OverflowError) as err:
            raise ScpiError(-224, f"{text!r}; allowed: ON, OFF, 1, 0") from err

    return Parameter(convert)


_RANGE = re.compile(r"(\d{1,4})(?:\s*:\s*(\d{1,4}))?\Z")


def channels() -> Parameter:
    """A channel list, as `(@101,103:105)`; gives a tuple of numbers in the order written."""

    def convert(text: str) -> tuple[int, ...]:
        if not (text.startswith("(@") and text.endswith(")")):
            raise ScpiError(-104, f"{text!r}; a channel list is written (@101,103:105)")
        listed: list[int] = []
        for part in text[2:-1].split(","):
            found = _RANGE.match(part.strip())
            if found is None:
                raise ScpiError(-171, f"{part.strip()!r} in {text!r}; write 101 or 101:105")
            first = int(found[1])
            last = int(found[2] or first)
            if last < first:
                raise ScpiError(-171, f"{part.strip()!r} in {text!r} runs backwards")
            listed += range(first, last + 1)
        return tuple(listed)

    return Parameter(convert)


def optional(parameter: Parameter) -> Parameter:
    """The same parameter, which may be left out."""
    return Parameter(parameter.convert, optional=True)


# --- headers ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Command:
    """One entry of an instrument's command table."""

    header: str
    """Its pattern, as `[SENSe:]CURRent[:DC]:RANGe?`."""
    parameters: tuple[Parameter, ...]
    """In the order of the message."""
    handler: str
    """Name of the method that obeys it."""


_NODE = re.compile(r"\[:?([A-Za-z]+(?:<n>)?):?\]|(\*?[A-Za-z]+(?:<n>)?)")


def _spellings(pattern: str) -> Iterator[str]:
    """Yield every spelling of a header pattern, in capitals, `#` for each numeric suffix."""
    alternatives: list[list[str]] = []
    for optional_node, node in _NODE.findall(pattern.rstrip("?")):
        name = (optional_node or node).removesuffix("<n>")
        forms = sorted({_short(name), name.upper()})
        if (optional_node or node).endswith("<n>"):
            forms += [form + "#" for form in forms]
        alternatives.append([*forms, ""] if optional_node else forms)
    for nodes in itertools.product(*alternatives):
        yield ":".join(filter(None, nodes)) + ("?" if pattern.endswith("?") else "")


_Handler = TypeVar("_Handler", bound=Callable[..., Answer])


def scpi(header: str, *parameters: Parameter) -> Callable[[_Handler], _Handler]:
    """Mark a method as the handler of a command or, with a `?` at its end, of a query.

    A numeric suffix `<n>` comes as a leading integer (1 where it is left out). A query returns its
    reply without terminator; None means that it has none. A parameter that was left out is not
    passed. The method may raise ScpiError.
    """

    def mark(method: _Handler) -> _Handler:
        listed = getattr(method, "scpi_commands", ())
        setattr(method, "scpi_commands", (*listed, (header, parameters)))  # noqa: B010  # typed as a bare callable
        return method

    return mark


# --- messages ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """One unit of a message, ready to be obeyed."""

    handler: str
    arguments: tuple[object, ...]
    query: bool


Program: TypeAlias = tuple[tuple[Call, ...], ScpiError | None]
"""The units of a message, and the command error that ended it."""

_SUFFIX = re.compile(r"(?<=[A-Z])\d{1,9}(?=[:?]|\Z)")
_QUOTING = re.compile(r"[\"'(]")


def _split(text: str, separator: str) -> list[str]:
    """Split at `separator` outside quotes and parentheses."""
    if not _QUOTING.search(text):
        return text.split(separator)
    parts, quote, depth, start = [], "", 0, 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def parse(table: Mapping[str, Command], message: str) -> Program:
    """Read one message (without its terminator) by the rules of SCPI-99, volume 1, chapter 6.

    A unit that cannot be read ends the message: units before it are obeyed, none after it is.
    """
    calls: list[Call] = []
    path = ""
    try:
        for unit in _split(message, ";"):
            text = unit.strip()
            if text:
                header, _, rest = text.partition(" ")
                full, path = _header(header, path)
                calls.append(_call(table, full, rest))
    except ScpiError as error:
        return tuple(calls), error
    return tuple(calls), None


def _header(written: str, path: str) -> tuple[str, str]:
    """Return the full header in capitals, and the path for what follows it."""
    header = written.upper()
    if header.startswith("*"):
        return header, path
    full = header[1:] if header.startswith(":") else path + header
    node, colon, _ = full.rpartition(":")
    return full, node + colon


def _call(table: Mapping[str, Command], header: str, rest: str) -> Call:
    suffixes: list[object] = []
    command = table.get(header)
    if command is None:
        command, suffixes = _suffixed(table, header)
    elif "<n>" in command.header:
        suffixes = [1] * command.header.count("<n>")
    texts = [part.strip() for part in _split(rest, ",")] if rest.strip() else []
    arguments = _arguments(command, texts)
    return Call(command.handler, (*suffixes, *arguments), command.header.endswith("?"))


def _suffixed(table: Mapping[str, Command], header: str) -> tuple[Command, list[object]]:
    written: list[object] = [int(digits) for digits in _SUFFIX.findall(header)]
    command = table.get(_SUFFIX.sub("#", header))
    if command is not None and written:
        return command, written
    bare = table.get(_SUFFIX.sub("", header))
    if bare is None or not written:
        raise ScpiError(-113, header)
    if any(number != 1 for number in written):
        raise ScpiError(-114, f"{header}; {bare.header} takes no such suffix")
    return bare, [1] * bare.header.count("<n>")


def _arguments(command: Command, texts: Sequence[str]) -> list[object]:
    parameters = command.parameters
    if len(texts) > len(parameters):
        allowed = len(parameters) or "none"
        raise ScpiError(-108, f"{command.header} got {len(texts)}; allowed: {allowed}")
    if any(not parameter.optional for parameter in parameters[len(texts) :]) or "" in texts:
        raise ScpiError(-109, f"{command.header} got {len(texts)} of {len(parameters)}")
    return [p.convert(text) for p, text in zip(parameters, texts, strict=False)]


# --- replies ----------------------------------------------------------------------------------


def block(data: bytes, digits: int = 0) -> bytes:
    """Return a definite-length block; `digits` fixes the width of its length, 0 the shortest."""
    length = str(len(data)).zfill(digits)
    return f"#{len(length)}{length}".encode() + data


def scientific(value: float) -> str:
    """Write a number as `+1.23456789E-03`; infinity and NaN by the numbers that SCPI gives them."""
    if math.isnan(value):
        return "+9.91000000E+37"
    if math.isinf(value):
        value = math.copysign(9.9e37, value)
    return f"{value:+.8E}"


class Instrument:
    """What every instrument has: identity, command table, error queue, status registers."""

    no_error: ClassVar[str] = '0,"No error"'
    """Reply of an empty error queue; some makers write +0."""
    firmware: ClassVar[str] = "1.0"
    _table: ClassVar[dict[str, Command]] = {}

    def __init_subclass__(cls) -> None:
        cls._table = dict(cls._table)
        for name, method in vars(cls).items():
            cls._enter(name, method)

    @classmethod
    def _enter(cls, name: str, method: object) -> None:
        for header, parameters in getattr(method, "scpi_commands", ()):
            command = Command(header, parameters, name)
            cls._table.update(dict.fromkeys(_spellings(header), command))

    def __init__(self, entry: InstrumentEntry, clock: VirtualClock) -> None:
        self.entry = entry
        self.clock = clock
        self.busy_until = 0.0
        """Bench time until which no further message is looked at: commands are sequential."""
        self.serial = f"SIM-{entry.role}-01"
        self._errors: deque[str] = deque()
        self._events = 128  # power on
        self._event_mask = 0
        self._service_mask = 0
        self._completion: float | None = None
        self._programs: dict[bytes, Program] = {}

    # What a front end overrides.

    def preset(self) -> None:
        """Go to the state after *RST."""

    def self_test(self) -> bool:
        """Test itself; True if passed."""
        return True

    def complete_at(self) -> float:
        """Bench time at which everything begun is done; infinite for never."""
        return self.clock.time

    def trigger(self) -> None:
        """Obey *TRG or its equivalent on the bus."""
        raise ScpiError(-211, f"{self.entry.model} waits for no trigger")

    def device_clear(self) -> None:
        """Obey a device clear: give up the measurement under way, keep every setting."""

    # Messages.

    def receive(self, message: bytes) -> bytes | Pending:
        """Obey one message; a terminator at its end is ignored.

        Returns:
            The reply with its terminator, empty if there is none, or one that comes later.
        """
        program = self._programs.get(message)
        if program is None:
            program = self._read(message)
        calls, error = program
        if len(calls) == 1 and error is None:
            answer = self._obey(calls[0])
            if answer.__class__ is str:
                return (answer + "\n").encode()
            answers = [answer]
        else:
            answers = [self._obey(call) for call in calls]
            if error is not None:
                self.report(error)
        return self._reply([answer for answer in answers if answer is not None])

    def _read(self, message: bytes) -> Program:
        try:
            text = message.decode("ascii")
        except UnicodeDecodeError:
            return (), ScpiError(-101, f"{message[:40]!r} holds bytes outside ASCII")
        program = parse(self._table, text.strip(" \t\r\n\0"))
        if len(message) <= LONGEST_KEPT:
            if len(self._programs) >= LONGEST_KEPT:
                self._programs.clear()
            self._programs[message] = program
        return program

    def _obey(self, call: Call) -> Answer:
        try:
            answer: Answer = getattr(self, call.handler)(*call.arguments)
        except ScpiError as error:
            self.report(error)
            return None
        return answer

    def _reply(self, answers: list[str | bytes | Pending]) -> bytes | Pending:
        later = [answer.ready for answer in answers if isinstance(answer, Pending)]
        if later:
            return Pending(max(later), lambda: self._joined(answers))
        return self._joined(answers)

    def _joined(self, answers: list[str | bytes | Pending]) -> bytes:
        parts = []
        for answer in answers:
            try:
                part = answer.produce() if isinstance(answer, Pending) else answer
            except ScpiError as error:
                self.report(error)
                continue
            parts.append(part.encode() if isinstance(part, str) else part)
        return b";".join(parts) + b"\n" if parts else b""

    def report(self, error: ScpiError) -> None:
        """Enter an error into queue and event register."""
        self._events |= _event_bit(error.code)
        if len(self._errors) >= ERROR_QUEUE:
            self._errors[-1] = str(ScpiError(-350))
        else:
            self._errors.append(str(error))

    def status_byte(self, *, reply_waits: bool) -> int:
        """Status byte as a serial poll reads it."""
        self._note_completion()
        status = 4 * bool(self._errors) + 16 * reply_waits
        status += 32 * bool(self._events & self._event_mask)
        return status | 64 * bool(status & self._service_mask)

    def _note_completion(self) -> None:
        if self._completion is not None and self.clock.time >= self._completion:
            self._events |= 1
            self._completion = None

    # Common commands.

    @scpi("*IDN?")
    def _identity(self) -> str:
        return f"{self.entry.manufacturer},{self.entry.model},{self.serial},{self.firmware}"

    @scpi("*RST")
    def _reset(self) -> None:
        self._completion = None
        self.preset()

    @scpi("*CLS")
    def _clear_status(self) -> None:
        self._errors.clear()
        self._events = 0
        self._completion = None

    @scpi("*OPC")
    def _mark_completion(self) -> None:
        self._completion = self.complete_at()
        self._note_completion()

    @scpi("*OPC?")
    def _await_completion(self) -> Answer:
        end = self.complete_at()
        return "1" if end <= self.clock.time else Pending(end, lambda: "1")

    @scpi("*WAI")
    def _wait(self) -> None:
        self.busy_until = max(self.busy_until, self.complete_at())

    @scpi("*TST?")
    def _test(self) -> str:
        return "0" if self.self_test() else "1"

    @scpi("*TRG")
    def _bus_trigger(self) -> None:
        self.trigger()

    @scpi("*ESR?")
    def _read_events(self) -> str:
        self._note_completion()
        events, self._events = self._events, 0
        return str(events)

    @scpi("*ESE", integer())
    def _mask_events(self, mask: int) -> None:
        self._event_mask = _register(mask)

    @scpi("*ESE?")
    def _read_event_mask(self) -> str:
        return str(self._event_mask)

    @scpi("*SRE", integer())
    def _mask_service(self, mask: int) -> None:
        self._service_mask = _register(mask) & ~64

    @scpi("*SRE?")
    def _read_service_mask(self) -> str:
        return str(self._service_mask)

    @scpi("*STB?")
    def _read_status(self) -> str:
        return str(self.status_byte(reply_waits=False))

    @scpi("SYSTem:ERRor[:NEXT]?")
    def _next_error(self) -> str:
        return self._errors.popleft() if self._errors else self.no_error

    @scpi("SYSTem:VERSion?")
    def _version(self) -> str:
        return "1999.0"


for _name, _method in list(vars(Instrument).items()):
    Instrument._enter(_name, _method)  # noqa: SLF001  # __init_subclass__ does not run for the base itself


def _event_bit(code: int) -> int:
    """Bit of the standard event register for an error code."""
    if -200 < code <= -100:
        return _COMMAND_ERROR
    if -300 < code <= -200:
        return _EXECUTION_ERROR
    return _QUERY_ERROR if -500 < code <= -400 else _DEVICE_ERROR


def _register(mask: int) -> int:
    if not 0 <= mask <= 255:
        raise ScpiError(-222, f"{mask}; allowed: 0 to 255")
    return mask
