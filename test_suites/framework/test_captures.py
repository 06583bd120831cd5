"""Capture files: whatever was captured comes back to the bit, and any HDF5 library reads it."""

from __future__ import annotations

import hashlib
import io
import random
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hil.capture import Accuracy, Capture, Codes, Source
from hil.errors import BenchError, UsageError
from hil.exact import Dimension
from hil.measurement import Calibration
from hil_reports.evidence import captures, chunks

SOURCE = Source(
    "ammeter", "SIM-2", Accuracy("SIM-2[10 mA]", 5e-4, 2e-6, "sheet"), Calibration.VALID
)
NOISE = np.random.default_rng(7)


def made(samples, **changes) -> Capture:
    given = {"samples": np.array(samples, dtype=np.float64), "start": 1.25, "interval": 0.001}
    rest = {"start_u": 1e-5, "dimension": Dimension.CURRENT, "source": SOURCE}
    return Capture(**(given | rest | changes))


def coded(values, dtype=np.uint8) -> Capture:
    codes = Codes(np.array(values, dtype), 0.004, -0.508, 0, 255)
    return made(codes.samples, dimension=Dimension.VOLTAGE, codes=codes)


def stored(tmp_path, capture):
    digest = captures.store(tmp_path, capture)
    return {"sha256": capture.sha256, "file_sha256": digest, "count": len(capture.samples)}


WARM = Accuracy(
    "SIM-2[10 mA]",
    5e-4,
    2e-6,
    "certificate",
    coverage=2.0,
    warm_gain=1e-5,
    warm_offset=3e-7,
    resolution=1e-8,
)
CAPTURES = {
    "warm air": made([1.0, 2.0], source=replace(SOURCE, accuracy=WARM), interval_error=2e-4),
    "noise": made(NOISE.normal(size=50_000)),
    "noise on a level": made(4e-3 + 1e-7 * NOISE.normal(size=40_001)),
    "constant": made(np.full(100_000, 4e-3)),
    "ramp": made(np.linspace(0, 4e-3, 16_385)),
    "overload": made([np.inf, -np.inf, -0.0, 5e-324, 1.7e308]),
    "gap": made([1.0, np.nan, np.nan, 2.0], gaps=((1, 2),)),
    "one": made([1.0]),
    "none": made([]),
    "codes": coded(NOISE.integers(0, 256, 20_000)),
    "wide codes": coded(NOISE.integers(1, 255, 70_001), np.int16),
}


@pytest.mark.parametrize("name", CAPTURES)
def test_a_capture_comes_back_to_the_bit(tmp_path, name):
    capture = CAPTURES[name]
    back = captures.load(tmp_path, stored(tmp_path, capture))
    assert back.samples.tobytes() == capture.samples.tobytes()
    assert back.sha256 == capture.sha256
    assert (back.source, back.gaps, back.dimension, back.interval_error) == (
        capture.source,
        capture.gaps,
        capture.dimension,
        capture.interval_error,
    )
    if capture.codes:
        assert back.codes.values.dtype == capture.codes.values.dtype
        assert back.codes.values.tobytes() == capture.codes.values.tobytes()


@pytest.mark.parametrize("name", CAPTURES)
def test_the_same_capture_gives_the_same_file(tmp_path, name):
    capture = CAPTURES[name]
    again = replace(capture, samples=capture.samples.copy())
    assert captures.image_of(capture) == captures.image_of(again)
    assert captures.store(tmp_path, capture) == captures.store(tmp_path, again)


