"""Every way in which a run can stop, driven once; by what the bench itself says."""

import pytest

from chaos.paths import campaign
from chaos.stops import PATHS

pytestmark = [pytest.mark.alone, pytest.mark.timeout(800)]  # all are driven before the first


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """Path to what came of driving it, three at a time.

    Their bounds are those of a machine that does nothing else; `make paths` measures them.
    """
    found = campaign(PATHS, tmp_path_factory.mktemp("stops"), scale=8, lanes=3, slack=0.3)
    return {name: outcome for name, (outcome,) in found.items()}


@pytest.mark.parametrize("path", [path.name for path in PATHS])
def test_a_run_stops_as_the_table_says(driven, path):
    assert driven[path].objections == []
