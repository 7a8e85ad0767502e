"""The recorded commands against another broker, over its HTTP API alone.

    python3 over_http.py run --bin-dir DIR --http http://USER:PASSWORD@HOST:PORT --amqp amqp://… --node NAME [--out FILE]
    python3 over_http.py forget http://USER:PASSWORD@HOST:PORT

`run` replays every scenario that an HTTP API can carry, and prints a table of the commands whose answers differ.
`forget` is the reset between two scenarios: what a fresh broker does not have is deleted. It empties the broker it is
given: never point it at one that anybody needs.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))

# What cannot be replayed on a broker that is not ours to stop, and why.
LEFT_OUT = {
    "lifecycle": "stops and resets the node",
    "plugins": "enables and disables plugins",
    "disk-monitoring-conf-values": "changes the node's own settings and encrypts values of its configuration",
    "alarms": "raises resource alarms",
}


# RabbitMQ's HTTP API learns of connections, channels, consumers and counts some seconds after they are there.
LATE = ("list_connections", "list_channels", "list_consumers", "list_queues")
LATE_RETRIES = 7


def ask(base, method, path, body=None):
    url = urllib.parse.urlsplit(base)
    where = f"{url.scheme}://{url.hostname}:{url.port}{url.path.rstrip('/')}{path}"
    request = urllib.request.Request(where, method=method)
    pair = f"{urllib.parse.unquote(url.username or 'guest')}:{urllib.parse.unquote(url.password or 'guest')}"
    request.add_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        error.read()
        return None


def quoted(name):
    return urllib.parse.quote(name, safe="")


def forget(base):
    """Deletes what a fresh broker does not have."""
    me = ask(base, "GET", "/api/whoami")["name"]
    for connection in ask(base, "GET", "/api/connections") or []:
        ask(base, "DELETE", f"/api/connections/{quoted(connection['name'])}")
    for vhost in ask(base, "GET", "/api/vhosts") or []:
        ask(base, "DELETE", f"/api/vhosts/{quoted(vhost['name'])}/deletion/protection")
        ask(base, "DELETE", f"/api/vhosts/{quoted(vhost['name'])}")
    ask(base, "PUT", "/api/vhosts/%2F", {"description": "Default virtual host"})
    ask(base, "PUT", f"/api/permissions/%2F/{quoted(me)}", {"configure": ".*", "write": ".*", "read": ".*"})
    for user in ask(base, "GET", "/api/users") or []:
        if user["name"] != me:
            ask(base, "DELETE", f"/api/users/{quoted(user['name'])}")
    for limit in ask(base, "GET", f"/api/user-limits/{quoted(me)}") or []:
        for name in limit.get("value", {}):
            ask(base, "DELETE", f"/api/user-limits/{quoted(me)}/{quoted(name)}")
    kept = {"internal_cluster_id", "cluster_tags"}
    for parameter in ask(base, "GET", "/api/global-parameters") or []:
        if parameter["name"] not in kept:
            ask(base, "DELETE", f"/api/global-parameters/{quoted(parameter['name'])}")


def patient(chosen):
    """A folder of the scenarios in which what the API learns late is asked again until it is there."""
    folder = tempfile.mkdtemp()
    for name in chosen:
        with open(os.path.join(HERE, "scenarios", name + ".json"), encoding="utf-8") as file:
            scenario = json.load(file)
        for step in scenario["steps"]:
            if any(word in LATE for word in step.get("args", [])):
                step["retry"] = LATE_RETRIES
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump(scenario, file, ensure_ascii=False)
    return folder


def run(options):
    scenarios = sorted(name[:-5] for name in os.listdir(os.path.join(HERE, "scenarios")) if name.endswith(".json"))
    chosen = [name for name in scenarios if name not in LEFT_OUT and name in (options.scenario or scenarios)]
    report = options.report or os.path.join(tempfile.mkdtemp(), "report.json")
    line = [sys.executable, os.path.join(HERE, "replay.py"), "--bin-dir", options.bin_dir, "--amqp", options.amqp]
    line += ["--http", options.http, "--node", options.node, "--env", f"WARREN_URI={options.http}"]
    line += ["--reset-cmd", f"{sys.executable} {os.path.abspath(__file__)} forget '{options.http}'"]
    line += ["--json-report", report, "-v", "--dir", patient(chosen)]
    for name in chosen:
        line += ["--scenario", name]
    environment = {key: value for key, value in os.environ.items() if key != "WARREN_SOCKET"}
    said = subprocess.run(line, env=environment, stdout=subprocess.PIPE, text=True).stdout
    if options.log:
        with open(options.log, "w", encoding="utf-8") as file:
            file.write(said)
    with open(report, encoding="utf-8") as file:
        found = json.load(file)
    print(f"{found['passed']} steps as recorded, {found['failed']} not")
    differing = {}
    for scenario in found["scenarios"]:
        with open(os.path.join(HERE, "scenarios", scenario["scenario"] + ".json"), encoding="utf-8") as file:
            steps = json.load(file)["steps"]
        for row in scenario["steps"]:
            if row["ok"] is not False or row["step"] == 0:
                continue
            step = steps[row["step"] - 1]
            words = [word for word in step.get("args", []) if not word.startswith("-")]
            name = f"{step['tool']} {words[0] if words else ''}" if "tool" in step else "; ".join(step)
            differing.setdefault(name.strip(), []).append(f"{scenario['scenario']} {row['step']}")
    print("\n| Command | Steps that differ |\n|---|---|")
    for name, places in sorted(differing.items()):
        print(f"| `{name}` | {', '.join(places)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    forgetting = commands.add_parser("forget")
    forgetting.add_argument("http")
    running = commands.add_parser("run")
    running.add_argument("--bin-dir", required=True)
    running.add_argument("--http", required=True)
    running.add_argument("--amqp", required=True)
    running.add_argument("--node", required=True)
    running.add_argument("--scenario", action="append")
    running.add_argument("--report")
    running.add_argument("--log")
    options = parser.parse_args()
    if options.command == "forget":
        forget(options.http)
    else:
        run(options)


if __name__ == "__main__":
    main()
