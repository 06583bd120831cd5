"""What was said on the wire is kept to the last byte, and read back as it was."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from hil.errors import UsageError
from hil.exchanges import escaped, line_of, messages, plain
from hil_reports.evidence import Evidence, seal, verify
from hil_reports.evidence.bag import INFO, MANIFEST, TAG_MANIFEST
from hil_reports.evidence.seal import write_seal

PAYLOADS = [bytes(range(256)), b"\n" * 40, b"block 40 #0"]


@pytest.fixture
def folder(tmp_path):
    """A sealed run that heard a few texts and blocks."""
    folder = tmp_path / "run"
    with Evidence.create(folder, lambda: datetime(2026, 3, 1, tzinfo=UTC)) as evidence:
        evidence.append("run", {"run_id": "r1"})
        evidence.transcript(0.1, "ammeter", "write", "R?")
        for n, payload in enumerate(PAYLOADS):
            evidence.transcript(0.1 + n / 3, "ammeter", "read", payload)
            evidence.barrier()
        evidence.transcript(2.0, "load", "read", "a\nb\\n\x07\u2028é\udc80")
    seal(folder)
    return folder


def test_texts_and_bytes_come_back_as_they_were(folder):
    assert verify(folder).problems == ()
    heard = list(messages((folder / "data/transcript.txt").read_text().splitlines()))
    stored = (folder / "data/blocks.bin").read_bytes()
    blocks = [each.block for each in heard if each.block]
    assert [stored[b.begin : b.begin + b.count] for b in blocks] == PAYLOADS
    assert heard[-1].text == "a\nb\\n\x07\u2028é\udc80"
    assert [each.at for each in heard] == [0.1, 0.1, 0.1 + 1 / 3, 0.1 + 2 / 3, 2.0]
    assert [each.line for each in heard] == [1, 2, 3, 4, 5]


def test_any_text_stands_on_one_line_and_comes_back():
    draw = random.Random(6)
    for _ in range(300):
        text = "".join(chr(draw.choice([10, 13, 92, 110, 120, 0x85, 0x2028, 0xD800, 0x1F600]))
                       for _ in range(draw.randrange(8)))  # fmt: skip
        assert len(line_of(1.0, "load", "read", text).splitlines()) == 1
        assert plain(1, escaped(text)) == text


@pytest.mark.parametrize(
    "line",
    [
        "",
        "0.1 load reads x",
        "0.1 load",
        "one load write x",
        r"0.1 load write \q",
        r"0.1 load write \x41",  # plain A is written plainly
        "0.1 load block 3 #0 abc",
    ],
)
def test_a_line_that_no_run_writes_is_refused(line):
    with pytest.raises(UsageError, match="line 1"):
        list(messages([line]))


def _flip(content):
    content[3] ^= 1


def _cut(content):
    del content[-1:]


def _swap(content):
    content[:40], content[-40:] = content[-40:], content[:40]


def _insert(content):
    content[0:0] = b"x"


@pytest.mark.parametrize("change", [_flip, _cut, _swap, _insert])
def test_a_changed_block_is_found_although_every_manifest_was_made_again(folder, change):
    path = folder / "data" / "blocks.bin"
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    for name in (TAG_MANIFEST, MANIFEST, INFO):
        (folder / name).unlink()
    write_seal(folder)
    problems = [str(problem) for problem in verify(folder).problems]
    assert any(said.startswith("data/blocks.bin") and "line" in said for said in problems)


def test_blocks_that_are_gone_are_missed(folder):
    (folder / "data" / "blocks.bin").unlink()
    problems = [str(problem) for problem in verify(folder).problems]
    assert any("data/blocks.bin" in said and "does not exist" in said for said in problems)


def test_a_block_that_the_disk_refuses_stops_nothing_and_is_missed_at_the_barrier(
    tmp_path, monkeypatch
):
    import os
    from pathlib import Path

    from hil_reports.evidence.disk import DiskFull

    write = os.write

    def full(handle, content):
        name = Path(os.readlink(f"/proc/self/fd/{handle}")).name
        return 0 if name == "blocks.bin" else write(handle, content)

    with Evidence.create(tmp_path / "run", lambda: datetime(2026, 3, 1, tzinfo=UTC)) as evidence:
        evidence.append("run", {"run_id": "r1"})
        monkeypatch.setattr(os, "write", full)
        payloads = [bytes([n]) * 600_000 for n in range(4)]
        for payload in payloads:
            evidence.transcript(0.0, "ammeter", "read", payload)
        with pytest.raises(DiskFull, match=r"blocks\.bin"):
            evidence.barrier()
        assert (evidence.data / "transcript.txt").read_bytes() == b""  # cites nothing unwritten
        monkeypatch.setattr(os, "write", write)
    assert (tmp_path / "run/data/blocks.bin").read_bytes() == b"".join(payloads)
    seal(tmp_path / "run")
    assert verify(tmp_path / "run").problems == ()
