"""The report as a person sees it: in a browser, and on paper."""

import re
import subprocess
import sys

import pytest
from pypdf import PdfReader


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Report folder of a short run of the shipped suites."""
    out = tmp_path_factory.mktemp("runs")
    hil = [sys.executable, "-m", "hil_fixtures"]
    line = [*hil, "run", "--out", str(out), "--depth", "smoke", "--suite", "ramping"]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=110, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return out / (out / "latest").read_text().strip() / "report"


MEASURE = """<script>addEventListener('load', () => {
  const fetched = performance.getEntriesByType('resource').length;
  document.querySelectorAll('details').forEach(each => { each.open = true; });
  const cut = Array.from(document.querySelectorAll('table.clauses, table.budget')).filter(
    each => each.offsetWidth > each.parentElement.clientWidth).length;
  scrollTo(0, document.documentElement.scrollHeight);
  const stays = document.querySelector('.banner').getBoundingClientRect();
  document.title = ['seen', document.documentElement.scrollWidth, innerWidth, fetched, cut,
    scrollY > 0 ? Math.round(stays.top) : 'unscrolled'].join(' ');
})</script>"""


@pytest.mark.needs_tool("chromium")
@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_fits_its_window_asks_nobody_and_stays_marked(report, tmp_path, width):
    page = tmp_path / "page.html"
    page.write_text((report / "index.html").read_text().replace("</body>", f"{MEASURE}</body>"))
    line = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    line += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900", page.as_uri()]
    dom = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(r"<title>seen (\d+) (\d+) (\d+) (\d+) (\S+)</title>", dom)
    assert found, "the page's script did not run"
    content, window, fetched, cut = map(int, found.groups()[:4])
    assert content <= window
    assert fetched == 0
    assert cut == 0  # the tables of verdicts and of contributions show each of their columns
    assert found[5] == "0"  # the banner, at the end of the page


@pytest.mark.needs_tool("chromium")
def test_each_sheet_of_the_printed_page_is_marked(report, tmp_path):
    line = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    line += [f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={tmp_path / 'sheets.pdf'}"]
    page = (report / "index.html").as_uri()
    subprocess.run([*line, page], capture_output=True, timeout=60, check=True)
    sheets = [sheet.extract_text() for sheet in PdfReader(tmp_path / "sheets.pdf").pages]
    assert len(sheets) > 2
    assert all("SIMULATED" in sheet for sheet in sheets)


@pytest.mark.needs_tool("chromium")
def test_the_address_that_a_terminal_tells_opens_that_requirement(report, tmp_path):
    line = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    line += [
        f"--user-data-dir={tmp_path / 'profile'}",
        f"{(report / 'index.html').as_uri()}#RAMP-UP",
    ]
    dom = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True).stdout
    folded = dict(re.findall(r'<details class="req" id="([A-Z-]+)"([^>]*)>', dom))
    assert [name for name, rest in folded.items() if "open" in rest] == ["RAMP-UP"]
    assert len(folded) > 3


@pytest.mark.needs_tool("pdftoppm")
def test_the_first_page_shows_the_banner(report, tmp_path):
    line = ["pdftoppm", "-r", "40", "-f", "1", "-l", "1", "-singlefile"]
    subprocess.run([*line, report / "compliance.pdf", tmp_path / "page"], timeout=60, check=True)
    kind, size, depth, pixels = (tmp_path / "page.ppm").read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    assert (kind, depth, len(pixels)) == (b"P6", b"255", 3 * width * height)
    assert abs(width / height - 210 / 297) < 0.01  # A4
    rows = [pixels[3 * width * y : 3 * width * (y + 1)] for y in range(height)]
    red = [y for y, row in enumerate(rows) if _share_of_red(row) > 0.7]
    assert len(red) > 8  # the SIMULATED banner runs across the page
    assert max(red) < height / 3  # and stands above everything else


def _share_of_red(row):
    triples = list(zip(row[0::3], row[1::3], row[2::3], strict=True))
    return sum(r > 130 and g < 70 and b < 70 for r, g, b in triples) / len(triples)
