"""Devices that differ from the reference: none is accused, and none hides a fault: `make devices`.

    python -m qualify.devices [--jobs 2] [DEVICE ...]

Each is the built-in device file with other figures, or without words that a device may lack. It is
judged healthy, by all tests of standard depth, and with each fault, by those that the fault names.
A fault that would do nothing on it is told so. Exit code 1 if a healthy one was accused, or a fault
was not caught by a requirement that it violates.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hil.verdict import Verdict
from hil_fixtures.config import starter
from hil_instruments.simulated.faults.catalogue import find
from qualify.matrix import by_a_test, tests_of
from qualify.runs import judged
from qualify.seeds import weighed

FAULTS = ("F02", "F03", "F07", "F19", "F24", "F28", "F43", "F49", "F57", "F58", "F59")
"""Of each layer and each state; those of a ramp first, which lasts otherwise long everywhere."""

NOTHING = "would do nothing on"
"""In what the tool says of a fault that cannot set in on a device."""


@dataclass(frozen=True)
class Variant:
    """What a device file says otherwise than the built-in one."""

    figures: Mapping[str, str]
    """Name to value."""
    lacking: tuple[str, ...] = ()
    """Figures that it does not declare."""
    mute: tuple[str, ...] = ()
    """Words that it does not know."""
    negative: bool = False
    """Whether its usual polarity is the other one."""
    spared: tuple[str, ...] = ()
    """Faults that do nothing on it, or that violate only what it declares nothing for."""

    @property
    def text(self) -> str:
        """Its file."""
        text = starter("device")
        for name, value in self.figures.items():
            text = _changed(rf'(\[{re.escape(name)}\]\nvalue = )"[^"]*"', rf'\1"{value}"', text)
        for name in self.lacking:
            text = _changed(rf"\[{re.escape(name)}\]\n(?:.+\n)+", "", text)
        for word in self.mute:
            text = _changed(rf"(?m)^{word} = .*\n", "", text)
        if self.negative:
            text = _changed('polarity = "positive"', 'polarity = "negative"', text)
        return text


def _changed(pattern: str, by: str, text: str) -> str:
    changed, count = re.subn(pattern, by, text, count=1)
    if not count:
        raise ValueError(f"the built-in device file has nothing like {pattern}")
    return changed


_SMALLER = {
    "output.setpoint_max": "2.0 mA",
    "output.software_limit": "2.2 mA",
    "output.trip": "2.5 mA",
    "output.compliance": "60 V",
    "output.load_max": "20 kohm",
    "protection.open_resistance": "100 kohm",
    "dose.maximum": "40 mA*min",
    "dose.cumulative": "42 mA*min",
}
DEVICES = {
    "negative, no pause, 20 s": Variant(
        _SMALLER
        | {
            "ramp.up_time": "20 s",
            "ramp.down_time": "5 s",
            "ramp.up_slope": "0.15 mA/s",
            "ramp.down_slope": "0.6 mA/s",
        },
        lacking=("indication.impedance",),
        mute=("pause", "resume", "query_impedance"),
        negative=True,
        spared=("F59",),
    ),
    "quick, 4 s, rest 0.2 s": Variant(
        _SMALLER
        | {
            "ramp.up_time": "4 s",
            "ramp.down_time": "2 s",
            "ramp.up_slope": "0.7 mA/s",
            "ramp.down_slope": "1.5 mA/s",
            "polarity.dwell": "0.2 s",
            "protection.reconnect_time": "2 s",
            "power.hold_up": "0.5 s",
        }
    ),
    "tiny, 0.5 mA, 10 s": Variant(
        {
            "output.setpoint_max": "0.5 mA",
            "output.setpoint_min": "0.05 mA",
            "output.setpoint_step": "0.05 mA",
            "output.accuracy_absolute": "0.01 mA",
            "output.overshoot_absolute": "0.01 mA",
            "output.software_limit": "0.55 mA",
            "output.trip": "0.65 mA",
            "output.compliance": "30 V",
            "ramp.up_time": "10 s",
            "ramp.down_time": "3 s",
            "ramp.up_slope": "0.08 mA/s",
            "ramp.down_slope": "0.25 mA/s",
            "ramp.step": "0.02 mA",
            "dose.maximum": "10 mA*min",
            "dose.cumulative": "10.5 mA*min",
            "electrode.area": "2 cm^2",
            "indication.current_absolute": "0.01 mA",
            "output.standby": "5 uA",
            "protection.off_current": "5 uA",
        },
        spared=("F43",),
    ),
    "slow, 60 s, rest 5 s": Variant(
        {
            "ramp.up_time": "60 s",
            "ramp.down_time": "30 s",
            "ramp.up_slope": "0.1 mA/s",
            "ramp.down_slope": "0.2 mA/s",
            "polarity.dwell": "5 s",
            "protection.open_time": "1 s",
            "protection.stop_time": "1 s",
            "protection.off_time": "3 s",
            "protection.reconnect_time": "15 s",
            "power.hold_up": "5 s",
            "protection.watchdog_time": "5 s",
            "output.trip_time": "50 ms",
        }
    ),
    "bare": Variant(
        {
            "output.setpoint_max": "3 mA",
            "output.setpoint_min": "0.5 mA",
            "output.setpoint_step": "0.25 mA",
            "output.software_limit": "3.3 mA",
            "output.trip": "4 mA",
        },
        lacking=(
            "dose.cumulative",
            "output.ripple",
            "electrode.area",
            "electrode.density",
            "power.minimum",
            "power.maximum",
            "power.accuracy",
            "timer.accuracy",
            "protection.link_time",
            "protection.watchdog_time",
            "indication.current_relative",
            "indication.current_absolute",
            "indication.impedance",
            "indication.voltage_relative",
            "indication.voltage_absolute",
            "indication.time",
            "indication.lag",
        ),
        mute=(
            "pause",
            "resume",
            "query_impedance",
            "query_limited",
            "query_short",
            "self_test",
            "query_voltage",
            "query_polarity",
            "query_time",
            "set_link_time",
        ),
        spared=("F43", "F59"),
    ),
}
"""Name to what is other."""


@dataclass(frozen=True)
class Row:
    """What became of one device, healthy or with a fault."""

    device: str
    fault: str
    told: tuple[str, ...]
    """What is wrong with the suites; empty if nothing."""
    word: str = "as it must be"
    """What to say where nothing is."""


def healthy(name: str) -> Row:
    """What is held against a healthy one."""
    accused, _ = weighed(judged(depth="standard", device=DEVICES[name].text))
    return Row(name, "", accused)


def faulty(name: str, fault: str) -> Row:
    """Whether a fault is caught on it, or nothing is judged where it is said to be spared."""
    known, variant = find(fault), DEVICES[name]
    try:
        found = judged(tests_of(known), fault=fault, depth="standard", device=variant.text)
    except RuntimeError as err:
        if fault in variant.spared and NOTHING in str(err):
            return Row(name, fault, (), "does nothing on it")
        return Row(name, fault, (str(err)[-300:],))
    failed = [row.requirement["id"] for row in found.requirements if by_a_test(row)]
    if set(failed) & set(known.violates):
        return Row(name, fault, ())
    mine = {row.verdict for row in found.requirements if row.requirement["id"] in known.violates}
    if fault in variant.spared and mine == {Verdict.NOT_EVALUATED}:
        return Row(name, fault, (), "not evaluated on it: it declares nothing for that")
    why = f"said to violate {', '.join(known.violates)}; failed: {', '.join(failed) or 'nothing'}"
    return Row(name, fault, (why,))


def main(arguments: list[str] | None = None) -> int:
    """Print a row for each; return 1 where the suites were wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("devices", nargs="*", help=f"default: all of {'; '.join(DEVICES)}")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    options = parser.parse_args(arguments)
    chosen = options.devices or list(DEVICES)
    if unknown := [name for name in chosen if name not in DEVICES]:
        parser.error(f"no device {', '.join(unknown)}; allowed: {'; '.join(DEVICES)}")
    asked = [(name, fault) for name in chosen for fault in FAULTS]
    wrong = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        going = [pool.submit(healthy, name) for name in chosen]
        going += [pool.submit(faulty, *each) for each in asked]
        for future in going:
            row = future.result()
            word = row.fault or "healthy"
            print(f"{row.device}: {word}: {'; '.join(row.told) or row.word}", flush=True)
            wrong += bool(row.told)
    print(f"{len(chosen)} healthy devices, {len(asked)} with a fault; wrong: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
