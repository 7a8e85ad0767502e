"""The management API answers every row of every table as the reference did, save those that differ for a reason."""
import concurrent.futures
import os

import pytest
from management.answers import ARROW, FOLDER, expected
from management.client import Client
from management.matrix import cases
from management.tables import TABLES, answers_of, differences


@pytest.fixture(scope="module")
def played():
    """The tables at the same time, each on virtual hosts of its own."""
    with concurrent.futures.ThreadPoolExecutor(len(TABLES)) as pool:
        broker = os.environ["WARREN_AMQP"], os.environ["WARREN_HTTP"]
        yield {table: pool.submit(answers_of, *broker, table) for table in TABLES}


@pytest.mark.parametrize("table", TABLES)
def test_table(played, table):
    found = differences(expected(table), played[table].result())
    lines = [f"{row}{ARROW}{now}\n    not {was}" for row, was, now in found]
    assert not lines, "\n".join([f"{len(lines)} rows differ:", *lines])


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
