"""Commands that a multimeter has once for each of its functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from hil_instruments.simulated.dialects.settings import SettledInstrument
from hil_instruments.simulated.scpi import Answer, Instrument, Parameter, scpi

_Method = TypeVar("_Method", bound=Callable[..., Answer])


def each(
    functions: Mapping[str, str], header: str, *parameters: Parameter
) -> Callable[[_Method], _Method]:
    """Mark a method as handler of a command of several functions, which comes as first argument.

    Args:
        functions: name of each function, as handed to the method, and its header nodes.
        header: pattern with `<function>` where these nodes stand.
        parameters: as for `scpi`.
    """

    def mark(method: _Method) -> _Method:
        listed = getattr(method, "function_commands", ())
        entry = (dict(functions), header, parameters)
        setattr(method, "function_commands", (*listed, entry))  # noqa: B010  # typed as a bare callable
        return method

    return mark


class FunctionInstrument(SettledInstrument):
    """An instrument with handlers marked by `each`."""

    def __init_subclass__(cls) -> None:
        for name, method in list(vars(cls).items()):
            listed = getattr(method, "function_commands", ())
            handlers: dict[str, Callable[..., Answer]] = {}
            for functions, header, parameters in listed:
                for function, nodes in functions.items():
                    handler = handlers.setdefault(function, _bound(method, function))
                    handlers[function] = scpi(header.replace("<function>", nodes), *parameters)(
                        handler
                    )
            for function, handler in handlers.items():
                setattr(cls, f"{name}_{function}".replace(":", "_").lower(), handler)
        super().__init_subclass__()


def _bound(method: Callable[..., Answer], function: str) -> Callable[..., Answer]:
    def handler(self: Instrument, *arguments: object) -> Answer:
        return method(self, function, *arguments)

    return handler
