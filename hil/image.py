"""Firmware as it was flashed, against what the device says it holds."""

from __future__ import annotations

from hil.errors import BenchError


def check_installed(name: str, came: tuple[str, str], wanted: tuple[str, str]) -> None:
    """Refuse firmware that reads back as another.

    Raises:
        BenchError: names the image, what came and what belongs there.
    """
    if came != wanted:
        raise BenchError(
            f"firmware {name!r} was flashed, and the device reads back version {came[0]!r} with "
            f"SHA-256 {came[1][:12]}; expected {wanted[0]!r} with {wanted[1][:12]}: nothing that "
            "it does is to be judged; flash it again"
        )
