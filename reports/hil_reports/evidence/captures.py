"""Captures on disk: one HDF5 file each, written whole, named by hash, never touched again.

One file a capture, because a writer that is killed inside HDF5 can leave that file unreadable: so
the file is made in memory, and appears under its name only when it lies on the disk. Its own hash
stands in the journal and is checked before HDF5 sees the file: one wrong bit in its structures can
make a reader hang.

The dataset `samples` holds what the instrument sent: its codes, or its numbers in SI. A sample is
`code x scale + offset`; a code at or below `lowest`, or at or above `highest`, is an overload.
Filters are shuffle, gzip and fletcher32, which every HDF5 library reads.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hil.bodies import CaptureBody
from hil.capture import Accuracy, Capture, Codes, Source
from hil.errors import BenchError, UsageError
from hil.exact import Dimension
from hil.measurement import Calibration
from hil_reports.evidence import chunks, foreign

FOLDER = "captures"
"""Folder of the capture files within data/."""
# What h5py raises for a damaged file depends on the byte that is wrong.
_WIDEST = 8  # bytes of a sample
_UNREADABLE = (
    AttributeError, KeyError, MemoryError, OSError, OverflowError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
MOST = 1 << 26
"""Samples that a capture can have: half a gigabyte of numbers. One of more is not stored."""
DIGITS = 16
"""Leading digits of the hash that name a file."""


def path_of(data: Path, sha256: str) -> Path:
    """Return where a capture lies; refuses what is not a hash, which could lead elsewhere."""
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise UsageError(f"{sha256!r} is no SHA-256 in lower-case hexadecimal")
    return data / FOLDER / f"{sha256[:DIGITS]}.h5"


def store(data: Path, capture: Capture) -> str:
    """Write a capture unless it is there already; its name is synced by the caller.

    Args:
        data: the data/ folder of a run.
        capture: samples with their time base and source.

    Returns:
        SHA-256 of the file; its content is on the disk, its name once the folder is synced.

    Raises:
        BenchError: the disk did not take it, another file stands under its name, or it has more
            samples than are read back.
    """
    if len(capture.samples) > MOST:
        raise BenchError(f"a capture of {len(capture.samples)} samples; at most {MOST} are stored")
    path = path_of(data, capture.sha256)
    image = image_of(capture)
    try:
        if path.exists():
            if path.read_bytes() != image:
                raise BenchError(
                    f"{FOLDER}/{path.name} exists with another content: it was changed"
                )
        else:
            path.parent.mkdir(exist_ok=True)
            _write(path, image)
    except OSError as err:
        raise BenchError(f"the disk refused capture {path.name}: {err}") from err
    return hashlib.sha256(image).hexdigest()


def image_of(capture: Capture) -> bytes:
    """Return the file of a capture; the same capture gives the same bytes."""
    raw = capture.samples.astype("<f8") if capture.codes is None else capture.codes.values
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
        dataset = chunks.write(file, "samples", raw)
        for name, value in _attributes(capture).items():
            dataset.attrs[name] = value
        dataset.attrs["gaps"] = np.array(capture.gaps, dtype="<i8").reshape(-1, 2)
    return buffer.getvalue()


def load(data: Path, cited: CaptureBody) -> Capture:
    """Read a capture back, whole, and check the hash of the file, then that of its content.

    Args:
        data: the data/ folder of a run.
        cited: what the journal says about it.

    Raises:
        UsageError: the file is missing, cannot be read, or holds another capture.
    """
    path = path_of(data, str(cited["sha256"]))  # whatever another wrote there
    where = f"capture {FOLDER}/{path.name}"
    try:
        content = foreign.content_of(path, foreign.GIB)
    except UsageError as err:
        raise UsageError(f"{where} cannot be read: {err}") from err
    try:
        digest = hashlib.sha256(content).hexdigest()
        if digest != cited["file_sha256"]:
            raise UsageError(
                f"{where} was changed: the hash of the file is {digest}, "
                f"{cited['file_sha256']} was recorded"
            )
        with h5py.File(io.BytesIO(content), "r") as file:
            capture = _capture(_samples(file, cited["count"]))
    except _UNREADABLE as err:
        raise UsageError(f"{where} cannot be read: {err}") from err
    if capture.sha256 != cited["sha256"]:
        raise UsageError(
            f"{where} was changed: its hash is {capture.sha256}, {cited['sha256']} was recorded"
        )
    return capture


def _write(path: Path, content: bytes) -> None:
    """Bring a file to the disk; it has its name only once it is whole."""
    part = path.with_suffix(".part")
    with part.open("wb", buffering=0) as file:
        done = file.write(content)
        if done != len(content):
            part.unlink()  # its room is wanted for the last records
            raise BenchError(f"the disk took {done} of {len(content)} bytes of {path.name}")
        os.fsync(file.fileno())
    os.replace(part, path)


def _attributes(capture: Capture) -> dict[str, Any]:
    source, codes = capture.source, capture.codes
    numbers = {
        "start": capture.start,
        "interval": capture.interval,
        "start_u": capture.start_u,
        "interval_error": capture.interval_error,
        "scale": codes.scale if codes else 1.0,
        "offset": codes.offset if codes else 0.0,
        "accuracy_gain": source.accuracy.gain,
        "accuracy_offset": source.accuracy.offset,
        "accuracy_coverage": source.accuracy.coverage or 0.0,
        "accuracy_warm_gain": source.accuracy.warm_gain,
        "accuracy_warm_offset": source.accuracy.warm_offset,
        "accuracy_resolution": source.accuracy.resolution,
    }
    clips = {"lowest": codes.lowest, "highest": codes.highest} if codes else {}
    return {name: np.float64(value) for name, value in numbers.items()} | {
        **{name: np.int64(value) for name, value in clips.items()},
        "unit": capture.dimension.value,
        "role": source.role,
        "serial": source.serial,
        "calibration": source.calibration.value,
        "accuracy": source.accuracy.id,
        "accuracy_source": source.accuracy.source,
    }


def _samples(file: h5py.File, count: int) -> h5py.Dataset:
    """Return the dataset if it is as we write it: one that unpacks to more is not read."""
    if not isinstance(file.get("samples", getlink=True), h5py.HardLink):
        raise UsageError("its samples lie elsewhere")
    dataset = file["samples"]
    if dataset.shape != (count,):
        raise UsageError(f"its shape is {dataset.shape}; {count} samples were recorded")
    if count > MOST:
        raise UsageError(f"{count} samples were recorded; at most {MOST} are read")
    if dataset.dtype.kind not in "iuf" or dataset.dtype.itemsize > _WIDEST:
        raise UsageError(f"its samples are {dataset.dtype}; allowed: whole numbers or floats")
    if count and not _stored_whole(dataset):
        raise UsageError("its samples are not stored in whole chunks as we write them")
    return dataset


def _stored_whole(dataset: h5py.Dataset) -> bool:
    """Whether a dataset has all its chunks in this file, none too large to unpack."""
    (count,) = dataset.shape
    if dataset.chunks is None or dataset.is_virtual or dataset.external:
        return False
    (length,) = dataset.chunks
    small = length * dataset.dtype.itemsize <= chunks.CHUNK
    return bool(small and dataset.id.get_num_chunks() == -(-count // length))


def _capture(dataset: h5py.Dataset) -> Capture:
    attrs: Mapping[str, Any] = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in dataset.attrs.items()
    }
    accuracy = Accuracy(
        attrs["accuracy"],
        attrs["accuracy_gain"],
        attrs["accuracy_offset"],
        attrs["accuracy_source"],
        coverage=attrs["accuracy_coverage"] or None,
        warm_gain=attrs["accuracy_warm_gain"],
        warm_offset=attrs["accuracy_warm_offset"],
        resolution=attrs["accuracy_resolution"],
    )
    raw, codes = dataset[()], None
    if "lowest" in attrs:
        codes = Codes(raw, attrs["scale"], attrs["offset"], attrs["lowest"], attrs["highest"])
    return Capture(
        np.asarray(raw, dtype="<f8") if codes is None else codes.samples,
        attrs["start"],
        attrs["interval"],
        attrs["start_u"],
        Dimension(attrs["unit"]),
        Source(attrs["role"], attrs["serial"], accuracy, Calibration(attrs["calibration"])),
        tuple((int(first), int(count)) for first, count in attrs["gaps"]),
        codes,
        attrs["interval_error"],
    )
