"""A 20-minute treatment through the circuit alone, beside ngspice and a loop over samples.

    python benchmarks/physics.py               # ngspice is compared if it is installed

The treatment: 4 mA into the skin of the built-in bench, up in 30 s and down in 8 s by a converter
step each 25 ms, current and voltage at 1 kHz. Contestants: our circuit; a loop of numpy that
advances the three states of the same circuit sample by sample, exactly; ngspice with its own choice
of steps (up to 25 ms, else it would drop converter steps), and with steps of at most 1 ms.

Prints processor time, best of several rounds, its ratio to ours, and how far each is from ours.
Then what one step of our circuit costs, and what looking at its history does. Budget: the whole
bench has 0.5 s for such a treatment, a step of the circuit 30 us.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.physics.circuit import (
    AMMETER_BURDEN,
    VOLTMETER_RESISTANCE,
    Circuit,
    Node,
    OutputStage,
)

Array = npt.NDArray[np.float64]
DEVICE, BENCH = read_device(None), read_bench(None)
STAGE = OutputStage(operate=0, release=0)
CURRENT, UP, DOWN, LENGTH, TICK = 4e-3, 30.0, 8.0, 1200.0, 25e-3
RATE = 1000
ROUNDS = 3
EDGE = 2e-6
"""Length in s of a converter step in ngspice."""


def commands() -> list[tuple[float, float]]:
    """Time in s and current in A of each converter step."""
    up, down = round(UP / TICK), round(DOWN / TICK)
    rising = [(k * TICK, CURRENT * (k + 1) / up) for k in range(up)]
    begin = LENGTH - DOWN - 1.0
    return rising + [(begin + k * TICK, CURRENT * (1 - (k + 1) / down)) for k in range(down)]


def times() -> Array:
    """When current and voltage are looked at, in s."""
    return np.arange(round(LENGTH * RATE), dtype=np.float64) / RATE


def ours() -> tuple[Array, Array]:
    """Current and voltage by our circuit."""
    made = Circuit(DEVICE, BENCH, STAGE)
    made.select_load(BENCH.loads["skin"])
    made.set_cutoff(True)
    made.set_output_relay(True)
    for time_s, amperes in commands():
        made.advance(time_s)
        made.command(amperes)
    made.advance(LENGTH)
    return made.observe(Node.CURRENT, times()), made.observe(Node.TERMINAL, times())


def sampled() -> tuple[Array, Array]:
    """Current and voltage by a loop over samples: lag, output and skin as three states."""
    matrix, feed, see = _states()
    rates, vectors = np.linalg.eig(matrix)
    decay = np.exp(rates / RATE)
    inverse = np.linalg.inv(vectors)
    driven = inverse @ feed * (decay - 1) / rates  # exact: converter steps fall on samples
    asked = _asked()
    state, seen = np.zeros(3), np.empty((len(asked), 3))
    for number, now in enumerate(asked):
        seen[number] = state
        state = decay * state + driven * now
    values = (see @ vectors @ seen.T).real
    return values[0], values[1]


def _states() -> tuple[Array, Array, Array]:
    """Matrix and input of lag, output and skin; rows that give current and voltage."""
    skin = BENCH.loads["skin"]
    if skin.parallel is None or skin.capacitance is None:
        sys.exit("the built-in bench has lost its skin")
    series = float(skin.series.base) + float(BENCH.shunt.base)
    ohm, farad = float(skin.parallel.base), float(skin.capacitance.base)
    total = 1 / AMMETER_BURDEN + 1 / series + 1 / VOLTMETER_RESISTANCE
    terminal = np.array([0, 1 / AMMETER_BURDEN, 1 / series]) / total
    current = (np.array([0, 1, 0]) - terminal) / AMMETER_BURDEN
    load = (terminal - np.array([0, 0, 1])) / series
    across = STAGE.capacitance + STAGE.stray
    matrix = np.array(
        [
            [-1 / STAGE.lag, 0, 0],
            (np.array([1, 0, 0]) - current) / across,
            (load - np.array([0, 0, 1 / ohm])) / farad,
        ]
    )
    return matrix, np.array([1 / STAGE.lag, 0, 0]), np.array([current, terminal])


def _asked() -> Array:
    """Current in A asked for at each sample."""
    steps = np.array(commands())
    places = np.searchsorted(steps[:, 0], times() + 1e-9, side="right") - 1
    return steps[places, 1]


def spice(options: str) -> tuple[Array, Array]:
    """Current and voltage by ngspice, at our times between its own."""
    last, points = 0.0, ["0 0"]
    for time_s, amperes in commands():
        points.append(f"{time_s + EDGE:.10g} {last:.10g}")
        points.append(f"{time_s + 2 * EDGE:.10g} {amperes * 1e3:.10g}")
        last = amperes * 1e3
    skin = f"Rs b c 470\nRp c sh 10k\nCp c sh 100n\nRsh sh 0 {float(BENCH.shunt.base)}"
    rows = [
        "* treatment",
        "Vcmd cmd 0 PWL(" + "\n+ ".join(points) + ")",
        "Rlag cmd reg 1k\nClag reg 0 1u\nGst 0 out reg 0 1m\nCout out 0 120p",
        "Rburden out am 2\nVam am b 0\nRvolt b 0 10Meg",
        skin,
        f".tran 1 {LENGTH} 0 {options} uic",
        ".save v(b) i(vam)\n.end\n",
    ]
    with tempfile.TemporaryDirectory() as folder:
        source, raw = Path(folder) / "a.cir", Path(folder) / "a.raw"
        source.write_text("\n".join(rows), encoding="ascii")
        command = ["ngspice", "-b", "-r", str(raw), str(source)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        head, _, body = raw.read_bytes().partition(b"Binary:\n")
    names = [
        row.split()[1]
        for row in head.decode().split("\nVariables:")[1].splitlines()
        if row.startswith("\t")
    ]
    table = np.frombuffer(body).reshape(-1, len(names))
    columns = (table[:, names.index(name)] for name in ("i(vam)", "v(b)"))
    current, voltage = (np.interp(times(), table[:, 0], column) for column in columns)
    return current, voltage


def timed(contestant: Callable[[], tuple[Array, Array]], rounds: int) -> tuple[float, Array, Array]:
    """Best processor time in s, children included, and what came of it."""
    best, found = float("inf"), (np.empty(0), np.empty(0))
    for _ in range(rounds):
        before = _processor()
        found = contestant()
        best = min(best, _processor() - before)
    return best, *found


def _processor() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def race() -> None:
    """All contestants, beside ours."""
    contestants: dict[str, tuple[Callable[[], tuple[Array, Array]], int]] = {
        "numpy, sample by sample": (sampled, 1)
    }
    if shutil.which("ngspice"):
        contestants["ngspice, steps of its own"] = (lambda: spice(f"{TICK}"), ROUNDS)
        contestants["ngspice, steps of 1 ms"] = (lambda: spice("1m"), 1)
    best, current, voltage = timed(ours, ROUNDS)
    print(f"{'circuit, with 2.4 million samples':36}{best:9.3f} s")
    for name, (contestant, rounds) in contestants.items():
        took, other, volts = timed(contestant, rounds)
        apart = max(np.abs(other - current).max() / 5e-3, np.abs(volts - voltage).max() / 80)
        print(f"{name:36}{took:9.3f} s{took / best:9.1f} x ours, {apart:.3%} of full scale from it")


def costs() -> None:
    """What one command step costs, and looking at the history."""
    for name in ("2k", "skin", "skin2", "cole", "dry"):
        took = min(_ramp(name, watched=False) for _ in range(ROUNDS))
        watched = min(_ramp(name, watched=True) for _ in range(ROUNDS))
        print(
            f"step into {name:6}{took * 1e6:7.1f} us, with two ADC windows {watched * 1e6:.1f} us"
        )
    made = Circuit(DEVICE, BENCH, STAGE)
    made.select_load(BENCH.loads["skin"])
    made.set_cutoff(True)
    made.set_output_relay(True)
    for time_s, amperes in commands():
        made.advance(time_s)
        made.command(amperes)
    made.advance(LENGTH + 1.0)
    for what, look in (
        ("observe, first time", lambda: made.observe(Node.CURRENT, times())),
        ("observe again", lambda: made.observe(Node.CURRENT, times())),
        ("means over 1 ms", lambda: made.means(Node.CURRENT, times(), 1e-3)),
    ):
        begin = time.process_time()
        look()
        took = time.process_time() - begin
        print(f"{what}: {len(times()) / 1e6:.1f} million samples in {took * 1e3:.0f} ms")


def _ramp(load: str, *, watched: bool) -> float:
    """Processor time in s of each step of a ramp."""
    made = Circuit(DEVICE, BENCH, STAGE)
    made.select_load(BENCH.loads[load])
    made.set_cutoff(True)
    made.set_output_relay(True)
    if watched:
        made.watch(Node.SENSE, -1.0, 4.4e-3)
        made.watch(Node.OUTPUT, -1.0, 75.0)
    count = round(UP / TICK)
    begin = time.process_time()
    for step in range(count):
        made.command(1.5e-3 * (step + 1) / count)
        made.advance((step + 1) * TICK)
    return (time.process_time() - begin) / count


if __name__ == "__main__":
    race()
    costs()
