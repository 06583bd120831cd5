"""Makes every view of a run folder from its evidence, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from hil.conclusion import Conclusion, conclude
from hil_reports.allure import reconcile
from hil_reports.evidence import capture_loader, read_journal
from hil_reports.html import html_page
from hil_reports.junit import junit_xml
from hil_reports.pdf import compliance_pdf
from hil_reports.summary import PATHS, summary_json
from hil_reports.view import view_of


def write_report(folder: Path) -> Conclusion:
    """(Re)make report/ of a run folder from data/: Allure, JUnit, PDF, HTML and the summary.

    The summary is written last, so that where it stands the other views are those of this journal.

    Args:
        folder: a run folder; its data/ is only read.

    Returns:
        What the journal amounts to.

    Raises:
        UsageError: the journal is missing, was changed, or does not begin with run and plan.
    """
    folder = Path(folder)
    records = read_journal(folder).records
    conclusion = conclude(records)
    (folder / "report").mkdir(exist_ok=True)
    (folder / "report" / "summary.json").unlink(missing_ok=True)
    reconcile(folder / PATHS["allure"], conclusion)
    _write(folder / PATHS["junit"], junit_xml(conclusion).encode())
    view = view_of(conclusion, capture_loader(folder, records))
    _write(folder / PATHS["html"], html_page(view).encode())
    _write(folder / PATHS["pdf"], compliance_pdf(view))
    _write(folder / "report" / "summary.json", summary_json(conclusion).encode())
    return conclusion


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)
