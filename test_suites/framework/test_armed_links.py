"""Current flows when a link fails: off by the circuit, and no wrong number becomes a PASS."""

import pytest

from framework.armed_links import FOR_GOOD, Sitting
from hil.conclusion import conclude
from hil.verdict import ExitCode, Verdict
from hil_instruments.simulated.faults.link import LINK_FAULTS
from hil_reports.evidence import read_journal

STRUCK = (
    *("oscilloscope", "ammeter", "voltmeter", "stimulator"),
    *("load", "supply", "cutoff", "voltmeter"),
)
ONCE = list(zip(STRUCK, LINK_FAULTS, [0, 1] * 4, strict=True))
"""Each kind of fault, each instrument, in the midst or at the very end; `make links` draws of all
pairs and moments."""
ENDS = {"stimulator": ExitCode.ABORTED_OFF, "oscilloscope": ExitCode.ABORTED_OFF}
"""What a cable that stays out comes to: off is proven without these two, and by no other."""


@pytest.fixture(scope="module")
def high(tmp_path_factory):
    """A run of a device that drives too much: no verdict on it may be PASS."""
    made = Sitting(tmp_path_factory.mktemp("high"), high=True)
    yield made
    ended = made.close()
    assert ended.exit_code is ExitCode.OTHER_VERDICT
    assert [found.wrong for found in made.tests.values()] == [[]] * len(made.tests)
    assert {found.verdict for found in made.tests.values()} <= {Verdict.FAIL, Verdict.ERROR}


@pytest.mark.parametrize(("role", "kind", "end"), ONCE)
def test_a_link_that_fails_once_ends_a_test_and_not_the_run(high, role, kind, end):
    fault = f"{kind} once"
    last = high.moments(role, fault)
    found = high.trial(role, fault, last if end else 1 + last // 3, seed=1)
    assert (found.wrong, found.unsafe) == ([], "")


@pytest.mark.parametrize("role", ["stimulator", "oscilloscope", "voltmeter", "cutoff"])
def test_a_cable_that_stays_out_ends_the_run_with_what_can_be_known(tmp_path, role):
    run = Sitting(tmp_path, high=False)
    fault = f"unplugged {FOR_GOOD}"
    found = run.trial(role, fault, 1 + run.moments(role, fault) // 4)
    assert found.wrong == []
    assert found.error
    if not found.unsafe:
        assert run.again() == []
        assert run.campaign.interruption.cause
    ended = run.close()
    assert ended.exit_code is ENDS.get(role, ExitCode.UNSAFE)
    assert found.wrong == []
    assert found.verdict is Verdict.ERROR
    assert conclude(read_journal(run.campaign.evidence.folder).records).offs[-1].confirmed is (
        role in ENDS
    )
