"""Any stimulator that speaks SCPI: its words come from the command table of the device profile."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hil.bench import InstrumentEntry
from hil.device import DeviceProfile, Polarity, State
from hil.errors import ConfigurationError, InstrumentError
from hil.exact import Dimension, Exact
from hil.measurement import Calibration
from hil.roles import Clock
from hil.units import A, C, Quantity, ohm, quantity
from hil_instruments import encoding
from hil_instruments.drivers.instrument import Instrument

if TYPE_CHECKING:
    from hil_instruments.transport import Session

NO_FAULT = "NONE"
"""Word of the device for "no fault"."""


class ScpiStimulator(Instrument):
    """The device under test.

    The table's keys are set_current, set_polarity, set_dose, start, pause, resume, stop, abort,
    acknowledge, query_state, query_fault, query_current, query_charge, query_impedance,
    query_error and self_test; its units are those of current, charge and impedance.
    """

    def __init__(
        self,
        session: Session,
        clock: Clock,
        entry: InstrumentEntry,
        calibration: Calibration,
        profile: DeviceProfile,
    ) -> None:
        super().__init__(session, clock, entry, calibration)
        self._wire = profile.wire
        self._largest_dose = profile["dose.maximum"]
        self.ERROR_QUERY = self._command("query_error")

    def configure(self, current: Quantity, polarity: Polarity, dose: Quantity | None) -> None:
        """Set current, polarity and dose limit (None: the largest); nothing is energised.

        Raises:
            InstrumentError: the device refused a setting.
            ConfigurationError: the profile lacks a command, unit or word.
        """
        charge = self._largest_dose if dose is None else Exact.of(dose)
        self._configure(
            self._setting("set_current", "current", Exact.of(current)),
            self._polarity(polarity),
            self._setting("set_dose", "charge", charge),
        )

    def set_current(self, current: Quantity) -> None:
        """Change the setting, also while delivering; a refusal is found in `errors`."""
        self._session.write(self._setting("set_current", "current", Exact.of(current)))

    def set_polarity(self, polarity: Polarity) -> None:
        """Ask for a polarity, also while delivering; a refusal is found in `errors`."""
        self._session.write(self._polarity(polarity))

    def start(self) -> None:
        """Begin a treatment. Energises the output; a refusal is found in `errors`."""
        self._session.write(self._command("start"))

    def pause(self) -> None:
        """Ramp down and keep the dose account."""
        self._session.write(self._command("pause"))

    def resume(self) -> None:
        """Ramp up again. Energises the output; a refusal is found in `errors`."""
        self._session.write(self._command("resume"))

    def stop(self) -> None:
        """Normal stop with ramp-down; write-only, exempt from poisoning."""
        self._session.stop_write(self._command("stop"))

    def abort(self) -> None:
        """Stop at once; write-only, exempt from poisoning."""
        self._session.stop_write(self._command("abort"))

    def acknowledge(self) -> None:
        """Clear a latched fault, as an operator would; must not energise."""
        self._session.write(self._command("acknowledge"))

    def state(self) -> State:
        """State that the device reports; raises InstrumentError for a word not in the profile."""
        word = self._session.query(self._command("query_state")).strip()
        if word not in self._wire.states:
            raise InstrumentError(
                f"{self.name} reports the state {word!r}; wire.states of its profile knows "
                f"{', '.join(self._wire.states)}"
            )
        return self._wire.states[word]

    def fault(self) -> str:
        """Fault code that the device reports; empty for none."""
        word = self._session.query(self._command("query_fault")).strip()
        if not word:
            raise InstrumentError(f"{self.name} sent an empty fault code; expected {NO_FAULT}")
        return "" if word.upper() == NO_FAULT else word

    def claimed_current(self) -> Quantity:
        """Current that the device believes to deliver, in A."""
        return quantity(self._reading("query_current", "current", Dimension.CURRENT), A)

    def claimed_charge(self) -> Quantity:
        """Charge that the device believes to have delivered in this treatment, in C."""
        return quantity(self._reading("query_charge", "charge", Dimension.CHARGE), C)

    def impedance(self) -> Quantity:
        """Load impedance that the device reports, in ohm; infinite for an open load."""
        return quantity(self._reading("query_impedance", "impedance", Dimension.RESISTANCE), ohm)

    def self_test(self) -> bool:
        """Run the self-test; True if it answers 0 (IEEE 488.2, 10.38)."""
        return encoding.integer(self._session.query(self._command("self_test"))) == 0

    def provoke(self, text: str) -> None:
        """Send text that no driver would send, as it is, and throw away what it may answer."""
        self._session.write(text)
        if "?" in text:
            self._session.discard()

    def _command(self, key: str) -> str:
        if key not in self._wire.commands:
            raise ConfigurationError(
                f"{self.name}: wire.commands of the device profile has no {key!r}; it has "
                f"{', '.join(self._wire.commands)}"
            )
        return self._wire.commands[key]

    def _unit(self, kind: str) -> str:
        if kind not in self._wire.units:
            raise ConfigurationError(
                f"{self.name}: wire.units of the device profile has no {kind!r}; it has "
                f"{', '.join(self._wire.units)}"
            )
        return self._wire.units[kind]

    def _setting(self, key: str, kind: str, value: Exact) -> str:
        return self._filled(key, encoding.exact_text(value, self._unit(kind)))

    def _polarity(self, polarity: Polarity) -> str:
        if polarity not in self._wire.polarities:
            raise ConfigurationError(
                f"{self.name}: wire.polarities of the device profile has no {polarity.value!r}"
            )
        return self._filled("set_polarity", self._wire.polarities[polarity])

    def _filled(self, key: str, word: str) -> str:
        template = self._command(key)
        if template.count("{}") != 1:
            raise ConfigurationError(
                f"{self.name}: wire.commands.{key} = {template!r} needs one {{}} for its value"
            )
        return template.replace("{}", word)

    def _reading(self, key: str, kind: str, dimension: Dimension) -> float:
        command = self._command(key)
        unit = self._unit(kind)
        try:
            value: Decimal = encoding.number(self._session.query(command))
        except InstrumentError as err:
            raise InstrumentError(f"{self.name}: {command!r}: {err}") from err
        return float(Exact(value, unit).require(dimension).base)
