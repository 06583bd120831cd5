"""The transcript: what was said on the wire, line by line, with a running hash."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from hil.errors import BenchError
from hil_reports.evidence.disk import Growing

_BUFFER = 1 << 16
"""Bytes that wait before they are written unasked."""


class Transcript:
    """Takes every line, whatever the disk does: a message must reach the wire all the same.

    What the disk refuses waits; `sync` says so.
    """

    def __init__(self, path: Path) -> None:
        """Go on with a transcript, or begin one; raises UsageError if it cannot be written."""
        self._file = Growing(path)
        self._hash = hashlib.sha256(path.read_bytes())
        self._synced = self._file.size
        self._waiting = bytearray()

    @property
    def said(self) -> int:
        """Bytes noted so far: where the next line will begin."""
        return self._file.size + len(self._waiting)

    def note(self, line: str) -> None:
        """Note one line; never raises for the disk."""
        self._waiting += line.encode(errors="backslashreplace") + b"\n"
        if len(self._waiting) > _BUFFER:
            with suppress(BenchError):
                self._flush()

    def sync(self) -> dict[str, str | int] | None:
        """Bring everything noted to the disk.

        Returns:
            Its length and hash, as a `barrier` record holds them; None if nothing was added.

        Raises:
            BenchError: the disk refused it; what it refused is kept for the next time.
        """
        self._flush()
        if self._file.size == self._synced:
            return None
        self._file.sync()
        self._synced = self._file.size
        return {"transcript": self._hash.hexdigest(), "bytes": self._synced}

    def close(self) -> None:
        """Close the file without syncing it."""
        self._file.close()

    def _flush(self) -> None:
        if self._waiting:
            content = bytes(self._waiting)
            self._file.append(content)
            self._hash.update(content)
            self._waiting.clear()