@pytest.mark.parametrize("name", CAPTURES)
def test_a_plain_reader_sees_the_numbers_as_they_came_and_what_they_mean(tmp_path, name):
    capture = CAPTURES[name]
    stored(tmp_path, capture)
    with h5py.File(captures.path_of(tmp_path, capture.sha256), "r") as file:
        dataset = file["samples"]
        filters = (dataset.shuffle, dataset.compression, dataset.fletcher32)
        assert filters == ((True, "gzip", True) if len(dataset) else (False, None, False))
        raw, attrs = dataset[()], dict(dataset.attrs)
    meant = raw * attrs["scale"] + attrs["offset"]
    inside = np.isfinite(capture.samples)
    assert (meant[inside] == capture.samples[inside]).all()
    assert (attrs["unit"], attrs["interval"]) == (capture.dimension.value, 0.001)
    assert (attrs["role"], attrs["serial"], attrs["calibration"]) == ("ammeter", "SIM-2", "valid")
    assert (attrs["accuracy"], attrs["accuracy_gain"]) == ("SIM-2[10 mA]", 5e-4)
    assert raw.dtype == (capture.codes.values.dtype if capture.codes else np.dtype("<f8"))


def test_codes_at_the_ends_of_the_converter_are_overloads():
    samples = coded([0, 1, 127, 254, 255]).samples
    assert list(samples) == [-np.inf, -0.504, pytest.approx(0, abs=1e-12), 0.508, np.inf]
    with pytest.raises(UsageError, match="3 codes for 2 samples"):
        made([1.0, 2.0], codes=Codes(np.array([1, 2, 3]), 1.0, 0.0, 0, 255))


def test_noise_is_stored_and_a_level_is_compressed():
    """What the filter is for: the file is smaller, and never much larger, than its samples."""
    for name, most in {
        "noise": 1.02,
        "constant": 0.02,
        "noise on a level": 0.76,
        "codes": 1.2,
    }.items():
        capture = CAPTURES[name]
        raw = capture.codes.values if capture.codes else capture.samples
        assert len(captures.image_of(capture)) < most * raw.nbytes + 8000


arrays = st.sampled_from(["<f8", "<i2", "|u1", "<i4", "<f4"]).flatmap(
    lambda kind: npst.arrays(np.dtype(kind), st.integers(0, 300))
)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(arrays, st.integers(1, 64))
def test_any_row_of_numbers_is_read_back_by_the_library(values, chunk):
    """In chunks of some bytes, so that a short row has many of them."""
    buffer = io.BytesIO()
    with pytest.MonkeyPatch.context() as small:
        small.setattr(chunks, "CHUNK", chunk)
        with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
            chunks.write(file, "samples", values)
    with h5py.File(buffer, "r") as file:
        assert file["samples"][()].tobytes() == values.tobytes()


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.binary(min_size=1, max_size=3000))
@example(b"\xff\xff")
@example(b"\xff\xfe\x00\x01")
@example(b"\x00\x00")
@example(b"\xff\xff" * 400)
def test_the_checksum_is_that_of_the_library(content):
    """HDF5 reads a chunk only if its own checksum is the one that we wrote behind it."""
    size = len(content)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        dataset = file.create_dataset("x", (size,), "u1", chunks=(size,), fletcher32=True)
        checksum = chunks.fletcher32(content).to_bytes(4, "little")
        dataset.id.write_direct_chunk((0,), content + checksum)
    with h5py.File(buffer, "r") as file:
        assert file["x"][()].tobytes() == content


def test_a_wrong_bit_in_the_samples_is_refused_by_the_library_itself(tmp_path):
    """Without our hashes: fletcher32 stands in each chunk."""
    image = captures.image_of(CAPTURES["noise on a level"])
    draw = random.Random(3)
    with h5py.File(io.BytesIO(image), "r") as file:
        place = [file["samples"].id.get_chunk_info(n) for n in range(2)]
    for _ in range(100):
        chunk = draw.choice(place)
        content = bytearray(image)
        content[chunk.byte_offset + draw.randrange(chunk.size)] ^= 1 << draw.randrange(8)
        with h5py.File(io.BytesIO(content), "r") as file, pytest.raises(OSError, match="filter"):
            file["samples"][()]


