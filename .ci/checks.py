"""The gate: every check of this project in one run, on any platform, in any environment.

Run it with the python of the environment: `python .ci/checks.py [--strict]`. All checks run, also
after one has failed. A tool that is missing makes the result partial; with `--strict`, failed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Tool(NamedTuple):
    """An external program that some tests need, marked `needs_tool(program)`."""

    program: str
    package: str
    """Debian's name of the package."""
    proves: str
    """What is not proven without it."""


TOOLS = [
    Tool("chromium", "chromium", "HTML report in a browser"),
    Tool("pdftoppm", "poppler-utils", "pages of the PDF report"),
    Tool("tmux", "tmux", "command line in a real terminal"),
    Tool("ngspice", "ngspice", "physics of the simulated bench against another solver"),
    Tool("openssl", "openssl", "signatures of a sealed run by another program than ours"),
    Tool("cc", "gcc libc6-dev", "firmware in C behind the port, also under sanitizers"),
]

CHECKS = {
    "ruff check": ["ruff", "check"],
    "ruff format": ["ruff", "format", "--check"],
    "mypy": ["mypy"],
    "lint-imports": ["lint-imports", "--no-logo"],
    # A file's tests stay together; one process more than there are cores, as some wait for a disk
    # or a child. What measures wall time has the machine for itself afterwards.
    "pytest": [
        *("pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"),
        *("-m", "not alone", "--durations=15"),
    ],
    "pytest alone": ["pytest", "-m", "alone", "--durations=15"],
}


def passes(name: str, command: list[str]) -> bool:
    """Run one check of this environment from the root, its output shown as it comes."""
    print(f"\n== {name}", flush=True)
    scripts = Path(sys.executable).parent  # not resolved: a link there would lead out of the venv
    program = shutil.which(command[0], path=scripts)
    begin = time.monotonic()
    if program is None:
        print(f"{command[0]} is not installed beside {sys.executable}")
        code = 1
    else:
        code = subprocess.run([program, *command[1:]], cwd=ROOT, check=False).returncode
    result = "ok" if code == 0 else f"FAILED, exit code {code}"
    print(f"== {name}: {result}, {time.monotonic() - begin:.1f} s", flush=True)
    return code == 0


def main() -> int:
    """Run all checks; return 0 if none failed and, when strict, no tool is missing."""
    parser = argparse.ArgumentParser(description="Run every check of this project.")
    parser.add_argument("--strict", action="store_true", help="a missing tool is a failure")
    strict = parser.parse_args().strict
    os.environ.pop("PYTEST_ADDOPTS", None)  # nothing from outside may drop a test
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # some hundred processes compile us once
    if strict:
        os.environ["STIMPROOF_STRICT"] = "1"  # then a test whose tool is missing fails

    failed = [name for name, command in CHECKS.items() if not passes(name, command)]
    missing = [tool for tool in TOOLS if shutil.which(tool.program) is None]

    print()
    for tool in missing:
        print(f"NOT RUN  {tool.proves}  needs {tool.program}: apt-get install {tool.package}")
    if strict:
        failed += [f"{tool.program} is missing" for tool in missing]
    if failed:
        print("failed: " + ", ".join(failed))
        return 1
    if missing:
        print(f"partial: {len(CHECKS)} checks passed, {len(missing)} tools missing")
        return 0
    print(f"complete: all {len(CHECKS)} checks passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
