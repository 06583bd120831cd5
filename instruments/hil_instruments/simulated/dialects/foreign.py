"""A stimulator of another make: its own words towards the host, the reference firmware inside.

So each fault of the reference firmware, its console's included, can be seeded in a device that is
spoken to in another way.
"""

from __future__ import annotations

from hil_instruments.simulated.dialects.stimulator import HostLink

OUT_OF_RANGE, NOT_NOW = -222, -221
"""Codes of the reference firmware for a value that it does not take, and for a wrong state."""


class ForeignLink(HostLink):
    """What dialects of other makes share: questions and orders to the firmware inside."""

    def ask(self, message: str) -> str:
        """Ask the firmware; empty if it does not answer."""
        return self._world.device.receive(message.encode()).decode().strip()

    def order(self, message: str) -> int | None:
        """Give the firmware an order; return its error code, 0 for none, None if it is silent."""
        while self._error() not in {0, None}:
            pass  # of the exchange of messages, not of this order
        reply = self.ask(message)
        code = self._error()
        return code if not reply else None

    def _error(self) -> int | None:
        code, found, _ = self.ask("SYST:ERR?").partition(",")
        return int(code) if found else None

    def figure(self, query: str, scale: float) -> int | None:
        """A figure of the firmware as a whole number of steps; None if it is silent.

        Args:
            query: to the firmware.
            scale: steps for each of the firmware's units.
        """
        reply = self.ask(query)
        return round(float(reply) * scale) if reply else None
