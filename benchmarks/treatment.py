"""A 20-minute treatment with every instrument attached, through drivers and features.

    .venv/bin/python benchmarks/treatment.py [--repeat N]

Beside it, in the same run: the physics of the same treatment by ngspice (adaptive and 1 ms steps),
which knows no instruments, no firmware and no wire. The record holds current and voltage at the
rate that suites use (2 kHz each); the budget in the design is 0.5 s at 1 kHz.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from datetime import date
from pathlib import Path

from hil.features import charge, peak, steady
from hil.scenario import Scenario
from hil.units import mA, s
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.interruption import Interruption
from hil_fixtures.stand import Bench
from hil_fixtures.station import open_station
from hil_instruments.simulated.bench import SimulatedBench

NETLIST = """20-minute treatment into skin
I1 0 out PWL(0 0 30 4m 1230 4m 1238 0 1240 0)
Rs out a 470
Rp a 0 10k
Cp a 0 100n
.options reltol=1e-4
.tran {step} 1240 0 {step} uic
.end
"""


def treatment() -> tuple[float, float, int]:
    """Seconds for the record, seconds for three features, and samples judged."""
    profile, description = read_device(None), read_bench(None)
    station = open_station(profile, description, today=date(2026, 1, 1), seed=1)
    sinks = (lambda kind, body: None), (lambda record: None)
    bench = Bench(station, profile, Interruption(), *sinks, 1, cleared=lambda: None)
    begin = time.perf_counter()
    record = bench.record(Scenario.treatment(4 * mA, load="skin", hold=1200 * s))
    middle = time.perf_counter()
    _ = steady(record.current), peak(record.current), charge(record.current)
    end = time.perf_counter()
    samples = sum(len(wave.samples) for wave in record.waveforms.values())
    station.close()
    return middle - begin, end - middle, samples


def attached() -> float:
    """Seconds for the bench alone: every instrument attached and busy, messages every 5 s."""
    description = read_bench(None)
    bench = SimulatedBench(read_device(None), description, seed=1)
    say = bench.exchange
    begin = time.perf_counter()
    say("supply", ":APPL CH1,9,1;:OUTP CH1,ON")
    bench.clock.sleep(1)
    say("load", f"ROUT:CLOS (@{description.loads['skin'].channel})")
    say("cutoff", "REL:CLOS 1;REN 10")
    for role, function, full_scale in (("ammeter", "CURR", "0.01"), ("voltmeter", "VOLT", "100")):
        say(role, f"CONF:{function} {full_scale};:SENS:{function}:ZERO:AUTO OFF;APER 0.0005")
        say(role, "SAMP:COUN MAX;SOUR TIM;TIM 0.001;:TRIG:COUN INF;:FORM:DATA REAL,64;:INIT")
    say("oscilloscope", ":CHAN1:PROB 1;SCAL 0.2;:TRIG:EDG:LEV 0.6;:TIM:SCAL 0.01;:SING")
    say("stimulator", "SOUR:CURR 4 MA;:TREAT:STAR")
    for second in range(0, 1240, 5):
        if second == 1230:
            say("stimulator", "TREAT:STOP")
        bench.clock.sleep(5)
        say("cutoff", "REL:REN 10")
        for role in ("ammeter", "voltmeter"):
            say(role, "R?")
        say("oscilloscope", ":TRIG:STAT?")
    return time.perf_counter() - begin


def ngspice(step: str) -> float:
    """Seconds that ngspice takes in batch mode."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "treatment.cir"
        file.write_text(NETLIST.format(step=step))
        begin = time.perf_counter()
        subprocess.run(
            ["ngspice", "-b", "-r", str(file.with_suffix(".raw")), str(file)],
            check=True,
            capture_output=True,
        )
        return time.perf_counter() - begin


def main() -> None:
    """Print the figures of this run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    runs = [treatment() for _ in range(repeat)]
    record = statistics.median(run[0] for run in runs)
    features = statistics.median(run[1] for run in runs)
    whole = record + features
    alone = statistics.median(attached() for _ in range(repeat))
    print(f"bench alone, 1 kHz current and voltage, messages every 5 s: {alone:.2f} s")
    print(f"record {record:.2f} s, features {features:.3f} s, {runs[0][2]} samples")
    print(f"20 minutes in {whole:.2f} s: {1240 / whole:.0f} x real time")
    if shutil.which("ngspice"):
        for name, step in (("adaptive, at most 1 s", "1"), ("1 ms step", "1m")):
            peer = statistics.median(ngspice(step) for _ in range(repeat))
            print(f"ngspice, circuit alone, {name}: {peer:.2f} s, ratio {peer / whole:.2f}")


if __name__ == "__main__":
    main()
