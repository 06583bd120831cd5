"""Every budget can be printed: what each cause adds to the variance of a judged value."""

import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

from hil.exact import Exact
from hil.measurement import Component, Measurement
from hil_fixtures.cli import app, budget

PARTS = (("gain", 2e-3, 4.0), ("offset", 1e-3, 1.0), ("gain", 2e-3, -3.0), ("noise", 5e-4, 1.0))


def body(*parts):
    components = [{"id": i, "u": u, "sensitivity": c, "dof": None} for i, u, c in parts]
    return {"measured": {"components": components}}


def test_what_stands_in_two_rows_is_one_cause():
    shares = budget.shares(body(*PARTS))
    assert math.fsum(shares) == pytest.approx(1.0)
    assert shares[2] < 0  # it takes away from the first row
    whole = Measurement(
        Exact.parse("1 A").base,
        Exact.parse("1 A").dimension,
        tuple(Component(name, u, factor) for name, u, factor in PARTS),
    )
    assert shares[1] == pytest.approx((1e-3 / whole.u) ** 2)


def test_shares_are_those_of_drawn_causes():
    rng = np.random.default_rng(7)
    causes = {name: rng.normal(0, u, 400_000) for name, u, _ in PARTS}
    drawn = sum(factor * causes[name] for name, _, factor in PARTS)
    shares = budget.shares(body(*PARTS))
    for (name, _, factor), share in zip(PARTS, shares, strict=True):
        alone = np.cov(factor * causes[name], drawn)[0, 1] / drawn.var()
        assert alone == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("parts", [(), (("gain", 0.0, 1.0),), (("gain", math.inf, 1.0),)])
def test_no_variance_has_no_shares(parts):
    assert all(math.isnan(share) for share in budget.shares(body(*parts)))


def test_what_has_no_share_is_null_in_json():
    some = {"value": "1", "unit": "A", "expanded": "0", "instruments": []}
    made = {"requirement": "A", "test": "m:t", "at": None, "measured": body(PARTS[0])["measured"]}
    made["measured"] |= some
    made["measured"]["components"][0]["u"] = 0.0
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
    for part in ("POL-BOTH", " ± ", "[10 mA].gain", "contribution", "Expanded uncertainty U", " %"):
        assert part in said
    (account,) = json.loads(printed(polarity_run, "POL-BOTH", "--json"))
    combined = math.sqrt(math.fsum(part["contribution"] ** 2 for part in account["components"]))
    assert 2 * combined == pytest.approx(float(account["expanded"]), rel=1e-6)
    assert len(json.loads(printed(polarity_run, "POL-BOTH", "--json", "--every"))) > 1


@pytest.mark.parametrize(("asked", "told"), [("NOPE", "planned: POL"), ("POL-LOCK", "no judged")])
def test_what_has_no_budget_is_told(polarity_run, asked, told):
    found = CliRunner().invoke(app, ["budget", str(polarity_run), asked])
    assert told in str(found.exception)


@pytest.fixture(scope="module")
def polarity_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    line = ["run", "--out", str(out), "--suite", "polarity", "--depth", "smoke"]
    assert CliRunner().invoke(app, line).exit_code == 0
    return out / "latest"
