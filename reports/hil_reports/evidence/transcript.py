"""The transcript: what was said on the wire, line by line, with a running hash; blocks stand apart.

A line cites the bytes of its block by their SHA-256, so that the hash of the lines covers them too.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from hil.errors import BenchError
from hil.exchanges import BLOCK, block_of, line_of
from hil_reports.evidence.disk import Growing

TRANSCRIPT = "transcript.txt"
BLOCKS = "blocks.bin"
_BUFFER = 1 << 16
"""Bytes of lines that wait before they are written unasked."""
_BLOCKS_BUFFER = 1 << 20
"""The same of blocks."""


class Transcript:
    """Takes every message, whatever the disk does: it must reach the wire all the same.

    What the disk refuses waits; `sync` says so. No line is written before the block that it cites.
    """

    def __init__(self, data: Path) -> None:
        """Go on with the transcript of a folder, or begin one; raises UsageError as `Growing`."""
        path = data / TRANSCRIPT
        self._file = Growing(path)
        self._blocks = Growing(data / BLOCKS)
        self._hash = hashlib.sha256(path.read_bytes())
        self._synced = self._file.size
        self._blocks_synced = self._blocks.size
        self._waiting = bytearray()
        self._blocks_waiting = bytearray()

    @property
    def said(self) -> int:
        """Bytes of lines noted so far: where the next line will begin."""
        return self._file.size + len(self._waiting)

    def note(self, at: float, role: str, way: str, said: str | bytes) -> None:
        """Note one message; never raises for the disk.

        Args:
            at: bench time in s.
            role: whose line it went or came over.
            way: write, read, stop or error.
            said: its text, or the payload of the block that came.
        """
        if isinstance(said, bytes):
            stored = block_of(said, self._blocks.size + len(self._blocks_waiting))
            self._blocks_waiting += said
            way, said = BLOCK, str(stored)
        self._waiting += line_of(at, role, way, said).encode() + b"\n"
        if len(self._waiting) > _BUFFER or len(self._blocks_waiting) > _BLOCKS_BUFFER:
            with suppress(BenchError):
                self._flush()

    def sync(self) -> dict[str, str | int] | None:
        """Bring everything noted to the disk.

        Returns:
            Length and hash of the lines, as a `barrier` record holds them; None if nothing was
            added.

        Raises:
            BenchError: the disk refused it; what it refused is kept for the next time.
        """
        self._flush()
        if self._file.size == self._synced:
            return None
        if self._blocks.size != self._blocks_synced:
            self._blocks.sync()
            self._blocks_synced = self._blocks.size
        self._file.sync()
        self._synced = self._file.size
        return {"transcript": self._hash.hexdigest(), "bytes": self._synced}

    def close(self) -> None:
        """Close the files without syncing them."""
        self._file.close()
        self._blocks.close()

    def _flush(self) -> None:
        if self._blocks_waiting:
            self._blocks.append(bytes(self._blocks_waiting))
            self._blocks_waiting.clear()
        if self._waiting:
            content = bytes(self._waiting)
            self._file.append(content)
            self._hash.update(content)
            self._waiting.clear()
