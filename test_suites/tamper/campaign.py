"""Tampers with a signed bundle at random, and says what was found: `make tamper ARGS="--trials N"`.

Exit code 0 if every tampering was found under the pinned signer, else 1. What is found of the same
run sealed without a key, by what is in the folder alone, is printed beside it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hil_reports.evidence import bag, keys, verify
from hil_reports.evidence.verification import Standing
from tamper import bundle
from tamper.kinds import KINDS, Attacker


class Unchanged(Exception):
    """A tampering that leaves every byte as it was proves nothing."""


class Ground:
    """A signed bundle, another of the same signer, one without a key, and room to tamper."""

    def __init__(self, room: Path) -> None:
        """Make the bundles; takes some seconds."""
        self.room = room
        signer = keys.create(room / "key.pem")
        self.attacker_key = keys.create(room / "attacker.pem")
        self.trusted = {signer.public.fingerprint}
        self.run = bundle.make(room / "runs", str(room / "key.pem"))
        bundle.state(self.run, signer)
        self.other = bundle.another(self.run, room / "other", signer)
        self.unsigned = bundle.unsigned(self.run, room / "unsigned")
        self.bare = bundle.copy(self.run, room / "bare")
        """The signed one without its report: what shows here shows in the evidence alone."""
        shutil.rmtree(self.bare / "report")

    def tampered(self, kind: str, seed: int, folder: Path) -> Path:
        """Tamper with a copy of a bundle.

        Raises:
            Unchanged: the tampering changed nothing.
        """
        aside = self.room / "trial"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        copy = bundle.copy(folder, aside / folder.name)
        KINDS[kind](copy, Attacker(seed, self.other, self.attacker_key))
        if seen(copy) == seen(folder):
            raise Unchanged(f"{kind}, seed {seed}: nothing was changed")
        return copy


def seen(folder: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """All that a folder holds."""
    found = bag.inventory(folder)
    return bag.digests(folder, found.files), found.strange


def main() -> int:
    """Run the campaign and print its figures by kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=time.time_ns() // 10**9)
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as room:
        ground = Ground(Path(room))
        standing = verify(ground.run, ground.trusted).standing
        print(f"seed {options.seed}; before any tampering: {standing.value}")
        signed, unsigned, missed = _campaign(ground, options.trials, options.seed)
    print(f"{'kind':58} {'signed':>11} {'unsigned':>11}   found of tried")
    for kind in KINDS:
        print(f"{kind:58} {_share(signed, kind):>11} {_share(unsigned, kind):>11}")
    for line in missed:
        print(f"NOT FOUND: {line}")
    found, tried = signed["found"], signed["tried"]
    print(f"{found} of {tried} found under the pinned signer, {time.monotonic() - begun:.0f} s")
    return 0 if found == tried and standing is Standing.AUTHENTIC else 1


def _campaign(
    ground: Ground, trials: int, seed: int
) -> tuple[Counter[str], Counter[str], list[str]]:
    signed: Counter[str] = Counter()
    unsigned: Counter[str] = Counter()
    missed = []
    names = list(KINDS)
    for n in range(trials):
        kind = names[n % len(names)]
        copy = ground.tampered(kind, seed + n, ground.run)
        found = verify(copy, ground.trusted).standing is Standing.BROKEN
        _count(signed, kind, found=found)
        if not found:
            missed.append(f"{kind}, seed {seed + n}")
        if n < 5 * len(names):  # for the table, not for the proof
            try:
                copy = ground.tampered(kind, seed + n, ground.unsigned)
            except (FileNotFoundError, Unchanged):
                continue  # it is about an attestation or an annex, and there is none
            _count(unsigned, kind, found=verify(copy).standing is Standing.BROKEN)
    return signed, unsigned, missed


def _count(counts: Counter[str], kind: str, *, found: bool) -> None:
    counts["tried"] += 1
    counts[f"{kind} tried"] += 1
    counts["found"] += found
    counts[kind] += found


def _share(counts: Counter[str], kind: str) -> str:
    tried = counts[f"{kind} tried"]
    return f"{counts[kind]}/{tried}" if tried else "-"


if __name__ == "__main__":
    sys.exit(main())
