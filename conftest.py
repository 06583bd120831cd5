"""Our own tests: what needs a tool is skipped without it, and fails under STIMPROOF_STRICT=1."""

import gc
import os
import shutil
import tempfile
from collections.abc import Generator

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Use neither key nor memory of whoever runs our tests; what needs a key makes one."""
    os.environ["STIMPROOF_KEY"] = ""
    memory = tempfile.TemporaryDirectory(prefix="stimproof-state-")
    config.add_cleanup(memory.cleanup)
    os.environ["STIMPROOF_STATE"] = memory.name


def pytest_collection_finish() -> None:
    """Let no later collection of garbage look at what was imported, which stays to the end.

    A pytest within a test collects five times when it ends, through all that this process holds.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let sessions that a test left open die before its failure is told.

    Python 3.11 raises SystemError where one of pyvisa's dies while source text is parsed, and that
    would end all tests in the place of one.
    """
    if call.excinfo is not None:
        gc.collect()
    return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look for the program that a test's `needs_tool` mark names."""
    for mark in item.iter_markers("needs_tool"):
        name = mark.args[0]
        if shutil.which(name):
            continue
        reason = f"{name} is not installed, or not on PATH"
        if os.environ.get("STIMPROOF_STRICT") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)  # the gate then lists it as NOT RUN and ends "partial"
