"""Coverage-guided fuzzing of RPC records and of the VXI-11 channels, without a socket.

    python test_suites/fuzz/fuzz_vxi11.py -max_total_time=300 corpus/   # needs atheris

Each input is cut into calls and pieces for two core channels and an abort channel; whatever
comes, nothing may be raised, what is sent must be RPC records, and the instrument must answer
afterwards.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "framework"))

with atheris.instrument_imports(include=["hil_instruments.simulated.servers"]):
    from test_server_bytes import Wire, answers, place, replies_of

    from hil_instruments.simulated.servers import rpc
    from hil_instruments.simulated.servers.vxi11 import Vxi11Port
    from hil_instruments.simulated.servers.vxi11_calls import ABORT, CORE
    from hil_instruments.simulated.servers.xdr import packed_int, packed_opaque

PIECES = 24
TEXTS = (b"*IDN?", b"SYST:ERR?", b"*OPC;*WAI", b"*SRE 255;*ESE 255", b"inst0", b"")


def arguments(data: atheris.FuzzedDataProvider) -> bytes:
    """Values that some procedure takes, or any bytes."""
    if data.ConsumeProbability() < 0.2:
        return data.ConsumeBytes(48)
    values = []
    for _ in range(data.ConsumeIntInRange(0, 8)):
        if data.ConsumeProbability() < 0.25:
            values.append(packed_opaque(data.PickValueInList(list(TEXTS))))
        else:
            values.append(packed_int(data.PickValueInList([0, 1, 2, 8, 128, 129, 1000, -1])))
    return b"".join(values)


def piece(data: atheris.FuzzedDataProvider, program: int) -> bytes:
    """A call, or any bytes."""
    if data.ConsumeProbability() < 0.1:
        return data.ConsumeBytes(48)
    return rpc.call(7, program, 1, data.ConsumeIntInRange(0, 31), arguments(data))


def one_input(raw: bytes) -> None:
    """Feed one input."""
    data = atheris.FuzzedDataProvider(raw)
    hub, seat = place()
    port = Vxi11Port(seat)
    wires = (Wire(), Wire(), Wire())
    core, other, abort = (
        port.answer_core(wires[0]),  # type: ignore[arg-type]  # a fake
        port.answer_core(wires[1]),  # type: ignore[arg-type]  # a fake
        port.answer_abort(wires[2]),  # type: ignore[arg-type]  # a fake
    )
    channels = ((core, CORE), (other, CORE), (abort, ABORT))
    for (channel, _), wire in zip(channels, wires, strict=True):
        wire.lost = channel.lost
    core.received(rpc.call(0, CORE, 1, 10, packed_int(0) * 3 + packed_opaque(b"inst0")))
    for _ in range(PIECES):
        if not data.remaining_bytes():
            break
        choice = data.ConsumeIntInRange(0, 3)
        if choice == 3:
            hub.turn(0.02)
        elif channels[choice][0].connection.open:
            channel, program = channels[choice]
            channel.received(piece(data, program))
            hub.turn()
    for wire in wires:
        replies_of(wire.sent)
        wire.close()
    hub.turn(100.0)
    if seat.lock.holders() != (False, 0) or seat.watched or not answers(seat):
        raise RuntimeError("something was left behind")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
