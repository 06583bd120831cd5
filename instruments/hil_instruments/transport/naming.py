"""Resource names taken apart by VISA's own grammar, and who should answer under one."""

from __future__ import annotations

from dataclasses import dataclass

from pyvisa import rname

from hil.bench import InstrumentEntry
from hil.errors import ConfigurationError, WrongIdentity
from hil_instruments.encoding import Identity


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource name points, in the words of VISA."""

    interface: str
    """As TCPIP, USB, GPIB, ASRL."""
    host: str
    """Host name or address of a TCPIP resource; empty for any other."""
    device: str
    """Device of a serial line, as `/dev/ttyUSB0` or `3`; empty for any other."""


def place_of(resource: str) -> Place:
    """Take a resource name apart by VISA's own grammar; nothing is opened or asked.

    Raises:
        ConfigurationError: it is no resource name.
    """
    try:
        name = rname.ResourceName.from_string(resource)
    except ValueError as err:
        raise ConfigurationError(f"resource = {resource!r}: {' '.join(str(err).split())}") from err
    host = str(getattr(name, "host_address", "")).partition(",")[0]  # pyvisa-py: host,port
    device = name.board if name.interface_type == "ASRL" else ""  # type: ignore[attr-defined]  # of ASRL
    return Place(name.interface_type, host, device)


def check_identity(identity: Identity, entry: InstrumentEntry) -> None:
    """Hold what answered against the bench file.

    Raises:
        WrongIdentity: manufacturer, model or (where the file gives one) serial number differ.
    """
    expected = {"manufacturer": entry.manufacturer, "model": entry.model, "serial": entry.serial}
    wrong = [
        f"{field} {getattr(identity, field)!r} instead of {value!r}"
        for field, value in expected.items()
        if value and getattr(identity, field) != value
    ]
    if wrong:
        raise WrongIdentity(
            f"{entry.role} at {entry.resource}: {identity} answered, with {', '.join(wrong)}; "
            f"correct the wiring, or the entry in the bench file"
        )
