"""What `make seeds` and `make qualify` make of runs; the runs themselves are made up here."""

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import pytest

from hil.exact import Exact
from hil.verdict import Verdict
from hil_fixtures import config
from hil_instruments.simulated.faults.catalogue import find
from qualify import devices, matrix, seeds


def body(verdict=Verdict.PASS, margin="1", guard="2", requirement="LIM-ACC"):
    return {
        "requirement": requirement, "verdict": verdict.value, "test": "t", "at": "4 mA",
        "reason": "because", "margin": margin, "guard": guard,
    }  # fmt: skip


def conclusion(*bodies, verdict=Verdict.PASS):
    rows = [SimpleNamespace(judgements=tuple(bodies))]
    return SimpleNamespace(requirements=rows, tests=[SimpleNamespace(test="m:t", verdict=verdict)])


@pytest.mark.parametrize(
    ("found", "accuses", "curable"),
    [
        (body(), 0, 0),
        (body(Verdict.NOT_EVALUATED, None), 0, 0),
        (body(Verdict.FAIL, "-1"), 1, 0),
        (body(Verdict.ERROR, None), 1, 0),
        (body(Verdict.INCONCLUSIVE, "1", "2"), 0, 1),
        (body(Verdict.INCONCLUSIVE, "0", "2"), 0, 1),
        (body(Verdict.INCONCLUSIVE, "3", "2"), 1, 0),  # inside of the guard band too: disputed
        (body(Verdict.INCONCLUSIVE, None), 1, 0),  # a property that has shown too little
    ],
)
def test_what_a_better_instrument_would_cure_is_no_accusation(found, accuses, curable):
    accused, cured = seeds.weighed(conclusion(found))
    assert (len(accused), len(cured)) == (accuses, curable)
    assert all("LIM-ACC" in told and "at 4 mA: because" in told for told in (*accused, *cured))


def test_a_test_without_an_end_and_a_run_without_a_judgement_are_found():
    accused, _ = seeds.weighed(conclusion(body(), verdict=Verdict.NO_VERDICT))
    assert accused == ("m:t: never came to its end",)
    accused, _ = seeds.weighed(conclusion())
    assert accused == ("nothing was judged",)


def test_a_call_goes_on_where_it_was_and_tells_what_it_found(tmp_path, monkeypatch, capsys):
    ran = []

    def judged(*, depth, seed, examples):
        ran.append((depth, seed, examples))
        if seed == 3:
            raise RuntimeError("no run was journaled")
        return conclusion(body(Verdict.FAIL if seed == 2 else Verdict.PASS))

    monkeypatch.setattr(seeds, "judged", judged)
    monkeypatch.setattr(seeds, "source", lambda: "abc")
    file = tmp_path / "lines"
    call = ["--kept", str(file), "--jobs", "1"]
    assert seeds.main(["smoke:1", *call]) == 0
    with file.open("a") as end:
        end.write('{"cut sho')
    assert seeds.main(["smoke:1", *call]) == 0
    with file.open("a") as end:
        end.write("\n")
    assert seeds.main(["smoke:3", "full:1", *call]) == 1
    assert ran == [("smoke", n, None) for n in (1, 2, 3)] + [("full", 1, None)]
    told = capsys.readouterr().out
    assert "LIM-ACC FAIL in t at 4 mA: because" in told
    assert "smoke: 3 seeds, 2 judgements; runs that accuse a healthy device: 2, 3;" in told
    monkeypatch.setattr(seeds, "source", lambda: "def")
    seeds.main(["full:1", *call])
    assert ran[-1] == ("full", 1, None)
    assert len(ran) == 5  # another source is judged anew
    seeds.main(["full:1", "full:1:15", *call])
    assert ran[5:] == [("full", 1, 15)]  # so is another number of examples
    assert "full with 15 examples of each property: 1 seeds" in capsys.readouterr().out
    seeds.main(["full:1:15", *call, "--first", "4"])
    seeds.main(["full:1:15", "full:1", *call, "--first", "4"])  # fewer stand for no more
    assert ran[6:] == [("full", 4, 15), ("full", 4, None)]


@pytest.mark.parametrize("word", ["deep:3", "smoke", "smoke:x", "full:2:x", "full:2:3:4"])
def test_what_is_no_depth_with_a_count_is_refused(word, capsys):
    with pytest.raises(SystemExit):
        seeds.main([word])
    assert "smoke:100" in capsys.readouterr().err


def told_of(severity, verdict, *, requirement="IND-VOLT", unit="V", at="20 V"):
    """A run in which a voltage of 20 V is misreported by a share, with U = 10 mV, limit 5 %."""
    share = severity.base
    judged = body(verdict, str(1 - 20 * share), requirement=requirement)
    judged |= {
        "measured": {"unit": unit, "expanded": "0.01"},
        "at": at,
        "upper": "1",
        "lower": "-1",
    }
    rows = [SimpleNamespace(requirement={"id": requirement}, judgements=(judged,))]
    return SimpleNamespace(requirements=rows)


def test_other_devices_have_files_that_hold_together(tmp_path):
    file = tmp_path / "device.toml"
    for variant in devices.DEVICES.values():
        file.write_text(variant.text, "utf-8")
        assert config.read_device(file).figures


def test_a_stop_that_is_ignored_in_a_ramp_is_caught_in_one_of_4_s(monkeypatch):
    assert devices.faulty("quick, 4 s, rest 0.2 s", "F58").told == ()
    monkeypatch.setattr(devices, "judged", lambda *_, **__: SimpleNamespace(requirements=[]))
    (told,) = devices.faulty("quick, 4 s, rest 0.2 s", "F58").told
    assert told == "said to violate STOP-CMD; failed: nothing"


@pytest.mark.parametrize(
    ("caught_from", "right", "smallest"),
    [("5 %", True, "5.15 %"), ("5.5 %", False, "9 %"), ("4 %", False, "4.85 %")],
)
def test_a_fault_is_laid_beyond_and_within_its_limit(monkeypatch, caught_from, right, smallest):
    asked = []

    def seeded(fault, severity, depth):
        asked.append(str(severity))
        fails = severity > Exact.parse(caught_from)
        return told_of(severity, Verdict.FAIL if fails else Verdict.PASS)

    monkeypatch.setattr(matrix, "seeded", seeded)
    severity = replace(find("F79").severity, spread="0.05 %")
    told, is_right = matrix.edges(replace(find("F79"), severity=severity), "smoke")
    # 2 U is 20 mV of 20 V, and healthy devices differ by 0.05 %.
    assert asked == ["5 %", "5.15 %", "4.85 %"]
    assert is_right is right
    assert f"smallest caught: {smallest}" in told


def test_an_uncertainty_of_the_dimension_of_the_severity_counts_as_it_is(monkeypatch):
    bound = Exact.parse("0.05 mA")
    found = told_of(bound, Verdict.PASS, requirement="RAMP-STEP", unit="A", at=None)
    found.requirements[0].judgements[0]["measured"]["expanded"] = "0.000002"
    assert matrix.doubt(find("F05"), found, bound) == Decimal("0.004")


def test_a_fault_without_a_judgement_or_a_link_has_no_edge(monkeypatch):
    monkeypatch.setattr(matrix, "seeded", lambda *_: SimpleNamespace(requirements=[]))
    assert matrix.edges(find("F79"), "smoke") == ("no figure was judged at the limit", False)
    assert matrix.edges(find("F75"), "smoke")[1]
    assert matrix.edges(find("F01"), "smoke") == ("", True)
