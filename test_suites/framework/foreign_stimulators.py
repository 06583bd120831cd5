"""Two devices of other makes, as docs/your-stimulator.md tells of them: files, package, benches."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hil.bench import BenchDescription
from hil.device import DeviceProfile
from hil_fixtures.config import read_bench, read_device, starter
from hil_instruments.simulated.bench import SimulatedBench

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "your-stimulator.md").read_text("utf-8")
EXAMPLE = ROOT / "docs" / "stimulator_example"


def blocks(language: str) -> list[str]:
    """Code blocks of the page in a language; those without one for the empty string."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for name, text in fenced if name == language]


def named(text: str, names: str) -> str:
    """A starter file with who the device is put in, as the page's step 2 has it."""
    there = re.search(
        r'^manufacturer = "Stimproof"[^\n]*\nmodel = "Reference Ionto"[^\n]*\n', text, re.MULTILINE
    )
    assert there, "the starter names another device"
    return text[: there.start()] + names + text[there.end() :]


def gx2_device() -> str:
    """Device file of the GX-2, after steps 1 to 4."""
    text = named(starter("device"), blocks("")[0])
    return text[: text.index("[wire.commands]")] + blocks("toml")[0]


def gx2_words(old: str, new: str) -> str:
    """The same without comments in its words, one of them changed."""
    head, mark, words = gx2_device().partition("[wire.commands]")
    plain = re.sub(r" +#.*", "", words)
    assert plain.count(old) == 1, old
    return head + mark + plain.replace(old, new)


def gx2_bench() -> str:
    """Bench file of the GX-2, after steps 1 and 2."""
    return named(starter("bench"), blocks("")[0])


def d1_device() -> str:
    """Device file of the D1: the figures of the starter, and no [wire]."""
    text = named(starter("device"), 'manufacturer = "Dermalux"\nmodel = "D1"\n')
    return text[: text.index("# --- How the device is spoken to")]


def d1_bench() -> str:
    """Bench file of the D1, its resource that of the simulated bench."""
    driver, _, *names = blocks("")[1].splitlines(keepends=True)
    text = named(starter("bench"), "".join(names))
    return text.replace('driver = "scpi-stimulator"\n', driver)


def install(folder: Path, package: Path = EXAMPLE) -> None:
    """Do in a folder of the path what pip does with the example package."""
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(head, "utf-8")
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(points), "utf-8")
    for module in package.glob("*.py"):
        (folder / module.name).write_text(module.read_text("utf-8"), "utf-8")


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Have the example package installed, in this process."""
    install(folder)
    sys.path.append(str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("dermalux_stimproof", None)
        importlib.invalidate_caches()


def described(folder: Path, device: str, bench: str) -> tuple[DeviceProfile, BenchDescription]:
    """Write both files, and read them as `hil run` does."""
    (folder / "device.toml").write_text(device, "utf-8")
    (folder / "bench.toml").write_text(bench, "utf-8")
    return read_device(folder / "device.toml"), read_bench(folder / "bench.toml")


def powered(profile: DeviceProfile, bench: BenchDescription) -> SimulatedBench:
    """The bench in this process, the device with power behind an open cut-off."""
    roles = {role: bench.instruments[role] for role in ("stimulator", "cutoff")}
    twin = SimulatedBench(profile, replace(bench, instruments=roles), (), 1)
    twin.clock.sleep(0.5)
    return twin
