"""Indication: what the device tells and shows of itself is what is measured."""

from hil.exact import Exact
from hil.features import mean
from hil.indication import flowed, misreported, resistance, where_told
from hil.measurement import truth
from hil.units import ms, s
from hil_fixtures.suite import grid, over, requirement

AROUND = 0.5 * s
"""Half of the time over which what was told is compared with what was measured."""
TURN = 20 * ms
"""How often the device is asked for its state."""


@requirement("IND-STATE")
@over(setpoint=grid.top)
def test_the_device_says_that_it_delivers(bench, judge, setpoint):
    """Asked all the time after a start, and after a stop in the ramp."""
    profile = bench.profile
    dense = _flowing(profile, setpoint)
    with bench.armed() as run:
        begun = run.start(setpoint)
        _ask_often(run, dense)
        stopped = run.stop()
        _ask_often(run, dense)
    off = profile["protection.off_current"]
    told = tuple((time, state.delivers) for time, state in run.record.states)
    for command in (begun, stopped):
        found = misreported(
            run.record.current, off, told, after=command, until=command.later(dense)
        )
        judge("IND-STATE", found)


@requirement("IND-CURR", "IND-TIME")
@over(setpoint=grid.top, later=grid.middle, load=grid.lightest)
def test_the_device_tells_what_it_delivers(bench, judge, setpoint, later, load):
    """Current at a setting and at two lower ones, and how long the treatment has lasted by then."""
    profile, claims = bench.profile, []
    with bench.armed(load=load) as run:
        begun = run.start(setpoint)
        for setting in (setpoint, later, profile["output.setpoint_min"]):
            if claims:
                run.change(setting)
            run.wait(profile["ramp.up_time"] + 2 * s)
            claims.append((setting, run.claimed_current()))
            run.wait(1 * s)
        lasted = run.answer(run.claimed_time)
    for setting, claim in claims:
        held = mean(run.record.current, **_around(claim))
        judge("IND-CURR", abs(held) - claim.value, at=setting)
    current, off = run.record.current, profile["protection.off_current"]
    late = where_told(
        lasted, lambda told: flowed(current, off, after=begun, until=told.moment) - told.value
    )
    judge("IND-TIME", late, at=getattr(lasted, "value", None))


@requirement("IND-IMP", "IND-VOLT")
@over(setpoint=grid.middle, load=grid.lightest, later=grid.heaviest)
def test_the_reported_impedance_follows_the_load(bench, judge, setpoint, load, later):
    """Asked for in the hold, and again after the load has changed; the voltage too."""
    with bench.armed(load=load) as run:
        run.start(setpoint)
        run.wait(bench.profile["ramp.up_time"] + 2 * s)
        claims = [(load, *_load_told(run))]
        run.wait(1 * s)
        run.select(later)
        run.wait(2 * s)
        claims.append((later, *_load_told(run)))
        run.wait(1 * s)
    voltage, current = run.record.voltage, run.record.current
    for connected, impedance, volts in claims:
        measured = where_told(
            impedance, lambda told: resistance(voltage, current, **_around(told)) - told.value
        )
        judge("IND-IMP", measured, at=connected)
        measured = where_told(volts, lambda told: abs(mean(voltage, **_around(told))) - told.value)
        judge("IND-VOLT", measured, at=Exact(setpoint.base * connected.base, "V"))


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


def _load_told(run):
    """Impedance and voltage that the device tells, each as far as it does."""
    return run.answer(run.impedance), run.answer(run.claimed_voltage)


def _around(claim):
    """The moments around a claim between which it is held against what was measured."""
    return {"after": claim.moment.later(-AROUND), "until": claim.moment.later(AROUND)}


def _flowing(profile, setpoint):
    """Time after a start by which current must flow, and thrice the declared lag after it."""
    share = profile["protection.off_current"].base / setpoint.base
    flows, lag = 2 * share * profile["ramp.up_time"].base, profile["indication.lag"].base
    return Exact(flows + 3 * lag, "s")


def _ask_often(run, time):
    """Ask for the state every 20 ms: a wait asks each time that it begins anew."""
    end = run.now + float(time.base)
    while run.now < end:
        run.wait(TURN)
