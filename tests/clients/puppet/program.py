"""Asks for resources as Puppet's module for RabbitMQ does: a listing first, then what is missing, then the listing again.

The module itself needs Ruby and an agent. What it sends and how it reads what comes back is told here: words of the command
line, and for each listing a pattern that every line must match, since the module gives up on a line that does not.
rabbitmqadmin is called with $ADMIN, which finds the HTTP API.
"""
import json
import os
import re
import subprocess

from checks import ok

ADMIN = os.environ["ADMIN"].split()
COMMAND_MAX_S = 120
VHOST = "puppet"
LISTINGS = {
    "users": r"(?P<name>\S+)\s+\[(?P<tags>.*?)\]",
    "vhosts": r"(?P<name>\S+)\t+(?P<description>.*?)\t+(?P<type>undefined|quorum|classic|stream)?\t+\[(?P<tags>.*?)\]",
    "user_permissions": r"(?P<vhost>\S+)\s+(?P<configure>\S*)\s+(?P<write>\S*)\s+(?P<read>\S*)",
    "policies": r"(?P<vhost>\S+)\s+(?P<name>\S+)\s+(?P<pattern>\S+)\s+"
                r"(?P<apply>all|exchanges|(?:classic_|quorum_)?queues|streams)?\s+(?P<definition>\S+)\s+(?P<priority>\d+)",
    "parameters": r"(?P<component>\S+)\s+(?P<name>\S+)\s+(?P<value>\S+)",
}


