"""Everything that talks to an instrument, real or simulated."""
