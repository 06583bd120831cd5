"""Start interlock: no current by a start that nobody prepared, and none by a blind device."""

from hil.features import mean, peak
from hil.measurement import truth
from hil.units import s
from hil_fixtures.suite import grid, over, requirement


@requirement("START-UNSET")
@over(setpoint=grid.middle)
def test_a_start_without_a_setting_delivers_nothing(bench, judge, setpoint):
    """After an interruption of the supply, by the setting from before it."""
    profile = bench.profile
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(10 * s)
        run.inject("supply off")
        run.wait(profile["power.hold_up"])
        run.inject("supply on")
        run.wait(1 * s)
        started = run.start_again()
        run.wait(profile["protection.reconnect_time"])
    judge("START-UNSET", peak(run.record.current, after=started))


@requirement("START-FAULT")
@over(setpoint=grid.middle)
def test_a_start_is_refused_while_a_fault_stands(bench, judge, setpoint):
    """The electrode lifts off while the current rises, and comes back."""
    profile = bench.profile
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(10 * s)
        run.inject("open")
        run.wait(profile["protection.open_time"] + profile["protection.off_time"])
        run.inject("reconnect")
        started = run.start_again()
        run.wait(profile["protection.reconnect_time"])
    judge("START-FAULT", peak(run.record.current, after=started))


@requirement("START-SENSE")
def test_a_dead_sensor_is_found_by_the_self_test(bench, judge):
    """At rest: what the device reports to flow, what flows, and its self-test."""
    with bench.armed() as run:
        claim = run.claimed_current()
        passed = run.self_test()
        run.wait(1 * s)
    flows = abs(mean(run.record.current))
    apart = abs(claim.value.base - flows.value)
    sees = apart <= bench.profile["output.accuracy_absolute"].base
    told = f"reported {claim.value}, measured {flows}, self-test {'passed' if passed else 'failed'}"
    judge("START-SENSE", truth(sees or not passed, told, captures=flows.captures))
