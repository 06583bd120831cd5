"""The deep part of a verification: the run is judged again from its captures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hil.errors import UsageError
from hil_reports.evidence import attestation
from hil_reports.evidence.bag import Problem
from hil_reports.evidence.captures import FOLDER
from hil_reports.evidence.citations import JOURNAL_FILE
from hil_reports.evidence.dsse import ATTESTATION
from hil_reports.evidence.folder import DATA, cited_captures, load_capture, read_journal
from hil_reports.evidence.rejudging import unfounded
from hil_reports.evidence.seal import concluded


def deep_problems(folder: Path, attested: str) -> Iterator[Problem]:
    """Parse each record, read each capture, and judge the run again.

    Args:
        folder: a run folder.
        attested: the result that its attestation gives; empty if there is none.
    """
    try:
        records = read_journal(folder).records
        conclusion = concluded(records)
    except UsageError as err:
        yield Problem(JOURNAL_FILE, str(err))
        return
    shown = attestation.attested_of(conclusion)
    if attested and attested != shown:
        yield Problem(ATTESTATION, f"says {attested}; the journal amounts to {shown}")
    for cited in cited_captures(records).values():
        try:
            load_capture(folder, cited)
        except UsageError as err:
            yield Problem(f"{DATA}/{FOLDER}/{cited['dataset']}.h5", str(err))
    if conclusion is not None:
        for n, text in unfounded(folder, records):
            yield Problem(JOURNAL_FILE, text, n)
