"""The one way to read a file of a folder that somebody else may have filled.

A link, a pipe or a device under a name of ours is never opened, and a file is never read beyond
what its role can hold: a reader neither hangs nor fills the memory.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from hil.errors import UsageError

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
KEY = 4 * KIB
"""Bytes that a PEM key can have."""
WORDS = 64 * KIB
"""Bytes that bag-info.txt, a time stamp or the like can have."""
ENVELOPE = 16 * MIB
"""Bytes that an envelope, a summary or an annex can have."""
PRINTED = 256 * MIB
"""Bytes that a report can have."""
EVIDENCE = 4 * GIB
"""Bytes that a file of data/ can have."""
LINE = 32 * MIB
"""Bytes that a line of a journal can have, with its line end."""
_NAME = 4 * KIB
_FLAGS = os.O_RDONLY | sum(
    getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
)


class Absent(UsageError):
    """There is no such file."""


def manifest_bytes(files: int) -> int:
    """Bytes that a manifest can have beside a number of files; room for many that are gone."""
    return MIB + files * _NAME


@contextmanager
def opened(path: Path, most: int) -> Iterator[tuple[BufferedReader, int]]:
    """Open a plain file for reading.

    Args:
        path: the file; a link in its last part is not followed.
        most: bytes that it can have.

    Yields:
        The file, and its size when it was opened; it may grow meanwhile.

    Raises:
        Absent: there is no such file.
        UsageError: it is no plain file, too long, or the disk refused it, now or while it is read.
    """
    try:
        with os.fdopen(_handle(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise UsageError(
                    f"{path} holds {size} bytes; at most {most} are read of such a file"
                )
            yield file, size
    except OSError as err:
        raise UsageError(f"{path} cannot be read: {err.strerror or err}") from err


def content_of(path: Path, most: int) -> bytes:
    """Read a plain file, as it was when it was opened; raises as `opened`."""
    with opened(path, most) as (file, size):
        return file.read(size)


def digest_of(path: Path, most: int) -> str:
    """Return the SHA-256 of a plain file in hexadecimal; raises as `opened`."""
    with opened(path, most) as (file, _):
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_plain(path: Path) -> bool:
    """Whether a plain file lies there; a link is none. False as well where nobody may look."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


class Lines:
    """The whole lines of a journal, each with its line end, one in memory at a time.

    A torn end stays in `tail`. Raises UsageError for a line that no writer of ours makes.
    """

    def __init__(self, file: BufferedReader, name: object) -> None:
        """Take an open file, and how an error calls it."""
        self.tail = b""
        self._file = file
        self._name = name

    def __iter__(self) -> Iterator[bytes]:
        while line := self._file.readline(LINE + 1):
            if len(line) > LINE:
                raise UsageError(
                    f"{self._name}: a line has more than {LINE} bytes; it is no record"
                )
            if line.endswith(b"\n"):
                yield line
            else:
                self.tail = line


def _handle(path: Path) -> int:
    """Open a plain file and nothing else: opening some devices does something."""
    if "\0" in str(path):
        raise Absent(f"{str(path)!r} is no name of a file")
    try:
        _refuse_strange(path, path.lstat())
        handle = os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError) as err:
        raise Absent(f"{path} does not exist") from err
    try:
        _refuse_strange(path, os.fstat(handle))  # it may have been replaced meanwhile
    except UsageError:
        os.close(handle)
        raise
    return handle


def _refuse_strange(path: Path, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise UsageError(f"{path} is a link, or no file: it is not opened")
