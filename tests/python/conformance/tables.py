"""The tables there are, and playing one."""
import importlib

from .bench import Bench

TABLES = ("queue_arguments", "equivalence", "consumer_arguments", "exchanges", "permissions", "topic_permissions",
          "methods", "policies")


def answers_of(amqp, http, name):
    """What the broker answers to each row of a table."""
    table = importlib.import_module(f"conformance.{name}")
    bench, answers = Bench(amqp, http, name.replace("_", "-")), {}
    try:
        if hasattr(table, "prepare"):
            table.prepare(bench)
        for row in table.rows():
            assert row.name not in answers, f"{name}: two rows {row.name}"
            answers[row.name] = bench.play(row)
    finally:
        bench.close()
    return answers


def differences(expected, answers):
    """Rows whose answers are not the expected ones, as they are written to a file."""
    rows = [row for row in {**expected, **answers} if expected.get(row) != answers.get(row)]
    return [(row, expected.get(row), answers.get(row)) for row in rows]
