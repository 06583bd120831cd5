"""Ranges of a Keithley 2450: what it sources and measures, and how well.

Ref: Model 2450 specifications, SPEC-2450 rev. A, July 2013: 1 year, 23 +- 5 degC, 1 NPLC. The noise
of a reading is taken as one step of its resolution.
"""

from __future__ import annotations

from hil_instruments.simulated.dialects.sourcing import SourceRange

OVERRANGE = 1.05
SOURCES = {
    "VOLT": (
        SourceRange(20e-3, 0.001, 200e-6, 500e-9),
        SourceRange(200e-3, 0.00015, 200e-6, 5e-6),
        SourceRange(2.0, 0.0002, 300e-6, 50e-6),
        SourceRange(20.0, 0.00015, 2.4e-3, 500e-6),
        SourceRange(200.0, 0.00015, 24e-3, 5e-3),
    ),
    "CURR": (
        SourceRange(10e-9, 0.001, 100e-12, 500e-15),
        SourceRange(100e-9, 0.0006, 150e-12, 5e-12),
        SourceRange(1e-6, 0.00025, 400e-12, 50e-12),
        SourceRange(10e-6, 0.00025, 1.5e-9, 500e-12),
        SourceRange(100e-6, 0.0002, 15e-9, 5e-9),
        SourceRange(1e-3, 0.0002, 150e-9, 50e-9),
        SourceRange(10e-3, 0.0002, 1.5e-6, 500e-9),
        SourceRange(100e-3, 0.00025, 15e-6, 5e-6),
        SourceRange(1.0, 0.00067, 900e-6, 50e-6),
    ),
}
METERS = {
    "VOLT": (
        SourceRange(20e-3, 0.001, 150e-6, 10e-9, 10e-9),
        SourceRange(200e-3, 0.00012, 200e-6, 100e-9, 100e-9),
        SourceRange(2.0, 0.00012, 300e-6, 1e-6, 1e-6),
        SourceRange(20.0, 0.00015, 1e-3, 10e-6, 10e-6),
        SourceRange(200.0, 0.00015, 10e-3, 100e-6, 100e-6),
    ),
    "CURR": (
        SourceRange(10e-9, 0.001, 50e-12, 10e-15, 10e-15),
        SourceRange(100e-9, 0.0006, 100e-12, 100e-15, 100e-15),
        SourceRange(1e-6, 0.00025, 300e-12, 1e-12, 1e-12),
        SourceRange(10e-6, 0.00025, 700e-12, 10e-12, 10e-12),
        SourceRange(100e-6, 0.0002, 6e-9, 100e-12, 100e-12),
        SourceRange(1e-3, 0.0002, 60e-9, 1e-9, 1e-9),
        SourceRange(10e-3, 0.0002, 600e-9, 10e-9, 10e-9),
        SourceRange(100e-3, 0.00025, 6e-6, 100e-9, 100e-9),
        SourceRange(1.0, 0.0003, 500e-6, 1e-6, 1e-6),
    ),
}
OHMS = (20.0, 200.0, 2e3, 20e3, 200e3, 2e6, 20e6, 200e6)
"""Full scale of the resistance ranges; their error is that of voltage and current."""
AUTO_DELAY = {10e-9: 0.15, 100e-9: 0.1, 1e-6: 3e-3, 200.0: 5e-3}
"""Source delay in s by full scale of the source range; elsewhere SHORTEST_DELAY. From memory."""
SHORTEST_DELAY = 1e-3
