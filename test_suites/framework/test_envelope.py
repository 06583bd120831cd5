"""Nothing outside the envelope is admitted, whatever form it takes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.device import IONTOPHORESIS, DeviceProfile, Figure, Wire
from hil.envelope import Envelope
from hil.errors import DimensionError, LimitExceeded, SafetyError
from hil.exact import Exact
from hil.requirement import Knowledge

law = settings(derandomize=True, deadline=None, max_examples=60)
LIMIT = Envelope(Exact.parse("4 mA"))
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
        narrow = LIMIT.narrowed(limit)
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
    assert LIMIT.narrowed(edge).admit(edge) is edge


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "0", "-1", "4.000001", "40"])
def test_what_is_refused_is_named(text: str) -> None:
    current = Exact(Decimal(text), "mA")
    for ask in (LIMIT.admit, LIMIT.narrowed):
        with pytest.raises(LimitExceeded) as caught:
            ask(current)
        assert str(current) in str(caught.value)
    assert issubclass(LimitExceeded, SafetyError)


def test_another_dimension_is_refused() -> None:
    for ask in (LIMIT.admit, LIMIT.narrowed):
        with pytest.raises(DimensionError):
            ask(Exact.parse("1 V"))


def test_the_whole_envelope_is_what_the_device_declares() -> None:
    figure = Figure(Exact.parse("3.5 mA"), "sheet", "so", Knowledge.PROJECT)
    device = DeviceProfile(
        "M", "N", IONTOPHORESIS, {"output.setpoint_max": figure}, Wire({}, {}, {}, {})
    )
    assert Envelope.of(device).max_current == Exact.parse("3.5 mA")
