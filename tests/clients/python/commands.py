"""Runs an administration tool by a script of command lines. What each says, and its exit code, must be what was recorded.

    commands.py SCRIPT EXPECTED PROGRAM [WORD...]

A line of the script is a command line for the tool, or begins with one of these marks:

    ~ LINE    only the shape counts: of JSON that each recorded name is there with its type, save those of absent.txt
              beside the script (there may be more names), of a table the first column (of many: row)
    = LINE    only the exit code counts
    ^ LINE    the order of the lines does not count
    % ACTION  something done to the broker: declare NAME (a vhost, and there a queue of three messages), connect NAME VHOST
              QUEUE (and consume), disconnect NAME, until PATH KEY VALUE

In a line `{dir}` is a folder of its own, `{node}` the node's name, `{http}` its port, `{connection NAME}` the name the broker gives a connection, and `<<< TEXT` at
the end is standard input. Below NAME.txt may lie NAME.differs.txt: the answers that are meant to differ, below the reason.
With CLIENTS_RECORD=1 the answers become what is expected.
"""
import difflib
import fnmatch
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import pika
from checks import DEADLINE_S, HOST, PORT

HTTP = os.environ["HTTP_URL"]
COMMAND_MAX_S = 60
TYPES = {bool: "boolean", str: "string", int: "number", float: "number", type(None): "null"}
MASKS = [
    (r"\$argon2id\$[^\s\"|│]+", "HASH"),
    (r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{48}(?![A-Za-z0-9+/=])", "HASH"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^\s\"|│,]*", "TIME"),
    (r"\b1\d{12}\b", "TIME"),
    (r"\brabbitmq-cluster-id-[\w-]+", "CLUSTER_ID"),
    (r"\b4\.3\.\d+\b", "VERSION"),
    (r"\b(127\.0\.0\.1|localhost):\d+", "ADDRESS"),
    (r"(peer_port\W+)\d+", r"\1PORT"),
    (r"(\"rate\": )[\d.]+(e-?\d+)?", r"\1NUMBER"),
    (r"(~|%7E)[A-Za-z0-9_-]{6}(?=[\s\"|│])", r"\1ARGUMENTS"),
    (r"(?<![\d.])\d+\.\d+(e-?\d+)?\b(?!\.)", "NUMBER"),
]


def ask(path, body=None):
    request = urllib.request.Request(HTTP + path, body and json.dumps(body).encode(), method="PUT" if body else "GET",
                                     headers={"Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="})
    with urllib.request.urlopen(request, timeout=COMMAND_MAX_S) as answer:
        return json.loads(answer.read() or "null")


class Bench:
    """The broker's side: connections, and waiting until the broker shows something."""

    def __init__(self):
        self.connections = {}

    @staticmethod
    def open(name, vhost):
        return pika.BlockingConnection(pika.ConnectionParameters(
            HOST, PORT, vhost, pika.PlainCredentials("guest", "guest"), client_properties={"connection_name": name}))

    def declare(self, name):
        ask(f"/api/vhosts/{name}", {"description": name})
        ask(f"/api/permissions/{name}/guest", {"configure": ".*", "write": ".*", "read": ".*"})
        with self.open(name, name) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.queue_declare(name, durable=True)
            for number in range(3):
                channel.basic_publish("", name, str(number))
        self.wait(lambda: not self.name_of(name), name)

    def connect(self, name, vhost, queue):
        connection = self.open(name, vhost)
        channel = connection.channel()
        channel.basic_qos(prefetch_count=7)
        channel.basic_consume(queue, lambda *_: None, consumer_tag=name)
        self.connections[name] = connection
        self.wait(lambda: self.name_of(name) and ask("/api/consumers") and ask("/api/channels"), name)

    def disconnect(self, name):
        connection = self.connections.pop(name)
        try:
            connection.close()
        except pika.exceptions.AMQPError:
            pass  # the tool was told to close it
        self.wait(lambda: not self.name_of(name), name)

    def until(self, path, key, value):
        def holds():
            found = ask(path)
            for part in key.split("."):
                found = found[int(part)] if isinstance(found, list) else found.get(part, {})
            return str(found) == value
        self.wait(holds, (path, key, value))

    def name_of(self, name):
        """The name that the broker has given the connection, once it tells who it is."""
        for connection in ask("/api/connections"):
            if connection.get("client_properties", {}).get("connection_name") == name:
                return connection["name"]
        return None

    @staticmethod
    def wait(condition, what):
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end, f"not seen within {DEADLINE_S} s: {what}"
            time.sleep(0.05)


