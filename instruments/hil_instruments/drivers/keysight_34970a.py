"""Keysight 34970A or DAQ970A with actuator cards (34903A, DAQM903A) in slots 1 and 2.

Commands: 34970A/34972A User's Guide (34972-90001), DAQ970A Programming Guide: ROUTe:OPEN,
ROUTe:CLOSe, ROUTe:CLOSe?. The relays of a 34903A latch: they keep their position without power, so
as a cut-off they are one by software.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from hil_instruments import encoding
from hil_instruments.drivers.switch_card import CHANNELS, SoftwareCutoff, SwitchedLoad, SwitchUnit


class _Unit(SwitchUnit):
    def _command(self, channels: Iterable[int], *, closed: bool) -> str:
        return f"ROUT:{'CLOS' if closed else 'OPEN'} {_listed(channels)}"

    def _closed(self, channels: Iterable[int]) -> tuple[bool, ...]:
        asked = tuple(channels)
        return self._ask(f"ROUT:CLOS? {_listed(asked)}", partial(encoding.flags, count=len(asked)))


class Keysight34970A(_Unit, SwitchedLoad):
    """Its load positions and the channels beside them."""


class Keysight34970ACutoff(_Unit, SoftwareCutoff):
    """Two of its relays as a cut-off by software."""


def _listed(channels: Iterable[int]) -> str:
    asked = tuple(channels)
    if asked == tuple(CHANNELS):
        return f"(@{CHANNELS[0]}:{CHANNELS[-1]})"
    return encoding.channel_list(*asked)
