"""What firmware keeps in non-volatile memory of the treatment under way."""

from __future__ import annotations

import struct

from hil.device import Polarity
from hil_instruments.simulated.device.policy import Session
from hil_instruments.simulated.device.port import Port
from hil_instruments.simulated.device.settings import Settings

ADDRESS, LAYOUT = 64, struct.Struct("<f?B?")
"""Where, and how: current in A, whether negative, nothing, whether the output was on."""


class Backup:
    """Written when the output is switched, read at a boot."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def read(self) -> Session:
        """What the last boot left."""
        current, negative, _, delivering = LAYOUT.unpack(
            self._port.read_memory(ADDRESS, LAYOUT.size)
        )
        return Session(current, Polarity.NEGATIVE if negative else Polarity.POSITIVE, delivering)

    def write(self, settings: Settings, *, delivering: bool) -> None:
        """Keep setting, polarity, and whether the output is on."""
        negative = settings.polarity is Polarity.NEGATIVE
        self._port.write_memory(ADDRESS, LAYOUT.pack(settings.current, negative, 0, delivering))
