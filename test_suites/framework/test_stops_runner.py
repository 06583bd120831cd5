"""Ends of the runner, which can say nothing any more; by what the bench itself says."""

import pytest

from chaos.stops import of

pytestmark = [pytest.mark.alone, pytest.mark.timeout(400)]  # all are driven before the first
PATHS = of("runner")


@pytest.mark.parametrize("path", PATHS)
def test_a_run_stops_as_the_table_says(driven, path):
    assert driven[path].objections == []
