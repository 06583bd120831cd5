"""The simulated bench over loopback TCP: raw sockets, HiSLIP, VXI-11, and a control channel."""
