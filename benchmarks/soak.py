"""A day on the simulated bench: does its memory stay where it was?

    .venv/bin/python benchmarks/soak.py [--hours 24]

Treatments of 20 minutes follow one another; the ammeter samples at 100 per second and is drained
every 60 s, as a recorder is. Printed: wall time, resident memory after the first hour and at the
end, and the circuit's charge beside the firmware's account.
"""

from __future__ import annotations

import argparse
import resource
import time

from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench


def resident() -> float:
    """Largest resident memory so far in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24)
    hours = parser.parse_args().hours
    description = read_bench(None)
    bench = SimulatedBench(read_device(None), description, seed=1)

    def say(role: str, text: str) -> bytes:
        return bench.exchange(role, text)

    say("supply", ":APPL CH1,9,1;:OUTP CH1,ON")
    bench.clock.sleep(1)
    say("load", f"ROUT:CLOS (@{description.loads['skin'].channel})")
    epoch, minutes, begin, first, samples = 0, 0, time.perf_counter(), 0.0, 0
    say("ammeter", "CONF:CURR:DC 0.01;:SENS:CURR:DC:ZERO:AUTO OFF;:SENS:CURR:DC:APER 0.005")
    say("ammeter", "SAMP:COUN MAX;SOUR TIM;TIM 0.01;:TRIG:COUN INF;:FORM:DATA REAL,64;:INIT")
    while minutes < hours * 60:
        if minutes % 25 == 0:
            epoch += 1
            power = ":OUTP CH1,OFF", ":OUTP CH1,ON"  # a new patient: the dose account begins anew
            for text in power:
                say("supply", text)
                bench.clock.sleep(2)
            say("cutoff", f"REL:CLOS {epoch};REN 10")
            say("stimulator", "SOUR:CURR 2 MA;DOSE 40;:TREAT:STAR")
        for _ in range(12):
            bench.clock.sleep(5)
            say("cutoff", "REL:REN 10")
        samples += (len(say("ammeter", "R?")) - 8) // 8
        minutes += 1
        if minutes == 60:
            first = resident()
    wall = time.perf_counter() - begin
    print(f"{hours:g} h in {wall:.1f} s, {hours * 3600 / wall:.0f} x real time; {samples} samples")
    print(f"resident memory: {first:.0f} MB after an hour, {resident():.0f} MB at the end")
    print(f"charge {bench.circuit.charge():.4f} C; error queues:", end=" ")
    print({role: say(role, "SYST:ERR?").decode().strip() for role in bench.instruments})


if __name__ == "__main__":
    main()
