"""`hil replay`: a real run is judged again from its bundle alone, and every edit of it shows."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from hil.bodies import judgement_body, measured_of
from hil.conclusion import conclude
from hil.decision import judge
from hil.exact import Exact
from hil.journal import Chain
from hil.verdict import ExitCode, Verdict
from hil_fixtures import cli, config
from hil_fixtures.rejudging import printed, replay
from hil_reports.evidence import DATA, JOURNAL, capture_loader, read_journal
from hil_reports.evidence.rejudging import planned, remeasure, unfounded
from hil_reports.view import view_of

SUITE = """
from hil.derivation import derived
from hil.features import peak, steady
from hil.measurement import truth
from hil.scenario import Scenario
from hil.signs import along, has_sign
from hil.units import mA, s
from hil_fixtures.suite import requirement


@derived
def halved(wave, after):
    "A feature of the user's own."
    return peak(wave, after=after) - abs(steady(wave))


@requirement("LIM-ACC", "LIM-OVER", "LIM-CEIL", "LIM-VOLT", "POL-SIGN", "STOP-CMD", "STOP-TELL")
def test_all(bench, judge):
    record = bench.record(Scenario.treatment(1 * mA, hold=2 * s))
    current, profile = record.current, bench.profile
    held = steady(current)
    judge("LIM-ACC", along(held, profile.polarity), at=1 * mA)
    judge("LIM-OVER", halved(current, record.event("start")), at=1 * mA)
    judge("LIM-OVER", peak(current) - abs(held), at=1 * mA)
    judge("LIM-CEIL", peak(current))
    judge("LIM-VOLT", peak(record.voltage), at=profile["output.compliance"])
    judge("POL-SIGN", has_sign(current, profile.polarity))
    off, stop = profile["protection.off_current"], record.event("stop")
    judge("STOP-CMD", current.time_to_below(off, after=stop))
    judge("STOP-TELL", truth(True, "the device says so"))
"""
JUDGED = 8
PATHS = {name: os.environ[name] for name in ("PYTHONPATH", "SYSTEMROOT") if name in os.environ}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder of which nothing but data/ is left; its tests are gone."""
    folder = tmp_path_factory.mktemp("tests")
    (folder / "test_again.py").write_text(SUITE)
    out = tmp_path_factory.mktemp("runs")
    args = [str(folder), f"--rootdir={folder}", "-c", "/dev/null", "--import-mode=importlib", "-q"]
    args += ["-p", "no:cacheprovider", "-p", "no:timeout", f"--hil-out={out}"]
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main([*args, "--hil-suite=current-limits", "--hil-suite=polarity",
                     "--hil-suite=fault-shutdown"])  # fmt: skip
    (made,) = (path for path in out.iterdir() if path.is_dir())
    kept = tmp_path_factory.mktemp("kept") / "run"
    shutil.copytree(made / DATA, kept / DATA)
    return kept


@pytest.fixture
def hil(tmp_path, monkeypatch, capsys):
    """Call `hil` in this process, in an empty folder; exit code, output, error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["hil", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return call


def written_anew(run, folder, edit):
    """The same run with an edited journal, chained again: nothing but its content gives it away."""
    shutil.copytree(run, folder)
    chain, lines = Chain(), []
    for record in read_journal(run).records:
        body = edit(record.kind, json.loads(json.dumps(record.body)))
        utc = datetime.fromisoformat(record.utc).astimezone(UTC)
        lines.append(chain.append(record.kind, body, utc=utc, bench=record.bench).line)
    (folder / DATA / JOURNAL).write_text("".join(f"{line}\n" for line in lines))
    return folder


def rejudged_with(run, requirement, change):
    """An edit of the judgement on one requirement: judged anew with what `change` makes of it."""
    known = planned(read_journal(run).records)

    def edit(kind, body):
        if kind != "judgement" or body["requirement"] != requirement:
            return body
        at = None if body["at"] is None else Exact.parse(body["at"])
        judged = judge(known[requirement], change(measured_of(body["measured"])), at)
        return judgement_body(body["test"], judged)

    return edit


def test_a_run_judged_again_is_the_same_to_the_last_byte(run, hil):
    code, out, err = hil("replay", run)
    assert (code, err) == (0, "")
    assert f"{JUDGED} judgements, {JUDGED - 1} measured again from their captures" in out
    assert "as stated: 1" in out
    assert "STOP-TELL, 1: it is no raw data" in out
    assert f"identical: {JUDGED} of {JUDGED}" in out
    assert list(unfounded(run, read_journal(run).records)) == []


def test_nothing_but_the_bundle_is_needed(run, tmp_path):
    """Another process, in an empty folder, with no home and no catalogue installed."""
    program = """
