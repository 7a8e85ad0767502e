"""The recorded commands against another broker, over its HTTP API alone.

    python3 over_http.py run --bin-dir DIR --http http://USER:PASSWORD@HOST:PORT --amqp amqp://… [--log FILE]
    python3 over_http.py forget http://USER:PASSWORD@HOST:PORT

`run` replays every scenario that an HTTP API can carry. An answer is right when it is 4.3.5's or, where the tools of the
broker's own version were recorded and said something else, theirs. What differs must be what the list of that version says
(`elsewhere/VERSION.txt`), no more and no less. `forget` is the reset between two scenarios: what a fresh broker does not
have is deleted. Both empty the broker they are given: never point them at one that anybody needs.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import elsewhere

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


def prepared(chosen, version, expected):
    """A folder of the scenarios, in which what the API learns late is asked again until it is there, and the answers of
    the version pass as well."""
    folder = tempfile.mkdtemp()
    for name in chosen:
        with open(os.path.join(HERE, "scenarios", name + ".json"), encoding="utf-8") as file:
            scenario = json.load(file)
        for number, step in enumerate(scenario["steps"], 1):
            # What is known to differ is not waited for.
            if any(word in LATE for word in step.get("args", [])) and (name, number) not in expected:
                step["retry"] = LATE_RETRIES
            if version in step.get("recorded", {}):
                step.setdefault("accept", version)
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump(scenario, file, ensure_ascii=False)
    return folder


def run(options):
    """Replays, and says what differs from the list; whether nothing does."""
    overview = ask(options.http, "GET", "/api/overview")
    version = overview["rabbitmq_version"]
    is_listed = version in elsewhere.versions()
    expected = elsewhere.Differences(elsewhere.path_of(version)).reasons if is_listed else {}
    scenarios = sorted(name[:-5] for name in os.listdir(os.path.join(HERE, "scenarios")) if name.endswith(".json"))
    chosen = [name for name in scenarios if name not in LEFT_OUT and name in (options.scenario or scenarios)]
    folder = prepared(chosen, version, expected)
    report = os.path.join(folder, "report")
    line = [sys.executable, os.path.join(HERE, "replay.py"), "--bin-dir", options.bin_dir, "--amqp", options.amqp]
    line += ["--http", options.http, "--node", overview["node"], "--env", f"WARREN_URI={options.http}"]
    line += ["--reset-cmd", f"{sys.executable} {os.path.abspath(__file__)} forget '{options.http}'"]
    line += ["--json-report", report, "-v", "--dir", folder]
    for listener in overview["listeners"]:
        if listener["protocol"] == "clustering":
            line += ["--subst", f"{listener['port']}=<DIST_PORT>"]
    environment = {key: value for key, value in os.environ.items() if key != "WARREN_SOCKET"}
    said = subprocess.run(line, env=environment, stdout=subprocess.PIPE, text=True).stdout
    if options.log:
        with open(options.log, "w", encoding="utf-8") as file:
            file.write(said)
    with open(report, encoding="utf-8") as file:
        rows = [(scenario["scenario"], row) for scenario in json.load(file)["scenarios"] for row in scenario["steps"]]
    shutil.rmtree(folder)
    found = {(name, row["step"]): row["ok"] for name, row in rows if row["ok"] is not None}
    for name, row in rows:
        if row["ok"] is False and (name, row["step"]) not in expected:
            print(f"\n{name} {row['step']}: {row['label']} [{row['why']}]\n" + "\n".join(row["diff"]))
    print(f"ok {sum(found.values())} steps of {len(chosen)} scenarios are as recorded, {len(found)} were compared")
    if not is_listed:
        print(f"there is no list for RabbitMQ {version}")
        return False
    if options.scenario:
        return True
    wrong = elsewhere.judge(version, found)
    print("\n".join(wrong) or f"ok {len(expected)} differ as the list for RabbitMQ {version} says")
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    forgetting = commands.add_parser("forget")
    forgetting.add_argument("http")
    running = commands.add_parser("run")
    running.add_argument("--bin-dir", required=True)
    running.add_argument("--http", required=True)
    running.add_argument("--amqp", required=True)
    running.add_argument("--scenario", action="append")
    running.add_argument("--log")
    options = parser.parse_args()
    if options.command == "forget":
        forget(options.http)
    elif not run(options):
        sys.exit(1)


if __name__ == "__main__":
    main()
