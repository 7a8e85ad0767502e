"""Runs the playbooks beside it, as a team runs them: for a look, for real, and again.

    program.py COLLECTIONS

Needs rabbitmqctl and its like on the path, for the node RABBITMQ_NODENAME.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

from checks import URL, ok

HERE = pathlib.Path(__file__).parent
HTTP = urllib.parse.urlsplit(os.environ["HTTP_URL"])
NODE = os.environ["RABBITMQ_NODENAME"]
# What was started for this alone may be disturbed.
OWN = "WARREN_SOCKET" in os.environ
PLAY_MAX_S = 300
# These modules cannot only look.
WITHOUT_CHECK = {"user", "user without a password", "user over HTTP"}
BINDINGS = {"binding", "binding with arguments"}
VARIABLES = {
    "node": NODE,
    "url": URL.rstrip("/") + "/%2F",
    "api": {"login_host": HTTP.hostname, "login_port": str(HTTP.port), "login_user": "guest", "login_password": "guest"},
    "plugins": OWN,
    "maintenance": OWN,
    "ansible_python_interpreter": sys.executable,
}


def ctl(*words):
    return subprocess.run(["rabbitmqctl", "-q", "-n", NODE, *words], check=True, capture_output=True, text=True).stdout


def definitions():
    """All that is provisioned, where nobody else provisions."""
    return ctl("export_definitions", "-", "--format", "json") if OWN else None


def play(folder, book, *options, **variables):
    """The outcome of each task of a playbook."""
    done = subprocess.run(
        [str(pathlib.Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", str(HERE / book),
         "-e", json.dumps({**VARIABLES, **variables}), *options],
        capture_output=True, text=True, timeout=PLAY_MAX_S,
        env={**os.environ, "LC_ALL": "C.UTF-8", "ANSIBLE_HOME": folder, "ANSIBLE_LOCALHOST_WARNING": "False",
             "ANSIBLE_COLLECTIONS_PATH": sys.argv[1], "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callbacks"),
             "ANSIBLE_STDOUT_CALLBACK": "outcomes", "ANSIBLE_PIPELINING": "True", "ANSIBLE_CONFIG": str(pathlib.Path(folder, "ansible.cfg"))})
    lines = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 2]
    assert done.returncode == 0 and lines, (book, options, done.stdout, done.stderr)
    return {task: outcome for outcome, task, _ in lines}


def expect(what, outcomes, outcome, **others):
    """Says that all tasks came out so, but those named by one of the other outcomes."""
    other = {task: kind for kind, tasks in others.items() for task in tasks}
    wrong = {task: seen for task, seen in outcomes.items() if seen != other.get(task, outcome)}
    ok(f"{what}: {len(outcomes)} tasks", not wrong, wrong)


def main():
    unplayed = set() if OWN else {"plugin"}
    ctl("add_vhost", "ansible")
    ctl("set_permissions", "-p", "ansible", "guest", ".*", ".*", ".*")
    ctl("add_user", "ansible", "secret")
    before = definitions()
    with tempfile.TemporaryDirectory(prefix="warren-ansible-") as folder:
        # A configuration of the host must not reach the playbooks.
        pathlib.Path(folder, "ansible.cfg").touch()
        given, taken = "provision.yml", "remove.yml"
        expect("a look before", play(folder, given, "--check"), "changed", skipped=WITHOUT_CHECK | BINDINGS | unplayed)
        after = definitions()
        ok("a look changes nothing", after == before, before, after)
        expect("the first run", play(folder, given), "changed", skipped=unplayed)
        expect("the second run", play(folder, given), "unchanged", skipped=unplayed)
        expect("all goes", play(folder, taken, bound=True), "changed", skipped=unplayed)
        expect("all is gone", play(folder, taken), "unchanged", skipped=BINDINGS | unplayed)
        after = definitions()
        ok("all is as it was", after == before, before, after)
        outcomes = play(folder, "operate.yml")
        skipped = {task for task in outcomes if not OWN and outcomes[task] == "skipped"}
        wrong = [task for task, outcome in outcomes.items() if not task.startswith(outcome) and task not in skipped]
        ok(f"what is done and not kept: {len(outcomes) - len(skipped)} tasks", not wrong, wrong)
    ctl("delete_user", "ansible")
    ctl("delete_vhost", "ansible")


main()
