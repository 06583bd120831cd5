"""The page on the simulated bench: its examples run, its tables and pictures are those of the code.

The examples of a served bench name ports; here those of a server that was really started.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from hil_instruments.simulated.faults.spec import FaultSpec

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "simulated-bench.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
IMAGES = sorted(set(re.findall(r"\]\(images/([^)]+)\)", PAGE)))
SERVE = [sys.executable, "-c", "from hil_fixtures.cli import main; main()", "serve", "served.toml"]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What `hil serve` prints; it serves until the end of this module."""
    with subprocess.Popen(
        [*SERVE, "--scale", "20"],
        cwd=tmp_path_factory.mktemp("served"),
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield "".join(iter(server.stdout.readline, "Ctrl-C ends it\n"))
        server.terminate()
        assert server.wait(20) == 0


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """The script that makes the page's pictures and tables."""
    folder = ROOT / "docs"
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("make_bench_page", folder / "make_bench_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(folder))


def at_ports_of(said: str, example: str) -> str:
    """The example with the ammeter's resource names and the control port that were printed."""
    for kind in ("SOCKET", "hislip0", "inst0"):
        (name,) = re.findall(rf"^ +ammeter +(\S*{kind}\S*)$", said, re.MULTILINE)
        example = re.sub(rf'"TCPIP[^"]*{kind}[^"]*"', f'"{name}"', example)
    (control,) = re.findall(r"control channel: port (\d+)", said)
    return re.sub(r"ControlClient\(\d+\)", f"ControlClient({control})", example)


def test_there_is_an_example_of_each_way_in() -> None:
    for example, word in zip(
        EXAMPLES, ("resource_manager", "::SOCKET", "ControlClient"), strict=True
    ):
        assert word in example


def test_the_example_in_this_process_runs() -> None:
    exec(compile(EXAMPLES[0], "simulated-bench.md, example 1", "exec"), {})


@pytest.mark.parametrize("number", [1, 2])
def test_an_example_of_a_served_bench_runs(said: str, number: int) -> None:
    example = at_ports_of(said, EXAMPLES[number])
    assert example != EXAMPLES[number]
    exec(compile(example, f"simulated-bench.md, example {number + 1}", "exec"), {})


def test_every_fault_on_the_page_can_be_seeded() -> None:
    named = re.findall(r"--fault (\S+)", PAGE)
    assert len(named) > 3
    for text in named:
        FaultSpec.parse(text.strip("`"))


@pytest.mark.parametrize("name", ["values", "faults"])
def test_a_computed_table_is_what_the_code_says_today(script: ModuleType, name: str) -> None:
    (there,) = re.findall(rf"<!-- made:{name} -->\n(.*?)\n<!-- made:end -->", PAGE, re.DOTALL)
    assert there == script.TABLES[name](), "run docs/make_bench_page.py"


@pytest.mark.parametrize("name", IMAGES)
def test_a_picture_is_there_and_small_and_says_that_it_is_simulated(name: str) -> None:
    svg = (ROOT / "docs" / "images" / name).read_text("utf-8")
    assert len(svg.encode()) < 100_000
    assert ">SIMULATED</text>" in svg


def test_the_script_makes_every_picture_of_the_page(script: ModuleType) -> None:
    assert sorted(f"bench-{name}.svg" for name in script.pictures()) == IMAGES


def test_the_schematic_is_the_one_that_the_script_draws(script: ModuleType) -> None:
    there = (ROOT / "docs" / "images" / "bench-circuit.svg").read_text("utf-8")
    assert there == script.circuit()


def test_a_picture_made_twice_is_the_same(script: ModuleType) -> None:
    make = script.pictures()["F43"]
    assert make() == make()
