"""The verification of a run folder: by its bytes alone, with no bench and no configuration.

Each file of the evidence is hashed once; what a record says of a file is compared with that hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hil.conclusion import ended_by_itself
from hil.errors import UsageError
from hil.journal import Record, follow
from hil_reports.evidence import attestation, bag, dsse, foreign, timestamp, views
from hil_reports.evidence.annex import ANNEX, CORRECTION, DOCUMENTS, Annex, read_annex
from hil_reports.evidence.bag import Problem
from hil_reports.evidence.citations import (
    CITING,
    JOURNAL_FILE,
    checkpoint_signers,
    cited_problems,
)
from hil_reports.evidence.deep import deep_problems
from hil_reports.evidence.folder import DATA, JOURNAL
from hil_reports.evidence.keys import PublicKey, Signer
from hil_reports.evidence.register import Register
from hil_reports.evidence.seal import NOBODY, Seal, read_seal, write_seal
from hil_reports.evidence.timestamp import Authority, Stamp

_BESIDE = {
    *bag.TAGS,
    bag.TAG_MANIFEST,
    dsse.ATTESTATION,
    dsse.SIGNER,
    timestamp.ANSWER,
    timestamp.REQUEST,
    ANNEX,
}
"""What may lie in a run folder beside its folders."""
_LONGEST = {
    dsse.ATTESTATION: foreign.ENVELOPE,
    ANNEX: foreign.ENVELOPE,
    dsse.SIGNER: foreign.KEY,
}
"""Bytes that one of these can have; the others are some lines."""
_EVIDENCE = (f"{DATA}/", f"{DOCUMENTS}/")
"""Folders of what cannot be made again."""


class Standing(Enum):
    """What a verification amounts to, best first."""

    AUTHENTIC = "AUTHENTIC"
    """Nothing was changed since a trusted signer sealed it: the only one that is green."""
    STRANGER = "INTACT, signer unknown"
    """Nothing was changed since somebody sealed it; who that was has not been said."""
    UNSIGNED = "INTACT, unsigned"
    """It hangs together; whoever can write the folder could have made it so."""
    BROKEN = "NOT INTACT"
    """Something was changed, or a signer is not trusted."""


@dataclass(frozen=True, slots=True)
class Signed:
    """One thing that was signed, or might have been."""

    file: str
    signer: str
    """Fingerprint; empty for nobody."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found."""

    problems: tuple[Problem, ...]
    """Every one; empty if the folder is sealed and intact."""
    signed: tuple[Signed, ...]
    """Seal, checkpoints, annex and views, as far as they are there."""
    trusted: frozenset[str]
    """Fingerprints that were given."""
    records: int
    """Number of journal records."""
    head: str
    """Hash of the last one; empty if there is none."""
    annex: Annex
    """What was stated after the seal."""
    stamp: Stamp | None
    """When the seal existed, by an authority; None if there is no good time stamp."""
    run_id: str
    """As the first record says it; empty if there is none."""
    number: int
    """Of the run in its register, as the first record says it; 0 if there is none."""
    status: str
    """COMPLETE, or INCOMPLETE for a run that did not end by itself."""
    result: str
    """As attested; empty if nobody attests one."""
    remarks: tuple[str, ...]
    """What lies beside the evidence and proves and harms nothing."""

    @property
    def signer(self) -> str:
        """Fingerprint of whoever attests the seal; empty for nobody."""
        return next((one.signer for one in self.signed if one.file == dsse.ATTESTATION), "")

    @property
    def standing(self) -> Standing:
        """What it amounts to."""
        if self.problems:
            return Standing.BROKEN
        if not self.signer:
            return Standing.UNSIGNED
        return Standing.AUTHENTIC if self.trusted else Standing.STRANGER


