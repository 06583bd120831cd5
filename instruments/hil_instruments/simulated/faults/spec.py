"""What `--fault` takes: which fault, how bad, from when on, on which instrument.

Written as `F09`, `F11:severity=0.12`, `F20:onset=after:30s`, `F06:severity=8%,onset=every:3` or
`I01:role=ammeter`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal

from hil.device import DeviceProfile
from hil.errors import DimensionError, UsageError
from hil.exact import Dimension, Exact, units_of
from hil_instruments.simulated.faults.catalogue import CataloguedFault, When, find

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S*)\Z")
_KEYS = ("severity", "onset", "role")
_ARGUMENTS = {When.AFTER: Dimension.TIME, When.ABOVE: Dimension.CURRENT, When.EVERY: None}
FORMS = {
    When.START: "start",
    When.MID_RAMP: "mid-ramp",
    When.AFTER: "after:T (as after:30s)",
    When.EVERY: "every:N (as every:3)",
    When.ABOVE: "above:I (as above:2mA)",
}
"""How each onset is written."""


@dataclass(frozen=True, slots=True)
class Onset:
    """When a fault sets in; there is none for a fault that is there from power-up."""

    when: When
    """Kind."""
    at: Exact | None = None
    """Bench time since power-up, or current."""
    every: int = 1
    """Of EVERY: which treatments have the fault, each Nth."""

    @classmethod
    def parse(cls, text: str) -> Onset:
        """Read `start`, `mid-ramp`, `after:30s`, `every:3` or `above:2mA`.

        Raises:
            UsageError: it is none of these; names what is allowed.
        """
        word, _, argument = text.partition(":")
        allowed = f"onset={text}: allowed: {', '.join(FORMS.values())}"
        try:
            when = When(word)
        except ValueError:
            raise UsageError(allowed) from None
        if (when in _ARGUMENTS) != bool(argument):
            raise UsageError(allowed)
        if when is When.EVERY:
            if not argument.isdecimal() or int(argument) < 1:
                raise UsageError(f"onset={text}: a count of 1 or more belongs here, as every:3")
            return cls(when, every=int(argument))
        dimension = _ARGUMENTS.get(when)
        return cls(when, _amount(argument, dimension, f"onset={text}") if dimension else None)

    def __str__(self) -> str:
        if self.when is When.EVERY:
            return f"{self.when.value}:{self.every}"
        return self.when.value if self.at is None else f"{self.when.value}:{_compact(self.at)}"


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One fault to seed; what is None or empty is as the catalogue has it."""

    id: str
    """Of the catalogue."""
    severity: Exact | None = None
    """How bad."""
    onset: Onset | None = None
    """From when on."""
    role: str = ""
    """Which instrument, of a fault of an instrument or a link."""

    @classmethod
    def parse(cls, text: str) -> FaultSpec:
        """Read `ID[:key=value[,key=value]]` and hold it against the catalogue.

        Raises:
            UsageError: an unknown fault, key or value; names what is allowed.
        """
        name, colon, rest = text.strip().partition(":")
        if not colon and "," in name:
            raise UsageError(f"fault {text!r}: a colon follows the id, as F11:severity=12%")
        fault = find(name)
        given: dict[str, str] = {}
        for part in filter(None, rest.split(",")):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if key not in _KEYS or not equals or not value or key in given:
                raise UsageError(
                    f"fault {text!r}: {part!r}; allowed: {', '.join(f'{k}=...' for k in _KEYS)}, "
                    "each once, with commas between"
                )
            given[key] = value
        spec = cls(
            fault.id,
            _severity(given.get("severity"), fault),
            Onset.parse(given["onset"]) if "onset" in given else None,
            given.get("role", ""),
        )
        spec._check(fault)
        return spec

    def __str__(self) -> str:
        parts = []
        if self.severity is not None:
            parts.append(f"severity={_compact(self.severity)}")
        if self.onset is not None:
            parts.append(f"onset={self.onset}")
        if self.role:
            parts.append(f"role={self.role}")
        return f"{self.id}:{','.join(parts)}" if parts else self.id

    @property
    def fault(self) -> CataloguedFault:
        """What the catalogue says of it."""
        return find(self.id)

    @property
    def sets_in(self) -> Onset | None:
        """Its onset, or the catalogue's; None is from power-up."""
        if self.onset is not None:
            return self.onset
        return Onset.parse(self.fault.onset) if self.fault.onset else None

    @property
    def place(self) -> str:
        """Which instrument it meets: the one named, or the first one that it can meet."""
        return self.role or self.fault.roles[0]

    def resolved(self, profile: DeviceProfile) -> FaultSpec:
        """The same with the severity that counts on this device."""
        severity = self.fault.severity
        if self.severity is not None or severity is None:
            return self
        return replace(self, severity=severity.default(profile))

    def _check(self, fault: CataloguedFault) -> None:
        if fault.unmodelled:
            raise UsageError(f"fault {fault.id} is not modelled: {fault.unmodelled}")
        if self.role and fault.layer.of_device:
            raise UsageError(f"fault {fault.id} is one of the device, it takes no role")
        if self.role and self.role not in fault.roles:
            raise UsageError(
                f"fault {fault.id}: role={self.role}; allowed: {', '.join(fault.roles)}"
            )
        if self.onset and self.onset.when not in fault.onsets:
            forms = ", ".join(FORMS[when] for when in fault.onsets) or "none"
            raise UsageError(f"fault {fault.id}: onset={self.onset}; allowed: {forms}")


def _severity(text: str | None, fault: CataloguedFault) -> Exact | None:
    if text is None:
        return None
    if fault.severity is None:
        raise UsageError(f"fault {fault.id} has no severity: it is there or not")
    what = f"fault {fault.id}: severity={text} ({fault.severity.name})"
    amount = _amount(text, fault.severity.dimension, what)
    if fault.severity.most and amount > Exact.parse(fault.severity.most):
        raise UsageError(f"{what}: allowed: above 0, up to {fault.severity.most}")
    return amount


def _amount(text: str, dimension: Dimension, what: str) -> Exact:
    """Read a quantity > 0, also without a space; a share may be a bare number."""
    kind = dimension.name.lower().replace("_", " ")
    found = _NUMBER.match(text)
    if found is None or not (found[2] or dimension is Dimension.RATIO):
        raise UsageError(f"{what}: a {kind} belongs here, in {', '.join(units_of(dimension))}")
    try:
        amount = Exact(Decimal(found[1]), found[2] or "1").require(dimension)
    except DimensionError as err:
        raise UsageError(f"{what}: {err}") from err
    if amount.base <= 0:
        raise UsageError(f"{what}: a {kind} above 0 belongs here")
    return amount


def _compact(amount: Exact) -> str:
    unit = "" if amount.unit == "1" else amount.unit
    return f"{amount.magnitude}{unit}"
