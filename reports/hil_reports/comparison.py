"""The pages of a comparison: Markdown for a merge request, HTML with plots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hil.conclusion import conclude
from hil.errors import UsageError
from hil_reports.brief import table
from hil_reports.compare import comparison
from hil_reports.evidence import capture_loader, read_journal
from hil_reports.html import page
from hil_reports.overlays import Side
from hil_reports.text import markdown
from hil_reports.view import View

PAGES = ("comparison.md", "comparison.html")
"""Files of a comparison, in its folder."""
_LONGEST = 60
"""Judgements in the Markdown page; the HTML page has more."""


def write_comparison(before: Path, after: Path, out: Path, *, other_model: bool = False) -> View:
    """Compare two run folders whose evidence was verified; leave the pages in a new folder.

    Args:
        before: run folder A; only read.
        after: run folder B; only read.
        out: a folder that does not exist.
        other_model: whether the runs may be of different device models.

    Returns:
        What the pages say, as `hil_reports.compare.comparison`.

    Raises:
        UsageError: a journal cannot be read, the models differ, or the folder exists.
    """
    view = comparison(_side("A", before), _side("B", after), other_model=other_model)
    try:
        out.mkdir(parents=True)
    except OSError as err:
        raise UsageError(f"--out {out}: {err.strerror}; name a new folder") from err
    for name, text in zip(PAGES, (comparison_markdown(view), comparison_html(view)), strict=True):
        (out / name).write_text(text, "utf-8")
    return view


def _side(name: str, folder: Path) -> Side:
    records = read_journal(folder).records
    return Side(name, conclude(records), capture_loader(folder, records))


def comparison_html(view: View) -> str:
    """Render the HTML page; whatever came from a device or a file is escaped."""
    return page("comparison.html.j2", view)


def comparison_markdown(view: View) -> str:
    """Write the Markdown page, without plots."""
    return "\n".join(_lines(view)) + "\n"


def _lines(view: View) -> Iterator[str]:
    yield f"## {view['title']}"
    if view["simulated"]:
        yield from ("", f"**SIMULATED**: {markdown(view['banner'])}")
    yield from ("", markdown(view["statement"]), "")
    columns = ("run_id", "firmware", "provenance", "code", "statement")
    yield from table(
        ["", "run", "firmware", "provenance", "exit code", "result"],
        [[f"**{one['name']}**", *(markdown(one[key]) for key in columns)] for one in view["runs"]],
    )
    yield from ("", "### What they were judged with, where it differs", "")
    rows = [[markdown(one[key]) for key in ("what", "before", "after")]
            for one in view["configuration"]]  # fmt: skip
    yield from table(["what", "A", "B"], rows) if rows else ["Nothing differs."]
    yield from ("", "### Requirements", "")
    yield from table(
        ["requirement", "change", "A: worst case", "B: worst case", "margin, B - A"],
        [
            [markdown(one["id"]), one["change"] or "as before", _told(one["before"]),
             _told(one["after"]), one["margin"]]
            for one in view["requirements"]
        ],
    )  # fmt: skip
    yield from ("", "### Judgements that changed", "")
    changed = view["judgements"][:_LONGEST]
    rows = [
        [markdown(one["requirement"]), markdown(one["short"]), markdown(one["at"]), one["change"],
         _told(one["before"]), _told(one["after"])]
        for one in changed
    ]  # fmt: skip
    heads = ["requirement", "test", "at", "change", "A", "B"]
    yield from table(heads, rows) if rows else ["None."]
    left = len(view["judgements"]) - len(changed) + view["unprinted"]
    if left:
        yield from ("", f"{left} more changed.")
    yield from ("", f"{view['same']} judgements are as before. {PAGES[1]} has the plots.")


def _told(side: View) -> str:
    verdict = f"**{side['verdict']['word']}** " if side["verdict"] else ""
    return verdict + markdown(side["result"])
