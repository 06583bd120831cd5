"""Settings that an instrument keeps: a command, its query, its bounds, its default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from hil_instruments.simulated.scpi import (
    Answer,
    Instrument,
    Parameter,
    ScpiError,
    boolean,
    choice,
    number,
    optional,
    scpi,
)

Value: TypeAlias = float | str | bool
_LIMIT_WORDS = "MINimum|MAXimum|DEFault"


def exponential(value: float) -> str:
    """Write a number as Keithley does: `1.000000E-03`, 9.9E37 for infinity."""
    return f"{9.9e37 if value == float('inf') else value:.6E}"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    header: str
    """Pattern of the command; the query is the same with a `?`."""
    parameter: Parameter
    default: Value
    """After *RST."""
    bounds: tuple[float, float] | None = None
    """Least and largest number; None where it is no number."""
    show: Callable[[float], str] = field(default=exponential)
    """Writes a number."""

    def taken(self, given: Value) -> Value:
        """Return what a parameter sets; raises ScpiError outside the bounds."""
        if self.bounds is None or isinstance(given, bool):
            return given
        least, largest = self.bounds
        words: dict[str, Value] = {"MIN": least, "MAX": largest, "DEF": self.default}
        value = words.get(given, given) if isinstance(given, str) else given
        if isinstance(value, float | int) and not least <= value <= largest:
            raise ScpiError(-222, f"{self.header} {value:g}; allowed: {least:g} to {largest:g}")
        return value

    def text(self, value: Value) -> str:
        """Write the present value as the query does."""
        if isinstance(value, bool):
            return str(int(value))
        return value if isinstance(value, str) else self.show(value)


def figure(
    header: str,
    default: float,
    bounds: tuple[float, float],
    *,
    unit: str = "",
    words: str = "",
    show: Callable[[float], str] = exponential,
) -> Setting:
    """A number inside bounds, or MINimum, MAXimum, DEFault or one of `words`."""
    known = f"{_LIMIT_WORDS}|{words}" if words else _LIMIT_WORDS
    parameter = number(*([unit] if unit else []), words=known)
    return Setting(header, parameter, default, bounds, show)


def count(header: str, default: int, bounds: tuple[int, int], *, words: str = "") -> Setting:
    """A whole number inside bounds, written without an exponent."""
    return figure(header, default, bounds, words=words, show=lambda value: str(round(value)))


def switch(header: str, *, on: bool) -> Setting:
    """ON or OFF; answers 1 or 0."""
    return Setting(header, boolean(), on)


def word(header: str, words: str, default: str) -> Setting:
    """One of several words; answers its short form."""
    return Setting(header, choice(words), default)


class SettledInstrument(Instrument):
    """An instrument whose class lists its settings; it obeys and answers them by itself."""

    SETTINGS: ClassVar[Mapping[str, Setting]] = {}
    """Name to setting."""

    def __init_subclass__(cls) -> None:
        for name, setting in vars(cls).get("SETTINGS", {}).items():
            make = _numbered if "<" in setting.header else _plain
            command, query = make(name, setting)
            setattr(cls, f"_command_{name}", command)
            setattr(cls, f"_query_{name}", query)
        super().__init_subclass__()

    settings: dict[str, Value]
    """Name to present value; filled by `forget_settings`."""

    def forget_settings(self) -> None:
        """Return every setting to its default, telling nobody."""
        self.settings = {name: setting.default for name, setting in self.SETTINGS.items()}

    def change(self, name: str, value: Value) -> None:
        """Take over a setting; a front end overrides it to refuse one or to act on it."""
        self.settings[name] = value

    def figure(self, name: str) -> float:
        """Present value of a numeric setting."""
        value = self.settings[name]
        return value if isinstance(value, float | int) else float("inf")

    def setting(self, name: str) -> str:
        """Present word of a setting."""
        return str(self.settings[name])


def _queried(setting: Setting) -> list[Parameter]:
    return [] if setting.bounds is None else [optional(choice(_LIMIT_WORDS))]


def _plain(name: str, setting: Setting) -> tuple[Callable[..., Answer], Callable[..., Answer]]:
    """Make the two handlers of one setting."""

    def command(self: SettledInstrument, given: Value) -> None:
        self.change(name, setting.taken(given))

    def query(self: SettledInstrument, which: str = "") -> str:
        return setting.text(setting.taken(which) if which else self.settings[name])

    return (
        scpi(setting.header, setting.parameter)(command),
        scpi(setting.header + "?", *_queried(setting))(query),
    )


def _numbered(name: str, setting: Setting) -> tuple[Callable[..., Answer], Callable[..., Answer]]:
    """Make the two handlers of a setting that there is several times, told apart by a suffix."""

    def command(self: SettledInstrument, place: int, given: Value) -> None:
        self.settings[f"{name}_{place}"] = setting.taken(given)

    def query(self: SettledInstrument, place: int, which: str = "") -> str:
        present = self.settings.get(f"{name}_{place}", setting.default)
        return setting.text(setting.taken(which) if which else present)

    return (
        scpi(setting.header, setting.parameter)(command),
        scpi(setting.header + "?", *_queried(setting))(query),
    )
