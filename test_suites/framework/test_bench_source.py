"""The source of known sign leaves nothing of itself behind, whatever goes wrong on the way."""

from datetime import date

import pytest

from hil.errors import BenchError
from hil_fixtures.bench_source import BenchSource, take_all
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.notes import Notes
from hil_fixtures.station import open_station


@pytest.fixture
def station():
    made = open_station(read_device(None), read_bench(None), seed=1, today=date(2026, 1, 1))
    yield made
    made.close()


def refuse(kind, body):
    raise BenchError("No space left on device")


def joined(station):
    channels = station.sessions["load"].query(f"ROUT:CLOS? (@{station.description.source.channel})")
    return channels.strip() == "1"


def test_it_is_off_and_parted_although_the_record_is_refused(station):
    written = []
    source = BenchSource.of(station, Notes(lambda kind, body: written.append(body["command"])))
    source.drive(0.1)
    source.join()
    assert joined(station)
    assert source.stands() == pytest.approx(2.0, abs=0.05)
    with pytest.raises(BenchError, match="No space left"):
        BenchSource.of(station, Notes(refuse)).leave()
    assert not station.source.is_on()
    assert not joined(station)
    assert written == ["bench source on", "bench source joined"]


def test_it_is_not_driven_unless_that_is_recorded(station):
    with pytest.raises(BenchError, match="No space left"):
        BenchSource.of(station, Notes(refuse)).drive(1.0)
    assert not station.source.is_on()


def test_every_step_is_taken_and_the_first_error_is_told():
    taken = []

    def step(name, fails):
        taken.append(name)
        if fails:
            raise BenchError(name)

    with pytest.raises(BenchError, match="one"):
        take_all(*(lambda n=n, f=f: step(n, f) for n, f in [("one", 1), ("two", 1), ("three", 0)]))
    assert taken == ["one", "two", "three"]
