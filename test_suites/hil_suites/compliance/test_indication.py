"""Indication: what the device tells and shows of itself is what is measured."""

from hil.exact import Exact
from hil.features import mean
from hil.indication import misreported, resistance
from hil.measurement import truth
from hil.units import ms, s
from hil_fixtures.suite import grid, over, requirement

AROUND = 0.5 * s
"""Half of the time over which what was told is compared with what was measured."""
DENSE, TURN = Exact.parse("1.5 s"), 20 * ms
"""For how long once current must flow, and how often, the device is asked for its state."""


@requirement("IND-CURR", "IND-STATE")
@over(setpoint=grid.top, later=grid.middle, load=grid.lightest)
def test_the_device_tells_what_it_delivers(bench, judge, setpoint, later, load):
    """State, asked for after a start and after a stop; current, at a setting and two lower ones."""
    profile = bench.profile
    dense, claims = _flowing(profile, setpoint), []
    with bench.armed(load=load) as run:
        begun = run.start(setpoint)
        _ask_often(run, dense)
        for setting in (setpoint, later, profile["output.setpoint_min"]):
            if claims:
                run.change(setting)
            run.wait(profile["ramp.up_time"] + 2 * s)
            claims.append((setting, run.claimed_current()))
            run.wait(1 * s)
        stopped = run.stop()
        _ask_often(run, dense)
    current, off = run.record.current, profile["protection.off_current"]
    for setting, claim in claims:
        begin, end = claim.moment.later(-AROUND), claim.moment.later(AROUND)
        held = mean(current, after=begin, until=end)
        judge("IND-CURR", abs(held) - claim.value, at=setting)
    told = tuple((time, state.delivers) for time, state in run.record.states)
    for command in (begun, stopped):
        until = command.later(dense)
        judge("IND-STATE", misreported(current, off, told, after=command, until=until))


@requirement("IND-IMP")
@over(setpoint=grid.middle, load=grid.lightest, later=grid.heaviest)
def test_the_reported_impedance_follows_the_load(bench, judge, setpoint, load, later):
    """Asked for in the hold, and again after the load has changed."""
    with bench.armed(load=load) as run:
        run.start(setpoint)
        run.wait(bench.profile["ramp.up_time"] + 2 * s)
        claims = [(load, run.impedance())]
        run.wait(1 * s)
        run.select(later)
        run.wait(2 * s)
        claims.append((later, run.impedance()))
        run.wait(1 * s)
    for connected, claim in claims:
        begin, end = claim.moment.later(-AROUND), claim.moment.later(AROUND)
        measured = resistance(run.record.voltage, run.record.current, after=begin, until=end)
        judge("IND-IMP", measured - claim.value, at=connected)


@requirement("IND-LAMP")
@over(setpoint=grid.top)
def test_the_indicator_shows_whether_current_flows(bench, judge, setpoint):
    """Looked at while the current rises, and after the treatment has ended."""
    profile = bench.profile
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(profile["ramp.up_time"] * Exact.parse("20 %"))
        lit = bench.indicator.is_on()
        run.wait(1 * s)
        run.stop()
        run.wait(profile["ramp.down_time"] + profile["protection.off_time"] + 1 * s)
        dark = not bench.indicator.is_on()
    seen = [run.record.current.capture.sha256]
    judge("IND-LAMP", truth(lit, f"{'lit' if lit else 'dark'} while current flows", captures=seen))
    told = f"{'dark' if dark else 'lit'} after the treatment"
    judge("IND-LAMP", truth(dark, told, captures=seen))


def _flowing(profile, setpoint):
    """Time after a start by which current above the off current must flow, and `DENSE` more."""
    share = profile["protection.off_current"].base / setpoint.base
    return Exact(2 * share * profile["ramp.up_time"].base, "s") + DENSE


def _ask_often(run, time):
    """Ask for the state every 20 ms: a wait asks each time that it begins anew."""
    end = run.now + float(time.base)
    while run.now < end:
        run.wait(TURN)
