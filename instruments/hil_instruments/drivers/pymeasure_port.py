"""Any instrument of PyMeasure (extra `pymeasure`) in a role, by its attributes in the bench file.

PyMeasure writes and reads the words; ranges, units, error check, readback, lock and uncertainty are
ours. A range is held before the setter is called: several setters of PyMeasure clamp what lies
outside of theirs without a word. Written against PyMeasure 0.16.0.
"""

from __future__ import annotations

import importlib
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hil.bench import Attribute, InstrumentEntry, PyMeasureEntry
from hil.capture import Accuracy
from hil.errors import (
    BenchError,
    ConfigurationError,
    HilError,
    InstrumentError,
    Unavailable,
    UsageError,
)
from hil.exact import Exact
from hil.measurement import Calibration
from hil.roles import Clock
from hil.units import Quantity, V, quantity
from hil_instruments.drivers.instrument import Instrument

if TYPE_CHECKING:
    from hil_instruments.transport import Session

NAME = "pymeasure"
"""Driver of a bench entry."""
WITHIN = 1e-3
"""Share of a range up to which a setting may read back otherwise: the steps of the instrument."""


class PyMeasureInstrument(Instrument):
    """One object of PyMeasure over our session; its attributes by what they mean in a role."""

    def __init__(
        self, session: Session, clock: Clock, entry: InstrumentEntry, calibration: Calibration
    ) -> None:
        """Make the object; its own `__init__` may send something, nothing is set.

        Raises:
            ConfigurationError: PyMeasure is not installed, or the class or an attribute is none.
        """
        super().__init__(session, clock, entry, calibration)
        if entry.pymeasure is None:
            raise ConfigurationError(
                f"instruments.{entry.role}: driver {NAME!r} needs the section "
                f"[instruments.{entry.role}.pymeasure]"
            )
        self._words: PyMeasureEntry = entry.pymeasure
        self._object = made(self._words.path, session)
        for attribute in self._words.attributes.values():
            self._need(attribute)

    def off(self) -> None:
        """Switch off by the message of the bench file; write-only, exempt from poisoning.

        Raises:
            BenchError: it could not be sent at all; cut the path by other means.
        """
        self._session.stop_write(self._words.off)

    def is_on(self) -> bool:
        """Whether the output is on, as its attribute `output` reads."""
        came = self._get(self._attribute("output"))
        if came not in {True, False}:
            raise InstrumentError(f"{self.name}: output reads {came!r}; expected True or False")
        return bool(came)

    def _held_in_range(self, meaning: str, value: Quantity) -> tuple[Attribute, float]:
        """The attribute of a meaning, and a value in its unit.

        Raises:
            UsageError: outside of the range of the bench file; nothing was sent.
        """
        attribute = self._attribute(meaning)
        least, most = _range(attribute)
        wanted = Exact.of(value)
        if wanted.dimension is not least.dimension or not wanted.base.is_finite():
            raise UsageError(
                f"{self.name}: {meaning} takes a finite {least.dimension.name.lower()}, not "
                f"{wanted}; nothing was sent"
            )
        if not least <= wanted <= most:
            raise UsageError(
                f"{self.name}: {meaning} of {wanted} was asked for; allowed: {least} to {most}; "
                "nothing was sent"
            )
        return attribute, float(wanted.base / Exact(Decimal(1), attribute.unit).base)

    def _set(self, **values: Quantity) -> None:
        """Hold all values against their ranges, then set each, look for errors, read it back.

        Raises:
            UsageError: one is outside of the range of the bench file; nothing was sent.
            InstrumentError: the instrument refused one, or it reads back otherwise.
        """
        held = {meaning: self._held_in_range(meaning, value) for meaning, value in values.items()}
        for meaning, (attribute, number) in held.items():
            self._put(attribute, number)
            came = self._number(attribute)
            least, most = _range(attribute)
            span = float((most.base - least.base) / Exact(Decimal(1), attribute.unit).base)
            if not math.isclose(came, number, rel_tol=1e-6, abs_tol=WITHIN * span):
                raise InstrumentError(
                    f"{self.name}: {meaning} was set to {number:g} {attribute.unit} and reads back "
                    f"{came:g}: PyMeasure or the instrument has changed it without a word; it was "
                    "not switched on"
                )

    def _switch_on(self) -> None:
        self._put(self._attribute("output"), True)  # as PyMeasure maps it
        if not self.is_on():
            raise InstrumentError(f"{self.name}: it was switched on, the output reads back off")

    def _read(self, meaning: str) -> Exact:
        """A reading; raises InstrumentError outside of its range, where it is no number of it."""
        attribute = self._attribute(meaning)
        least, most = _range(attribute)
        came = Exact(Decimal(repr(self._number(attribute))), attribute.unit)
        if not least <= came <= most:
            raise InstrumentError(
                f"{self.name}: {meaning} reads {came}; its range is {least} to {most}: "
                "an overload, or no reading"
            )
        return came

    def _accuracy_of(self, meaning: str) -> Accuracy:
        attribute = self._attribute(meaning)
        offset = float(attribute.offset.base) if attribute.offset is not None else 0.0
        name = f"{self.serial}[{meaning}]"
        return Accuracy(name, attribute.gain, offset, self._words.source)

    def _attribute(self, meaning: str) -> Attribute:
        found = self._words.attributes.get(meaning)
        if found is None:
            raise ConfigurationError(
                f"instruments.{self._entry.role}.pymeasure.attributes: no {meaning!r}; there is "
                f"{', '.join(self._words.attributes)}"
            )
        return found

    def _put(self, attribute: Attribute, value: object) -> None:
        self.errors()
        holder, name = self._held(attribute)
        _guarded(self.name, attribute, lambda: setattr(holder, name, value))
        if refused := self.errors():
            raise InstrumentError(
                f"{self.name} refused {attribute.name} = {value!r}: {'; '.join(refused)}"
            )

    def _number(self, attribute: Attribute) -> float:
        came = self._get(attribute)
        if isinstance(came, bool) or not isinstance(came, int | float) or not math.isfinite(came):
            raise InstrumentError(
                f"{self.name}: {attribute.name} reads {came!r}, which is no finite number"
            )
        return float(came)

    def _get(self, attribute: Attribute) -> Any:  # noqa: ANN401  # whatever PyMeasure makes of it
        holder, name = self._held(attribute)
        return _guarded(self.name, attribute, lambda: getattr(holder, name))

    def _held(self, attribute: Attribute) -> tuple[Any, str]:
        *path, name = attribute.name.split(".")
        holder = self._object
        for part in path:
            holder = getattr(holder, part)
        return holder, name

    def _need(self, attribute: Attribute) -> None:
        """Refuse an attribute that PyMeasure does not have; asks the instrument nothing."""
        try:
            holder, name = self._held(attribute)
        except AttributeError as err:
            raise ConfigurationError(
                f"{self._words.path} has no {attribute.name!r}: {err}"
            ) from err
        if not isinstance(getattr(type(holder), name, None), property):
            raise ConfigurationError(
                f"{self._words.path} has no property {attribute.name!r}; a word that it does not "
                "know would be stored and never sent"
            )


