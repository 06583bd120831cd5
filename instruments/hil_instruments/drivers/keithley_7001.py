"""Keithley 7001 switch system with isolated 20-channel cards (7013-C) in its slots 1 and 2.

Commands: Model 7001 Switch System Instruction Manual (7001-901-01): :ROUTe:CLOSe, :ROUTe:OPEN and
:ROUTe:CLOSe? with lists as (@1!4), which answers 1 for each closed channel. Its relays do not
latch, but nothing opens them while the mainframe has power: as a cut-off they are one by software.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from hil_instruments import encoding
from hil_instruments.drivers.switch_card import SoftwareCutoff, SwitchedLoad, SwitchUnit


class _Unit(SwitchUnit):
    def _command(self, channels: Iterable[int], *, closed: bool) -> str:
        return f":ROUT:{'CLOS' if closed else 'OPEN'} {_listed(channels)}"

    def _closed(self, channels: Iterable[int]) -> tuple[bool, ...]:
        asked = tuple(channels)
        return self._ask(f":ROUT:CLOS? {_listed(asked)}", partial(encoding.flags, count=len(asked)))


class Keithley7001(_Unit, SwitchedLoad):
    """Its load positions and the channels beside them."""


class Keithley7001Cutoff(_Unit, SoftwareCutoff):
    """Two of its relays as a cut-off by software."""


def _listed(channels: Iterable[int]) -> str:
    """Write 101 to 120 as (@1!1,1!2,...), the slot before the channel."""
    return "(@" + ",".join(f"{number // 100}!{number % 100}" for number in channels) + ")"
