"""Every budget can be printed: what each cause adds to the variance of a judged value."""

import json
import math
from decimal import Decimal

import numpy as np
import pytest
from typer.testing import CliRunner

from framework import brisk
from hil.bodies import measured_body
from hil.exact import Dimension
from hil.measurement import Component, Measurement
from hil_fixtures.cli import app, budget

PARTS = (("gain", 2e-3, 4.0), ("offset", 1e-3, 1.0), ("gain", 2e-3, -3.0), ("noise", 5e-4, 1.0))


def value(*parts):
    causes = tuple(Component(name, u, factor) for name, u, factor in parts)
    return Measurement(Decimal(1), Dimension.CURRENT, causes)


def test_what_stands_in_two_rows_is_one_cause():
    shares = budget.shares(value(*PARTS))
    assert math.fsum(shares) == pytest.approx(1.0)
    assert shares[2] < 0  # it takes away from the first row
    assert shares[1] == pytest.approx((1e-3 / value(*PARTS).u) ** 2)


def test_shares_are_those_of_drawn_causes():
    rng = np.random.default_rng(7)
    causes = {name: rng.normal(0, u, 400_000) for name, u, _ in PARTS}
    drawn = sum(factor * causes[name] for name, _, factor in PARTS)
    shares = budget.shares(value(*PARTS))
    for (name, _, factor), share in zip(PARTS, shares, strict=True):
        alone = np.cov(factor * causes[name], drawn)[0, 1] / drawn.var()
        assert alone == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("parts", [(), (("gain", 0.0, 1.0),), (("gain", math.inf, 1.0),)])
def test_no_variance_has_no_shares(parts):
    assert all(math.isnan(share) for share in budget.shares(value(*parts)))


@pytest.mark.parametrize("u", [0.0, math.inf])
def test_what_has_no_share_is_null_in_json(u):
    measured = measured_body(value(("gain", u, 1.0)))
    made = {"requirement": "A", "test": "m:t", "at": None, "measured": measured}
    account = json.dumps(budget.account(made), allow_nan=False)
    assert json.loads(account)["components"][0]["share"] is None


def test_a_folder_that_is_no_run_is_named(tmp_path):
    found = CliRunner().invoke(app, ["budget", str(tmp_path)])
    assert found.exit_code != 0
    assert "no run folder" in str(found.exception)


def printed(folder, *more):
    found = CliRunner().invoke(app, ["budget", str(folder), *more])
    assert found.exit_code == 0, found.exception
    return found.stdout


def test_the_budgets_of_a_run_are_printed(polarity_run):
    said = printed(polarity_run, "POL-BOTH")
    for part in ("POL-BOTH", " ± ", "[10 mA].gain\n", "from: 34465A data", "rectangular", "u_c = "):
        assert part in said
    (account,) = json.loads(printed(polarity_run, "POL-BOTH", "--json"))
    made = [each["value"] / each["divisor"] * each["sensitivity"] for each in account["components"]]
    assert [each["u"] for each in account["components"]] == pytest.approx(made)
    assert account["u_c"] == pytest.approx(math.hypot(*made), rel=1e-9)
    assert account["U"] == pytest.approx(account["k"] * account["u_c"])
    assert len(json.loads(printed(polarity_run, "POL-BOTH", "--json", "--every"))) > 1


@pytest.mark.parametrize(("asked", "told"), [("NOPE", "planned: POL"), ("POL-LOCK", "no judged")])
def test_what_has_no_budget_is_told(polarity_run, asked, told):
    found = CliRunner().invoke(app, ["budget", str(polarity_run), asked])
    assert told in str(found.exception)


@pytest.fixture(scope="module")
def polarity_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    line = ["run", "--out", str(out), "--suite", "polarity"]
    line += ["--device", str(brisk.file(out.parent))]
    assert CliRunner().invoke(app, line).exit_code == 0
    return out / "latest"
