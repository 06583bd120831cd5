"""Coverage-guided fuzzing of the HiSLIP framing and sessions, without a socket.

    python test_suites/fuzz/fuzz_hislip.py -max_total_time=300 corpus/   # needs atheris

Each input is cut into pieces for the two channels of a session and for strangers; whatever comes,
nothing may be raised, what is sent must be HiSLIP frames, and the instrument must answer after it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "framework"))

with atheris.instrument_imports(include=["hil_instruments.simulated.servers"]):
    from test_server_bytes import Wire, answers, begin_session, frames_of, place

    from hil_instruments.simulated.servers.hislip import HislipPort
    from hil_instruments.simulated.servers.hislip_frames import HEADER, Frame

KINDS, IDS = range(28), (0, 1, 0xFFFFFF00, 0xFFFFFF02, 0xFFFFFEFE)
PIECES = 24


def piece(data: atheris.FuzzedDataProvider) -> bytes:
    """A frame that is nearly right, or any bytes."""
    if data.ConsumeProbability() < 0.2:
        return data.ConsumeBytes(40)
    frame = Frame(
        data.PickValueInList(list(KINDS)),
        data.ConsumeIntInRange(0, 3),
        data.PickValueInList(list(IDS)),
        data.ConsumeBytes(data.ConsumeIntInRange(0, 40)),
    ).encoded()
    if data.ConsumeProbability() < 0.1:  # a length that is not the payload's
        frame = frame[: HEADER.size - 8] + data.ConsumeBytes(8).ljust(8, b"\0") + frame[16:]
    return frame


def one_input(raw: bytes) -> None:
    """Feed one input."""
    data = atheris.FuzzedDataProvider(raw)
    hub, seat = place()
    port = HislipPort(seat)
    stranger_wire = Wire()
    stranger = port.answer(stranger_wire)  # type: ignore[arg-type]  # a fake
    stranger_wire.lost = stranger.lost
    channels = (*begin_session(port), stranger)
    for _ in range(PIECES):
        if not data.remaining_bytes():
            break
        choice = data.ConsumeIntInRange(0, 3)
        if choice == 3:
            hub.turn(0.02)
        elif channels[choice].connection.open:
            channels[choice].received(piece(data))
            hub.turn()
    for channel in channels:
        frames_of(channel.connection.sent)  # type: ignore[attr-defined]  # a fake
        channel.connection.close()
    hub.turn(100.0)
    if seat.lock.holders() != (False, 0) or seat.watched or not answers(seat):
        raise RuntimeError("something was left behind")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
