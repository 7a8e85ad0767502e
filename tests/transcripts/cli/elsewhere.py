"""What the recorded commands answer differently on other brokers: the lists of it, and the tables in the documents.

    python3 elsewhere.py documents [--write]

A list is `elsewhere/VERSION.txt`. A line says how many steps were compared (`1638 steps`), the others which of a scenario
differ and why: `SCENARIO STEPS: reason`, as in `exceptions.txt`; `SCENARIO STEPS sometimes: reason` of those that depend on
when the broker last counted. `documents` compares the tables between the markers
`<!-- elsewhere:begin -->` and `<!-- elsewhere:end -->` of README.md and docs/ctl.md with the lists, or writes them.
"""

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LISTS = os.path.join(HERE, "elsewhere")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
BEGIN, END = "<!-- elsewhere:begin -->\n", "<!-- elsewhere:end -->\n"


class Differences:
    """One list: `reasons` by (scenario, step), which of them hold `sometimes`, and the number of steps compared."""

    def __init__(self, path):
        self.reasons, self.sometimes, self.compared = {}, set(), None
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                self._read(line.rstrip("\n"), f"{os.path.basename(path)} line {number}")

    def _read(self, line, where):
        if not line or line.startswith("#"):
            return
        if counted := re.fullmatch(r"(\d+) steps", line):
            self.compared = int(counted[1])
            return
        parts = re.fullmatch(r"(\S+) ([\d,-]+)( sometimes)?: (.+)", line)
        if not parts:
            raise SystemExit(f"{where}: neither 'N steps' nor 'SCENARIO STEPS: reason'")
        for span in parts[2].split(","):
            first, _, last = span.partition("-")
            for step in range(int(first), int(last or first) + 1):
                if (parts[1], step) in self.reasons:
                    raise SystemExit(f"{where}: {parts[1]} {step} stands there twice")
                self.reasons[parts[1], step] = parts[4]
                if parts[3]:
                    self.sometimes.add((parts[1], step))


def versions():
    """The versions with a list, oldest first."""
    names = [name[:-4] for name in os.listdir(LISTS) if name.endswith(".txt")]
    return sorted(names, key=lambda name: [int(part) for part in name.split(".")])


def path_of(version):
    return os.path.join(LISTS, version + ".txt")


def judge(version, found):
    """Compares the outcome of each step, by (scenario, step), with the list; what is wrong with it, as lines."""
    listed = Differences(path_of(version))
    wrong = []
    if listed.compared != len(found):
        wrong.append(f"{len(found)} steps were compared, the list says {listed.compared}")
    for place in sorted(found):
        name = f"{place[0]} {place[1]}"
        if not found[place] and place not in listed.reasons:
            wrong.append(f"{name} differs and is not in the list")
        if found[place] and place in listed.reasons and place not in listed.sometimes:
            wrong.append(f"{name} is as recorded and stands in the list")
    for place in sorted(set(listed.reasons) - set(found)):
        wrong.append(f"{place[0]} {place[1]} stands in the list and was not compared")
    return wrong


def command_of(scenario, step, read={}):
    """The command of a step, as a reader of the documents knows it."""
    if scenario not in read:
        with open(os.path.join(HERE, "scenarios", scenario + ".json"), encoding="utf-8") as file:
            read[scenario] = json.load(file)["steps"]
    words = [word for word in read[scenario][step - 1].get("args", []) if word[:1] not in "-<"]
    if "tool" not in read[scenario][step - 1]:
        return "what follows from it"
    return f"`{words[0]}`" if words else f"`{read[scenario][step - 1]['tool']}`"


def by_command():
    """The table of docs/ctl.md: a row for each reason, with the steps of each version."""
    lists = {version: Differences(path_of(version)) for version in versions()}
    rows = {}
    for version, listed in lists.items():
        for (scenario, step), reason in listed.reasons.items():
            commands, counts = rows.setdefault(reason, ({}, dict.fromkeys(lists, 0)))
            commands.setdefault(command_of(scenario, step))
            counts[version] += 1
    text = "| Commands | What is different over HTTP, and why |" + "".join(f" {version} |" for version in lists)
    text += "\n|---|---|" + "---:|" * len(lists) + "\n"
    for reason, (commands, counts) in sorted(rows.items(), key=lambda row: sorted(row[1][0])):
        cells = [", ".join(sorted(commands)), reason] + [str(counts[version] or "–") for version in lists]
        text += "| " + " | ".join(cells) + " |\n"
    return text


def by_version():
    """The table of README.md."""
    text = "| Target, over HTTP alone | Steps | As its own tools answer | Different |\n|---|---:|---:|---:|\n"
    for version in versions():
        listed = Differences(path_of(version))
        numbers = (listed.compared, listed.compared - len(listed.reasons), len(listed.reasons))
        text += f"| RabbitMQ {version} | " + " | ".join(f"{number:,}" for number in numbers) + " |\n"
    return text


def documents(write):
    """Whether the tables in the documents are those of the lists."""
    stale = []
    for name, table in (("README.md", by_version()), (os.path.join("docs", "ctl.md"), by_command())):
        path = os.path.join(ROOT, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        head, rest = text.split(BEGIN)
        old, tail = rest.split(END)
        if old == table:
            continue
        stale.append(name)
        if write:
            with open(path, "w", encoding="utf-8") as file:
                file.write(head + BEGIN + table + END + tail)
    if stale and not write:
        raise SystemExit(f"{', '.join(stale)}: not the table of {LISTS}; write it with: python3 {__file__} documents --write")


if __name__ == "__main__":
    if sys.argv[1:2] != ["documents"]:
        raise SystemExit(__doc__)
    documents("--write" in sys.argv[2:])
