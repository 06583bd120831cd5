"""Galvan GX-2, a device that does not exist: lines of text, but no SCPI.

Whole microamperes, replies with names and units, OK or ERR n to every command. Its manual is in
docs/your-stimulator.md.
"""

from __future__ import annotations

from hil_instruments.simulated.dialects.foreign import NOT_NOW, OUT_OF_RANGE, ForeignLink

CURRENT, CHARGE = 1e6, 600
"""Steps for each A (1 uA), and for each mA*min (0.1 mC)."""
LARGEST_LOAD = 10_000_000
"""Load in ohm from which it says OPEN."""
_ORDERS = {
    "RUN": "TREAT:STAR",
    "HALT": "TREAT:STOP",
    "OFF": "TREAT:ABOR",
    "WAIT": "TREAT:PAUS",
    "GO": "TREAT:RES",
    "CLEAR": "FAUL:ACKN",
}
_STATES = {
    "IDLE": "IDLE",
    "ARMED": "READY",
    "RAMPUP": "RISE",
    "HOLD": "FLAT",
    "PAUSED": "REST",
    "RAMPDOWN": "FALL",
    "DONE": "END",
    "FAULT": "ALARM",
}
_REFUSALS = {OUT_OF_RANGE: 2, NOT_NOW: 3}
"""Code of the firmware inside to its own: 1 no such command, 4 anything else."""


class GalvanGX2(ForeignLink):
    """Front end of the GX-2."""

    def receive(self, message: bytes) -> bytes:
        """Obey one line; a carriage return before its end is ignored."""
        if not self.powered():
            return b""
        verb, _, value = message.decode("latin-1").strip().partition(" ")
        reply = self._setting(verb, value) if value else self._plain(verb)
        return f"{reply}\r\n".encode() if reply else b""

    def _plain(self, verb: str) -> str:
        if verb in _ORDERS:
            return self._done(self.order(_ORDERS[verb]))
        asked = getattr(self, f"_tell_{verb.lower()}", None) if verb.isupper() else None
        return asked() if asked else "ERR 1"

    def _setting(self, verb: str, value: str) -> str:
        sent = {"I": "SOUR:CURR", "Q": "SOUR:DOSE", "P": "SOUR:POL"}.get(verb)
        if sent is None:
            return "ERR 1"
        if verb == "P":
            word = {"+": "POS", "-": "NEG"}.get(value)
        else:
            scale = CURRENT if verb == "I" else CHARGE
            word = f"{int(value) / scale:.9f}" if value.isdecimal() else None
        return self._done(self.order(f"{sent} {word}")) if word else "ERR 2"

    @staticmethod
    def _done(code: int | None) -> str:
        if code is None:
            return ""
        return "OK" if code == 0 else f"ERR {_REFUSALS.get(code, 4)}"

    def _tell_id(self) -> str:
        return f"{self.entry.manufacturer} {self.entry.model} SN {self.serial} V 3.2"

    def _tell_st(self) -> str:
        word = self.ask("TREAT:STAT?")
        return word and f"ST={_STATES.get(word, word)}"

    def _tell_al(self) -> str:
        word = self.ask("FAUL:CODE?")
        return word and f"AL={'0' if word == 'NONE' else word}"

    def _tell_ri(self) -> str:
        count = self.figure("MEAS:CURR?", CURRENT)
        return "" if count is None else f"RI={count / 1000:.3f} mA"

    def _tell_rq(self) -> str:
        return self._count("RQ", "MEAS:CHAR?", CHARGE)

    def _tell_rz(self) -> str:
        ohm = self.figure("MEAS:IMP?", 1)
        if ohm is None or ohm >= LARGEST_LOAD:
            return "" if ohm is None else "RZ=OPEN"
        return f"RZ={ohm / 1000:.2f} kOhm"

    def _tell_si(self) -> str:
        return self._count("SI", "SOUR:CURR?", CURRENT)

    def _tell_sq(self) -> str:
        return self._count("SQ", "SOUR:DOSE?", CHARGE)

    def _tell_sp(self) -> str:
        word = self.ask("SOUR:POL?")
        return word and f"SP={'+' if word == 'POS' else '-'}"

    def _tell_test(self) -> str:
        word = self.ask("*TST?")
        return word and f"TEST {'PASS' if int(word) == 0 else 'FAIL'}"

    def _count(self, name: str, query: str, scale: float) -> str:
        count = self.figure(query, scale)
        return "" if count is None else f"{name}={count}"
