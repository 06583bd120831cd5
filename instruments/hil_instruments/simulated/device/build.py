"""A user's firmware build, from its file to what the board runs."""

from __future__ import annotations

import os
from pathlib import Path

from hil.errors import UsageError
from hil_instruments.simulated.device.native import SharedLibrary
from hil_instruments.simulated.device.process import FirmwareProcess

_LIBRARIES = {".so", ".dylib"}


def firmware_of(path: Path) -> SharedLibrary | FirmwareProcess:
    """Take a shared library for one, and any other file for a program that speaks in frames.

    One object serves one bench: each boot starts it afresh.

    Raises:
        UsageError: the file cannot be loaded or run, or was built for another version of the port.
    """
    if os.name != "posix":
        raise UsageError(f"firmware {path}: builds run behind the port on Linux and macOS only")
    if path.suffix in _LIBRARIES:
        return SharedLibrary(path)
    return FirmwareProcess([str(path.resolve())])
