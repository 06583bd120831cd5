"""The trigger model of a DMM6500: blocks, and the steps that they come to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from hil_instruments.simulated.scpi import ScpiError

MOST_BLOCKS = 63
MOST_STEPS = 10_000
"""Steps of one program, loops that only measure counted once."""


@dataclass(frozen=True, slots=True)
class Clear:
    """Empty a reading buffer."""

    buffer: str
    label: str = "BUFFER_CLEAR"


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait, in s."""

    seconds: float
    label: str = "CONSTANT_DELAY"


@dataclass(frozen=True, slots=True)
class Measure:
    """Measure or digitise into a buffer; `repeats` times, each after a delay."""

    buffer: str
    count: float
    repeats: float = 1
    delay: float = 0.0
    label: str = "MEASURE_DIGITIZE"


@dataclass(frozen=True, slots=True)
class Branch:
    """Go to a block until it has been passed `count` times in all; always if infinite."""

    target: int
    count: float
    label: str = "BRANCH_COUNTER"


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for *TRG."""

    label: str = "WAIT"


@dataclass(frozen=True, slots=True)
class Nothing:
    """Do nothing."""

    label: str = "NO_OPERATION"


Block: TypeAlias = Clear | Delay | Measure | Branch | Wait | Nothing
Step: TypeAlias = Clear | Delay | Measure | Wait


def simple_loop(count: float, delay: float, buffer: str) -> dict[int, Block]:
    """Blocks of the template SimpleLoop: clear, then delay and measure so many times."""
    blocks: dict[int, Block] = {1: Clear(buffer), 2: Delay(delay), 3: Measure(buffer, 1)}
    blocks[4] = Branch(2, count)
    return blocks


def steps(blocks: Mapping[int, Block]) -> list[Step]:
    """Return what a trigger model does, in order.

    Raises:
        ScpiError: it loops without measuring, or does more than can be followed.
    """
    made: list[Step] = []
    for step in _walk(blocks):
        made.append(step)
        if len(made) > MOST_STEPS:
            raise ScpiError(-225, f"more than {MOST_STEPS} steps", "Out of memory")
        if isinstance(step, Measure) and math.isinf(step.count * step.repeats):
            break
    return made


def _walk(blocks: Mapping[int, Block]) -> Iterator[Step]:
    passed: dict[int, int] = {}
    place, walked = 1, 0
    while place in blocks:
        block = blocks[place]
        walked += 1
        if walked > 10 * MOST_STEPS:
            raise ScpiError(-221, "the trigger model loops without measuring")
        if isinstance(block, Branch):
            loop = _loop(blocks, block.target, place)
            passed[place] = passed.get(place, 0) + 1
            left = block.count - passed[place]
            if loop is not None and left > 0:
                # What the loop still measures is one step, however often it is passed.
                yield Measure(loop.buffer, loop.count, left, loop.delay)
                passed[place] = 0
            elif left > 0:
                place = block.target
                continue
            else:
                passed[place] = 0
        elif not isinstance(block, Nothing):
            yield block
        place += 1


def _loop(blocks: Mapping[int, Block], first: int, end: int) -> Measure | None:
    """Body of a loop if it only waits and then measures once; None for any other."""
    delay, measured = 0.0, None
    for place in range(first, end):
        block = blocks.get(place, Nothing())
        if isinstance(block, Delay) and measured is None:
            delay += block.seconds
        elif isinstance(block, Measure) and measured is None and block.repeats == 1:
            measured = block
        elif not isinstance(block, Nothing):
            return None
    return None if measured is None else Measure(measured.buffer, measured.count, 1, delay)
