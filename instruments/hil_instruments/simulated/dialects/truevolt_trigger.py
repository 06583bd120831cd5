"""Trigger and sampling settings of a Truevolt multimeter."""

from __future__ import annotations

import math

from hil_instruments.simulated.dialects.truevolt_ranges import SETTING_WORDS
from hil_instruments.simulated.dialects.truevolt_sense import TruevoltSense
from hil_instruments.simulated.scpi import (
    ScpiError,
    boolean,
    choice,
    integer,
    number,
    optional,
    scientific,
    scpi,
)

MEMORY, LARGE_MEMORY = 50_000, 2_000_000
"""Readings that the memory holds without and with option MEM."""
LONGEST_TIMER = LONGEST_DELAY = 3600.0
TIMER_STEP = 1e-6
LARGEST_COUNT = 1_000_000_000
"""Samples per trigger. Not found in a manual at hand; the limit of triggers is."""
LARGEST_TRIGGERS = 1_000_000


class TruevoltTrigger(TruevoltSense):
    """When it measures, and how often."""

    memory_size = MEMORY

    def preset(self) -> None:
        """Return to the state after *RST: immediate trigger, one sample."""
        self._trigger_preset()
        super().preset()

    def _trigger_preset(self) -> None:
        self._sample_count, self._before, self._trigger_count = 1, 0, 1.0
        self._trigger_source, self._sample_source = "IMM", "IMM"
        self._timer, self._delay, self._auto_delay = 1.0, 0.0, True
        self._slope, self._level = "NEG", 0.0

    def _interval(self) -> float:
        """Time from sample to sample in s."""
        one = self._reading_time()
        if self._sample_source == "IMM" or self._sample_count == 1:
            return one
        if self._timer < one * (1 - 1e-9):
            raise ScpiError(
                -221, f"sample timer {self._timer:g} s is shorter than a sample, {one:g} s"
            )
        return self._timer

    @scpi("SAMPle:COUNt", integer(SETTING_WORDS))
    def _set_sample_count(self, given: int | str) -> None:
        largest = self.memory_size if self._before else LARGEST_COUNT
        words = {"MIN": 1, "MAX": largest, "DEF": 1}
        count = words[given] if isinstance(given, str) else given
        if not 1 <= count <= largest:
            raise ScpiError(-222, f"{count} samples; allowed: 1 to {largest}")
        self._sample_count = count
        self._forget()

    @scpi("SAMPle:COUNt?", optional(choice(SETTING_WORDS)))
    def _samples(self, word: str = "") -> str:
        limits = {"MIN": 1, "MAX": LARGEST_COUNT, "DEF": 1}
        return f"{limits.get(word, self._sample_count):+d}"

    @scpi("SAMPle:COUNt:PRETrigger", integer(SETTING_WORDS))
    def _set_before(self, given: int | str) -> None:
        self._need_digitizing()
        words = {"MIN": 0, "MAX": self._sample_count - 1, "DEF": 0}
        count = words[given] if isinstance(given, str) else given
        if not 0 <= count < self.memory_size:
            allowed = f"0 to {self.memory_size - 1}"
            raise ScpiError(-222, f"{count} samples before the trigger; allowed: {allowed}")
        self._before = count
        self._forget()

    @scpi("SAMPle:COUNt:PRETrigger?")
    def _samples_before(self) -> str:
        return f"{self._before:+d}"

    def _need_digitizing(self) -> None:
        if not self.digitizes:
            raise ScpiError(
                -241, "level trigger and pre-trigger need option DIG", "Hardware missing"
            )

    @scpi("SAMPle:SOURce", choice("IMMediate|TIMer"))
    def _set_sample_source(self, source: str) -> None:
        self._sample_source = source
        self._forget()

    @scpi("SAMPle:SOURce?")
    def _sample_source_in_use(self) -> str:
        return self._sample_source

    @scpi("SAMPle:TIMer", number("S", words=SETTING_WORDS))
    def _set_timer(self, given: float | str) -> None:
        words = {"MIN": self._reading_time(), "MAX": LONGEST_TIMER, "DEF": 1.0}
        seconds = words[given] if isinstance(given, str) else given
        if not 0 < seconds <= LONGEST_TIMER:
            raise ScpiError(-222, f"timer {seconds:g} s; allowed: up to {LONGEST_TIMER:g} s")
        self._timer = max(round(seconds / TIMER_STEP), 1) * TIMER_STEP
        self._forget()

    @scpi("SAMPle:TIMer?", optional(choice(SETTING_WORDS)))
    def _timer_in_use(self, word: str = "") -> str:
        limits = {"MIN": self._reading_time(), "MAX": LONGEST_TIMER, "DEF": 1.0}
        return scientific(limits.get(word, self._timer))

    @scpi("TRIGger:SOURce", choice("IMMediate|BUS|EXTernal|INTernal"))
    def _set_trigger_source(self, source: str) -> None:
        if source == "INT":
            self._need_digitizing()
        self._trigger_source = source
        self._forget()

    @scpi("TRIGger:SOURce?")
    def _trigger_source_in_use(self) -> str:
        return self._trigger_source

    @scpi("TRIGger:COUNt", number(words=SETTING_WORDS + "|INFinity"))
    def _set_trigger_count(self, given: float | str) -> None:
        words = {"MIN": 1.0, "MAX": float(LARGEST_TRIGGERS), "DEF": 1.0, "INF": math.inf}
        count = words[given] if isinstance(given, str) else given
        if not 1 <= count <= LARGEST_TRIGGERS and given != "INF":
            allowed = f"1 to {LARGEST_TRIGGERS} or INFinity"
            raise ScpiError(-222, f"{count:g} triggers; allowed: {allowed}")
        self._trigger_count = count if math.isinf(count) else float(round(count))
        self._forget()

    @scpi("TRIGger:COUNt?")
    def _triggers(self) -> str:
        return scientific(min(self._trigger_count, 9.9e37))

    @scpi("TRIGger:DELay", number("S", words=SETTING_WORDS))
    def _set_delay(self, given: float | str) -> None:
        words = {"MIN": 0.0, "MAX": LONGEST_DELAY, "DEF": 0.0}
        seconds = words[given] if isinstance(given, str) else given
        if not 0 <= seconds <= LONGEST_DELAY:
            raise ScpiError(-222, f"delay {seconds:g} s; allowed: 0 to {LONGEST_DELAY:g} s")
        self._delay, self._auto_delay = seconds, False
        self._forget()

    @scpi("TRIGger:DELay?")
    def _delay_in_use(self) -> str:
        return scientific(self._delay)

    @scpi("TRIGger:DELay:AUTO", boolean())
    def _set_auto_delay(self, on: bool) -> None:
        """The automatic delay of direct voltage and current is taken as 0 (from memory)."""
        self._auto_delay = on
        self._delay = 0.0 if on else self._delay
        self._forget()

    @scpi("TRIGger:DELay:AUTO?")
    def _is_auto_delay(self) -> str:
        return str(int(self._auto_delay))

    @scpi("TRIGger:SLOPe", choice("POSitive|NEGative"))
    def _set_slope(self, slope: str) -> None:
        self._slope = slope
        self._forget()

    @scpi("TRIGger:SLOPe?")
    def _slope_in_use(self) -> str:
        return self._slope

    @scpi("TRIGger:LEVel", number("V", "A", words=SETTING_WORDS))
    def _set_level(self, given: float | str) -> None:
        self._need_digitizing()
        limit = 1000.0 if self._setting.auto else self._setting.scale.limit
        words = {"MIN": -limit, "MAX": limit, "DEF": 0.0}
        level = words[given] if isinstance(given, str) else given
        if abs(level) > limit:
            raise ScpiError(-222, f"level {level:g}; allowed: {-limit:g} to {limit:g}")
        self._level = level
        self._forget()

    @scpi("TRIGger:LEVel?")
    def _level_in_use(self) -> str:
        return scientific(self._level)
