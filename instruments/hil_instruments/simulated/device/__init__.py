"""The device under test: firmware behind a port, the board under it, and the two as one device."""
