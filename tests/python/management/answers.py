"""The files of answers, as in `conformance`. Beside them `TABLE.crashes.txt`: what Warren says where the reference answers 500."""
import pathlib

from conformance import answers

FOLDER = pathlib.Path(__file__).parent / "answers"
CRASH = "500"


def recorded(table):
    return answers.recorded(table, FOLDER)


def differing(table):
    return answers.differing(table, FOLDER)


def crashes(table):
    """What Warren answers where the reference fails within, by row."""
    return answers.recorded(f"{table}.crashes", FOLDER) if (FOLDER / f"{table}.crashes.txt").exists() else {}


def expected(table):
    """What Warren must answer. What does not differ, or crashes itself, has no business in a list of what does."""
    ours, theirs = crashes(table), recorded(table)
    for row, answer in ours.items():
        assert is_crash(theirs[row]) and not is_crash(answer), f"{table}: {row} is no crash of the reference alone"
    return answers.expected(table, FOLDER) | ours


def is_crash(answer):
    """Whether some step of a row was answered 500."""
    return any(step.rpartition(": ")[2].startswith(CRASH) or step.startswith(CRASH)
               for steps in answer.split(" | ") for step in steps.split(" ; "))


def record(table, found):
    answers.record(table, found, FOLDER)


def settle(table, found):
    """Takes as given what this broker answers where the reference fails within."""
    ours = {row: found[row] for row, answer in recorded(table).items() if is_crash(answer) and row in found}
    answers.record(f"{table}.crashes", ours, FOLDER)
