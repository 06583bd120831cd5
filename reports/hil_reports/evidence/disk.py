"""Files that grow: each append is one `write`, whole or not at all, and errors are BenchError."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from hil.errors import BenchError, UsageError

RESERVE = 1 << 20
"""Bytes kept free on the disk for the last records of a run that fills it."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskFull(BenchError):
    """The disk took nothing more."""


class Growing:
    """A file that this process alone appends to."""

    def __init__(self, path: Path) -> None:
        """Open a file, or make it.

        Raises:
            UsageError: it cannot be written.
        """
        self.name = path.name
        try:
            self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as err:
            raise UsageError(f"{path} cannot be written: {err}; choose another folder") from err
        self.size = os.fstat(self._handle).st_size
        """Bytes that are in it, as far as this process knows."""

    def append(self, content: bytes) -> None:
        """Write at the end, whole or not at all.

        Raises:
            DiskFull: there is no room.
            BenchError: the file was deleted or written to by another process, or the disk failed.
        """
        self._check()
        try:
            done = os.write(self._handle, content)
        except OSError as err:
            kind = DiskFull if err.errno in _FULL else BenchError
            raise kind(f"the disk refused {len(content)} bytes of {self.name}: {err}") from err
        if done != len(content):
            with suppress(OSError):  # half a line would break a chain for good
                os.ftruncate(self._handle, self.size)
            raise DiskFull(
                f"the disk took {done} of {len(content)} bytes of {self.name}; is it full?"
            )
        self.size += done

    def _check(self) -> None:
        found = os.fstat(self._handle)
        if not found.st_nlink:
            raise BenchError(f"{self.name} was deleted or replaced while the run wrote to it")
        if found.st_size != self.size:
            raise BenchError(
                f"{self.name} has {found.st_size} bytes, {self.size} were written here: "
                "another process wrote or cut it; the run cannot go on"
            )

    def sync(self) -> None:
        """Bring it to the disk; raises BenchError if the disk fails."""
        try:
            os.fsync(self._handle)
        except OSError as err:
            raise BenchError(f"the disk could not keep {self.name}: {err}") from err

    def close(self) -> None:
        """Close the file without syncing it."""
        os.close(self._handle)


class Reserve:
    """Room on the disk, held by a file without a name: a killed process gives it back too."""

    def __init__(self, folder: Path) -> None:
        """Take the room, as far as there is any."""
        self._handle: int | None = None
        with suppress(OSError):
            self._handle, name = tempfile.mkstemp(prefix=".reserve-", dir=folder)
            os.unlink(name)
            os.write(self._handle, bytes(RESERVE))

    def release(self) -> bool:
        """Give the room back; True if there was any left to give."""
        if self._handle is None:
            return False
        os.close(self._handle)
        self._handle = None
        return True


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk; raises BenchError if the disk fails."""
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as err:
        raise BenchError(f"the disk could not keep the names in {path.name}: {err}") from err