def seal(folder: Path, signer: Signer | None = None) -> Seal:
    """Seal a run folder; of an intact sealed one, return its seal.

    Args:
        folder: a run folder.
        signer: who attests a folder that is not sealed yet.

    Raises:
        ChainBroken: the journal does not hang together; it is not sealed.
        UsageError: the folder was sealed and changed since, or has no journal records.
    """
    folder = Path(folder)
    if not (folder / bag.TAG_MANIFEST).exists():
        return write_seal(folder, signer)
    problems = verify(folder, views_too=False).problems
    if problems:
        said = "; ".join(map(str, problems))
        raise UsageError(f"{folder} was sealed and has changed since: {said}")
    return read_seal(folder)


def verify(
    folder: Path,
    trusted: Iterable[str] = (),
    *,
    views_too: bool = True,
    deep: bool = False,
    authority: Authority | None = None,
    register: Register | None = None,
) -> Verification:
    """Check seal, signatures, chain, captures, documents, transcript, annex and views.

    Args:
        folder: a run folder.
        trusted: fingerprints of keys. With any given, what another key signed, or nobody, is a
            problem; without, nobody is known, and the standing is never AUTHENTIC.
        views_too: whether report/ is checked; what is about to make it anew need not.
        deep: whether the run is judged again too: each record parsed, each capture read, each
            judgement made anew from its captures, and the result held against the attested one.
        authority: who is trusted to tell the time. With one, a bundle must carry its time stamp.
        register: the register that the run began in; an annex must hold what it says of it.

    Raises:
        UsageError: this is no run folder.
    """
    if not (Path(folder) / DATA).is_dir():
        raise UsageError(f"{folder} is no run folder: it has no {DATA}/")
    check = _Check(Path(folder), frozenset(trusted), authority, register)
    return check.made(views_too=views_too, deep=deep)