def test_any_wrong_bit_of_a_file_is_found_before_the_library_opens_it(tmp_path, monkeypatch):
    capture = CAPTURES["ramp"]
    cited = stored(tmp_path, capture)
    path = captures.path_of(tmp_path, capture.sha256)
    image = path.read_bytes()
    monkeypatch.setattr(h5py, "File", lambda *_: pytest.fail("HDF5 opened a damaged file"))
    draw = random.Random(5)
    for _ in range(200):
        content = bytearray(image)
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        with pytest.raises(UsageError, match="the hash of the file is"):
            captures.load(tmp_path, cited)
    for size in (0, 1, len(image) - 1):
        path.write_bytes(image[:size])
        with pytest.raises(UsageError, match="the hash of the file is"):
            captures.load(tmp_path, cited)


def _accuracy(**changes) -> Source:
    return replace(SOURCE, accuracy=replace(SOURCE.accuracy, **changes))


@pytest.mark.parametrize(
    "change",
    [
        {"samples": np.array([1.0, np.nextafter(2.0, 3.0)])},
        {"samples": np.array([1.0, 2.0, 0.0])},
        {"start": 1.2500001},
        {"interval": 0.0011},
        {"start_u": 2e-5},
        {"dimension": Dimension.VOLTAGE},
        {"source": replace(SOURCE, role="voltmeter")},
        {"source": replace(SOURCE, serial="SIM-3")},
        {"source": replace(SOURCE, calibration=Calibration.EXPIRED)},
        {"source": _accuracy(id="SIM-2[1 mA]")},
        {"source": _accuracy(gain=5.1e-4)},
        {"source": _accuracy(offset=0.0)},
        {"source": _accuracy(source="another")},
        {"gaps": ((0, 0),)},
    ],
    ids=lambda change: "-".join(change),
)
def test_the_identity_covers_whatever_a_verdict_rests_on(tmp_path, change):
    base = made([1.0, 2.0])
    other = made(**({"samples": [1.0, 2.0]} | change))
    assert other.sha256 != base.sha256
    # Such a file in the place of the first is found even by one who has its file hash.
    cited = stored(tmp_path, base)
    image = captures.image_of(other)
    captures.path_of(tmp_path, base.sha256).write_bytes(image)
    digest = hashlib.sha256(image).hexdigest()
    forged = {**cited, "file_sha256": digest, "count": len(other.samples)}
    with pytest.raises(UsageError, match="its hash is"):
        captures.load(tmp_path, forged)


def test_what_is_there_is_kept_if_it_is_the_same_and_refused_if_not(tmp_path):
    capture = CAPTURES["ramp"]
    digest = captures.store(tmp_path, capture)
    path = captures.path_of(tmp_path, capture.sha256)
    before = path.stat().st_mtime_ns, path.stat().st_ino
    assert captures.store(tmp_path, capture) == digest
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(BenchError, match="exists with another content"):
        captures.store(tmp_path, capture)


def test_a_file_has_its_name_only_when_it_lies_on_the_disk(tmp_path, monkeypatch):
    seen = []
    real_sync, real_replace = captures.os.fsync, captures.os.replace

    def sync(handle):
        seen.append("fsync")
        real_sync(handle)

    def rename(part, path):
        seen.append((part.suffix, path.suffix))
        real_replace(part, path)

    monkeypatch.setattr(captures.os, "fsync", sync)
    monkeypatch.setattr(captures.os, "replace", rename)
    captures.store(tmp_path, CAPTURES["one"])
    assert seen == ["fsync", (".part", ".h5")]


def test_what_a_killed_writer_left_is_no_capture(tmp_path):
    capture = CAPTURES["ramp"]
    path = captures.path_of(tmp_path, capture.sha256)
    path.parent.mkdir()
    path.with_suffix(".part").write_bytes(captures.image_of(capture)[:100])
    with pytest.raises(UsageError, match="cannot be read"):
        captures.load(tmp_path, {"sha256": capture.sha256, "file_sha256": "0" * 64})
    assert captures.load(tmp_path, stored(tmp_path, capture)).sha256 == capture.sha256
