"""Every kind of tampering with a sealed run is found, by a verifier who knows the signer.

Twice each here, and thousands of times in `make tamper`.
"""

from __future__ import annotations

import pytest

from hil_reports.evidence import verify
from hil_reports.evidence.verification import Standing
from tamper.campaign import Ground
from tamper.kinds import KINDS, ON_VIEWS


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return Ground(tmp_path_factory.mktemp("ground"))


def test_what_nobody_touched_is_authentic(ground):
    for folder in (ground.run, ground.other, ground.bare):
        found = verify(folder, ground.trusted)
        assert (found.standing, found.problems) == (Standing.AUTHENTIC, ())
    assert verify(ground.unsigned).standing is Standing.UNSIGNED


@pytest.mark.parametrize("kind", KINDS)
def test_tampering_is_found(ground, kind):
    found = verify(ground.tampered(kind, 1, ground.run), ground.trusted)
    assert found.standing is Standing.BROKEN
    assert all(problem.file and problem.text for problem in found.problems)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ON_VIEWS])
def test_tampering_is_found_in_the_evidence_alone(ground, kind):
    copy = ground.tampered(kind, 2, ground.bare)
    assert verify(copy, ground.trusted).standing is Standing.BROKEN


@pytest.mark.parametrize(
    "kind",
    [
        "evidence added and manifests made again",
        "the same sealed without a key",
        "whole bundle signed again with another key",
        "report edited and manifest made again",
    ],
)
def test_what_an_unsigned_bundle_cannot_show_is_never_green(ground, kind):
    copy = ground.tampered(kind, 3, ground.unsigned)
    standing = verify(copy).standing
    assert standing in {Standing.UNSIGNED, Standing.STRANGER}
    assert verify(copy, ground.trusted).standing is Standing.BROKEN


def test_an_annex_that_lost_whole_statements_shows_by_the_head_that_was_written_down(ground):
    """The one thing that a folder without its report cannot show: so its head is printed."""
    kind = "annex shortened by whole statements"
    before = verify(ground.bare, ground.trusted).annex.head
    found = verify(ground.tampered(kind, 4, ground.bare), ground.trusted)
    assert found.annex.head != before
