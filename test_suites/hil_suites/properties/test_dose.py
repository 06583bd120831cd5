"""Dose: the charge that a device claims is the charge that it delivered."""

from hil.features import charge
from hil.scenario import Pause, Phase, Scenario, at
from hil.units import kohm, mA, minute, s
from hil_fixtures.suite import draw, for_all, requirement


@requirement("DOSE-TRUE")
@for_all(scenario=draw.scenarios)
def test_charge_delivered_equals_charge_claimed(bench, judge, scenario):
    """For all settings, loads, polarities, pauses and load steps."""
    record = bench.record(scenario)
    delivered = charge(record.current)
    judge("DOSE-TRUE", delivered - record.claimed_charge, at=scenario.dose, hunt=True)


@requirement("DOSE-TRUE")
def test_a_dose_counts_what_flows(bench, judge):
    """Into a load at which compliance holds the current well below the setting."""
    dose = 2 * mA * minute
    record = bench.record(Scenario.treatment(4 * mA, load=50 * kohm, dose=dose))
    judge("DOSE-TRUE", charge(record.current) - record.claimed_charge, at=dose)


@requirement("DOSE-TRUE")
def test_a_pause_keeps_the_account(bench, judge):
    """Paused half-way for longer than the ramp down takes, then resumed."""
    dose = 2 * mA * minute
    pause = Pause(at(Phase.HOLD, 10 * s), bench.profile["ramp.down_time"] + 4 * s)
    record = bench.record(Scenario.treatment(2 * mA, dose=dose, disturb=[pause]))
    judge("DOSE-TRUE", charge(record.current) - record.claimed_charge, at=dose)
