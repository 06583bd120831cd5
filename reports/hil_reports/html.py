"""Pages of one file that need nothing else, for reading on any screen."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hil_reports.view import View

_TEMPLATES = Path(__file__).parent / "templates"
_VENDORED = Path(__file__).parent / "vendored"


def html_page(view: View) -> str:
    """Render the page of a run; whatever came from a device or a file is escaped."""
    return page("index.html.j2", view)


def page(template: str, view: View) -> str:
    """Render a template; whatever came from a device or a file is escaped."""
    environment = Environment(
        loader=FileSystemLoader([_TEMPLATES, _VENDORED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The drawings are made by hil_reports.plot, which escapes every text in them.
    environment.filters["drawing"] = Markup
    return environment.get_template(template).render(view=view)
