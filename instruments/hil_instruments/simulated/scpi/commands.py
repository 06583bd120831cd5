"""The command table: which method of an instrument obeys which header."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from hil_instruments.simulated.scpi.headers import Tree
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

    @property
    def is_query(self) -> bool:
        """Whether a reply is asked for."""
        return self.header.endswith("?")


CommandTree: TypeAlias = Tree[Command]
_Handler = TypeVar("_Handler", bound=Callable[..., Answer])


def scpi(header: str, *parameters: Parameter) -> Callable[[_Handler], _Handler]:
    """Mark a method as the handler of a command or, with a `?` at its end, of a query.

    A numeric suffix, `<n>` or `<1-4>` with its limits, comes as a leading integer (1 where it is
    left out, or 0 where the pattern says `<1-4?>`). A query returns its reply without terminator;
    None means that it has none. A parameter that was left out is not passed. The method may raise
    ScpiError.
    """

    def mark(method: _Handler) -> _Handler:
        listed = getattr(method, "scpi_commands", ())
        setattr(method, "scpi_commands", (*listed, (header, parameters)))  # noqa: B010  # typed as a bare callable
        return method

    return mark


def table_of(kind: type, absent: Iterable[str] = ()) -> dict[str, Command]:
    """Return the commands of a class and its parents, a child's in the place of its parent's.

    Args:
        kind: the class of an instrument.
        absent: headers of its parents that it has not.
    """
    table: dict[str, Command] = {}
    for each in reversed(kind.__mro__):
        for name, method in vars(each).items():
            marks = getattr(method, "scpi_commands", ())
            _check_name(each, name, {header for header, _ in marks}, table)
            for header, parameters in marks:
                table.pop(header, None)
                table[header] = Command(header, parameters, name)
    for header in absent:
        if table.pop(header, None) is None:
            raise TypeError(f"{kind.__name__}.absent: {header!r} is no header of its parents")
    return table


def _check_name(kind: type, name: str, headers: set[str], table: dict[str, Command]) -> None:
    """Refuse a method that takes the name of another command's handler by accident."""
    taken = {command.header for command in table.values() if command.handler == name}
    if taken and headers and not headers & taken:
        raise TypeError(
            f"{kind.__name__}.{name} obeys {', '.join(sorted(headers))}, but that name is taken by "
            f"{', '.join(sorted(taken))} of a parent; give the method another name"
        )
