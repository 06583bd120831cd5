"""Plain pytest: settings of others that may drop a test make the scope partial, with the reason."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import hil_suites
from hil_fixtures import narrowing, plan
from hil_fixtures.narrowing import narrowings
from hil_fixtures.plan import Options
from hil_reports.evidence import read_journal

pytest_plugins = ("pytester",)
SUITES = ("--pyargs", "hil_suites")


@pytest.fixture
def told(pytester, monkeypatch):
    """Causes of a pytest that is started in a folder with these files."""
    monkeypatch.chdir(pytester.path)
    alone = pytester.path / "alone" / "hil_suites" / "__init__.py"
    monkeypatch.setattr(narrowing, "find_spec", lambda name: SimpleNamespace(origin=str(alone)))

    def causes(files, *args, **environment):
        for name, text in files.items():
            (pytester.path / name).write_text(text)
        return "; ".join(narrowings(pytester.parseconfig(*args), environment))

    return causes


def test_the_whole_suites_with_nothing_beside_them_are_a_whole_scope(told):
    assert told({}, *SUITES) == ""
    assert told({"pyproject.toml": "[tool.ruff]\nline-length = 99\n"}, *SUITES) == ""
    assert told({}, *SUITES, PYTEST_ADDOPTS="") == ""


DROPS = {
    "pytest.ini": "[pytest]\naddopts = --ignore-glob=*ramps*\n",
    "pyproject.toml": "[tool.pytest.ini_options]\npython_functions = 'test_a*'\n",
    "setup.cfg": "[tool:pytest]\npython_files = test_a*\n",
    "tox.ini": "[pytest]\npython_classes = A\n",
}


@pytest.mark.parametrize("name", DROPS)
def test_options_from_a_file_make_the_scope_partial(told, name):
    said = told({name: DROPS[name]}, *SUITES)
    assert said == f"pytest took options from {name}; hil run leaves such settings out"


@pytest.mark.parametrize("name", ["PYTEST_ADDOPTS", "PYTEST_PLUGINS"])
def test_options_from_the_environment_make_the_scope_partial(told, name):
    assert told({}, *SUITES, **{name: "x"}).startswith(f"{name} is set")


def test_a_conftest_makes_the_scope_partial(told, pytester):
    said = told({"conftest.py": "collect_ignore_glob = ['*ramps*']"}, ".", *SUITES)
    assert f"{pytester.path.name}/conftest.py was loaded" in said


def test_a_conftest_above_the_suites_makes_the_scope_partial(told, pytester):
    (pytester.path / "alone").mkdir()
    said = told({"alone/conftest.py": ""}, *SUITES)
    assert said.startswith("alone/conftest.py lies above the suites")


@pytest.mark.parametrize("args", [(), ("-q",)])
def test_whatever_lies_in_the_folder_is_no_whole_scope(told, args):
    assert told({}, *args).startswith("pytest was not told to collect the suites: --pyargs hil")


def test_what_was_chosen_and_what_may_have_been_dropped_are_told_together():
    made = plan.make(Options(suites=("polarity",)), ["-k", "x"], ["tox.ini was read"])
    assert made.partial == (
        "only the suites polarity were asked for; pytest was given -k x; tox.ini was read"
    )
    assert made.choice == ["only the suites polarity were asked for"]


SLY = """
import pytest

def pytest_collection(session):
    session.config.pluginmanager._loadconftestmodules(
        session.config.rootpath / "late", importmode="prepend",
        rootpath=session.config.rootpath, consider_namespace_packages=False)

def pytest_collection_finish():
    pytest.exit("enough was seen")
"""


def plain_pytest(folder, *args, **environment):
    line = [sys.executable, "-P", "-m", "pytest", "-q", "--hil-operator=A", *args]
    subprocess.run(
        line,
        cwd=folder,
        env={**os.environ, "PYTEST_ADDOPTS": "", **environment},
        capture_output=True,
        timeout=100,
        check=False,
    )
    (run,) = [path for path in (folder / "runs").iterdir() if path.is_dir()]
    return {record.kind: record.body for record in read_journal(run).records}


def test_an_ini_file_that_drops_tests_stands_in_the_run_record(tmp_path):
    text = "[pytest]\naddopts = --ignore-glob=*ramps*\npython_functions = test_a*\n"
    (tmp_path / "pytest.ini").write_text(text)
    found = plain_pytest(tmp_path, "--collect-only", *SUITES)
    assert "pytest took options from pytest.ini" in found["run"]["partial"]


def test_a_conftest_that_is_found_too_late_is_an_error_of_the_collection(tmp_path):
    # The suites lie alone here, without the checkout's own conftest.py above them.
    shutil.copytree(Path(hil_suites.__file__).parent, tmp_path / "hil_suites")
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "conftest.py").write_text("")
    (tmp_path / "sly.py").write_text(SLY)
    (tmp_path / "sly-1.dist-info").mkdir()
    (tmp_path / "sly-1.dist-info" / "METADATA").write_text("Name: sly\nVersion: 1\n")
    (tmp_path / "sly-1.dist-info" / "entry_points.txt").write_text("[pytest11]\nsly = sly\n")
    found = plain_pytest(tmp_path, *SUITES, PYTHONPATH=str(tmp_path))
    assert found["run"]["partial"] == ""
    assert found["collected"]["errors"] == [
        "late/conftest.py was loaded after the run began: use hil run"
    ]