import importlib.metadata, sys
importlib.metadata.entry_points = lambda **_: ()
import hil_fixtures.config.catalogue as catalogue
catalogue.entry_points = lambda **_: ()
from hil_fixtures.cli import main
main()
"""
    (tmp_path / "device.toml").write_text(config.starter("device"))
    bare = {"HOME": "/nowhere", "PATH": "", **PATHS}
    for more in ([], ["--device", "device.toml"]):
        line = [sys.executable, "-c", program, "replay", str(run), *more]
        done = subprocess.run(
            line, cwd=tmp_path, env=bare, capture_output=True, text=True, check=False
        )
        assert done.returncode == ExitCode.OTHER_VERDICT, done.stderr
        assert f"identical: {JUDGED - 1} of {JUDGED}" in done.stdout
        assert "PASS by a value that could not be measured again: 1" in done.stdout
        assert "LIM-OVER, 1: the feature test_again:halved is not known here" in done.stdout
        assert "--features MODULE" in done.stdout


def test_replay_knows_every_feature_of_ours():
    """Imported alone, in a process of its own."""
    program = """
import hil.replay
from hil.derivation import Sources, Underivable, walked
ours = "steady mean peak slope largest_step charge outside time_to_below".split()
for name in [*ours, "has_sign", "keeps_sign", "rest_between"]:
    try:
        walked({"feature": name, "given": {}}, Sources(None))
    except Underivable as err:
        raise SystemExit(str(err))
    except ValueError:
        pass  # known, and given nothing
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_module_of_features_is_imported_where_it_is_named(run, tmp_path):
    (tmp_path / "test_again.py").write_text(SUITE)
    line = [sys.executable, "-c", "from hil_fixtures.cli import main; main()", "replay", str(run)]
    for named, known in (([], False), (["--features", "test_again"], True)):
        done = subprocess.run(
            [*line, *named], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == (0 if known else ExitCode.OTHER_VERDICT), done.stderr
        assert ("test_again:halved is not known here" in done.stdout) is not known
        assert f"identical: {JUDGED - 1 + known} of {JUDGED}" in done.stdout


def test_another_rule_gives_a_report_of_differences(run, hil, tmp_path):
    code, out, _ = hil("replay", run, "--rule", "simple", "--json", "all.json")
    assert code == ExitCode.OTHER_VERDICT
    assert "6 more differ, with the same verdict:" in out
    assert "identical: 2 of 8" in out  # a truth weighs no uncertainty
    assert "the run amounted to" in out
    content = json.loads((tmp_path / "all.json").read_text())
    assert (content["judgements"], content["identical"]) == (JUDGED, 2)
    assert {each["now"]["rule"] for each in content["differences"]} == {"simple"}
    assert {Decimal(each["now"]["guard"]) for each in content["differences"]} == {0}
    assert [each["requirement"] for each in content["stated"]] == ["STOP-TELL"]
    assert content["was"]["exit_code"] == int(conclude(read_journal(run).records).exit_code)


def test_the_planned_rule_by_its_name_changes_nothing(run, hil):
    assert hil("replay", run, "--rule", "guarded")[0] == 0


def test_a_rule_for_two_sides_leaves_the_others_as_they_are(run, hil):
    code, out, _ = hil("replay", run, "--rule", "method 6")
    assert code == ExitCode.OTHER_VERDICT
    (note,) = (line for line in out.splitlines() if "rule 'method 6' is not defined for" in line)
    assert "LIM-CEIL" in note
    assert "STOP-TELL" not in note  # a truth weighs no uncertainty
    assert "LIM-ACC" not in note


def device(tmp_path, *changes):
    text = config.starter("device")
    for section, old, new in changes:
        before = f'[{section}]\nvalue = "{old}"'
        assert before in text
        text = text.replace(before, f'[{section}]\nvalue = "{new}"')
    (tmp_path / "changed.toml").write_text(text)
    return tmp_path / "changed.toml"


def test_a_changed_device_gives_limits_levels_and_references(run, hil, tmp_path):
    changed = device(
        tmp_path,
        ("output.compliance", "80 V", "7 V"),
        ("protection.off_current", "10 uA", "2 uA"),
        ("output.accuracy_absolute", "0.05 mA", "0.001 mA"),
        ("output.accuracy_relative", "5 %", "0.1 %"),
    )
    code, out, _ = hil("replay", run, "--device", changed, "--json", "all.json")
    assert code == ExitCode.OTHER_VERDICT
    assert "figures of the device: " in out
    assert "protection.off_current 10 uA -> 2 uA" in out
    content = json.loads((tmp_path / "all.json").read_text())
    found = {each["now"]["requirement"]: each for each in content["differences"]}
    assert set(found) >= {"LIM-ACC", "STOP-CMD", "LIM-VOLT"}
    assert Decimal(found["LIM-ACC"]["now"]["upper"]) == Decimal("0.001001")
    assert found["LIM-VOLT"]["now"]["at"] == "7 V"
    level = found["STOP-CMD"]["now"]["measured"]["derivation"]["given"]["level"]
    assert level == {"exact": "2 uA", "origin": "protection.off_current"}
    assert found["STOP-CMD"]["now"]["measured"] != found["STOP-CMD"]["was"]["measured"]
    assert content["now"]["requirements"]["LIM-ACC"] != "PASS"


def test_what_was_commanded_stays_as_it_was(run, tmp_path):
    changed = device(tmp_path, ("output.setpoint_max", "4.0 mA", "3.0 mA"))
    made = replay(run, device=changed)
    assert not made.differing
    assert "output.setpoint_max 4.0 mA -> 3.0 mA" in made.notes[0]


# --- what was edited -----------------------------------------------------------------------------


def test_an_edited_value_is_not_what_its_captures_make_it(run, tmp_path):
    """Value and all that follows from it, chained again: only the raw data contradict."""
    edit = rejudged_with(run, "LIM-ACC", lambda found: replace(found, value=Decimal("0.000999")))
    forged = written_anew(run, tmp_path / "forged", edit)
    records = read_journal(forged).records
    assert conclude(records).verdict is conclude(read_journal(run).records).verdict
    ((number, why),) = unfounded(forged, records)
    assert records[number].kind == "judgement"
    assert "value 0.000999 was recorded" in why
    made = replay(forged)
    assert [each.was["requirement"] for each in made.differing] == ["LIM-ACC"]


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (None, "it is no raw data"),
        ({"feature": "peak", "lost": "a set has no form"}, "peak: a set has no form"),
        ({"feature": "guessed", "given": {}}, "the feature guessed is not known here"),
        ({"feature": "else:where", "given": {}}, "the feature else:where is not known here"),
    ],
)
def test_a_pass_that_cannot_be_measured_again_follows_from_nothing(run, tmp_path, hil, tree, said):
    """What a signer who lies would write: another value, and no way to tell it from the true."""
    edit = rejudged_with(
        run, "LIM-ACC", lambda found: replace(found, value=Decimal("0.000999"), derivation=tree)
    )
    forged = written_anew(run, tmp_path / "forged", edit)
    found = [why for _, why in unfounded(forged, read_journal(forged).records)]
    assert len(found) == 1
    assert "LIM-ACC: PASS was recorded" in found[0]
    code, out, _ = hil("replay", forged)
    assert code == ExitCode.OTHER_VERDICT
    assert f"identical: {JUDGED - 1} of {JUDGED}" in out
    assert said in out


