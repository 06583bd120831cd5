"""What reference sources share: ranges with their limits of error, settings that read back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hil.capture import Accuracy
from hil.errors import BenchError, InstrumentError, UsageError
from hil.exact import Dimension, Exact
from hil.units import Quantity
from hil_instruments import encoding
from hil_instruments.drivers.instrument import MEND, Instrument

STEP = 1e-4
"""Share of full scale up to which a setting may read back otherwise: these sources' resolution is
half of it."""


@dataclass(frozen=True, slots=True)
class SourceRange:
    """One range of a source and its limits of error."""

    full_scale: float
    """SI."""
    name: str
    gain: float
    """Limit of the relative error."""
    offset: float
    """Limit of the additive error, SI."""


class SourceDriver(Instrument):
    """A source; its driver says which ranges and limits it has."""

    SOURCE = ""
    """Specification of its ranges: data sheet and interval."""

    def off(self) -> None:
        """Switch the output off; write-only, exempt from poisoning: `is_on` tells what came of it.

        Raises:
            BenchError: it could not be sent at all; cut the path by other means.
        """
        self._session.stop_write("OUTP OFF")

    def is_on(self) -> bool:
        """Whether the output is on."""
        return self._ask("OUTP?", encoding.switch)

    def _switch_on(
        self, settings: Mapping[str, float | str], level: Mapping[str, float], step: float
    ) -> None:
        """Read settings and level back before and after switching on: power may fail in between.

        Raises:
            InstrumentError: one of them reads back otherwise, or the output reads back off.
        """
        self._confirm(settings)
        self._confirm(level, within=step)
        self._configure("OUTP ON")
        try:
            if not self.is_on():
                raise InstrumentError(
                    f"{self.name}: 'OUTP ON' was sent, the output reads back off; {MEND}"
                )
            self._confirm(settings)
            self._confirm(level, within=step)
        except BenchError:
            self.off()
            raise

    def _fitting(self, ranges: Sequence[SourceRange], value: float) -> SourceRange:
        """Smallest range that holds a value; raises UsageError if none does."""
        for candidate in ranges:
            if abs(value) <= candidate.full_scale:
                return candidate
        raise UsageError(
            f"{self.name}: {value} was asked for; allowed: up to {ranges[-1].name}, either sign"
        )

    def _need_limit(self, limit: float, least: float, most: float, unit: str) -> None:
        if not least <= limit <= most:
            raise UsageError(
                f"{self.name}: a limit of {limit} {unit} was asked for; allowed: {least:g} to "
                f"{most:g} {unit}"
            )

    def _accuracy(self, chosen: SourceRange) -> Accuracy:
        name = f"{self.serial}[{chosen.name} sourced]"
        return Accuracy(name, chosen.gain, chosen.offset, self.SOURCE)


def si(value: Quantity) -> tuple[Dimension, float]:
    """Kind and SI magnitude of a quantity.

    Raises:
        UsageError: not finite.
    """
    exact = Exact.of(value)
    size = float(exact.base)
    if not math.isfinite(size):
        raise UsageError(f"{value} was asked for; a source drives finite values")
    return exact.dimension, size
