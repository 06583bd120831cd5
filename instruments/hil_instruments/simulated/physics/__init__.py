"""The circuit of the simulated bench: device, wiring and load, solved exactly between events."""
