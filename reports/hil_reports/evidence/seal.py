"""The seal of a run folder: a BagIt bag over data/, and who attests it.

    bagit.txt, bag-info.txt     what this is; whether the run ended by itself, and who attests it
    manifest-sha256.txt         every file under data/
    attestation.dsse.json       the attestation, signed, where the sealer has a key
    signer.pem                  the public key that checks it
    tagmanifest-sha256.txt      the first three; written last, so that where it is the seal is whole

The views in report/ stand beside data/ and are no part of the bag: they can be made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hil import form
from hil.conclusion import Conclusion, conclude
from hil.errors import UsageError
from hil.journal import Record
from hil_reports.evidence import attestation, bag, dsse, foreign
from hil_reports.evidence.folder import DATA, Journal, read_journal
from hil_reports.evidence.keys import Signer

NOBODY = "nobody"
"""What bag-info.txt says of a bundle that was sealed without a key."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What to write down elsewhere."""

    head: str
    """Hash of the last journal record."""
    manifest: str
    """SHA-256 of manifest-sha256.txt."""
    signer: str
    """Fingerprint of the key that attests it; empty if nobody does."""
    status: str
    """COMPLETE, or INCOMPLETE for a run that did not end by itself."""


def write_seal(folder: Path, signer: Signer | None = None) -> Seal:
    """Seal a run folder that is not sealed yet.

    Args:
        folder: a run folder; nothing in data/ is changed.
        signer: who attests it; without one the seal shows a change only to whoever wrote it down.

    Raises:
        ChainBroken: the journal does not hang together; it is not sealed.
        UsageError: there is no journal record, or something that is no file.
    """
    journal = read_journal(folder)
    if not journal.records:
        raise UsageError(f"{folder} holds no journal record; there is nothing to seal")
    found = bag.inventory(folder, DATA)
    if found.strange:
        raise UsageError(f"{found.strange[0]} is a link or no file; evidence holds files only")
    conclusion = _concluded(journal.records)
    hashes = bag.digests(folder, found.files)
    tags = {
        bag.INFO: _info(journal, found, conclusion, signer),
        bag.DECLARATION: bag.DECLARED,
        bag.MANIFEST: bag.listing(hashes),
    }
    for name, text in tags.items():
        bag.write(folder / name, text.encode())
    tag_manifest = bag.listing({name: bag.digest_of(folder / name) for name in bag.TAGS}).encode()
    _attest(folder, tag_manifest, journal.records[-1].hash, conclusion, signer)
    bag.write(folder / bag.TAG_MANIFEST, tag_manifest)
    bag.sync(folder)
    return read_seal(folder)


def read_seal(folder: Path) -> Seal:
    """Say what the seal of a folder claims, without a check.

    Raises:
        UsageError: the folder is not sealed, or its bag-info.txt cannot be read.
    """
    if not (folder / bag.TAG_MANIFEST).exists():
        raise UsageError(f"{folder} is not sealed; seal it: hil seal {folder}")
    content = foreign.content_of(folder / bag.INFO, foreign.WORDS)
    try:
        said = bag.read_info(content.decode())
        head, signer, status = (said[key] for key in ("Journal-Head", "Attested-By", "Run-Status"))
    except (ValueError, KeyError) as err:
        raise UsageError(f"{folder / bag.INFO} is not as a seal writes it: {err!r}") from err
    manifest = bag.digest_of(folder / bag.MANIFEST)
    return Seal(head, manifest, "" if signer == NOBODY else signer, status)


def concluded(records: tuple[Record, ...]) -> Conclusion | None:
    """What a journal amounts to; None if it ends before run and plan stand in it.

    Raises:
        UsageError: a record has not the form of this version.
    """
    form.check(records)
    return _concluded(records)


def _concluded(records: tuple[Record, ...]) -> Conclusion | None:
    if [record.kind for record in records[:2]] != ["run", "plan"]:
        return None
    return conclude(records)


def _attest(
    folder: Path,
    tag_manifest: bytes,
    head: str,
    conclusion: Conclusion | None,
    signer: Signer | None,
) -> None:
    paths = folder / dsse.ATTESTATION, folder / dsse.SIGNER
    if signer is None:
        for path in paths:
            path.unlink(missing_ok=True)  # of a seal that was begun with a key, and killed
        return
    subjects = attestation.subjects_of(
        bag.digest_of_bytes(tag_manifest), bag.digest_of(folder / bag.MANIFEST), head
    )
    payload = attestation.statement(subjects, conclusion)
    bag.write(paths[0], dsse.sealed(payload, attestation.KIND, signer))
    bag.write(paths[1], signer.public.pem)


def _info(
    journal: Journal, found: bag.Inventory, conclusion: Conclusion | None, signer: Signer | None
) -> str:
    first, last = journal.records[0], journal.records[-1]
    return bag.info(
        {
            "Bag-Software-Agent": f"stimproof {first.body.get('version', '')}",
            "Bagging-Date": last.utc[:10],
            "External-Identifier": first.body.get("run_id", "unknown"),
            "Payload-Oxum": f"{sum(found.files.values())}.{len(found.files)}",
            "Run-Status": attestation.status_of(conclusion),
            "Attested-By": signer.public.fingerprint if signer else NOBODY,
            "Journal-Records": len(journal.records),
            "Journal-Torn": "yes" if journal.torn else "no",
            "Journal-Head": last.hash,
        }
    )
