"""The command table: which method of an instrument obeys which header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hil_instruments.simulated.scpi.parameters import Parameter
from hil_instruments.simulated.scpi.replies import Answer


@dataclass(frozen=True, slots=True)
class Command:
    """One entry of an instrument's command table."""

    header: str
    """Its pattern, as `[SENSe:]CURRent[:DC]:RANGe?`."""
    parameters: tuple[Parameter, ...]
    """In the order of the message."""
    handler: str
    """Name of the method that obeys it."""


_Handler = TypeVar("_Handler", bound=Callable[..., Answer])


def scpi(header: str, *parameters: Parameter) -> Callable[[_Handler], _Handler]:
    """Mark a method as the handler of a command or, with a `?` at its end, of a query.

    A numeric suffix `<n>` comes as a leading integer (1 where it is left out). A query returns its
    reply without terminator; None means that it has none. A parameter that was left out is not
    passed. The method may raise ScpiError.
    """

    def mark(method: _Handler) -> _Handler:
        listed = getattr(method, "scpi_commands", ())
        setattr(method, "scpi_commands", (*listed, (header, parameters)))  # noqa: B010  # typed as a bare callable
        return method

    return mark
