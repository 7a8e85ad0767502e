"""Brings a broker into a state by Salt's modules and states for RabbitMQ, and sees it there; twice each.

    program.py SALT      the folder that has the package salt

Needs rabbitmqctl and rabbitmq-plugins on the path. Of Salt's minion only the loader's part is here: what modules and states
find in their names with two underscores.
"""
import importlib
import shutil
import subprocess
import sys

from checks import ok

sys.path.insert(0, sys.argv[1])
COMMAND_MAX_S = 120


def run_all(command, **_):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=COMMAND_MAX_S, stdin=subprocess.DEVNULL)
    return {"retcode": done.returncode, "stdout": done.stdout.rstrip("\n"), "stderr": done.stderr.rstrip("\n")}


def version(*_):
    return subprocess.run(["rabbitmqctl", "version"], check=True, capture_output=True, text=True).stdout.strip()


class Minion:
    """Modules and states, as the minion's loader gives them to each other."""

    def __init__(self):
        self.known = {"cmd.run_all": run_all, "cmd.run": lambda command, **_: run_all(command)["stdout"],
                      "cmd.has_exec": shutil.which, "pkg.version": version}
        self.options = {"test": False}
        self.module = self.load("salt.modules.rabbitmq")
        for name in dir(self.module):
            if not name.startswith("_"):
                self.known[f"rabbitmq.{name}"] = getattr(self.module, name)
        self.states = {kind: self.load(f"salt.states.rabbitmq_{kind}") for kind in ("user", "vhost", "policy", "plugin", "upstream")}

    def load(self, name):
        module = importlib.import_module(name)
        module.__salt__, module.__opts__, module.__grains__ = self.known, self.options, {"os_family": "Debian"}
        assert module.__virtual__() is not False, name
        return module

    def changes(self, states, test=False):
        """Of each state whether it changed something; None where it would."""
        self.options["test"] = test
        for kind, function, name, arguments in states:
            result = getattr(self.states[kind], function)(name, **arguments)
            assert result["result"] is not False, (kind, function, name, result)
            yield f"{kind} {name}", bool(result["changes"]) or result["result"] is None


PRESENT = [
    ("vhost", "present", "salt", {}),
    ("user", "present", "salt-user", {"password": "p@ss 'word' \"1\"", "tags": ["monitoring", "policymaker"],
                                      "perms": [{"/": ["^a", ".*", ""]}, {"salt": [".*", ".*", ".*"]}]}),
    ("user", "present", "salt-certificate", {"tags": "management"}),
    ("policy", "present", "lengths", {"pattern": r"^orders\..*", "priority": 3,
                                      "definition": '{"max-length": 1000, "overflow": "reject-publish"}'}),
    ("plugin", "enabled", "rabbitmq_event_exchange", {}),
    ("upstream", "present", "salt-upstream", {"uri": "amqp://user:secret@elsewhere", "ack_mode": "on-confirm", "expires": 3600000}),
]
ABSENT = [
    ("upstream", "absent", "salt-upstream", {}),
    ("plugin", "disabled", "rabbitmq_event_exchange", {}),
    ("policy", "absent", "lengths", {}),
    ("user", "absent", "salt-certificate", {}),
    ("user", "absent", "salt-user", {}),
    ("vhost", "absent", "salt", {}),
]


def expect(minion, what, states, changed, **options):
    seen = dict(minion.changes(states, **options))
    wrong = [state for state, change in seen.items() if change != changed]
    ok(f"{what}: {len(seen)} states", not wrong, wrong)


def main():
    minion = Minion()
    module = minion.module
    expect(minion, "a look", PRESENT, True, test=True)
    expect(minion, "the first run", PRESENT, True)
    expect(minion, "the second run", PRESENT, False)
    ok("users", sorted(module.list_users()["salt-user"]) == ["monitoring", "policymaker"], module.list_users())
    ok("virtual hosts", {"/", "salt"} <= set(module.list_vhosts()), module.list_vhosts())
    ok("permissions", module.list_permissions("salt")["salt-user"] == {"configure": ".*", "write": ".*", "read": ".*"},
       module.list_permissions("salt"))
    ok("permissions of a user", module.list_user_permissions("salt-user")["/"] == {"configure": "^a", "write": ".*", "read": ""},
       module.list_user_permissions("salt-user"))
    ok("policies", module.list_policies()["/"]["lengths"]["apply_to"] == "all", module.list_policies())
    ok("a password is right", module.check_password("salt-user", "p@ss 'word' \"1\""))
    ok("a password is wrong", not module.check_password("salt-user", "nonesuch"))
    ok("a user without a password", not module.check_password("salt-certificate", ""))
    ok("plugins", "rabbitmq_event_exchange" in module.list_enabled_plugins(), module.list_enabled_plugins())
    ok("more plugins", set(module.list_enabled_plugins()) < set(module.list_available_plugins()))
    ok("queues", module.list_queues() == {"name": "messages"} or not module.list_queues(), module.list_queues())
    ok("status", "RabbitMQ version:" in module.status())
    ok("status of the cluster", "Running Nodes" in module.cluster_status())
    ok("another password", "Password Changed" in module.change_password("salt-user", "next"))
    ok("the password is another", module.check_password("salt-user", "next"))
    expect(minion, "all goes", ABSENT, True)
    expect(minion, "all is gone", ABSENT, False)


main()
