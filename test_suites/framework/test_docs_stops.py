"""The table of all ways to stop is complete: a row for each path, and a test that drives it."""

from pathlib import Path

from chaos.paths import MARKS, Outcome, table, write
from chaos.stops import PATHS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "sentinel.md"


def rows(text):
    """First cell of each row."""
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return [line.split("|")[1].strip() for line in lines]


def test_the_page_has_a_row_for_each_path():
    made = PAGE.read_text().partition(MARKS[0])[2].partition(MARKS[1])[0]
    assert rows(made) == [path.name for path in PATHS]
    assert "NOT KEPT" not in made


def test_no_two_paths_have_one_name_or_one_test():
    assert len({path.name for path in PATHS}) == len({path.test for path in PATHS}) == len(PATHS)


def test_what_is_not_kept_shows_in_the_table(tmp_path):
    path = PATHS[0]
    good, late = Outcome(path, 0.01), Outcome(path, 9.0, ["off after 9.000 s"])
    page = tmp_path / "page.md"
    page.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n")
    write(table({path.name: [good, late]}, 5.0), page)
    text = page.read_text()
    assert "2, 1 NOT KEPT | 4505 ms | 9000 ms" in text
    assert (text[:6], text[-6:-1], "old" in text) == ("before", "after", False)
