"""BagIt (RFC 8493): the listings of a bundle, its files with their hashes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hil.errors import UsageError
from hil_reports.evidence import foreign

DECLARATION = "bagit.txt"
INFO = "bag-info.txt"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
TAGS = (INFO, DECLARATION, MANIFEST)
"""Files that the tag manifest lists, in its order."""
DECLARED = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
DROPPINGS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What file managers leave in a folder that somebody looked into."""
_THREADS = 2
_DEEP = 16
"""Folders within each other that are looked into; ours are three."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was written."""

    file: str
    """From the run folder."""
    text: str
    record: int | None = None
    """Number of the journal's record that speaks of it."""

    def __str__(self) -> str:
        spoken = "" if self.record is None else f" (record {self.record})"
        return f"{self.file}: {self.text}{spoken}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """What lies in a folder."""

    files: Mapping[str, int]
    """Name from the folder, with / between its parts, to size in bytes; in order of names."""
    strange: tuple[str, ...]
    """What is no plain file: links, sockets, names that are no UTF-8, folders too deep or shut."""


def inventory(folder: Path, under: str = "") -> Inventory:
    """List a folder, or what lies under one of its folders; nothing is opened or followed."""
    files: dict[str, int] = {}
    strange: list[str] = []
    for path, size in _entries(folder / under, _DEEP):
        name = path.relative_to(folder).as_posix()
        try:
            name.encode()
        except UnicodeEncodeError:
            size, name = None, os.fsencode(name).decode(errors="backslashreplace")
        if size is None:
            strange.append(name)
        else:
            files[name] = size
    return Inventory(dict(sorted(files.items())), tuple(sorted(strange)))


def _entries(folder: Path, depth: int) -> Iterator[tuple[Path, int | None]]:
    """What lies in a folder, each with its size; None for no file, or where nobody may look."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = Path(entry.path)
                if not entry.is_dir(follow_symlinks=False):
                    plain = entry.is_file(follow_symlinks=False)
                    yield path, entry.stat(follow_symlinks=False).st_size if plain else None
                elif depth:
                    yield from _entries(path, depth - 1)
                else:
                    yield path, None
    except FileNotFoundError:
        return
    except OSError:
        yield folder, None


def digests(
    folder: Path, files: Mapping[str, int], digest: Callable[[Path], str] | None = None
) -> dict[str, str]:
    """Hash files, each read once, two at a time: hashing leaves the interpreter free.

    Args:
        folder: what the names begin at.
        files: name to size; the largest begin first.
        digest: hashes one file.

    Returns:
        Name to SHA-256 in hexadecimal, in the order of `files`.
    """
    ordered = sorted(files, key=lambda name: -files[name])
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda name: (digest or digest_of)(folder / name), ordered)
        by_name = dict(zip(ordered, found, strict=True))
    return {name: by_name[name] for name in files}


def hashed(
    folder: Path, files: Mapping[str, int], most: Callable[[str], int]
) -> tuple[dict[str, str], list[Problem]]:
    """Hash files of a folder that is not trusted, as `digests` does.

    Args:
        folder: what the names begin at.
        files: name to size.
        most: bytes that the file of a name can have.

    Returns:
        Name to SHA-256, empty for a file that was not read to its end; and why it was not.
    """
    problems: list[Problem] = []

    def digest(path: Path) -> str:
        name = path.relative_to(folder).as_posix()
        try:
            return foreign.digest_of(path, most(name))
        except UsageError as err:
            problems.append(Problem(name, str(err)))
            return ""

    return digests(folder, files, digest), sorted(problems, key=str)


def digest_of(path: Path) -> str:
    """Hash one file of a run folder; raises UsageError if it cannot be read, or is too long."""
    return foreign.digest_of(path, foreign.EVIDENCE)


def digest_of_bytes(content: bytes) -> str:
    """Hash bytes as `digest_of` hashes a file."""
    return hashlib.sha256(content).hexdigest()


def listing(hashes: Mapping[str, str]) -> str:
    """Write a manifest: a line `hash  name` for each file, as sha256sum reads it."""
    return "".join(f"{digest}  {_escaped(name)}\n" for name, digest in hashes.items())


def read_listing(content: bytes) -> dict[str, str]:
    """Read a manifest.

    Raises:
        UsageError: it is not in the form of `listing`, line for line; a name leads elsewhere.
    """
    hashes = {}
    try:
        text = content.decode()
    except UnicodeDecodeError as err:
        raise UsageError(f"it is no UTF-8 at byte {err.start}") from err
    for number, line in enumerate(text.split("\n")[:-1], 1):
        digest, _, name = line.partition("  ")
        parts = name.split("/")
        if len(digest) != 64 or set(digest) - set("0123456789abcdef") or {"", ".", ".."} & {*parts}:
            raise UsageError(f"line {number} is no entry: {line[:120]!r}")
        hashes[_plain(name)] = digest
    if listing(hashes) != text:
        raise UsageError("it is not in canonical form: a line is torn, repeated or ends in CR LF")
    return hashes


def differences(listed: Mapping[str, str], present: Mapping[str, str]) -> Iterator[Problem]:
    """Compare what a manifest lists with what is there."""
    for name in sorted({**listed, **present}):
        if name not in present:
            yield Problem(name, "is missing")
        elif name not in listed:
            yield Problem(name, "was added after the seal")
        elif present[name] != listed[name]:
            yield Problem(name, "was changed after the seal")


def write(path: Path, content: bytes) -> None:
    """Write a file that appears under its name only when it is whole and on the disk."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def sync(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    if os.name == "nt":  # has no handle for a folder; it journals the names itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def info(lines: Mapping[str, object]) -> str:
    """Write bag-info.txt: one line an entry."""
    return "".join(f"{key}: {' '.join(str(value).split())}\n" for key, value in lines.items())


def read_info(text: str) -> dict[str, str]:
    """Read bag-info.txt."""
    lines = (line.partition(": ") for line in text.splitlines())
    return {key: value for key, _, value in lines}


def _escaped(name: str) -> str:
    return name.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")


def _plain(name: str) -> str:
    return name.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
