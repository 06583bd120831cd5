"""allure.html: Allure's results as one page, rendered by npm's `allure` where that is installed.

The renderer's page asks a server of Google for a script whenever it is opened, and knows nothing of
a run that did not end. So what counts its readers is cut out, the page is forbidden to load
anything, and a banner that stays on top says how much of the plan has a verdict. The page carries
the time of its making: unlike all other views it is not the same bytes again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from html import escape
from pathlib import Path

from hil.conclusion import Conclusion
from hil.errors import HilError
from hil_reports.allure import CATEGORIES
from hil_reports.text import clean
from hil_reports.view import WORDS, banner

RENDERER = "STIMPROOF_ALLURE"
"""Environment variable that names the folder of npm's package `allure`."""
VERSION = "3.18.0"
"""Version of npm's package `allure` that these lines were tried with."""
PAGE = "allure.html"
_SECONDS = 120
_COUNTED = re.compile(
    r"<script[^>]*googletagmanager[^>]*>\s*</script>\s*<script>(?:(?!</script>).)*gtag\("
    r"(?:(?!</script>).)*</script>",
    re.DOTALL,
)
_ELSEWHERE = re.compile(
    r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|googletagmanager""", re.IGNORECASE
)
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "script-src 'unsafe-inline' 'unsafe-eval' data: blob:; style-src 'unsafe-inline' data: blob:; "
    "img-src data: blob:; font-src data:; media-src data: blob:; connect-src data: blob:; "
    'frame-src data: blob:">'
)


class NotRendered(HilError):
    """Why there is no page, in a line; the results are there all the same."""


def render(results: Path, page: Path, conclusion: Conclusion, history: Path) -> None:
    """Render a folder of results as one page.

    Args:
        results: the folder.
        page: the file to write.
        conclusion: what the journal amounts to.
        history: file of the runs before, of one type of device; this run is entered, once.

    Raises:
        NotRendered: Node or the renderer is missing, or it failed; nothing is written.
    """
    node, program = _renderer()
    with tempfile.TemporaryDirectory(prefix="stimproof-allure-") as room:
        config, out = Path(room) / "allurerc.json", Path(room) / "out"
        kept = Path(room) / "history.jsonl"
        run_id = conclusion.run["run_id"]
        kept.write_text(_others(history, run_id), "utf-8")
        config.write_text(json.dumps(_configuration(run_id, out, kept)), "utf-8")
        command = [node, str(program), "generate", "--config", str(config), str(results.absolute())]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=room
            )
        except (OSError, subprocess.TimeoutExpired) as err:
            raise NotRendered(f"{PAGE} is not made: {program}: {err}") from err
        made = out / "index.html"
        if done.returncode or not made.is_file():
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise NotRendered(
                f"{PAGE} is not made: {program} ended with {done.returncode}: {clean(last, 300)}"
            )
        _replace(page, closed(made.read_text("utf-8"), conclusion))
        _replace(history, kept.read_text("utf-8"))


def closed(page: str, conclusion: Conclusion) -> str:
    """A page of the renderer that loads nothing, under a banner.

    Raises:
        NotRendered: something in it still leads elsewhere, as of another version of the renderer.
    """
    head, body = page.find("<head>"), page.find("<body>")
    if head < 0 or body < 0:
        raise NotRendered(f"{PAGE} is not made: the renderer's page has no head or no body")
    head, body = head + len("<head>"), body + len("<body>")
    page = "".join([page[:head], _POLICY, page[head:body], _banner(conclusion), page[body:]])
    page = _COUNTED.sub("", page)
    if found := _ELSEWHERE.search(page):
        raise NotRendered(
            f"{PAGE} is not made: the page of this renderer leads elsewhere by "
            f"{clean(found[0], 60)!r}; {VERSION} was tried"
        )
    return page


def _renderer() -> tuple[str, Path]:
    """Node, and the program of the renderer."""
    node = shutil.which("node")
    if node is None:
        raise NotRendered(f"{PAGE} is not made: node is not on PATH")
    named = os.environ.get(RENDERER, "")
    here = Path.cwd()
    places = [Path(named)] if named else [
        folder / "node_modules" / "allure" for folder in (here, *here.parents)
    ]  # fmt: skip
    for place in places:
        if (place / "cli.js").is_file():
            return node, (place / "cli.js").absolute()
    raise NotRendered(
        f"{PAGE} is not made: no renderer in {named or 'node_modules here or above'}; "
        f"npm install allure@{VERSION}, or name its folder in {RENDERER}"
    )


def _configuration(run_id: str, out: Path, history: Path) -> dict[str, object]:
    options = {
        "singleFile": True,
        "reportLanguage": "en",
        "groupBy": ["epic", "feature", "story"],
    }
    return {
        "name": clean(run_id, 200),
        "output": str(out),
        "historyPath": str(history),
        "appendHistory": True,
        "categories": CATEGORIES,
        "plugins": {"awesome": {"options": options}},
    }


def _others(history: Path, run_id: str) -> str:
    """The history without this run; what is no line of it is left out."""
    if not history.is_file():
        return ""
    kept = []
    for line in history.read_text("utf-8", "replace").splitlines():
        try:
            name = json.loads(line)["name"]
        except (ValueError, TypeError, KeyError):
            continue
        if name != clean(run_id, 200):
            kept.append(f"{line}\n")
    return "".join(kept)


def _banner(conclusion: Conclusion) -> str:
    """COMPLETE or INCOMPLETE, n of m; and that it is simulated, over everything else."""
    ended = sum(bool(test.outcome) for test in conclusion.tests)
    word = "COMPLETE" if conclusion.complete else "INCOMPLETE"
    parts = [f"{word} {ended} of {len(conclusion.tests)} tests ended", WORDS[conclusion.verdict]]
    style = "background:#1f2328;color:#fff"
    if not conclusion.provenance.hardware:
        parts.insert(0, f"SIMULATED: {banner(conclusion)}")
        style = "background:#a3221a;color:#fff"
    if conclusion.run["partial"]:
        parts.append(f"partial scope: {clean(conclusion.run['partial'], 200)}")
    return (
        f'<div role="note" style="{style};position:sticky;top:0;z-index:9999;padding:8px 16px;'
        f'font:600 14px system-ui,sans-serif">{escape(" · ".join(parts))}</div>'
    )


def _replace(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, "utf-8")
    os.replace(part, path)