def test_every_judgement_is_measured_again_before_the_seal(run):
    """By the run itself, as plain pytest judged it; the features of its tests were known there."""
    records = read_journal(run).records
    (body,) = [record.body for record in records if record.kind == "remeasured"]
    assert body == {
        "judgements": JUDGED,
        "identical": JUDGED - 1,
        "drifted": 0,
        "stated": 1,
        "unshown": [],
        "unfounded": [],
    }
    kinds = [record.kind for record in records]
    assert kinds.index("remeasured") > kinds.index("end")
    assert conclude(records).remeasured == body


def unmeasured(run, folder, edit=lambda kind, body: body):
    """The same run as it was before its judgements were measured again."""
    made = written_anew(run, folder, edit)
    path = made / DATA / JOURNAL
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"kind":"remeasured"' not in line))
    return made


def utc():
    return datetime(2026, 3, 1, tzinfo=UTC)


def test_a_value_that_its_captures_do_not_make_is_an_error_from_the_seal_on(run, tmp_path):
    """Derivation and captures are honest, the value is not: live, nothing contradicts it."""
    edit = rejudged_with(run, "LIM-ACC", lambda found: replace(found, value=Decimal("0.000999")))
    forged = unmeasured(run, tmp_path / "forged", edit)
    assert verdict_of(forged, "LIM-ACC") is Verdict.PASS
    remeasure(forged, utc)
    (body,) = [r.body for r in read_journal(forged).records if r.kind == "remeasured"]
    ((number, why),) = body["unfounded"]
    assert read_journal(forged).records[number].body["requirement"] == "LIM-ACC"
    assert verdict_of(forged, "LIM-ACC") is Verdict.ERROR
    assert verdict_of(forged, "LIM-CEIL") is Verdict.PASS
    reason = next(
        row.remark
        for row in conclude(read_journal(forged).records).requirements
        if row.requirement["id"] == "LIM-ACC"
    )
    assert f"measured again before sealing: {why}" in reason
    before = (forged / DATA / JOURNAL).read_bytes()
    remeasure(forged, utc)  # once is enough
    assert (forged / DATA / JOURNAL).read_bytes() == before


