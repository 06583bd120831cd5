"""No firmware: what stands in for a stimulator and drives the circuit by itself."""

from __future__ import annotations

from hil_instruments.simulated.device.port import Port, Reset


class NoFirmware:
    """Implements `port.Firmware` and does nothing, so that the watchdog has nothing to guard."""

    def boot(self, port: Port, cause: Reset) -> None:
        """Leave every pin in its reset state."""

    def tick(self) -> None:
        """Do nothing."""

    def receive(self, message: bytes) -> bytes:
        """Answer nothing."""
        del message
        return b""
