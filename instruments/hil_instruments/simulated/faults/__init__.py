"""Faults of the simulated bench: catalogue as data, what each one changes, and when."""
