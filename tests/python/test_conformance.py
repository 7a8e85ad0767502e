"""Every row of every table is answered as the reference answered it, save those that differ for a reason."""
import pathlib
import re

import pytest
from conformance.answers import FOLDER, differing, expected, recorded
from conformance.tables import TABLES, answers_of
from played import check, playing
from recorded import ANSWERS, answers, differing as differing_tests

# Replies, each of which some row must show. Missing are those that need a broken node (506), nobody has seen (402), or
# no client can bring about (311, 313).
CODES = {"312", "320", "403", "404", "405", "406", "501", "502", "503", "504", "505", "530", "540", "541"}
# The files of what tests saw that are no tables.
SEEN = sorted(path.name.removesuffix(".txt") for path in ANSWERS.glob("*.txt") if ".differs" not in path.name)


played = playing(TABLES, answers_of)


@pytest.mark.parametrize("table", TABLES)
def test_table(played, table):
    check(expected(table), played[table].result())


def test_every_code_has_a_row():
    answers = " ".join(answer for table in TABLES for answer in expected(table).values())
    frames = " ".join(path.read_text() for path in ANSWERS.glob("*.txt"))
    seen = set(re.findall(r"reply_code=(\d+)", answers + frames))
    assert seen | set(re.findall(r"(?:channel|connection) (\d{3}) ", answers)) == CODES


def test_every_recorded_table_is_played():
    assert {path.name.split(".")[0] for path in FOLDER.glob("*.txt")} == set(TABLES)


def test_the_readme_counts_rows_and_differences():
    rows = sum(len(recorded(table)) for table in TABLES) + sum(map(len, map(answers, SEEN)))
    differing_rows = sum(map(len, map(differing, TABLES))) + sum(map(len, map(differing_tests, SEEN)))
    readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text()
    assert f"{rows:,} rows are recorded" in readme and f"{differing_rows} of them differ" in readme, (rows, differing_rows)
