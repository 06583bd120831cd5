"""Entries of the error queue, as SCPI-99, volume 2, chapter 21.8 numbers them."""

from __future__ import annotations

ERROR_QUEUE = 20
"""Entries of an error queue; the last one becomes -350 when more come."""

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


def event_bit(code: int) -> int:
    """Bit of the standard event register for an error code."""
    if -200 < code <= -100:
        return _COMMAND_ERROR
    if -300 < code <= -200:
        return _EXECUTION_ERROR
    return _QUERY_ERROR if -500 < code <= -400 else _DEVICE_ERROR