class Tool:
    """The tool, and how what it says is written down."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        overview = ask("/api/overview")
        self.own = [(overview["node"], "NODE"), (overview["cluster_name"], "CLUSTER"), (folder, "DIR"),
                    (overview["product_name"] + " ", "PRODUCT "), (str(urllib.parse.urlsplit(HTTP).port), "HTTP_PORT")]

    def run(self, words, text, mark):
        """A command's exit code and what it said, volatile parts masked."""
        done = subprocess.run(self.program + words, input=text, capture_output=True, text=True, timeout=COMMAND_MAX_S,
                              cwd=self.folder, env={**os.environ, "NO_COLOR": "1", "COLUMNS": "1000"})
        answer = [f"exit {done.returncode}"]
        if mark == "=":
            return answer
        said = self.shape(done.stdout) if mark == "~" else done.stdout.splitlines()
        troubles = done.stderr.splitlines()
        # Where a program written in Python fell is its own affair.
        troubles = troubles[-1:] if troubles[:1] == ["Traceback (most recent call last):"] else troubles
        lines = [line for line in map(self.mask, said + troubles) if line]
        return answer + (sorted(lines) if mark == "^" else lines)

    def filled(self, word):
        """A word of the script with what only this run knows."""
        known = {"{dir}": self.folder, "{node}": self.own[0][0], "{http}": str(urllib.parse.urlsplit(HTTP).port)}
        for name, text in known.items():
            word = word.replace(name, text)
        return word

    def mask(self, line):
        if line[:1] in "[{":
            try:
                line = json.dumps(json.loads(line), sort_keys=True)
            except ValueError:
                pass  # a part of something longer
        for text, mask in self.own:
            line = line.replace(text, mask)
        for pattern, mask in MASKS:
            line = re.sub(pattern, mask, line)
        line = re.sub(r"([─═━╌┄-])\1+", r"\1", line)
        return re.sub(r"\s+", " ", line).strip()

    def shape(self, text):
        try:
            return sorted(set(types("", json.loads(text))))
        except ValueError:
            pass
        lines, rows = text.splitlines(), [line for line in text.splitlines() if column_of(line)]
        if any(line.count(column_of(line)) > 3 for line in rows):
            return rows[:1]
        return sorted({line[:line.index(column_of(line), 1)] if column_of(line) else line for line in lines})


def column_of(line):
    """What separates the columns of a table's line."""
    for bar in "│|\t":
        if bar in line[1:]:
            return bar
    return None


def types(path, value):
    """A line for each name within a JSON value: its path and its type."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from types(f"{path}.{name}", item)
    elif isinstance(value, list):
        yield f"{path}: array"
        for item in value:
            yield from types(f"{path}[]", item)
    else:
        yield f"{path}: {TYPES[type(value)]}"


def lacking(there, here, absent):
    """The recorded lines of a shape that are missing here. Null stands for every type, on either side."""
    names = {line.rpartition(": ")[0] for line in here if line.endswith(": null")}
    known = {line.rpartition(": ")[0] for line in here}
    for line in there:
        name, _, kind = line.rpartition(": ")
        excused = name in names or kind == "null" and name in known
        if line not in here and not excused and not any(fnmatch.fnmatchcase(name, pattern) for pattern in absent):
            yield line


def steps(script, bench, tool):
    """The answer to each command of the script."""
    for line in script.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        mark = line[0] if line[:2] in ("~ ", "= ", "^ ", "% ") else ""
        words = shlex.split(line[2:] if mark else line)
        if mark == "%":
            getattr(bench, words[0])(*words[1:])
            continue
        text = ""
        if "<<<" in words:
            words, text = words[:words.index("<<<")], words[-1]
        words = [tool.filled(word) for word in words]
        words = [re.sub(r"\{connection (\w+)\}", lambda found: bench.name_of(found[1]), word) for word in words]
        yield line, tool.run(words, text, mark)


def read(path):
    """Recorded answers in their order, each with the comment above it."""
    blocks, comment = [], ""
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("# "):
            comment = line[2:]
        elif line.startswith("> "):
            blocks.append((line[2:], comment, []))
        elif line.startswith("  "):
            blocks[-1][2].append(line[2:])
    return blocks


def write(path, answers):
    overview = ask("/api/overview")
    with path.open("w") as out:
        print(f"# recorded on {overview['product_name']} {overview['rabbitmq_version']}", file=out)
        for line, said in answers:
            print(f"> {line}", *(f"  {text}" for text in said), sep="\n", file=out)


def compare(expected, differs, absent, answers):
    """Whether all is as recorded; says every command that is, and every difference."""
    recorded, meant = read(expected), read(differs)
    if [line for line, _, _ in recorded] != [line for line, _ in answers]:
        print(f"{expected.name} was recorded with another script")
        return False
    good = True
    for (line, _, there), (_, here) in zip(recorded, answers):
        on_purpose = next((block for block in meant if block[0] == line), None)
        if line.startswith("~ ") and any(text.startswith((".", "[")) for text in there) and not on_purpose:
            there = list(lacking(there, here, absent))
            here = [text for text in here if text in there]
        if on_purpose and on_purpose[2] == here and here != there:
            print("ok", line, f"(differs: {on_purpose[1]})")
        elif here == there and not on_purpose:
            print("ok", line)
        else:
            good = False
            difference = list(difflib.unified_diff(there, here, "recorded", "here", lineterm="", n=1))
            print(f"DIFFERS {line}", *(f"  {text}" for text in difference or ["no longer"]), sep="\n")
    return good


def main():
    script, expected, program = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    with tempfile.TemporaryDirectory(prefix="warren-clients-") as folder:
        answers = list(steps(script, Bench(), Tool(program, folder)))
    if os.environ.get("CLIENTS_RECORD"):
        write(expected, answers)
        print(f"ok {len(answers)} answers recorded")
        return
    assert answers, "a script without commands"
    absent = [line for line in (script.parent / "absent.txt").read_text().splitlines() if line and line[0] != "#"]
    sys.exit(0 if compare(expected, expected.with_suffix(".differs.txt"), absent, answers) else 1)


main()
