"""Whether a requirement applies: computed from the device, and never by a threshold of hearsay."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from hil.applicability import Condition
from hil.bodies import judgement_body, requirement_body, requirement_of
from hil.conclusion import conclude
from hil.decision import Judgement
from hil.device import DeviceProfile
from hil.errors import ConfigurationError, UsageError
from hil.exact import Exact
from hil.measurement import Measurement, truth
from hil.replay import replayed
from hil.requirement import Requirement
from hil.verdict import Verdict
from hil_fixtures.config import starter
from hil_fixtures.config.catalogue import read_catalogue
from hil_fixtures.config.setup import read_setup
from hil_fixtures.judging import Judge
from hil_reports.evidence import read_journal

PROFILE = read_setup(None, None).profile
ENTRY = """
[[requirement]]
id = "MY-INDICATOR"
subject = "lid"
title = "Indicator"
text = "While current flows the indicator is lit."
dimension = "truth"
limit = { kind = "true" }
clause = "project"
source = "spec 3"
status = "project"
method = "A treatment at the largest setting, looked at."
severity = "serious"
"""
CONDITIONS = """[
    { figure = "output.setpoint_max", above = "10 mA" },
    { figure = "output.setpoint_max", into = "1 kohm", above = "10 V" },
] }
"""
RULE = 'applies = { source = "first edition", status = "seen", any = ' + CONDITIONS
CONFIRMED = (
    'applies = { source = "62-1", status = "confirmed", by = "Ada", date = 2026-05-04, '
    'edition = "2012", clause = "7", any = ' + CONDITIONS
)


def read(text: str, profile: DeviceProfile = PROFILE) -> Requirement:
    (entry,) = read_catalogue([("my.toml", text)], profile)
    return entry


def with_figure(name: str, value: str) -> DeviceProfile:
    figure = replace(PROFILE.figures["output.setpoint_max"], value=Exact.parse(value))
    return replace(PROFILE, figures={**PROFILE.figures, name: figure})


def test_a_requirement_says_how_it_is_shown_and_what_is_at_stake() -> None:
    found = read(ENTRY)
    assert found.method == "A treatment at the largest setting, looked at."
    assert found.severity is not None
    assert found.severity.value == "serious"
    assert (found.applicability, found.inapplicable) == (None, "")


def test_a_rule_that_nobody_has_confirmed_removes_nothing_and_says_so() -> None:
    found = read(ENTRY + RULE)
    assert found.inapplicable == ""
    assert found.applicability is not None
    reason = found.applicability.reason
    assert "output.setpoint_max = 4.0 mA not above 10 mA" in reason
    assert "output.setpoint_max = 4.0 mA makes 4 V in 1 kohm, not above 10 V" in reason
    assert "nobody has confirmed" in reason
    assert reason.endswith("(threshold: seen, first edition)")


def test_a_confirmed_rule_removes_a_requirement_with_its_figures() -> None:
    found = read(ENTRY + CONFIRMED)
    assert found.inapplicable.startswith("does not apply: output.setpoint_max = 4.0 mA not above")
    assert "confirmed by Ada on 2026-05-04 in 2012, 7" in found.inapplicable


@pytest.mark.parametrize(("setting", "applies"), [("10 mA", False), ("10.001 mA", True)])
def test_one_condition_is_enough_and_the_threshold_itself_is_not_above(
    setting: str, applies: bool
) -> None:
    found = read(ENTRY + CONFIRMED, with_figure("output.setpoint_max", setting))
    assert (found.inapplicable == "") is applies


def test_a_condition_of_two_dimensions_is_refused() -> None:
    amount = Exact.parse("4 mA")
    with pytest.raises(UsageError, match="is a current here, its threshold 10 V a voltage"):
        Condition("output.setpoint_max", amount, Exact.parse("10 V"))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("output.setpoint_max", "output.setpoint_mx", "did you mean output.setpoint_max"),
        ('"10 mA"', '"10 V"', "is a current here"),
        ('"1 kohm"', '"1 kV"', "a resistance with its unit belongs here"),
        ('status = "seen", ', "", "applies.status: missing"),
    ],
)
def test_a_mistake_in_a_rule_is_named(old: str, new: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        read(ENTRY + RULE.replace(old, new, 1))


# --- the verdict -------------------------------------------------------------------------------


def judged(requirement: Requirement, measured: Measurement) -> tuple[Judge, list[Judgement]]:
    told: list[Judgement] = []
    judge = Judge("t", {requirement.id: requirement}, told.append, frozenset({requirement.id}))
    judge(requirement.id, measured)
    return judge, told


@pytest.mark.parametrize("holds", [True, False])
def test_what_does_not_apply_is_neither_passed_nor_failed(holds: bool) -> None:
    judge, told = judged(read(ENTRY + CONFIRMED), truth(holds, "looked at"))
    assert [each.verdict for each in told] == [Verdict.NOT_APPLICABLE]
    assert told[0].reason.startswith("does not apply")
    judge.finish()
    assert judge.inapplicable


@pytest.mark.parametrize("holds", [True, False])
def test_what_nobody_has_confirmed_is_judged(holds: bool) -> None:
    judge, told = judged(read(ENTRY + RULE), truth(holds, "looked at"))
    assert told[0].verdict is (Verdict.PASS if holds else Verdict.FAIL)
    assert not judge.inapplicable


def test_a_journal_that_calls_a_requirement_inapplicable_is_held_to_its_rule() -> None:
    removed, kept = read(ENTRY + CONFIRMED), read(ENTRY + RULE)
    _, (judgement,) = judged(removed, truth(True, "looked at"))
    body = judgement_body("t", judgement)
    assert replayed(body, removed) is Verdict.NOT_APPLICABLE
    assert replayed(body, kept) is Verdict.ERROR
    assert replayed(body, None) is Verdict.ERROR


def test_a_plan_keeps_the_rule_and_what_it_made_of_the_device() -> None:
    for text in (ENTRY, ENTRY + RULE, ENTRY + CONFIRMED):
        found = read(text)
        assert requirement_of(json.loads(json.dumps(requirement_body(found)))) == found
    assert requirement_body(read(ENTRY + CONFIRMED))["applicability"] == {
        "removes": True,
        "reason": read(ENTRY + CONFIRMED).inapplicable,
    }


def test_a_test_of_nothing_that_applies_is_left_out(tmp_path: Path) -> None:
    device = starter("device").replace("requirements = []", 'requirements = ["my.toml"]')
    (tmp_path / "device.toml").write_text(device, "utf-8")
    (tmp_path / "my.toml").write_text(ENTRY + CONFIRMED, "utf-8")
    (tmp_path / "test_lid.py").write_text(
        "from hil_fixtures.suite import requirement\n"
        '@requirement("MY-INDICATOR")\n'
        "def test_lid(judge):\n"
        '    raise AssertionError("it must not run")\n',
        "utf-8",
    )
    args = [str(tmp_path / "test_lid.py"), "-c", "/dev/null", f"--rootdir={tmp_path}", "-q"]
    args += ["-p", "no:cacheprovider", "--import-mode=importlib", "--hil-suite=lid"]
    args += [f"--hil-out={tmp_path / 'runs'}", f"--hil-device={tmp_path / 'device.toml'}"]
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(args)
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    found = conclude(read_journal(folder).records)
    assert [row.verdict for row in found.requirements] == [Verdict.NOT_APPLICABLE]
    assert [row.verdict for row in found.tests] == [Verdict.NOT_APPLICABLE]
