"""Makes every view of a run folder from its evidence, and nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path

from hil import form
from hil.conclusion import Conclusion, conclude
from hil.errors import UsageError
from hil.journal import Record
from hil_reports.allure import reconcile
from hil_reports.allure_page import PAGE, render
from hil_reports.brief import summary_markdown
from hil_reports.evidence import capture_loader, read_journal
from hil_reports.evidence.keys import Signer
from hil_reports.evidence.views import REPORT, seal_views
from hil_reports.html import html_page
from hil_reports.junit import junit_xml
from hil_reports.matrix import matrix, matrix_csv, matrix_xlsx
from hil_reports.pdf import compliance_pdf
from hil_reports.reqif import requirements_reqif
from hil_reports.signatures import seal_view
from hil_reports.summary import PATHS, summary_json
from hil_reports.view import Plots, view_of

_PART = f"{REPORT}.part"


def write_report(folder: Path, signer: Signer | None = None) -> Conclusion:
    """(Re)make report/ of a run folder: Allure, JUnit, PDF, HTML, matrix, summary, and their seal.

    What pytest left of Allure is made to tell the truth; all else comes from the evidence. The
    manifest is written last, so that where it stands the views are those of this journal.

    Args:
        folder: a run folder; its data/ is only read.
        signer: who vouches for the views; None leaves them unsigned.

    Returns:
        What the journal amounts to.

    Raises:
        UsageError: the journal is missing, was changed, or does not begin with run and plan.
    """
    return _made(Path(folder), Path(folder) / REPORT, signer)


def remake_report(folder: Path, out: Path | None = None, signer: Signer | None = None) -> Path:
    """Make all views again from the evidence alone; what stood in report/ is not looked at.

    Args:
        folder: a run folder; its data/ is only read.
        out: a new folder for them; None replaces report/.
        signer: who vouches for the views.

    Returns:
        The folder that was made.

    Raises:
        UsageError: as `write_report`; or `out` exists.
    """
    folder = Path(folder)
    if out is not None:
        try:
            out.mkdir(parents=True)
        except OSError as err:
            raise UsageError(f"--out {out}: {err.strerror}; name a new folder") from err
        _made(folder, out, signer)
        return out
    part, report = folder / _PART, folder / REPORT
    if part.exists():
        shutil.rmtree(part)  # of a making that was killed
    part.mkdir()
    _made(folder, part, signer)
    if report.exists():
        shutil.rmtree(report)
    os.replace(part, report)
    return report


def add_allure_page(folder: Path, report: Path, signer: Signer | None = None) -> Path:
    """Render Allure's results of a report that was made, and list and sign the views anew.

    The history of the device type lies beside the run folder.

    Args:
        folder: the run folder.
        report: its report, in it or elsewhere.
        signer: who vouches for the views.

    Returns:
        The page.

    Raises:
        NotRendered: Node or the renderer is missing, or it failed; the report stays as it was.
    """
    conclusion = conclude(read_journal(folder).records)
    device = f"{conclusion.plan['manufacturer']} {conclusion.plan['model']}"
    name = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")[:60]
    told = hashlib.sha256(device.encode()).hexdigest()[:8]
    history = folder.absolute().parent / f"allure-history-{name}-{told}.jsonl"
    page = report / PAGE
    render(_place(report, "allure"), page, conclusion, history)
    seal_views(report, signer)
    return page


def _made(folder: Path, report: Path, signer: Signer | None) -> Conclusion:
    records = read_journal(folder).records
    try:
        return _views(folder, report, signer, records)
    except (AttributeError, KeyError, TypeError, ValueError):
        form.check(records)  # a body of another form is the reason, and is named
        raise


def _views(
    folder: Path, report: Path, signer: Signer | None, records: tuple[Record, ...]
) -> Conclusion:
    conclusion = conclude(records)
    seal = seal_view(folder, records)
    report.mkdir(exist_ok=True)
    for name in ("summary.json", "manifest-sha256.txt"):
        (report / name).unlink(missing_ok=True)
    plots = Plots(conclusion, capture_loader(folder, records))
    _write(_place(report, "junit"), junit_xml(conclusion).encode())
    rows = matrix(conclusion, records)
    view = view_of(conclusion, capture_loader(folder, records), rows, seal, plots)
    _write(_place(report, "html"), html_page(view).encode())
    table = matrix_csv(rows)
    _write(_place(report, "pdf"), compliance_pdf(view, {_place(report, "matrix").name: table}))
    # After the PDF, which takes most of the memory: this reads a record for each test that failed.
    reconcile(_place(report, "allure"), conclusion, plots.draw)
    _write(_place(report, "markdown"), summary_markdown(conclusion).encode())
    _write(_place(report, "matrix"), table)
    _write(_place(report, "reqif"), requirements_reqif(conclusion))
    _write(_place(report, "spreadsheet"), matrix_xlsx(conclusion, rows))
    _write(report / "summary.json", summary_json(conclusion, seal).encode())
    seal_views(report, signer)
    return conclusion


def _place(report: Path, view: str) -> Path:
    return report / Path(PATHS[view]).name


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)
