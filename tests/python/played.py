"""Tables of answers as tests: all are played at the same time, and each row must be answered as is expected."""
import concurrent.futures
import os

import pytest
from conformance.answers import ARROW
from conformance.tables import differences


def playing(tables, answers_of):
    """The fixture of a module: answers of each table to come, by its name."""

    @pytest.fixture(scope="module")
    def played():
        with concurrent.futures.ThreadPoolExecutor(len(tables)) as pool:
            broker = os.environ["WARREN_AMQP"], os.environ["WARREN_HTTP"]
            yield {table: pool.submit(answers_of, *broker, table) for table in tables}

    return played


def check(expected, answers):
    """Refuses answers that are not the expected ones, and shows each beside what it should be."""
    found = differences(expected, answers)
    lines = [f"{row}{ARROW}{now}\n    not {was}" for row, was, now in found]
    assert not lines, "\n".join([f"{len(lines)} rows differ:", *lines])
