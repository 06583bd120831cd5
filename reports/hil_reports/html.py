"""index.html: one file that needs nothing else, for reading a run on any screen."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hil_reports.view import View

_TEMPLATES = Path(__file__).parent / "templates"


def html_page(view: View) -> str:
    """Render the page; whatever came from a device or a file is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The drawings are made by hil_reports.plot, which escapes every text in them.
    environment.filters["drawing"] = Markup
    return environment.get_template("index.html.j2").render(view=view)
