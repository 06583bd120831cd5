"""The host's end of the link to the device under test: text goes to whatever firmware runs there.

With the reference firmware, status byte and device clear are those of its console; firmware of
another make offers text alone, as over a serial line.
"""

from __future__ import annotations

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.device.board import CALIBRATED_ERROR
from hil_instruments.simulated.device.console import Console
from hil_instruments.simulated.device.firmware import ReferenceFirmware
from hil_instruments.simulated.device.port import CURRENT_STEP
from hil_instruments.simulated.scpi import Instrument, Pending, ScpiError


class HostLink(Instrument):
    """Mute while the device has no supply."""

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        del seed  # the device has its own
        self._world = world
        super().__init__(entry, world.clock)

    @property
    def _console(self) -> Console | None:
        device = self._world.device
        firmware = device.firmware
        return firmware.console if isinstance(firmware, ReferenceFirmware) else None

    def limits_of_error(self) -> tuple[float, float]:
        """Those of its own meters, of a calibrated board, and a step of each."""
        return CALIBRATED_ERROR, 4 * CURRENT_STEP

    def powered(self) -> bool:
        """Whether the device has supply: without it nobody hears or answers."""
        return self._world.device.powered

    def receive(self, message: bytes) -> bytes | Pending:
        """Hand one message to the firmware, and return what it answers."""
        device = self._world.device
        reply = device.receive(message)
        firmware = device.firmware
        if isinstance(firmware, ReferenceFirmware) and firmware.console.service_mask:
            self.attentive = True
        return reply

    def report(self, error: ScpiError) -> None:
        """Let the console note an error of the message exchange."""
        if self._console and self.powered():
            self._console.report(error)

    def status_byte(self, *, reply_waits: bool) -> int:
        """Status byte of the console; 0 where the firmware has none."""
        if self._console is None or not self.powered():
            return 0
        return self._console.status_byte(reply_waits=reply_waits)

    @property
    def service_mask(self) -> int:
        """Service request enable register of the console."""
        return self._console.service_mask if self._console else 0

    @service_mask.setter
    def service_mask(self, mask: int) -> None:
        """Leave it to the console."""
