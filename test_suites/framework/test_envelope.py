"""Nothing outside the envelope is admitted, whatever form it takes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.envelope import Envelope
from hil.errors import DimensionError, LimitExceeded, SafetyError, UsageError
from hil.exact import Exact
from hil.hazard import Ledger
from hil_fixtures.config import read_device

law = settings(derandomize=True, deadline=None, max_examples=60)
PROFILE = read_device(None)
LIMIT = Envelope.of(PROFILE)
micro = st.integers(-9000, 9000).map(lambda n: Exact(Decimal(n), "uA"))


@law
@given(micro)
def test_exactly_what_is_positive_and_within_is_admitted(current: Exact) -> None:
    if 0 < current.magnitude <= 4000:
        assert LIMIT.admit(current) is current
    else:
        with pytest.raises(LimitExceeded):
            LIMIT.admit(current)


@law
@given(micro, micro)
def test_a_narrowed_envelope_admits_nothing_new(limit: Exact, current: Exact) -> None:
    try:
        narrow = LIMIT.narrowed(max_current=limit)
    except LimitExceeded:
        assert not 0 < limit.magnitude <= 4000
        return
    try:
        narrow.admit(current)
    except LimitExceeded:
        return
    assert LIMIT.admit(current) <= limit


@pytest.mark.parametrize("text", ["4 mA", "0.004 A", "4000.0 uA"])
def test_the_edge_belongs_to_it(text: str) -> None:
    edge = Exact.parse(text)
    assert LIMIT.narrowed(max_current=edge).admit(edge) is edge


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "0", "-1", "4.000001", "40"])
def test_what_is_refused_is_named(text: str) -> None:
    current = Exact(Decimal(text), "mA")
    for ask in (LIMIT.admit, narrowed):
        with pytest.raises(LimitExceeded) as caught:
            ask(current)
        assert str(current) in str(caught.value)
    assert issubclass(LimitExceeded, SafetyError)


def test_another_dimension_is_refused() -> None:
    for ask in (LIMIT.admit, narrowed):
        with pytest.raises(DimensionError):
            ask(Exact.parse("1 V"))


def narrowed(current: Exact) -> Envelope:
    return LIMIT.narrowed(max_current=current)


def test_the_whole_envelope_is_what_device_and_class_declare() -> None:
    shown = {
        "max_current": "4.0 mA",
        "max_voltage": "80 V",
        "max_charge": "200 mA*min",
        "max_time": "4 h",
        "max_slope": "0.2 mA/s",
        "max_energisations": "100",
        "cool_down": "0 s",
    }
    assert {name: LIMIT.words[name] for name in shown} == shown
    assert LIMIT.max_energy == Exact.parse("960 J")  # 12 C at 80 V


NARROWER = {
    "max_voltage": "40 V",
    "max_charge": "1 mA*min",
    "max_energy": "1 J",
    "max_time": "60 s",
    "max_slope": "0.1 mA/s",
    "cool_down": "5 s",
}
WIDER = {
    "max_voltage": "80.01 V",
    "max_charge": "200.1 mA*min",
    "max_energy": "961 J",
    "max_time": "5 h",
    "max_slope": "0.21 mA/s",
    "cool_down": "-1 s",
}


@pytest.mark.parametrize("name", NARROWER)
def test_every_bound_narrows_and_none_widens(name: str) -> None:
    bound = Exact.parse(NARROWER[name])
    assert getattr(LIMIT.narrowed(**{name: bound}), name) is bound
    for wrong in (WIDER[name], "NaN", "Infinity"):
        unit = Exact.parse(WIDER[name]).unit
        value = Exact.parse(wrong) if " " in wrong else Exact(Decimal(wrong), unit)
        with pytest.raises(LimitExceeded, match=name):
            LIMIT.narrowed(**{name: value})
    with pytest.raises(DimensionError):
        LIMIT.narrowed(**{name: Exact.parse("1 kohm")})


@pytest.mark.parametrize("count", [0, -1, 101, 2.0, True])
def test_a_number_of_energisations_narrows_too(count: int) -> None:
    assert LIMIT.narrowed(max_energisations=1).max_energisations == 1
    with pytest.raises(LimitExceeded, match="allowed: 1 to 100"):
        LIMIT.narrowed(max_energisations=count)


def test_an_unknown_bound_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no max_power; it has max_current, max_voltage"):
        LIMIT.narrowed(max_power=Exact.parse("1 J"))
    with pytest.raises(UsageError, match="has no unit"):
        LIMIT.narrowed(max_charge=2)


MA = Decimal("0.001")
KOHM = Exact.parse("2 kohm")


def seconds(text: str) -> Decimal:
    return Decimal(text)


def ledger(current: str = "2 mA", load: Exact | None = KOHM, **bounds: str) -> Ledger:
    """A treatment of 2 mA into 2 kohm that began at 0 s."""
    made = Ledger(LIMIT.narrowed(**{k: Exact.parse(v) for k, v in bounds.items()}), PROFILE, load)
    made.set(Exact.parse(current))
    made.start(Decimal(0))
    return made


def test_a_setting_counts_in_full_from_its_command_until_its_end_is_over() -> None:
    made = ledger()
    made.end(Decimal(40), PROFILE["ramp.down_time"].base)
    account = made.account.at(Decimal(1000))
    assert account.time == 48
    assert account.charge == 48 * 2 * MA
    assert account.energy == 48 * 2 * MA * 4  # 2 mA into 2 kohm is 4 V
    assert account.flow is None
    assert account.ended == 48
    assert str(account) == "96.0 mC, 384 mJ, 48.0 s in 1 energisations"


@pytest.mark.parametrize(
    ("bound", "last", "first"),
    [
        ({"max_charge": "60 mC"}, "30", "30.000000001"),
        ({"max_charge": "1 mA*min"}, "30", "30.000000001"),
        ({"max_energy": "120 mJ"}, "15", "15.000000001"),
        ({"max_energy": "0.24 J"}, "30", "30.000000001"),
        ({"max_time": "1 min"}, "60", "60.000000001"),
    ],
)
def test_a_wait_is_refused_from_the_first_nanosecond_that_overspends(
    bound: dict[str, str], last: str, first: str
) -> None:
    """In mA and s, exact to the last digit; 0.1 mA * 3 s is no float."""
    ledger(**bound).wait(Decimal(0), seconds(last))
    with pytest.raises(LimitExceeded, match=r"a wait of .* would bring .* the envelope ends at"):
        ledger(**bound).wait(Decimal(0), seconds(first))


@law
@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=20))
def test_waits_in_pieces_spend_what_one_wait_spends(pieces: list[int]) -> None:
    made, past = ledger("0.1 mA"), Decimal(0)
    for piece in pieces:
        now = past + Decimal(piece) / 10**9
        made.wait(past, now)
        past = now
    assert made.account.at(past) == ledger("0.1 mA").account.at(past)


def test_a_dose_bounds_what_is_foreseen_until_it_is_overdue() -> None:
    made = Ledger(LIMIT.narrowed(max_charge=Exact.parse("2 mA*min")), PROFILE, KOHM)
    made.set(Exact.parse("2 mA"), Exact.parse("1 mA*min"))
    made.start(Decimal(0))
    made.wait(Decimal(0), Decimal(3600))  # the device ends by itself after 30 s
    made.wait(Decimal(59), Decimal(3600))  # overdue: compliance may have held the current
    with pytest.raises(LimitExceeded, match="charge"):
        made.wait(Decimal("60.1"), Decimal(3600))  # it does not end: no more than the envelope


def test_what_is_foreseen_ends_with_its_dose() -> None:
    made = Ledger(LIMIT, PROFILE, KOHM)
    made.set(Exact.parse("4 mA"), Exact.parse("2 mA*min"))
    made.start(Decimal(0))
    made.wait(Decimal(0), Decimal(3638), foreseen=True)
    made.end(Decimal(3638), Decimal(8))
    made.wait(Decimal(3638), Decimal(3650), foreseen=True)
    assert made.account.charge == Exact.parse("2 mA*min").base


def test_a_load_that_is_open_needs_the_whole_compliance() -> None:
    with pytest.raises(LimitExceeded, match=r"2\.00 mA into a load that is open.* 80\.0 V.*40 V"):
        ledger(load=None, max_voltage="40 V")
    made = ledger(max_voltage="4 V")
    with pytest.raises(LimitExceeded, match=r"2\.00 mA into 5 kohm may need 10\.0 V"):
        made.connect(Exact.parse("5 kohm"), Decimal(1))
    with pytest.raises(LimitExceeded, match="open"):
        made.connect(None, Decimal(1))
    assert made.account.flow is not None
    assert made.account.flow.voltage == 4  # the load that was refused is not connected


def test_a_falling_setting_counts_its_ramp() -> None:
    made = ledger("4 mA")
    made.change(Exact.parse("1 mA"), Decimal(10))
    account = made.account.at(Decimal(10))
    assert account.charge == 10 * 4 * MA + 3 * MA * PROFILE["ramp.up_time"].base
    assert made.account.at(Decimal(11)).charge == account.charge + MA


def test_a_slope_bounds_the_change_that_a_ramp_makes() -> None:
    ledger("3 mA", max_slope="0.1 mA/s")  # 30 s
    with pytest.raises(LimitExceeded, match=r"3\.1 mA was commanded: a rise by 3\.10 mA"):
        ledger("3.1 mA", max_slope="0.1 mA/s")
    made = ledger("3 mA", max_slope="0.1 mA/s")
    made.change(Exact.parse("4 mA"), Decimal(40))


def test_energisations_are_counted() -> None:
    made = Ledger(LIMIT.narrowed(max_energisations=2), PROFILE, KOHM)
    made.set(Exact.parse("1 mA"))
    made.start(Decimal(0))
    made.end(Decimal(1), Decimal(1))
    made.resume(Decimal(5))
    made.end(Decimal(6), Decimal(1))
    for again in (made.start, made.resume):
        with pytest.raises(LimitExceeded, match="energisation 3 was commanded"):
            again(Decimal(10))
    assert made.account.at(Decimal(100)).time == 4


def test_the_output_rests_for_as_long_as_the_envelope_asks() -> None:
    made = ledger(cool_down="10 s")
    made.end(Decimal(40), Decimal(8))
    for early in ("41", "48", "57.999999999"):
        with pytest.raises(LimitExceeded, match="again in"):
            made.start(seconds(early))
    made.start(Decimal(58))
    assert made.account.energisations == 2
    after = Ledger(made.envelope, PROFILE, KOHM, ended=Decimal(100))
    assert after.cooling(Decimal(104)) == 6


def test_what_was_never_set_is_not_started() -> None:
    made = Ledger(LIMIT, PROFILE, KOHM)
    for energise in (made.start, made.resume):
        with pytest.raises(LimitExceeded, match="nothing was set"):
            energise(Decimal(0))


def test_a_setting_after_a_provoked_text_is_no_rise_from_the_ceiling() -> None:
    made = ledger("1 mA", max_slope="0.1 mA/s")  # 3 mA in a ramp
    made.provoke(Decimal(10), Exact.parse("6 mA"))
    made.set(Exact.parse("1 mA"))
    made.change(Exact.parse("2 mA"), Decimal(20))
    with pytest.raises(LimitExceeded, match="a rise by 3"):  # nobody knows that more flows
        made.change(Exact.parse("3.1 mA"), Decimal(20))


def test_what_is_provoked_counts_as_the_bench_ceiling() -> None:
    made = Ledger(LIMIT, PROFILE, KOHM)
    made.provoke(Decimal(0), Exact.parse("6 mA"))
    account = made.account.at(Decimal(10))
    assert (account.charge, account.energy) == (60 * MA, 60 * MA * 80)
