"""Dermalux D1, a device that does not exist: frames of single letters on a serial line.

    02  letter  payload  checksum  0D        to the device
    06  letter  payload  checksum  0D        done, or the answer
    15  digit            checksum  0D        refused: 1 checksum, 2 letter, 3 value, 4 not now

The checksum is the sum of the bytes between the first and itself, modulo 256, in two digits of
upper-case hexadecimal. Its manual is in docs/your-stimulator.md.
"""

from __future__ import annotations

import re

from hil_instruments.simulated.dialects.foreign import NOT_NOW, OUT_OF_RANGE, ForeignLink

CURRENT, CHARGE = 1e5, 600
"""Steps for each A (10 uA), and for each mA*min (0.1 mC)."""
OPEN_LOAD = 999_999
"""What it says of a load in ohm that is as large or larger."""
_STX, _ACK, _NAK = "\x02", "\x06", "\x15"
_ORDERS = {
    "G": "TREAT:STAR",
    "S": "TREAT:STOP",
    "X": "TREAT:ABOR",
    "H": "TREAT:PAUS",
    "R": "TREAT:RES",
    "C": "FAUL:ACKN",
}
_STATES = {
    "IDLE": "I",
    "ARMED": "A",
    "RAMPUP": "U",
    "HOLD": "H",
    "PAUSED": "P",
    "RAMPDOWN": "D",
    "DONE": "E",
    "FAULT": "F",
}
_REFUSALS = {OUT_OF_RANGE: "3", NOT_NOW: "4"}


class DermaluxD1(ForeignLink):
    """Front end of the D1."""

    on_serial_line = True
    """A served bench offers it on a pseudo-terminal."""

    def receive(self, message: bytes) -> bytes:
        """Obey one frame, with or without its end."""
        frame = message.decode("latin-1").rstrip("\r\n")
        if not self.powered() or not frame.startswith(_STX):
            return b""
        body, told = frame[1:-2], frame[-2:]
        reply = self._obeyed(body) if body and told == _checksum(body) else _NAK + "1"
        if reply is None:
            return b""
        return f"{reply}{_checksum(reply[1:])}\r".encode("latin-1")

    def _obeyed(self, body: str) -> str | None:
        """Reply to a sound frame, without checksum; None if the firmware is silent."""
        letter, payload = body[0], body[1:]
        if letter in _ORDERS and not payload:
            return self._done(letter, self.order(_ORDERS[letter]))
        if letter in "IDP":
            return self._set(letter, payload)
        tell = {"?": self._status, "T": self._tested, "V": self._version}.get(letter)
        if tell is None or payload:
            return _NAK + "2"
        told = tell()
        return None if told is None else f"{_ACK}{letter}{told}"

    def _version(self) -> str:
        return f"D1;{self.serial};1.07"

    def _tested(self) -> str | None:
        return self.ask("*TST?").lstrip("+") or None

    def _set(self, letter: str, payload: str) -> str | None:
        if letter == "P":
            word = {"+": "POS", "-": "NEG"}.get(payload)
            return self._done("P", self.order(f"SOUR:POL {word}")) if word else _NAK + "3"
        if not re.fullmatch(r"\d{4}" if letter == "I" else r"\d{6}", payload, re.ASCII):
            return _NAK + "3"
        if letter == "I":
            return self._done("I", self.order(f"SOUR:CURR {int(payload) / CURRENT:.9f}"))
        return self._done("D", self.order(f"SOUR:DOSE {int(payload) / CHARGE:.9f}"))

    @staticmethod
    def _done(letter: str, code: int | None) -> str | None:
        if code is None:
            return None
        return _ACK + letter if code == 0 else _NAK + _REFUSALS.get(code, "4")

    def _status(self) -> str | None:
        """State, polarity, setting, dose, current, charge, load, fault code."""
        state, polarity = self.ask("TREAT:STAT?"), self.ask("SOUR:POL?")
        figures = (
            self.figure("SOUR:CURR?", CURRENT),
            self.figure("SOUR:DOSE?", CHARGE),
            self.figure("MEAS:CURR?", 1e6),
            self.figure("MEAS:CHAR?", CHARGE),
            self.figure("MEAS:IMP?", 1),
        )
        fault = self.ask("FAUL:CODE?")
        if not (state and polarity and fault) or None in figures:
            return None
        setting, dose, current, charge, load = (figure or 0 for figure in figures)
        return (
            f"{_STATES.get(state, '-')}{'+' if polarity == 'POS' else '-'}{setting:04d}{dose:06d}"
            f"{current:05d}{charge:06d}{min(load, OPEN_LOAD):06d}{'' if fault == 'NONE' else fault}"
        )


def _checksum(body: str) -> str:
    return f"{sum(body.encode('latin-1')) % 256:02X}"
