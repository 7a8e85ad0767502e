"""The tables by name, and how one is played."""
import importlib

from .scene import Scene

TABLES = ("matrix", "names", "bodies", "listings", "shapes")


def answers_of(amqp, http, table):
    """How a broker answers every row of a table."""
    module = importlib.import_module(f".{table}", __package__)
    scene = Scene(amqp, http, table)
    try:
        if hasattr(module, "answers"):
            return grouped(module.answers(scene))
        found = {}
        for row in module.rows():
            assert row.name not in found, f"{table}: {row.name} twice"
            found[row.name] = scene.play(row)
        return found
    finally:
        scene.close()


def grouped(asked):
    """Of answers to many callers: per case and answer who gets it, so that a table can be read."""
    cases = {}
    for case, caller, answer in asked:
        cases.setdefault(case, {}).setdefault(answer, []).append(caller)
    return {case: " | ".join(f"{', '.join(who)}: {answer}" for answer, who in found.items())
            for case, found in cases.items()}
