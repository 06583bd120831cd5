"""XDR values, RPC records and calls read from any stream of bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil_instruments.simulated.servers import rpc, xdr

RECORDS = st.lists(st.binary(max_size=40), max_size=5)


def fragmented(data: bytes, sizes: list[int]) -> bytes:
    parts, start = b"", 0
    for size in sizes:
        parts += struct.pack("!I", len(data[start : start + size])) + data[start : start + size]
        start += size
    return parts + rpc.record(data[start:])


@given(records=RECORDS, cuts=st.lists(st.integers(0, 250), max_size=9))
def test_records_survive_any_split(records: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(rpc.record, records))
    ends = sorted({*(cut for cut in cuts if cut < len(data)), len(data)})
    reader, got = rpc.RecordReader(100), []
    for start, end in zip([0, *ends], ends, strict=False):
        got += list(reader.feed(data[start:end]))
    assert got == records


@given(data=st.binary(max_size=60), sizes=st.lists(st.integers(0, 20), max_size=5))
def test_fragments_are_put_together(data: bytes, sizes: list[int]) -> None:
    assert list(rpc.RecordReader(100).feed(fragmented(data, sizes))) == [data]


@given(data=st.binary(max_size=300))
def test_any_bytes_give_records_or_the_record_error(data: bytes) -> None:
    reader = rpc.RecordReader(64)
    try:
        assert all(len(record) <= 64 for record in reader.feed(data))
    except rpc.RecordError:
        return
    assert len(reader._held) + len(reader._record) <= 64 + 2 * 4  # noqa: SLF001  # the bound


@given(data=st.binary(max_size=120))
def test_any_record_is_a_call_or_one_of_two_errors(data: bytes) -> None:
    try:
        call = rpc.read_call(data)
    except (rpc.RecordError, rpc.VersionError):
        return
    assert 0 <= call.procedure < 2**32


@given(data=st.binary(max_size=40), longest=st.integers(0, 50))
def test_any_arguments_are_read_or_refused(data: bytes, longest: int) -> None:
    unpacker = xdr.Unpacker(data)
    try:
        unpacker.signed()
        unpacker.boolean()
        assert len(unpacker.opaque(longest)) <= longest
    except xdr.XdrError:
        return


@given(number=st.integers(-(2**31), 2**31 - 1), data=st.binary(max_size=20))
def test_what_is_packed_is_read_again(number: int, data: bytes) -> None:
    packed = xdr.packed_int(number) + xdr.packed_opaque(data) + xdr.packed_uint(7)
    unpacker = xdr.Unpacker(packed)
    assert (unpacker.signed(), unpacker.opaque(20), unpacker.unsigned()) == (number, data, 7)


def test_a_call_is_read_as_it_was_made() -> None:
    (record,) = rpc.RecordReader(100).feed(rpc.call(5, 0x0607AF, 1, 12, b"\0\0\0\7"))
    call = rpc.read_call(record)
    assert (call.xid, call.program, call.version, call.procedure) == (5, 0x0607AF, 1, 12)
    assert call.arguments.signed() == 7


def test_a_call_of_another_rpc_version_names_its_transaction() -> None:
    (record,) = rpc.RecordReader(100).feed(rpc.call(9, 1, 1, 1))
    with pytest.raises(rpc.VersionError, match="9"):
        rpc.read_call(record[:8] + b"\0\0\0\3" + record[12:])


def test_a_reply_is_no_call() -> None:
    (record,) = rpc.RecordReader(100).feed(rpc.success(1, bytes(8)))
    with pytest.raises(rpc.RecordError, match=r"no call|allowed: 0"):
        rpc.read_call(record)


def test_a_refusal_of_a_version_names_what_is_allowed() -> None:
    refusal = rpc.refusal(3, rpc.Accept.NO_VERSION)
    assert struct.unpack("!9I", refusal[:36])[1:] == (3, 1, 0, 0, 0, 2, 1, 1)


def test_too_long_a_record_is_told_from_its_first_mark() -> None:
    with pytest.raises(rpc.RecordError, match="more than 64"):
        list(rpc.RecordReader(64).feed(struct.pack("!I", 0x7FFFFFFF)))
