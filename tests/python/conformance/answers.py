"""The files of answers: `ROW => ANSWER`, a line each; in `differs` files below a line `# reason`."""
import pathlib

FOLDER = pathlib.Path(__file__).parent / "answers"
ARROW = " => "


def recorded(table, folder=FOLDER):
    """What the reference answered, by row."""
    return dict(_lines(folder / f"{table}.txt"))


def differing(table, folder=FOLDER):
    """What Warren answers otherwise, by row; each below its reason."""
    path, reason = folder / f"{table}.differs.txt", None
    found = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("# "):
            reason = line
        elif not line:
            reason = None
        else:
            assert reason, f"{path.name}: no reason above {line!r}"
            row, answer = line.split(ARROW, 1)
            assert row not in found, f"{path.name}: {row} twice"
            found[row] = answer
    return found


def expected(table, folder=FOLDER):
    """What Warren must answer. A differing row that does not differ has no business there."""
    answers, otherwise = recorded(table, folder), differing(table, folder)
    for row, answer in otherwise.items():
        assert row in answers, f"{table}: nothing is recorded for {row}"
        assert answers[row] != answer, f"{table}: {row} does not differ"
    return answers | otherwise


def record(table, answers, folder=FOLDER):
    folder.mkdir(exist_ok=True)
    text = "".join(f"{row}{ARROW}{answer}\n" for row, answer in answers.items())
    (folder / f"{table}.txt").write_text(text)


def _lines(path):
    for line in path.read_text().splitlines():
        yield line.split(ARROW, 1)
