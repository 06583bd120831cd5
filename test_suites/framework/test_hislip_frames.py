"""HiSLIP frames cut from any stream of bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil_instruments.simulated.servers.hislip_frames import (
    HEADER,
    Frame,
    FrameError,
    FrameReader,
    Kind,
)

FRAMES = st.lists(
    st.builds(
        Frame,
        kind=st.integers(0, 255),
        control=st.integers(0, 255),
        parameter=st.integers(0, 2**32 - 1),
        payload=st.binary(max_size=40),
    ),
    max_size=5,
)


def read_split(data: bytes, cuts: list[int], longest: int) -> tuple[list[Frame], str]:
    reader, frames, ends = FrameReader(longest), [], sorted({*cuts, len(data)})
    start = 0
    for end in ends:
        try:
            frames += list(reader.feed(data[start:end]))
        except FrameError as err:
            return frames, str(err)
        start = end
    return frames, ""


def test_a_frame_is_sixteen_bytes_of_header_and_its_payload() -> None:
    encoded = Frame(Kind.DATA_END, 1, 0xFFFFFF00, b"*IDN?\n").encoded()
    assert (
        encoded.hex() == "4853" + "07" + "01" + "ffffff00" + "0000000000000006" + b"*IDN?\n".hex()
    )


@given(frames=FRAMES, cuts=st.lists(st.integers(0, 300), max_size=12))
def test_frames_survive_any_split(frames: list[Frame], cuts: list[int]) -> None:
    data = b"".join(frame.encoded() for frame in frames)
    assert read_split(data, [cut for cut in cuts if cut < len(data)], 100) == (frames, "")


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_any_bytes_give_frames_or_the_frame_error(data: bytes, cuts: list[int]) -> None:
    frames, _ = read_split(data, [cut for cut in cuts if cut < len(data)], 64)
    assert all(len(frame.payload) <= 64 for frame in frames)


@given(tail=st.binary(max_size=100), length=st.integers(0, 2**64 - 1))
def test_any_announced_length_keeps_memory_bounded(tail: bytes, length: int) -> None:
    reader = FrameReader(64)
    list(reader.feed(HEADER.pack(b"HS", 7, 0, 0, length)))
    try:
        list(reader.feed(tail))
    except FrameError:
        return
    assert len(reader._held) <= HEADER.size + 64  # noqa: SLF001  # the bound is the point


def test_too_large_a_payload_is_skipped_and_the_next_frame_read() -> None:
    data = Frame(Kind.DATA, 0, 2, b"x" * 65).encoded() + Frame(Kind.TRIGGER, 0, 4).encoded()
    assert list(FrameReader(64).feed(data)) == [
        Frame(Kind.DATA, 0, 2, b"", excess=65),
        Frame(Kind.TRIGGER, 0, 4),
    ]


@pytest.mark.parametrize("data", [b"X", b"HX", b"GET / HTTP/1.1\r\n"])
def test_another_prologue_is_told_at_its_first_wrong_byte(data: bytes) -> None:
    with pytest.raises(FrameError, match="begin with 'HS'"):
        list(FrameReader(64).feed(data))
