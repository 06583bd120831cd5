"""The simulated bench: one circuit, one clock, and instruments that speak their real dialects."""
