"""The cut-off in its own dialect: a relay that opens by itself when its lease is not renewed."""

from __future__ import annotations

from decimal import Decimal

from hil.errors import InstrumentError, UsageError
from hil_instruments import encoding
from hil_instruments.drivers.instrument import Instrument, one_of

SHORTEST_LEASE, LONGEST_LEASE = 0.1, 10.0
"""Seconds of a lease that the relay takes."""
_STATES = {"CLOSED": True, "OPEN": False}


class StimproofCutoff(Instrument):
    """Relay in both poles between device and load; de-energised means open."""

    def close_relay(self, epoch: int) -> None:
        """Close under a fencing epoch; an epoch that is not newer than the last trip is refused.

        Raises:
            UsageError: the epoch is below 0.
            InstrumentError: refused; the message gives the epoch that the relay holds.
        """
        if epoch < 0:
            raise UsageError(f"{self.name}: epoch = {epoch}; allowed: 0 and above")
        try:
            self._configure(f"REL:CLOS {epoch}")
        except InstrumentError as err:
            raise InstrumentError(f"{err}; the relay's own epoch is {self.epoch()}") from err

    def renew(self, seconds: float) -> None:
        """Keep closed for that long from now, 0.1 to 10 s; without renewal the relay opens.

        A lapsed lease is not reported here, as the relay is renewed on the hot path: read
        `is_closed`.
        """
        if not SHORTEST_LEASE <= seconds <= LONGEST_LEASE:
            raise UsageError(
                f"{self.name}: lease = {seconds} s; allowed: {SHORTEST_LEASE} to {LONGEST_LEASE} s"
            )
        self._session.write(f"REL:REN {encoding.decimal_text(Decimal(repr(float(seconds))))}")

    def open_relay(self) -> None:
        """Open now; write-only, exempt from poisoning."""
        self._session.stop_write("REL:OPEN")

    def is_closed(self) -> bool:
        """State of the contacts, read back."""
        return self._ask("REL:STAT?", one_of(_STATES))

    def epoch(self) -> int:
        """Epoch that the relay holds."""
        return self._ask("REL:EPOC?", encoding.integer)
