"""Captures on disk: one HDF5 file each, written whole, named by hash, never touched again.

One file a capture, because a writer that is killed inside HDF5 can leave that file unreadable: so
it costs at most the capture that was being written, which no journal record cites yet. Samples are
not compressed: on noisy samples gzip saves a third of the space for eighteen times the time.

The last 32 bytes of a file are the SHA-256 of those before, which HDF5 readers pass over. They are
checked first: one wrong bit in its structures can make an HDF5 reader hang.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hil.capture import Accuracy, Capture, Source
from hil.errors import UsageError
from hil.exact import Dimension
from hil.measurement import Calibration

FOLDER = "captures"
"""Folder of the capture files within data/."""
# What h5py raises for a damaged file depends on the byte that is wrong.
_UNREADABLE = (
    AttributeError, KeyError, MemoryError, OSError, OverflowError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
_TRAILER = 32
DIGITS = 16
"""Leading digits of the hash that name a file."""


def path_of(data: Path, sha256: str) -> Path:
    """Return where a capture lies; refuses what is not a hash, which could lead elsewhere."""
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise UsageError(f"{sha256!r} is no SHA-256 in lower-case hexadecimal")
    return data / FOLDER / f"{sha256[:DIGITS]}.h5"


def store(data: Path, capture: Capture) -> Path:
    """Write a capture unless it is there already; it appears under its name only when complete.

    Args:
        data: the data/ folder of a run.
        capture: samples with their time base and source.

    Returns:
        The file, not yet synced to the disk.
    """
    path = path_of(data, capture.sha256)
    if path.exists():
        return path
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    with h5py.File(part, "w") as file:
        dataset = file.create_dataset(
            "samples", data=np.ascontiguousarray(capture.samples, dtype="<f8")
        )
        dataset.attrs.update(_attributes(capture))
        dataset.attrs["gaps"] = np.array(capture.gaps, dtype="<i8").reshape(-1, 2)
    digest = hashlib.sha256(part.read_bytes()).digest()
    with part.open("ab") as trailer:
        trailer.write(digest)
    os.replace(part, path)
    return path


def load(data: Path, sha256: str) -> Capture:
    """Read a capture back, whole, and check its hash.

    Raises:
        UsageError: the file is missing, cannot be read, or holds another capture.
    """
    path = path_of(data, sha256)
    where = f"{FOLDER}/{path.name}"
    try:
        content = path.read_bytes()
        if hashlib.sha256(memoryview(content)[:-_TRAILER]).digest() != content[-_TRAILER:]:
            raise UsageError("it was changed, or not written by stimproof")
        with h5py.File(path, "r") as file:
            capture = _capture(file["samples"])
    except _UNREADABLE as err:
        raise UsageError(f"capture {where} cannot be read: {err}") from err
    if capture.sha256 != sha256:
        raise UsageError(
            f"capture {where} was changed: its hash is {capture.sha256}, {sha256} was recorded"
        )
    return capture


def _attributes(capture: Capture) -> dict[str, Any]:
    source = capture.source
    return {
        "start": capture.start,
        "interval": capture.interval,
        "start_u": capture.start_u,
        "unit": capture.dimension.value,
        "role": source.role,
        "serial": source.serial,
        "calibration": source.calibration.value,
        "accuracy": source.accuracy.id,
        "accuracy_gain": source.accuracy.gain,
        "accuracy_offset": source.accuracy.offset,
        "accuracy_source": source.accuracy.source,
    }


def _capture(dataset: h5py.Dataset) -> Capture:
    attrs = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in dataset.attrs.items()
    }
    accuracy = Accuracy(
        attrs["accuracy"],
        attrs["accuracy_gain"],
        attrs["accuracy_offset"],
        attrs["accuracy_source"],
    )
    return Capture(
        np.asarray(dataset[()], dtype="<f8"),
        attrs["start"],
        attrs["interval"],
        attrs["start_u"],
        Dimension(attrs["unit"]),
        Source(attrs["role"], attrs["serial"], accuracy, Calibration(attrs["calibration"])),
        tuple((int(first), int(count)) for first, count in attrs["gaps"]),
    )
