"""Dialect of the Keithley 7001 switch system with two 20-channel isolated cards (7013-C).

Model 7001 Instruction Manual: channels are written `slot!channel`. What is modelled: closing,
opening, both queries, operate time. Its relays are held by the mainframe: without power they open.
Not modelled: scans, matrix cards, stored patterns. The wiring follows from the role as with the
34970A: slot 1 the loads, slot 2 a source, or in the role of the cut-off its two poles.
"""

from __future__ import annotations

import re

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.keysight_34970a import Keysight34970A
from hil_instruments.simulated.scpi import Answer, Parameter, ScpiError, scpi

OPERATE_TIME = 3e-3
"""Seconds from command to settled contact, from memory."""
CHANNELS = 20
_PLACE = r"([12])!(\d{1,2})"
_RANGE = re.compile(rf"{_PLACE}(?::{_PLACE})?")


def places() -> Parameter:
    """A list as `(@1!1:1!20,2!3)` or ALL, as numbers of 101 and up."""

    def convert(text: str) -> tuple[int, ...]:
        if text.upper() in {"ALL", "(@ALL)"}:
            return tuple(100 * slot + n for slot in (1, 2) for n in range(1, CHANNELS + 1))
        if not (text.startswith("(@") and text.endswith(")")):
            raise ScpiError(-171, f"{text[:40]!r}; a channel list is written (@1!1:1!20)")
        listed: list[int] = []
        for part in text[2:-1].split(","):
            found = _RANGE.fullmatch(part.strip())
            if found is None:
                raise ScpiError(-171, f"{part[:40]!r}; write 1!4 or 1!1:1!20")
            first = 100 * int(found[1]) + int(found[2])
            last = 100 * int(found[3]) + int(found[4]) if found[3] else first
            ends = {first % 100, last % 100}
            if first // 100 != last // 100 or not ends <= {*range(1, CHANNELS + 1)}:
                raise ScpiError(-222, f"{part[:40]!r}; allowed: 1 to {CHANNELS} of one slot")
            listed += range(first, last + 1)
        return tuple(listed)

    return Parameter(convert)


class Keithley7001(Keysight34970A):
    """Switch system; what its contacts connect is as with the 34970A."""

    no_error = '0,"No error"'
    absent = (
        "ROUTe:CLOSe:EXCLusive",
        "ROUTe:DONE?",
        "ROUTe:MONitor",
        "ROUTe:MONitor:STATe",
        "ROUTe:MONitor:STATe?",
        "SYSTem:CPON",
        "SYSTem:CTYPe?",
        "DIAGnostic:RELay:CYCLes?",
        "DIAGnostic:RELay:CYCLes:CLEar",
        "MEMory:STATe:RECall:AUTO",
        "MEMory:STATe:RECall:AUTO?",
    )

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Begin with every relay open."""
        super().__init__(entry, world, seed)
        self.firmware_text = "A09 /A02"

    def lose_power(self) -> None:
        """Lose the mains: nothing holds the relays, they open."""
        self._settle(frozenset(), OPERATE_TIME)

    @scpi("*IDN?")
    def _who(self) -> str:
        return f"{self.entry.manufacturer},{self.entry.model},{self.serial},{self.firmware_text}"

    @scpi("[ROUTe:]CLOSe", places())
    def _close_places(self, listed: tuple[int, ...]) -> None:
        self._settle(self._closed | frozenset(listed), OPERATE_TIME)

    @scpi("[ROUTe:]OPEN", places())
    def _open_places(self, listed: tuple[int, ...]) -> None:
        self._settle(self._closed - frozenset(listed), OPERATE_TIME)

    @scpi("[ROUTe:]CLOSe?", places())
    def _are_closed(self, listed: tuple[int, ...]) -> str:
        return ",".join("1" if place in self._closed else "0" for place in listed)

    @scpi("[ROUTe:]OPEN?", places())
    def _are_open(self, listed: tuple[int, ...]) -> str:
        return ",".join("0" if place in self._closed else "1" for place in listed)

    @scpi("[ROUTe:]CLOSe:STATe?")
    def _closed_places(self) -> Answer:
        return "(@" + ",".join(f"{n // 100}!{n % 100}" for n in sorted(self._closed)) + ")"
