"""Simulated optional roles beside the simulated device: they see and touch its ground truth."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.image import check_installed
from hil.roles import EarthPath, FirmwareLoader, IndicatorSensor, Jig, TerminalSource
from hil.units import A, Quantity, quantity
from hil_instruments.simulated.bench import SimulatedBench, reference
from hil_instruments.simulated.device.device import Flash
from hil_instruments.simulated.physics.node import Node

DARK, LIT = 0.02, 0.60
"""Voltage in V of the photodiode before a dark lamp and before a lit one."""
THRESHOLD = 0.30
"""Voltage in V above which the lamp counts as lit."""
FLICKER = 0.02
"""Standard deviation in V of its noise."""
LARGEST_VOLTS, LARGEST_AMPERES = 20.0, 10e-3
"""What the source on the terminals gives at most, of either sign."""


class SimulatedIndicator:
    """A photodiode before the lamp of the device (implements `IndicatorSensor`).

    The lamp is lit while the firmware says so, and dark without power.
    """

    def __init__(self, bench: SimulatedBench, seed: int) -> None:
        """Stick it on."""
        self._bench, self._noise = bench, random.Random(seed)

    def is_on(self) -> bool:
        """Whether the lamp is lit now."""
        return self.volts() > THRESHOLD

    def volts(self) -> float:
        """Voltage of the photodiode in V."""
        device = self._bench.device
        lit = device.powered and device.board.indicator
        return (LIT if lit else DARK) + self._noise.gauss(0.0, FLICKER)


class SimulatedJig:
    """A line to the reset logic of the simulated device (implements `Jig`)."""

    def __init__(self, bench: SimulatedBench) -> None:
        """Fit it; nothing changes."""
        self._bench = bench

    def halt(self) -> None:
        """Stop the processor; the watchdog of the board, or new power, starts it again."""
        board = self._bench.device.board
        board.faults = replace(board.faults, hang=True)


class SimulatedEarthPath:
    """A contact from the dispersive lead to earth, where the supply of the device stands too."""

    def __init__(self, bench: SimulatedBench) -> None:
        """Begin as the bench is."""
        self._bench = bench

    def join(self) -> None:
        """Earth the dispersive lead."""
        self._put(joined=True)

    def part(self) -> None:
        """Let it float."""
        self._put(joined=False)

    def is_joined(self) -> bool:
        """State of the contact."""
        return self._bench.earthed

    def _put(self, *, joined: bool) -> None:
        self._bench.earthed = joined
        self._bench.circuit.join_earth(joined)


class SimulatedTerminalSource:
    """A source behind a resistance on the device's terminals (implements `TerminalSource`)."""

    def __init__(self, bench: SimulatedBench) -> None:
        """Begin with nothing on the terminals."""
        self._bench = bench
        self._volts, self._ohm = 0.0, math.inf

    def apply(self, voltage: Quantity, limit: Quantity) -> None:
        """Put a signed voltage on the terminals, through the resistance that bounds its current.

        Raises:
            UsageError: beyond what the source gives; nothing was applied.
        """
        volts = float(Exact.of(voltage).require(Dimension.VOLTAGE).base)
        amperes = float(Exact.of(limit).require(Dimension.CURRENT).base)
        if not (0 < abs(volts) <= LARGEST_VOLTS and 0 < amperes <= LARGEST_AMPERES):
            raise UsageError(
                f"terminal source: {voltage} at most {limit} was asked for; allowed: up to "
                f"{LARGEST_VOLTS:g} V of either sign, and above 0 to {LARGEST_AMPERES:g} A"
            )
        self._volts, self._ohm = volts, abs(volts) / amperes
        circuit = self._bench.circuit
        circuit.drive_source(volts)
        circuit.join_source(self._ohm)

    def drawn(self) -> Quantity:
        """Current that it drives into the device, in A; 0 while it is off."""
        if math.isinf(self._ohm):
            return quantity(0.0, A)
        stands = self._bench.circuit.value(Node.OUTPUT)
        return quantity((self._volts - stands) / self._ohm, A)

    def off(self) -> None:
        """Take it off the terminals."""
        circuit = self._bench.circuit
        circuit.join_source(math.inf)
        circuit.drive_source(0.0)
        self._volts, self._ohm = 0.0, math.inf


@dataclass(frozen=True)
class Image:
    """Firmware that can be flashed."""

    version: str
    content: bytes
    """What is written into the memory of the device."""
    flash: Flash = reference
    """Makes what runs then."""

    @property
    def sha256(self) -> str:
        """Of its content."""
        return hashlib.sha256(self.content).hexdigest()


INDICATOR: type[IndicatorSensor] = SimulatedIndicator
EARTH: type[EarthPath] = SimulatedEarthPath
TERMINAL_SOURCE: type[TerminalSource] = SimulatedTerminalSource
JIG: type[Jig] = SimulatedJig
"""Proof by types that each keeps its role; so below."""
REFERENCE = Image("1.0", b"reference firmware 1.0")
"""What the simulated device is delivered with."""


class SimulatedLoader:
    """A programming adapter at the simulated device (implements `FirmwareLoader`)."""

    def __init__(self, bench: SimulatedBench, images: Mapping[str, Image] | None = None) -> None:
        """Take the images; None is the reference alone."""
        self._bench = bench
        self._images = {"reference": REFERENCE} if images is None else dict(images)
        self.memory = REFERENCE.version, REFERENCE.content
        """Version and content that the device holds."""

    def images(self) -> tuple[str, ...]:
        """Names of what can be flashed."""
        return tuple(self._images)

    def flash(self, name: str) -> None:
        """Flash an image and read it back; it runs from the next power-up on.

        Raises:
            UsageError: there is none of that name; nothing was written.
            BenchError: version or hash read back otherwise.
        """
        if name not in self._images:
            raise UsageError(f"no image {name!r}; there is {', '.join(self._images)}")
        image = self._images[name]
        self.write(image)
        check_installed(name, self.installed(), (image.version, image.sha256))
        self._bench.flash_with(image.flash)

    def installed(self) -> tuple[str, str]:
        """Version and SHA-256 of what the memory of the device holds."""
        version, content = self.memory
        return version, hashlib.sha256(content).hexdigest()

    def write(self, image: Image) -> None:
        """Write an image into the memory of the device."""
        self.memory = image.version, image.content


LOADER: type[FirmwareLoader] = SimulatedLoader
