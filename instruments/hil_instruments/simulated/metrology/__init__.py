"""How an instrument turns a voltage or current into numbers: converters, sampling, triggers.

Pure: the physics is asked through the circuit, time is an argument, noise is seeded.
"""