def test_a_fail_stays_a_fail_whatever_its_captures_make_it(run, tmp_path):
    edit = rejudged_with(run, "LIM-CEIL", lambda found: replace(found, value=Decimal(1)))
    forged = unmeasured(run, tmp_path / "forged", edit)
    remeasure(forged, utc)
    assert verdict_of(forged, "LIM-CEIL") is Verdict.FAIL


def test_a_feature_that_is_not_known_to_the_sealer_is_named_on_the_report(run, tmp_path):
    tree = {"feature": "else:where", "given": {}}
    edit = rejudged_with(run, "LIM-ACC", lambda found: replace(found, derivation=tree))
    other = unmeasured(run, tmp_path / "other", edit)
    remeasure(other, utc)
    found = conclude(read_journal(other).records)
    view = view_of(found, capture_loader(other, read_journal(other).records), [])
    assert f"{JUDGED - 2} of {JUDGED - 1} measured again from their captures" in view["remeasured"]
    assert "1 by features that were not known there" in view["remeasured"]
    assert any("else:where is not known here" in entry for entry in view["limitations"])


def verdict_of(folder, name):
    found = conclude(read_journal(folder).records)
    return next(row.verdict for row in found.requirements if row.requirement["id"] == name)


def test_the_report_says_how_many_were_measured_again(run):
    records = read_journal(run).records
    view = view_of(conclude(records), capture_loader(run, records), [])
    assert view["remeasured"].startswith(
        f"{JUDGED - 1} of {JUDGED - 1} measured again from their captures before sealing"
    )
    untold = [record for record in records if record.kind != "remeasured"]
    view = view_of(conclude(untold), capture_loader(run, records), [])
    assert view["remeasured"] == "no judgement was measured again before sealing"


def kept_of(requirements):
    """An edit that leaves of all judgements only those on these requirements."""

    def edit(kind, body):
        if kind != "judgement" or body["requirement"] in requirements:
            return body
        return {**body, "verdict": "NOT_EVALUATED", "measured": None}

    return edit


@pytest.mark.parametrize("kept", [(), ("STOP-TELL",)])
def test_a_replay_that_measured_nothing_again_says_so(run, tmp_path, hil, kept):
    forged = written_anew(run, tmp_path / "forged", kept_of(kept))
    code, out, _ = hil("replay", forged)
    assert code == ExitCode.OTHER_VERDICT
    assert "0 measured again" in out
    assert "nothing was measured again: this confirms no verdict" in out


