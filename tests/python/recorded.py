"""What the reference answered, row by row: `wire_answers/FILE.txt`, a line `== row`, then what the row saw.

Rows are tests. WIRE_RECORD=SUFFIX ("" for the files themselves) with the reference's addresses records them anew.
Where Warren answers otherwise, its answer is in `FILE.differs.txt`, with the reason as first line of the row.
"""
import os
import pathlib
import re

ANSWERS = pathlib.Path(__file__).parent / "wire_answers"
RECORDING = os.environ.get("WIRE_RECORD")


def masked(text, masks):
    """The text with what changes from run to run replaced; masks are pairs of a pattern and a word."""
    for pattern, mask in masks:
        text = re.sub(pattern, mask, text)
    return text


def answers(file):
    """The recorded answers of a file's rows."""
    return {row: [line for line in lines if not line.startswith("# ")] for row, lines in _rows(file).items()}


def differing(file):
    """What Warren answers otherwise, by row. Each has its reason, and one that does not differ has no business there."""
    found, theirs = answers(file + ".differs"), answers(file)
    for row, lines in _rows(file + ".differs").items():
        assert lines and lines[0].startswith("# "), f"{file}: no reason is given for {row}"
        assert row in theirs, f"{file}: nothing is recorded for {row}"
        assert found[row] != theirs[row], f"{file}: {row} does not differ"
    return found


def compare(file, request, lines):
    """The lines a test saw must be the row's; when recording, they are from now on."""
    row = request.node.name.removeprefix("test_")
    if RECORDING is None:
        assert lines == (answers(file) | differing(file))[row]
        return
    rows = answers(file + RECORDING) | {row: lines}
    text = "\n".join("\n".join(["== " + name, *seen]) + "\n" for name, seen in sorted(rows.items()))
    (ANSWERS / f"{file}{RECORDING}.txt").write_text(text)


def _rows(file):
    path, found, lines = ANSWERS / f"{file}.txt", {}, None
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("== "):
            assert line[3:] not in found, f"{path.name}: {line} twice"
            lines = found.setdefault(line[3:], [])
        elif line:
            lines.append(line)
    return found
