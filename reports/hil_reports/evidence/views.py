"""The seal of report/: which views were made of a run, of what state of it, and by whom.

    report/manifest-sha256.txt      every view
    report/attestation.dsse.json    that manifest, signed, where whoever made the views has a key
    report/signer.pem               the public key that checks it

summary.json, which the manifest lists, names the heads of the journal and of the annex.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from hil.errors import UsageError
from hil_reports.evidence import bag, dsse, foreign
from hil_reports.evidence.bag import Problem
from hil_reports.evidence.keys import PublicKey, Signer

REPORT = "report"
KIND = "application/vnd.stimproof.manifest"
"""Media type of a manifest in its envelope."""
_OURS = {bag.MANIFEST, dsse.ATTESTATION, dsse.SIGNER}


def seal_views(report: Path, signer: Signer | None) -> None:
    """List all views of a report folder, and sign the list if there is a key."""
    for name in (dsse.ATTESTATION, dsse.SIGNER):
        (report / name).unlink(missing_ok=True)
    found = bag.inventory(report).files
    views = {name: size for name, size in found.items() if name not in _OURS}
    manifest = bag.listing(bag.digests(report, views)).encode()
    bag.write(report / bag.MANIFEST, manifest)
    if signer is not None:
        bag.write(report / dsse.ATTESTATION, dsse.sealed(manifest, KIND, signer))
        bag.write(report / dsse.SIGNER, signer.public.pem)


def view_problems(folder: Path, heads: tuple[str, str]) -> Iterator[Problem]:
    """Check the views of a run; who signed them says `view_signer`.

    Args:
        folder: the run folder.
        heads: of the journal and of the annex that the views must have been made of.
    """
    report = folder / REPORT
    found = bag.inventory(report)
    yield from (_problem(name, "is a link, or no file") for name in found.strange)
    yield from (_problem(name, "is a folder") for name in sorted(_OURS) if (report / name).is_dir())
    if bag.MANIFEST not in found.files:
        yield _problem(bag.MANIFEST, "is missing: the making of these views was broken off")
        return
    try:
        listed = bag.read_listing(_manifest(report, found))
    except UsageError as err:
        yield _problem(bag.MANIFEST, str(err))
        return
    views = {name: size for name, size in found.files.items() if name not in _OURS}
    hashes, refused = bag.hashed(report, views, lambda _: foreign.PRINTED)
    for problem in (*refused, *bag.differences(listed, hashes)):
        yield _problem(problem.file, problem.text)
    if "summary.json" in found.files:
        yield from _summary_problems(report, heads)
    else:
        yield _problem("summary.json", "is missing: it says what the views were made of")


def view_signer(folder: Path) -> str:
    """Return the fingerprint of whoever signed the views; empty for nobody.

    Raises:
        UsageError: the signature is not good, or not that of this manifest.
    """
    report = folder / REPORT
    found = bag.inventory(report)
    files = found.files
    if dsse.ATTESTATION not in files and dsse.SIGNER not in files:
        return ""
    missing = {*_OURS} - files.keys()
    if missing:
        raise UsageError(f"{', '.join(sorted(missing))} is missing beside it")
    public = PublicKey.read(foreign.content_of(report / dsse.SIGNER, foreign.KEY))
    envelope = foreign.content_of(report / dsse.ATTESTATION, foreign.ENVELOPE)
    if dsse.opened(envelope, KIND, public) != _manifest(report, found):
        raise UsageError(f"it signs another {bag.MANIFEST}")
    return public.fingerprint


def _summary_problems(report: Path, heads: tuple[str, str]) -> Iterator[Problem]:
    try:
        content = foreign.content_of(report / "summary.json", foreign.ENVELOPE)
        summary = json.loads(content)
        made_of = summary["head"], summary["annex"]
    except UsageError as err:
        yield _problem("summary.json", str(err))
        return
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        yield _problem("summary.json", f"does not say what the views were made of: {err!r}")
        return
    if made_of != heads:
        yield _problem("summary.json", "the views were made of another state of the run")


def _manifest(report: Path, found: bag.Inventory) -> bytes:
    return foreign.content_of(report / bag.MANIFEST, foreign.manifest_bytes(len(found.files)))


def _problem(name: str, text: str) -> Problem:
    return Problem(f"{REPORT}/{name}", text)
