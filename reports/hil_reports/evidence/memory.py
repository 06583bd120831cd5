"""What a machine remembers of the registers that were written on it: a second place beside them.

For each register, named by the hash of its first entry, it holds how many entries there were and
the hash of the last one. A register that was shortened or gone on with from an older copy does not
hold that entry any more. For each folder it holds which registers began there, so that one that
was deleted and begun anew is told from a first one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hil.errors import UsageError

STATE = "STIMPROOF_STATE"
"""Environment variable: folder of the memory; set to nothing, nothing is remembered."""
_LINE = re.compile(r"([1-9][0-9]{0,17}) ([0-9a-f]{64})\n")
_LONGEST = 1 << 20  # bytes; a file of the memory has 100, or 65 for each register of a folder


@dataclass(frozen=True, slots=True)
class Remembered:
    """The end of a register, as it was last written on this machine."""

    entries: int
    head: str
    """Hash of the last of them."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a machine; where it cannot be read or written, nothing is remembered."""

    folder: Path | None

    @classmethod
    def find(cls, environment: Mapping[str, str] = os.environ) -> Memory:
        """Return the memory of whoever runs this."""
        if STATE in environment:
            return cls(Path(environment[STATE]) if environment[STATE] else None)
        base = environment.get("LOCALAPPDATA" if os.name == "nt" else "XDG_STATE_HOME")
        with suppress(RuntimeError):  # nobody's home
            return cls(Path(base or Path.home() / ".local" / "state") / "stimproof")
        return cls(None)

    def of(self, first: str) -> Remembered | None:
        """Return what is remembered of a register; None if it is not known here.

        Args:
            first: hash of its first entry.

        Raises:
            UsageError: what is remembered cannot be understood.
        """
        path = self._path("registers", first)
        text = _read(path)
        if path is None or not text:
            return None
        found = _LINE.fullmatch(text)
        if found is None:
            raise UsageError(
                f"{path} is damaged: it should hold the number of entries of a register and the "
                "hash of the last. Move it away to go on without it; the next report says so"
            )
        return Remembered(int(found[1]), found[2])

    def keep(self, first: str, entries: int, head: str) -> None:
        """Remember the end of a register; it is on the disk afterwards."""
        _write(self._path("registers", first), f"{entries} {head}\n")

    def begun(self, out: Path) -> tuple[str, ...]:
        """Return the first entries of the registers that began in a folder, oldest first."""
        return tuple(dict.fromkeys(_read(self._place(out)).split()))

    def settle(self, out: Path, first: str) -> None:
        """Remember that a register stands in a folder."""
        known = self.begun(out)
        if first not in known:
            _write(self._place(out), "".join(f"{one}\n" for one in (*known, first)))

    def _place(self, out: Path) -> Path | None:
        named = hashlib.sha256(os.fsencode(out.resolve())).hexdigest()
        return self._path("folders", named)

    def _path(self, kind: str, name: str) -> Path | None:
        return self.folder / kind / name if self.folder else None


def _read(path: Path | None) -> str:
    """Text of a file of the memory; empty if there is none that can be read."""
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST).decode(errors="replace")
    except OSError:
        return ""


def _write(path: Path | None, text: str) -> None:
    """Write a file whole or not at all; a memory that takes nothing is none."""
    if path is None:
        return
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with beside.open("w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
