"""Ends within a test, by its own end, exception, memory, time, limit; by what the bench says."""

import pytest

from chaos.stops import of

pytestmark = [pytest.mark.alone, pytest.mark.timeout(400)]  # all are driven before the first
PATHS = of("tests")


@pytest.mark.parametrize("path", PATHS)
def test_a_run_stops_as_the_table_says(driven, path):
    assert driven[path].objections == []
