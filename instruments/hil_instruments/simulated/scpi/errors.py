"""Entries of the error queue, as SCPI-99, volume 2, chapter 21.8 numbers them."""

from __future__ import annotations

ERROR_QUEUE = 20
"""Entries of an error queue; the last one becomes -350 when more come."""
LONGEST_TEXT = 255
"""Characters between the quotes of an entry (SCPI-99, volume 2, 21.8.1)."""

TEXTS = {
    0: "No error",
    -100: "Command error",
    -101: "Invalid character",
    -102: "Syntax error",
    -103: "Invalid separator",
    -104: "Data type error",
    -105: "GET not allowed",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -110: "Command header error",
    -111: "Header separator error",
    -112: "Program mnemonic too long",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -115: "Unexpected number of parameters",
    -120: "Numeric data error",
    -121: "Invalid character in number",
    -123: "Exponent too large",
    -124: "Too many digits",
    -128: "Numeric data not allowed",
    -130: "Suffix error",
    -131: "Invalid suffix",
    -134: "Suffix too long",
    -138: "Suffix not allowed",
    -140: "Character data error",
    -141: "Invalid character data",
    -144: "Character data too long",
    -148: "Character data not allowed",
    -150: "String data error",
    -151: "Invalid string data",
    -158: "String data not allowed",
    -160: "Block data error",
    -161: "Invalid block data",
    -168: "Block data not allowed",
    -170: "Expression error",
    -171: "Invalid expression",
    -178: "Expression data not allowed",
    -200: "Execution error",
    -203: "Command protected",
    -210: "Trigger error",
    -211: "Trigger ignored",
    -212: "Arm ignored",
    -213: "Init ignored",
    -214: "Trigger deadlock",
    -215: "Arm deadlock",
    -220: "Parameter error",
    -221: "Settings conflict",
    -222: "Data out of range",
    -223: "Too much data",
    -224: "Illegal parameter value",
    -225: "Out of memory",
    -226: "Lists not same length",
    -230: "Data corrupt or stale",
    -231: "Data questionable",
    -240: "Hardware error",
    -241: "Hardware missing",
    -300: "Device-specific error",
    -310: "System error",
    -311: "Memory error",
    -313: "Calibration memory lost",
    -314: "Save/recall memory lost",
    -315: "Configuration memory lost",
    -321: "Out of memory",
    -330: "Self-test failed",
    -340: "Calibration failed",
    -350: "Queue overflow",
    -360: "Communication error",
    -363: "Input buffer overrun",
    -365: "Time out error",
    -400: "Query error",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
    -430: "Query DEADLOCKED",
    -440: "Query UNTERMINATED after indefinite response",
    -500: "Power on",
    -600: "User request",
    -700: "Request control",
    -800: "Operation complete",
}
_COMMAND_ERROR, _EXECUTION_ERROR, _DEVICE_ERROR, _QUERY_ERROR = 32, 16, 8, 4
_CLASSES = {
    1: _COMMAND_ERROR,
    2: _EXECUTION_ERROR,
    3: _DEVICE_ERROR,
    4: _QUERY_ERROR,
    5: 128,  # power on
    6: 64,  # user request
    7: 2,  # request control
    8: 1,  # operation complete
}


class ScpiError(Exception):
    """An entry of the error queue, raised where a message cannot be obeyed."""

    def __init__(self, code: int, detail: str = "", text: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.text = text or TEXTS.get(code, "Device-specific error")
        self.detail = detail
        self._entry = ""

    def __str__(self) -> str:
        if not self._entry:  # written once: the same message may be refused a million times
            detail = f";{self.detail}" if self.detail else ""
            self._entry = f'{self.code},"{printable(self.text + detail)}"'
        return self._entry


def printable(text: str) -> str:
    """Return text as it may stand between the double quotes of an entry: ASCII, no `"`, cut."""
    cut = text[:LONGEST_TEXT].replace('"', "'")
    if cut.isascii() and cut.isprintable():
        return cut
    return ascii(cut)[1:-1].replace('"', "'")[:LONGEST_TEXT]


def event_bit(code: int) -> int:
    """Bit of the standard event register for an error code."""
    return _CLASSES.get(-code // 100, _DEVICE_ERROR)