class _Check:
    """One verification: gathers problems and signers."""

    def __init__(
        self,
        folder: Path,
        trusted: frozenset[str],
        authority: Authority | None,
        register: Register | None,
    ) -> None:
        self.folder = folder
        self.trusted = trusted
        self.authority = authority
        self.register = register
        self.problems: list[Problem] = []
        self.signed: list[Signed] = []
        self.sizes: dict[str, int] = {}
        self.hashes: dict[str, str] = {}
        self.chain: list[str] = []
        self.status = attestation.INCOMPLETE
        self.result = ""
        self.run_id = ""
        self.remarks: list[str] = []
        self.number = 0
        self.annex = Annex()
        self.stamp: Stamp | None = None

    def made(self, *, views_too: bool, deep: bool) -> Verification:
        """Check everything, each on its own: one problem hides no other."""
        self._stock()
        self._journal()
        if bag.TAG_MANIFEST in self.hashes:
            self._bag()
            self._attestation()
            self._stamp()
            self._annex()
            self._documents()
            self._registered()
            if views_too and (self.folder / views.REPORT).is_dir():
                self._views()
            self._trust()
        else:
            self._problem(bag.TAG_MANIFEST, "not sealed")
        if deep:
            self.problems += deep_problems(self.folder, self.result)
        return Verification(
            tuple(self.problems),
            tuple(self.signed),
            self.trusted,
            len(self.chain),
            self._head,
            self.annex,
            self.stamp,
            self.run_id,
            self.number,
            self.status,
            self.result,
            tuple(self.remarks),
        )

    @property
    def _head(self) -> str:
        return self.chain[-1] if self.chain else ""

    def _content(self, name: str) -> bytes:
        """Read a plain file; a link or a pipe under its name is never opened."""
        if name not in self.hashes:
            raise UsageError("is missing")
        return foreign.content_of(self.folder / name, self._most(name))

    def _most(self, name: str) -> int:
        """Bytes that a file of a name can have."""
        if name.startswith(f"{DATA}/"):
            return foreign.EVIDENCE
        if name.startswith(f"{DOCUMENTS}/"):
            return foreign.PRINTED
        if name in {bag.MANIFEST, bag.TAG_MANIFEST}:
            return foreign.manifest_bytes(len(self.sizes))
        return _LONGEST.get(name, foreign.WORDS)

    def _problem(self, file: str, text: str) -> None:
        self.problems.append(Problem(file, text))

    def _stock(self) -> None:
        """See what lies in the folder, and hash what is evidence."""
        found = bag.inventory(self.folder)
        for name in found.strange:
            if not _is_view(name):
                self._problem(name, "is a link, or no file")
        for name, size in found.files.items():
            if name in _BESIDE or name.startswith(_EVIDENCE):
                self.sizes[name] = size
            elif name in bag.DROPPINGS:
                self.remarks.append(f"{name}: left by a file manager; it is no evidence")
            elif not _is_view(name):
                self._problem(name, "is no part of a run folder")
        for name in sorted(_BESIDE):
            if (self.folder / name).is_dir():
                self._problem(name, "is a folder")
        self.hashes, refused = bag.hashed(self.folder, self.sizes, self._most)
        self.problems += refused

    def _journal(self) -> None:
        """Check the chain on its bytes, and what its records say of files."""
        if JOURNAL_FILE not in self.hashes:
            self._problem(JOURNAL_FILE, "is missing")
            return
        citing: list[Record] = []
        kinds: dict[str, int] = {}
        try:
            with foreign.opened(self.folder / JOURNAL_FILE, foreign.EVIDENCE) as (file, _):
                for link in follow(foreign.Lines(file, JOURNAL)):
                    kind = link.kind
                    kinds.setdefault(kind, link.n)
                    self.chain.append(link.hash)
                    if kind in CITING:
                        citing.append(link.record())
                    if (link.n, kind) == (0, "run"):
                        self._named(link.record().body)
        except UsageError as err:
            self._problem(JOURNAL_FILE, str(err))
        if not self.chain:
            self._problem(JOURNAL_FILE, "it holds no record")
        planned = (kinds.get("run"), kinds.get("plan")) == (0, 1)
        self.status = attestation.status(ended=planned and ended_by_itself(kinds))
        self.problems += cited_problems(self.folder, citing, self.hashes)
        signers = checkpoint_signers(citing, self.problems)
        self.signed += [Signed(JOURNAL_FILE, signer) for signer in sorted(signers)]

    def _named(self, body: Mapping[str, Any]) -> None:
        """Keep which run this is, as far as its first record says so."""
        if isinstance(run_id := body.get("run_id"), str):
            self.run_id = run_id
        match body.get("register"):
            case {"number": int(number)}:
                self.number = number

    def _bag(self) -> None:
        """Compare the listings with what is there, and bag-info.txt with the journal."""
        tags = {name: digest for name, digest in self.hashes.items() if name in bag.TAGS}
        payload = {n: digest for n, digest in self.hashes.items() if n.startswith(f"{DATA}/")}
        for listing, present in ((bag.TAG_MANIFEST, tags), (bag.MANIFEST, payload)):
            try:
                listed = bag.read_listing(self._content(listing))
            except UsageError as err:
                self._problem(listing, str(err))
            else:
                self.problems += bag.differences(listed, present)
        try:
            self._info(bag.read_info(self._content(bag.INFO).decode()))
        except UsageError as err:
            self._problem(bag.INFO, str(err))
        except (ValueError, KeyError) as err:
            self._problem(bag.INFO, f"cannot be read: {err!r}")

    def _info(self, said: dict[str, str]) -> None:
        sizes = [size for name, size in self.sizes.items() if name.startswith(f"{DATA}/")]
        shown = {"Payload-Oxum": f"{sum(sizes)}.{len(sizes)}"}
        if self.chain:
            shown["Journal-Head"] = self._head
            shown["Journal-Records"] = str(len(self.chain))
            shown["Run-Status"] = self.status
        for key, value in shown.items():
            if said[key] != value:
                self._problem(bag.INFO, f"says {key} {said[key]}; found {value}")
        attested = dsse.ATTESTATION in self.hashes or dsse.SIGNER in self.hashes
        if said["Attested-By"] != NOBODY and not attested:
            self._problem(dsse.ATTESTATION, f"is missing; {said['Attested-By']} attested this")
        if said["Attested-By"] == NOBODY and attested:
            self._problem(dsse.ATTESTATION, "was added: this was sealed without a key")

    def _attestation(self) -> None:
        """Check who attests the bag, and that it is this bag."""
        if dsse.ATTESTATION not in self.hashes and dsse.SIGNER not in self.hashes:
            self.signed.append(Signed(dsse.ATTESTATION, ""))
            return
        try:
            public = PublicKey.read(self._content(dsse.SIGNER))
        except UsageError as err:
            self._problem(dsse.SIGNER, str(err))
            return
        try:
            payload = dsse.opened(self._content(dsse.ATTESTATION), attestation.KIND, public)
            subjects = attestation.subjects_of(
                self.hashes[bag.TAG_MANIFEST], self.hashes.get(bag.MANIFEST, ""), self._head
            )
            self.result = attestation.check(payload, subjects, self.status)
        except UsageError as err:
            self._problem(dsse.ATTESTATION, str(err))
        self.signed.append(Signed(dsse.ATTESTATION, public.fingerprint))

    def _stamp(self) -> None:
        """Check the time stamp, and that a request that was kept asks for it."""
        about = timestamp.stamped(self.folder).name
        if about not in self.hashes:  # a link; said already
            return
        digest = bytes.fromhex(self.hashes[about])
        asked = timestamp.REQUEST in self.hashes
        if asked and self._content(timestamp.REQUEST) != timestamp.request(digest):
            self._problem(timestamp.REQUEST, f"asks for no time stamp of {about}")
        if timestamp.ANSWER not in self.hashes:
            if self.authority is not None:
                self._problem(timestamp.ANSWER, "is missing: there is no time stamp")
            return
        try:
            answer = self._content(timestamp.ANSWER)
            self.stamp = timestamp.read(answer, digest, self.authority)
        except UsageError as err:
            self._problem(timestamp.ANSWER, str(err))

    def _annex(self) -> None:
        """Check what was stated after the seal."""
        if ANNEX not in self.hashes:
            return
        try:
            self.annex = read_annex(self.folder)
        except UsageError as err:
            self._problem(ANNEX, str(err))
            return
        for entry in self.annex.entries:
            self.signed.append(Signed(ANNEX, entry.signer))
            if entry.kind == CORRECTION and not self._corrects(entry.body):
                self._problem(ANNEX, f"record {entry.n} corrects a record that is not there")

    def _documents(self) -> None:
        """Compare the documents that are there with those that signatures name."""
        present = {n: digest for n, digest in self.hashes.items() if n.startswith(f"{DOCUMENTS}/")}
        named = [entry.document for entry in self.annex.entries if entry.document]
        for name, digest in named:
            if present.get(name) != digest:
                said = "is not what was signed" if name in present else "is missing"
                self._problem(name, f"{said}; a signature names it")
        for name in sorted(present.keys() - dict(named).keys()):
            self._problem(name, "is named by no signature")

    def _registered(self) -> None:
        """Check that the annex still holds what the register says of it."""
        if self.register is None:
            return
        try:
            head = self.register.stated(self.folder)
        except UsageError as err:
            self._problem(ANNEX, str(err))
            return
        if head and head not in {entry.head for entry in self.annex.entries}:
            text = f"has lost statements: the register holds a head of it that is gone, {head}"
            self._problem(ANNEX, text)

    def _corrects(self, body: object) -> bool:
        if not isinstance(body, dict) or not isinstance(body.get("record"), int):
            return False
        n = body["record"]
        return 0 <= n < len(self.chain) and self.chain[n] == body.get("hash")

    def _views(self) -> None:
        heads = (self._head, self.annex.head)
        self.problems += views.view_problems(self.folder, heads)
        try:
            self.signed.append(Signed(f"{views.REPORT}/", views.view_signer(self.folder)))
        except UsageError as err:
            self._problem(f"{views.REPORT}/{dsse.ATTESTATION}", str(err))

    def _trust(self) -> None:
        """With trusted signers given, whatever they did not sign is a problem."""
        for one in self.signed if self.trusted else ():
            if one.signer not in self.trusted:
                who = f"{one.signer}, which is not trusted" if one.signer else "nobody"
                self._problem(one.file, f"is signed by {who}")


def _is_view(name: str) -> bool:
    return name.startswith(f"{views.REPORT}/")
