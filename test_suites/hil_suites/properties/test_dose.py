"""Dose: the charge that a device claims is the charge that it delivered."""

from hil.features import charge
from hil.scenario import Pause, Phase, Scenario, at, dose_of
from hil.units import s
from hil_fixtures.suite import draw, for_all, grid, over, requirement


@requirement("DOSE-TRUE", "DOSE-END")
@for_all(scenario=draw.scenarios)
def test_charge_delivered_equals_charge_claimed(bench, judge, scenario):
    """For all settings, loads, polarities, pauses and load steps."""
    record = bench.record(scenario)
    delivered = charge(record.current)
    judge("DOSE-TRUE", delivered - record.claimed_charge, at=scenario.dose, hunt=True)
    judge("DOSE-END", delivered, at=scenario.dose, hunt=True)


@requirement("DOSE-TRUE")
@over(setpoint=grid.top, load=grid.largest)
def test_a_dose_counts_what_flows(bench, judge, setpoint, load):
    """Into a load at which compliance holds the current well below the setting."""
    dose = dose_of(setpoint, 30 * s)
    record = bench.record(Scenario.treatment(setpoint, load=load, dose=dose))
    judge("DOSE-TRUE", charge(record.current) - record.claimed_charge, at=dose)


@requirement("DOSE-TRUE")
@over(setpoint=grid.middle)
def test_a_pause_keeps_the_account(bench, judge, setpoint):
    """Paused half-way for longer than the ramp down takes, then resumed."""
    dose = dose_of(setpoint, 60 * s)
    pause = Pause(at(Phase.HOLD, 10 * s), bench.profile["ramp.down_time"] + 4 * s)
    record = bench.record(Scenario.treatment(setpoint, dose=dose, disturb=[pause]))
    judge("DOSE-TRUE", charge(record.current) - record.claimed_charge, at=dose)