class PyMeasureSupply(PyMeasureInstrument):
    """Supply of the device: attributes `voltage`, `current`, `output` and `reading`."""

    def on(self, voltage: Quantity, current_limit: Quantity) -> None:
        """Set voltage and current limit, read both back, and switch on."""
        self._set(voltage=voltage, current=current_limit)
        self._switch_on()

    def output_voltage(self) -> Quantity:
        """Measured output voltage, in V."""
        return quantity(float(self._read("reading").base), V)


class PyMeasureSource(PyMeasureInstrument):
    """Reference source: attributes `value`, `limit`, `output` and `limited`."""

    def drive(self, value: Quantity, limit: Quantity) -> Accuracy:
        """Set limit and value, read both back, and switch on; returns the limits of its error."""
        self._set(limit=limit, value=value)
        self._switch_on()
        return self._accuracy_of("value")

    def limited(self) -> bool:
        """Whether the limit says what is driven; Unavailable without the attribute `limited`."""
        if "limited" not in self._words.attributes:
            raise Unavailable(f"{self.name}: the bench file gives no attribute 'limited'")
        return bool(self._number(self._attribute("limited")))


NEEDED = {
    "supply": ("voltage", "current", "output", "reading"),
    "source": ("value", "limit", "output"),
}
"""Role to the attributes that its driver needs."""


def _range(attribute: Attribute) -> tuple[Exact, Exact]:
    if attribute.least is None or attribute.most is None:
        raise ConfigurationError(
            f"{attribute.name}: least and most are needed: what has no range is never set or read"
        )
    return attribute.least, attribute.most


def _guarded(name: str, attribute: Attribute, act: Any) -> Any:  # noqa: ANN401  # as PyMeasure has it
    """Have PyMeasure do something; what it raises beside ours is an InstrumentError."""
    try:
        return act()
    except HilError:
        raise
    except Exception as err:  # whatever a class of PyMeasure raises
        raise InstrumentError(
            f"{name}: {attribute.name}: PyMeasure raises {type(err).__name__}: {err}"
        ) from err


def made(path: str, session: Session) -> Any:  # noqa: ANN401  # an object of PyMeasure
    """Make an object of PyMeasure that speaks over our session, with no bounds but its own.

    Raises:
        ConfigurationError: PyMeasure is not installed, or there is no such class.
    """
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
        from pymeasure.adapters import Adapter
    except ModuleNotFoundError as err:
        raise ConfigurationError(
            f'{path} cannot be imported: {err}; install it: pip install "stimproof[pymeasure]"'
        ) from err
    except AttributeError as err:
        raise ConfigurationError(f"{path}: {err}; name module and class, as in its docs") from err

    class Over(Adapter):  # type: ignore[misc]  # PyMeasure ships no types that mypy is given here
        """Our session, as PyMeasure wants one: a query goes out when its reply is read."""

        _asked = ""

        def _write(self, command: str, **kwargs: Any) -> None:  # noqa: ANN401  # as its base has it
            if self._asked:
                asked, self._asked = self._asked, ""
                raise BenchError(f"{path} asked {asked!r} and never read the reply")
            if "?" in command:
                self._asked = command
            else:
                session.write(command)

        def _read(self, **kwargs: Any) -> str:  # noqa: ANN401  # as its base has it
            asked, self._asked = self._asked, ""
            if not asked:
                raise BenchError(f"{path} reads a reply to nothing that it asked")
            return session.query(asked)

        def close(self) -> None:
            """Leave the session to whoever opened it: PyMeasure closes when it is forgotten."""

    try:
        return found(Over())
    except HilError:
        raise
    except Exception as err:  # whatever a class of PyMeasure raises
        raise ConfigurationError(f"{path} cannot be made: {type(err).__name__}: {err}") from err
