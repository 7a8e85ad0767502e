"""The management API answers every row of every table as the reference did, save those that differ for a reason."""
import os
import pathlib

import pytest
from management.answers import FOLDER, crashes, differing, expected, recorded
from management.client import Client
from management.matrix import cases
from management.tables import TABLES, answers_of
from played import check, playing


played = playing(TABLES, answers_of)


@pytest.mark.parametrize("table", TABLES)
def test_table(played, table):
    check(expected(table), played[table].result())


def test_every_recorded_table_is_played():
    assert {path.name.split(".")[0] for path in FOLDER.glob("*.txt")} == set(TABLES)


def test_every_route_and_method_is_asked_by_everybody():
    """A route of the document that no row of the matrix reaches."""
    paths = Client(os.environ["WARREN_HTTP"]).call("GET", "/openapi.json").value["paths"]
    asked = {(method, tuple(path.split("/"))) for method, path in cases()}

    def is_asked(method, pattern):
        segments = pattern.split("/")
        return any(one == method and len(path) == len(segments)
                   and all(wanted.startswith("{") or wanted == given for wanted, given in zip(segments, path))
                   for one, path in asked)

    missing = [f"{method.upper()} {path}" for path, operations in paths.items() for method in operations
               if method in ("get", "put", "post", "delete") and not is_asked(method.upper(), path)]
    assert not missing


def test_the_readme_counts_rows_and_differences():
    rows, crashed, otherwise = (sum(len(lines(table)) for table in TABLES) for lines in (recorded, crashes, differing))
    readme = " ".join((pathlib.Path(__file__).parents[2] / "README.md").read_text().split())
    for words in (f"{rows:,} more rows of the API", f"answers {crashed:,} of them with 500", f"{otherwise:,} differ otherwise"):
        assert words in readme
