"""The fault catalogue as data: what is wrong, what makes it show, what it violates, who sees it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any

from hil.device import IONTOPHORESIS, DeviceProfile
from hil.errors import ConfigurationError, UsageError
from hil.exact import Dimension, Exact

_FILES = ("catalogue.toml", "instruments.toml", "links.toml")
_SIGNED = re.compile(r"\s+([+-])\s+")
_FIGURE = re.compile(r"[a-z_]+\.[a-z_]+\Z")


class Layer(Enum):
    """Where a fault sits, and so where it is injected."""

    ANALOG = "analog"
    """Output stage: `physics.OutputStage`."""
    CONVERTER = "converter"
    """Converters, relay driver, watchdog, memory: `device.BoardFaults`."""
    FIRMWARE = "firmware"
    """Decisions: `device.Policy`."""
    POWER = "power"
    """What happens when the supply falls or returns."""
    COMMS = "comms"
    """Text between host and firmware."""
    INSTRUMENT = "instrument"
    """An instrument of the bench, not the device."""
    LINK = "link"
    """The wire to an instrument."""

    @property
    def of_device(self) -> bool:
        """Whether the device itself is faulty, and not the bench around it."""
        return self not in {Layer.INSTRUMENT, Layer.LINK}


class When(Enum):
    """Kinds of onset."""

    START = "start"
    """First start of a treatment."""
    MID_RAMP = "mid-ramp"
    """First time that the current passes half of its setting."""
    AFTER = "after"
    """A bench time after power-up."""
    EVERY = "every"
    """Every Nth treatment, and only during it."""
    ABOVE = "above"
    """First time that the current exceeds a level."""


@dataclass(frozen=True, slots=True)
class Severity:
    """Parameter of a fault, with the value up to which nothing is violated."""

    name: str
    """What it is."""
    limit: str
    """Figures of a profile and quantities, added or subtracted."""
    times: Decimal
    """Default severity as a multiple of the limit."""
    worse: str = "larger"
    """"larger": more than the limit violates; "smaller": less than it."""
    most: str = ""
    """Largest severity that can be seeded; empty for any."""
    measured: bool = True
    """Whether what a requirement measures follows it, so that there is a smallest one to catch."""
    spread: str = ""
    """By how much healthy devices differ in what is judged; empty for next to nothing."""

    def __post_init__(self) -> None:
        if self.worse not in {"larger", "smaller"}:
            raise UsageError(f"worse = {self.worse!r}; allowed: larger, smaller")
        if (self.times > 1) != (self.worse == "larger") or self.times <= 0:
            raise UsageError(f"times = {self.times} violates nothing where {self.worse} is worse")

    @property
    def dimension(self) -> Dimension:
        """Kind of quantity."""
        name = _SIGNED.split(self.limit)[0]
        if _FIGURE.match(name):
            return IONTOPHORESIS.bounds[name].dimension
        return Exact.parse(name).dimension

    def bound(self, profile: DeviceProfile) -> Exact:
        """Worst severity that violates nothing on this device."""
        terms = _SIGNED.split(f"0 + {self.limit}")[1:]
        parts = [
            (sign, profile[name] if _FIGURE.match(name) else Exact.parse(name))
            for sign, name in zip(terms[::2], terms[1::2], strict=True)
        ]
        first = parts[0][1]
        total = sum(part.base if sign == "+" else -part.base for sign, part in parts)
        return Exact.si(Decimal(total), first.dimension).to(first.unit)

    def default(self, profile: DeviceProfile) -> Exact:
        """Severity that really violates, on this device."""
        bound = self.bound(profile)
        value = (bound.magnitude * self.times).normalize()
        return Exact(value.quantize(Decimal(1)) if value == int(value) else value, bound.unit)

    def violates(self, value: Exact, profile: DeviceProfile) -> bool:
        """Whether a severity lies beyond the bound."""
        bound = self.bound(profile)
        return value > bound if self.worse == "larger" else value < bound


@dataclass(frozen=True, slots=True, kw_only=True)
class CataloguedFault:
    """One known fault."""

    id: str
    """F01 to F74 as in the domain study, I.. of an instrument, L.. of a link."""
    title: str
    """What is wrong."""
    layer: Layer
    """Where it sits."""
    device_class: str = "iontophoresis"
    """Class of device in which it can occur."""
    single_fault: bool = False
    """Whether it is a single-fault condition; else a design defect, judged in normal condition."""
    trigger: str
    """What makes it show."""
    observable: str
    """What terminals and SCPI then show."""
    violates: tuple[str, ...] = ()
    """Requirements of the shipped catalogue."""
    rules: tuple[str, ...] = ()
    """Rules and clauses that the domain study names."""
    caught_by: tuple[str, ...] = ()
    """Shipped tests that must turn to FAIL, as `test_x.py::test_y`."""
    gap: str = ""
    """What no shipped test covers yet."""
    roles: tuple[str, ...] = ("stimulator", "ammeter")
    """Bench roles without which nobody sees it."""
    needs: tuple[str, ...] = ()
    """Optional actions of [wire] without which nothing is wrong with what a device does."""
    severity: Severity | None = None
    """Parameter; None: it is there or not."""
    onset: str = ""
    """When it sets in if nobody says otherwise; empty: from power-up."""
    onsets: tuple[When, ...] = tuple(When)
    """Other onsets that make sense."""
    unmodelled: str = ""
    """Why the simulated bench cannot show it; empty: it does."""

    @property
    def modelled(self) -> bool:
        """Whether it can be seeded."""
        return not self.unmodelled


@cache
def catalogue() -> Mapping[str, CataloguedFault]:
    """Every known fault, by id, in the order of the files.

    Raises:
        ConfigurationError: a file of the package is inconsistent; names file, fault and key.
    """
    found: dict[str, CataloguedFault] = {}
    for name in _FILES:
        for entry in _entries(name):
            where = f"{name}: {entry.get('id', 'a fault without id')}"
            try:
                fault = _read(entry)
            except (KeyError, TypeError, ValueError) as err:
                raise ConfigurationError(f"{where}: {err}") from err
            if found.setdefault(fault.id, fault) is not fault:
                raise ConfigurationError(f"{where}: the id is given twice")
    return found


def find(name: str) -> CataloguedFault:
    """Return a fault by its id; raises UsageError with what is near it."""
    known = catalogue()
    if name.upper() in known:
        return known[name.upper()]
    spans = {key[0]: f"{key[0]}01 to {key}" for key in known}
    raise UsageError(
        f"fault {name!r} is unknown; allowed: {', '.join(spans.values())} (hil faults lists them)"
    )


def _entries(name: str) -> list[dict[str, Any]]:
    resource = files(__package__).joinpath(name)
    if not resource.is_file():
        return []
    entries: list[dict[str, Any]] = tomllib.loads(resource.read_text("utf-8"))["fault"]
    return entries


def _read(entry: Mapping[str, Any]) -> CataloguedFault:
    given = dict(entry)
    given["layer"] = Layer(given["layer"])
    if "class" in given:
        given["device_class"] = given.pop("class")
    if "severity" in given:
        given["severity"] = _severity(given["severity"])
    if "onsets" in given:
        given["onsets"] = tuple(When(word) for word in given["onsets"])
    known = {field.name for field in fields(CataloguedFault)}
    if unknown := sorted(set(given) - known):
        raise UsageError(f"{unknown[0]} is unknown; allowed: {', '.join(sorted(known))}")
    lists = {key: tuple(value) for key, value in given.items() if isinstance(value, list)}
    return CataloguedFault(**(given | lists))


def _severity(given: Mapping[str, Any]) -> Severity:
    return Severity(**{**given, "times": Decimal(str(given["times"]))})
