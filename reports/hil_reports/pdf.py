"""compliance.pdf: the report in the reviewer's form, typeset from the view.

The same journal makes the same bytes: the date comes from the journal and the fonts from Typst.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

import typst

from hil.errors import UsageError
from hil_reports.text import breakable
from hil_reports.view import View

_Form: TypeAlias = Literal["pdf", "png"]


_TEMPLATES = Path(__file__).parent / "templates"
_REPORT, _SIGNATURE = _TEMPLATES / "compliance.typ", _TEMPLATES / "signature.typ"
# What the fonts within Typst draw; PDF/A refuses a character that would come out as a box.
_DRAWN = (
    (0x0A, 0x0A), (0x20, 0x7E), (0xA1, 0xAC), (0xAE, 0x377), (0x384, 0x38A), (0x38E, 0x3A1),
    (0x3A3, 0x4FF), (0x2010, 0x2027), (0x2030, 0x2040), (0x2074, 0x208E), (0x20A0, 0x20C0),
    (0x2100, 0x211E), (0x2126, 0x2151), (0x2190, 0x23FF),
)  # fmt: skip
_UNDRAWN = re.compile(f"[^{''.join(f'{chr(first)}-{chr(last)}' for first, last in _DRAWN)}]")
_SCREEN = {"drawings", "drawn", "wave", "waves"}
"""Keys of what only the page shows."""
_WHOLE = {
    "svg", "head", "entry", "previous_head", "sha256", "profile_sha256", "tone", "mark", "date",
    "signer", "annex", "document_title",
}  # fmt: skip


def compliance_pdf(view: View, attached: Mapping[str, bytes]) -> bytes:
    """Typeset the report as PDF/A-3a and PDF/UA-1; Typst itself checks both as it compiles.

    Data enters as JSON, which Typst never reads as markup.

    Args:
        view: what it shows.
        attached: files to lie within the PDF, CSV in UTF-8, by name.

    Raises:
        UsageError: Typst refused; the message is Typst's.
    """
    made = _compiled(view, "pdf", attached=attached)
    return made if isinstance(made, bytes) else b"".join(made)


def signature_pdf(view: View) -> bytes:
    """Typeset what a signature in the report shows, as the one page of a PDF.

    Args:
        view: date, width and height (points), and the texts that the template names.

    Raises:
        UsageError: Typst refused; the message is Typst's.
    """
    made = _compiled(view, "pdf", template=_SIGNATURE)
    return made if isinstance(made, bytes) else b"".join(made)


def pages_png(view: View, ppi: float = 60) -> list[bytes]:
    """Draw the pages of the same report as PNG, for looking at them."""
    drawn = _compiled(view, "png", ppi)
    return drawn if isinstance(drawn, list) else [drawn]


def _compiled(
    view: View,
    form: _Form,
    ppi: float | None = None,
    template: Path = _REPORT,
    attached: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes | list[bytes]:
    try:
        drawn: bytes | list[bytes] | None = typst.compile(
            template.read_bytes(),
            format=form,
            ignore_system_fonts=True,
            sys_inputs={"view": json.dumps(_printable(view), ensure_ascii=False)}
            | {f"attached {name}": content.decode() for name, content in attached.items()},
            timestamp=datetime.fromisoformat(f"{view['date']}T00:00:00+00:00"),
            ppi=ppi,
            # What a signature shows is drawn onto a page of the report, without a structure.
            pdf_standards=None
            if form == "png"
            else (["a-3a", "ua-1"] if template == _REPORT else ["a-2b"]),
        )
    except typst.TypstError as err:
        raise UsageError(f"the report could not be typeset: {err}") from err
    return drawn or b""


def _printable(value: object, key: str = "") -> object:
    if isinstance(value, dict):
        return {n: _printable(entry, n) for n, entry in value.items() if n not in _SCREEN}
    if isinstance(value, list):
        return [_printable(entry, key) for entry in value]
    if isinstance(value, str):
        return value if key in _WHOLE else breakable(_UNDRAWN.sub(_escaped, value))
    return value


def _escaped(undrawn: re.Match[str]) -> str:
    """Stand for a character that no font at hand has; the HTML page shows it as it is."""
    char = undrawn[0]
    return " " if char.isspace() else f"\\u{ord(char):04x}"
