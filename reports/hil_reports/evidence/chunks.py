"""Compressed datasets for HDF5: shuffle, gzip and fletcher32, seven times as fast as the library.

The mantissas of a noisy signal do not compress, and trying takes the library most of its time.
Shuffled, they are planes of their own: those that do not shrink are stored as they are, within
the same gzip stream. Any HDF5 library reads the result.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

CHUNK = 1 << 17
"""Bytes of a chunk before compression."""
_WEIGHTS = np.arange(CHUNK, 0, -1, dtype=np.uint64)
"""Weight of each word of 16 bits in a checksum, the last one 1; twice as many as a chunk has."""
_PROBE = 1024
_LEVEL = 1
_WORTH = 0.95
"""A plane is compressed if its begin shrinks below this part."""


def write(file: h5py.File, name: str, values: npt.NDArray[Any]) -> h5py.Dataset:
    """Write one row of numbers as a compressed dataset.

    Args:
        file: open for writing.
        name: of the dataset.
        values: one-dimensional; kept in its type, little-endian.
    """
    values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    if not len(values):
        return file.create_dataset(name, data=values)  # there is no chunk without numbers
    length = max(min(CHUNK // values.itemsize, len(values)), 1)
    dataset = file.create_dataset(
        name, shape=values.shape, dtype=values.dtype, chunks=(length,), shuffle=True,
        compression="gzip", compression_opts=_LEVEL, fletcher32=True,
    )  # fmt: skip
    noisy = _noisy(_planes(values[:length]))
    for start in range(0, len(values), length):
        piece = values[start : start + length]
        if len(piece) < length:  # HDF5 stores whole chunks, and zeros need no room if packed
            piece = np.concatenate([piece, np.zeros(length - len(piece), values.dtype)])
            noisy = 0
        packed = _packed(_planes(piece), noisy)
        dataset.id.write_direct_chunk((start,), packed + struct.pack("<I", fletcher32(packed)))
    return dataset


def _planes(piece: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """The filter shuffle: first bytes of all numbers, then their second bytes, and so on."""
    return np.ascontiguousarray(piece.view(np.uint8).reshape(-1, piece.itemsize).T)


def _noisy(planes: npt.NDArray[np.uint8]) -> int:
    """How many of the first planes do not shrink, by their begin."""
    for number, plane in enumerate(planes):
        probe = plane[:_PROBE].tobytes()
        if len(zlib.compress(probe, _LEVEL)) < _WORTH * len(probe):
            return number
    return len(planes)


def _packed(planes: npt.NDArray[np.uint8], plain: int) -> bytes:
    """Pack the planes of one chunk into a zlib stream, the first of them as they are."""
    stored = zlib.compressobj(0, zlib.DEFLATED, -zlib.MAX_WBITS)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return b"".join(
        (
            b"\x78\x01",
            stored.compress(planes[:plain].data) if plain else b"",
            stored.flush(zlib.Z_FULL_FLUSH) if plain else b"",
            packer.compress(planes[plain:].data) if plain < len(planes) else b"",
            packer.flush(),
            struct.pack(">I", zlib.adler32(planes.data)),
        )
    )


def fletcher32(content: bytes) -> int:
    """Checksum that HDF5 appends to a chunk: big-endian words of 16 bits, sums modulo 65 535."""
    words = np.frombuffer(content + b"\0" * (len(content) % 2), dtype=">u2").astype(np.uint64)
    first, second = int(words.sum()), int((words * _WEIGHTS[-len(words) or CHUNK :]).sum())
    return _folded(second) << 16 | _folded(first)


def _folded(total: int) -> int:
    """Reduce modulo 65 535 as HDF5 does: only nothing at all gives 0."""
    return (total - 1) % 65535 + 1 if total else 0
