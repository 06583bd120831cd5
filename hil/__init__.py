"""The pure core of stimproof: quantities, scenarios, measurements, requirements, verdicts.

Nothing in this package opens a session, reads a file or looks at a clock.
"""