def run(program, *words):
    """What a program prints; it must end well."""
    done = subprocess.run([*program, *words], capture_output=True, text=True, timeout=COMMAND_MAX_S, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, (program, words, done)
    # The module reads both outputs as one.
    return done.stdout + done.stderr


def ctl(*words):
    return run(["rabbitmqctl"], *words)


def plugins(*words):
    return run(["rabbitmq-plugins"], *words)


def admin(verb, what, *words):
    run(ADMIN, verb, what, f"--vhost={VHOST}", "--user=guest", "--password=guest", *words)


def listed(kind, *words):
    """Every line of a listing, read by its pattern."""
    pattern = re.compile(LISTINGS[kind])
    lines = [line for line in ctl(f"list_{kind}", "-q", "--no-table-headers", *words).split("\n") if line]
    read = [pattern.fullmatch(line) for line in lines]
    assert all(read), (kind, [line for line, match in zip(lines, read) if not match])
    return [match.groupdict() for match in read]


def named(kind, name, *words):
    return next((row for row in listed(kind, *words) if row["name"] == name), None)


def of_vhosts(kind, *columns):
    """Cells of the lines of all virtual hosts, arguments turned into JSON as the module turns them."""
    for vhost in ctl("list_vhosts", "-q", "--no-table-headers").split():
        for line in filter(None, ctl(f"list_{kind}", "-q", "--no-table-headers", "-p", vhost, *columns).split("\n")):
            cells = line.split("\t")
            arguments = cells[len(columns) - 1] if len(cells) == len(columns) else "[]"
            text = re.sub(r'\{("(?:.|\\")*?"),', r"{\1:", arguments.removeprefix("[").removesuffix("]")).replace("},{", ",")
            yield [vhost, *cells[:len(columns) - 1], json.loads(text or "{}")]


def expression(user, password):
    """The expression by which the module finds out whether a password is right."""
    quoted = password.replace('"', '\\"')
    return f'rabbit_access_control:check_user_pass_login(list_to_binary("{user}"), list_to_binary("{quoted}")).'


def apply():
    """One run: the names of the resources that had to be changed."""
    changed = []

    def need(name, is_there, change):
        if not is_there():
            changed.append(name)
            change()
            assert is_there(), name

    need("cluster name", lambda: re.search(r"^Cluster name: puppet@example$", ctl("-q", "cluster_status"), re.MULTILINE),
         lambda: ctl("set_cluster_name", "puppet@example"))
    enabled = lambda: [line for line in plugins("list", "-e", "-m").split("\n") if re.fullmatch(r"\S+", line)]
    need("plugin", lambda: "rabbitmq_event_exchange" in enabled(), lambda: plugins("enable", "rabbitmq_event_exchange", "--online"))
    vhost = lambda: named("vhosts", VHOST, "name,description,default_queue_type,tags", "-s")
    need("vhost", vhost, lambda: ctl("add_vhost", VHOST, "--description", "of puppet", "--default-queue-type", "quorum",
                                     "--tags", "a,b"))
    assert [vhost()[key] for key in ("description", "type", "tags")] == ["of puppet", "quorum", "a, b"], vhost()
    need("permissions of guest", lambda: any(row["vhost"] == VHOST for row in listed("user_permissions", "guest")),
         lambda: ctl("set_permissions", "-p", VHOST, "guest", ".*", ".*", ".*"))
    user = lambda: named("users", "puppet-user")
    password = "pa-ss.w(o)rd"
    need("user", user, lambda: ctl("add_user", "puppet-user", password))
    need("password", lambda: "refused" not in ctl("eval", expression("puppet-user", password)),
         lambda: ctl("change_password", "puppet-user", password))
    need("tags", lambda: user()["tags"].split(", ") == ["monitoring", "administrator"],
         lambda: ctl("set_user_tags", "puppet-user", "monitoring", "administrator"))
    need("permissions", lambda: {"vhost": VHOST, "configure": r"^a\..*", "write": ".*", "read": ""} in [
        {**row, "configure": row["configure"].replace("\\\\", "\\")} for row in listed("user_permissions", "puppet-user")],
         lambda: ctl("set_permissions", "-p", VHOST, "puppet-user", r"^a\..*", ".*", ""))
    policy = lambda: named("policies", "lengths", "-p", VHOST)
    need("policy", lambda: policy() and policy()["pattern"] == r"^orders\.", lambda: ctl(
        "set_policy", "-p", VHOST, "--priority", "5", "--apply-to", "queues", "lengths", r"^orders\.",
        '{"max-length":1000,"dead-letter-exchange":"dead"}'))
    assert json.loads(policy()["definition"]) == {"max-length": 1000, "dead-letter-exchange": "dead"}, policy()
    parameter = lambda: named("parameters", "upstream", "-p", VHOST)
    need("parameter", lambda: parameter() and json.loads(parameter()["value"]) == {"uri": "amqp://elsewhere"}, lambda: ctl(
        "set_parameter", "-p", VHOST, "federation-upstream", "upstream", '{"uri":"amqp://elsewhere"}'))
    columns = ("name", "type", "internal", "durable", "auto_delete", "arguments")
    exchange = [VHOST, "orders", "topic", "false", "true", "false", {"alternate-exchange": "dead"}]
    need("exchange", lambda: exchange in of_vhosts("exchanges", *columns), lambda: admin(
        "declare", "exchange", "name=orders", "type=topic", "internal=false", "durable=true", "auto_delete=false",
        'arguments={"alternate-exchange":"dead"}'))
    columns = ("name", "durable", "auto_delete", "arguments")
    queue = [VHOST, "orders.eu", "true", "false", {"x-queue-type": "classic", "x-message-ttl": 60000, "x-dead-letter-exchange": "a,b"}]
    need("queue", lambda: queue in of_vhosts("queues", *columns), lambda: admin(
        "declare", "queue", "name=orders.eu", "durable=true", "auto_delete=false", f"arguments={json.dumps(queue[-1])}"))
    columns = ("source_name", "destination_name", "destination_kind", "routing_key", "arguments")
    binding = [VHOST, "orders", "orders.eu", "queue", "eu.#", {"x-match": "all"}]
    need("binding", lambda: binding in of_vhosts("bindings", *columns), lambda: admin(
        "declare", "binding", "source=orders", "destination=orders.eu", 'arguments={"x-match":"all"}', "routing_key=eu.#",
        "destination_type=queue"))
    return changed


def main():
    version = re.search(r"RabbitMQ.*?([\d.]+)", ctl("-q", "status"))
    ok("the version is read", version and tuple(map(int, version[1].split("."))) >= (3, 11), version)
    first = apply()
    # A new user has its password already.
    ok(f"the first run changes {len(first)} resources", len(first) == 12, first)
    again = apply()
    ok("the second run changes nothing", not again, again)
    ctl("change_password", "puppet-user", "another")
    ok("a password that was changed is seen", apply() == ["password"])
    admin("delete", "exchange", "name=orders")
    ok("an exchange that is gone is seen, and its binding", apply() == ["exchange", "binding"])
    admin("delete", "queue", "name=orders.eu")
    ctl("clear_parameter", "-p", VHOST, "federation-upstream", "upstream")
    ctl("clear_policy", "-p", VHOST, "lengths")
    ctl("clear_permissions", "-p", VHOST, "puppet-user")
    plugins("disable", "rabbitmq_event_exchange")
    ctl("delete_user", "puppet-user")
    ctl("delete_vhost", VHOST)
    rest = [named("users", "puppet-user"), named("vhosts", VHOST, "name,description,default_queue_type,tags", "-s")]
    ok("all goes", rest == [None, None], rest)


main()
