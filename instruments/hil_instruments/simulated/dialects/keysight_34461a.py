"""Dialects of the Keysight 34460A and 34461A multimeters: a 34465A without what those lack.

Truevolt Series Operating and Service Guide: aperture in seconds, sample timer and binary readings
are of the 34465A and 34470A. Everything else is as there, the accuracy included.
"""

from __future__ import annotations

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.functions import each
from hil_instruments.simulated.dialects.keysight_34465a import Keysight34465A
from hil_instruments.simulated.dialects.truevolt_ranges import INTEGRATING
from hil_instruments.simulated.scpi import Parameter, ScpiError, optional, scpi

MEMORY = {"34460A": 1_000, "34461A": 10_000}
_ANY = Parameter(str)
_MISSING = ScpiError(-113, "of the 34465A and 34470A only", "Undefined header")


class Keysight34461A(Keysight34465A):
    """The smaller ones of the family; which one, the bench entry's model says."""

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Power on; arguments as those of the 34465A, without options."""
        super().__init__(entry, world, seed)
        self.memory_size = MEMORY[entry.model.upper()]
        self._memory.restrict(self.memory_size)

    @each(INTEGRATING, "[SENSe:]<function>:APERture", _ANY)
    @each(INTEGRATING, "[SENSe:]<function>:APERture?", optional(_ANY))
    @each(INTEGRATING, "[SENSe:]<function>:APERture:ENABled", _ANY)
    @each(INTEGRATING, "[SENSe:]<function>:APERture:ENABled?")
    def _no_aperture(self, *_: object) -> str:
        raise _MISSING

    @scpi("SAMPle:SOURce", _ANY)
    @scpi("SAMPle:SOURce?")
    @scpi("SAMPle:TIMer", _ANY)
    @scpi("SAMPle:TIMer?", optional(_ANY))
    @scpi("FORMat[:DATA]", _ANY, optional(_ANY))
    @scpi("FORMat[:DATA]?")
    @scpi("FORMat:BORDer", _ANY)
    @scpi("FORMat:BORDer?")
    def _no_timer(self, *_: object) -> str:
        raise _MISSING