def test_counts_and_truths_alone_are_taken_as_stated(run, tmp_path):
    (told,) = [each for each in replay(run).judgements if each.was["requirement"] == "STOP-TELL"]
    alone = replace(replay(run), judgements=(told,))
    assert alone.confirmed
    assert "nothing was measured again: counts and truths alone, as stated" in [*printed(alone)]


def test_last_digits_are_reported_as_such(run, tmp_path, hil):
    """As if judged by another mathematical library: told, never taken as equal, and no forgery."""

    def other(found):
        return replace(found, value=found.value * Decimal("1.0000000000000003"))

    forged = written_anew(run, tmp_path / "moved", rejudged_with(run, "LIM-CEIL", other))
    code, out, _ = hil("replay", forged)
    assert code == ExitCode.OTHER_VERDICT
    assert "1 differ in last digits alone, by 3" in out
    assert "e-16 of the value at most; another processor or library" in out
    assert list(unfounded(forged, read_journal(forged).records)) == []


def test_an_edited_limit_of_the_plan_does_not_fit_its_judgements(run, tmp_path):
    """A run that failed is no pass by a wider limit in its plan: its judgements tell another."""

    def edit(kind, body):
        if kind == "plan":
            (ceiling,) = (each for each in body["requirements"] if each["id"] == "LIM-CEIL")
            ceiling["limit_parts"]["figure"] = "9 A"
        return body

    forged = written_anew(run, tmp_path / "forged", edit)
    found = [why for _, why in unfounded(forged, read_journal(forged).records)]
    assert len(found) == 1
    assert "LIM-CEIL" in found[0]


def test_a_capture_that_is_gone_is_named(run, tmp_path, hil):
    shutil.copytree(run, tmp_path / "torn")
    for path in (tmp_path / "torn" / DATA / "captures").iterdir():
        path.unlink()
    code, out, _ = hil("replay", tmp_path / "torn")
    assert code == ExitCode.OTHER_VERDICT
    assert "identical: 1 of 8" in out  # the one that is no raw data
    assert "captures/" in out
    assert "would amount to" in out


def test_a_capture_that_was_exchanged_is_refused(run, tmp_path):
    shutil.copytree(run, tmp_path / "torn")
    files = sorted((tmp_path / "torn" / DATA / "captures").iterdir())
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, [*contents[1:], contents[0]], strict=True):
        file.write_bytes(content)
    troubles = {each.trouble for each in replay(tmp_path / "torn").differing}
    assert any("was changed" in trouble for trouble in troubles)


# --- usage ---------------------------------------------------------------------------------------


def test_other_software_is_named_where_last_digits_differ(run, tmp_path, hil):
    edit = rejudged_with(
        run, "LIM-CEIL", lambda m: replace(m, value=m.value * Decimal("1.0000000000000003"))
    )

    def elsewhere(kind, body):
        return {**body, "python": "3.11.0"} if kind == "run" else edit(kind, body)

    _, out, _ = hil("replay", written_anew(run, tmp_path / "moved", elsewhere))
    assert "of the value at most; other software: Python 3.11.0 -> 3." in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rule", "lenient"], "rule 'lenient' is unknown"),
        (["--device", "none.toml"], "no such file"),
        (["--features", "no_such_module"], "--features no_such_module: cannot be imported"),
        (["--json", "no/such/folder.json"], "--json no/such/folder.json: cannot be written"),
    ],
)
def test_what_cannot_be_done_is_usage(run, hil, arguments, said):
    code, _, err = hil("replay", run, *arguments)
    assert code == ExitCode.USAGE
    assert said in err


def test_what_is_no_run_folder_is_usage(hil, tmp_path):
    code, _, err = hil("replay", tmp_path)
    assert code == ExitCode.USAGE
    assert "is no run folder" in err


def test_a_device_of_another_class_of_figures_is_usage(run, hil, tmp_path):
    Path("changed.toml").write_text(config.starter("device").replace("[output.standby]", "[x.y]"))
    code, _, err = hil("replay", run, "--device", "changed.toml")
    assert code == ExitCode.USAGE
    assert "output.standby" in err
