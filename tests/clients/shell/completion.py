"""Presses the keys of somebody who lets three shells complete what they type.

    completion.py UNPACKED      zsh and fish lie below that folder, as in their packages

Shells run as on a terminal, with what `rabbitmqctl completion SHELL` prints and nothing else.
"""
import os
import pathlib
import pty
import re
import select
import shlex
import subprocess
import sys
import tempfile

from checks import DEADLINE_S, ok

ROOT = pathlib.Path(sys.argv[1])
VHOST = "completion"
PROMPT = "ready>"
TRIES = 5
# Keys bound below: all that fits is put into the line; the line is written down and emptied.
TAB, ALL, DUMP = b"\t", b"\x18a", b"\x18d"
BASH = r"""
PS1='ready>'
bind 'set bell-style none'
bind 'set show-all-if-ambiguous off'
bind '"\C-xa": insert-completions'
written() { printf '%s\n' "$READLINE_LINE" >"$DUMP.new"; mv "$DUMP.new" "$DUMP"; READLINE_LINE= READLINE_POINT=0; }
bind -x '"\C-xd": written'
eval "$(rabbitmqctl completion bash)"
"""
ZSH = r"""
module_path=($MODULES)
fpath=($FUNCTIONS/**/*(/) $FUNCTIONS)
PS1='ready>'
unsetopt beep list_beep zle_bracketed_paste
autoload -Uz compinit && compinit -u -D
zle -C everything complete-word _generic
zstyle ':completion:everything:*' completer _all_matches _complete
zstyle ':completion:everything:*' insert yes
bindkey '^Xa' everything
written() { print -r -- "$BUFFER" >"$DUMP.new"; command mv "$DUMP.new" "$DUMP"; BUFFER= }
zle -N written
bindkey '^Xd' written
eval "$(rabbitmqctl completion zsh)"
"""


class Typed:
    """A shell on a terminal."""

    def __init__(self, name, folder, program, rc, **environment):
        self.name, self.dump, self.screen = name, folder / f"{name}.line", b""
        pathlib.Path(rc).parent.mkdir(parents=True, exist_ok=True)
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execvpe(program[0], program, {**os.environ, "TERM": "dumb", "HOME": str(folder), "LC_ALL": "C.UTF-8",
                                             "DUMP": str(self.dump), **environment})
        self.until(lambda: PROMPT.encode() in self.screen, "no prompt")

    def until(self, holds, trouble):
        """Reads the screen, as a terminal does, until something holds."""
        waited = 0
        while not holds():
            if select.select([self.terminal], [], [], 0.05)[0]:
                self.screen += os.read(self.terminal, 1 << 16)
            else:
                waited += 0.05
            assert waited < DEADLINE_S, (self.name, trouble, self.screen[-2000:])

    def line(self, typed, key):
        """The line after the key."""
        os.write(self.terminal, typed.encode() + key + DUMP)
        self.until(self.dump.exists, typed)
        line = self.dump.read_text().rstrip("\n")
        self.dump.unlink()
        return line

    def tab(self, typed):
        return self.line(typed, TAB)

    def all(self, typed):
        """All words that fit where the line ends."""
        kept = typed.rpartition(" ")[0] + " "
        line = self.line(typed, ALL)
        # A shell that finds nothing leaves the line alone.
        return set() if line == typed else set(shlex.split(line.removeprefix(kept)))

    def end(self):
        os.close(self.terminal)
        os.waitpid(self.process, 0)


class Fish:
    """fish tells what it would offer without a terminal."""
    name = "fish"

    def __init__(self, folder):
        self.folder = folder
        self.setup = f"set fish_function_path {ROOT}/usr/share/fish/functions; rabbitmqctl completion fish | source; "

    def offers(self, typed):
        done = subprocess.run([ROOT / "usr/bin/fish", "--no-config", "-c", self.setup + f"complete -C {shlex.quote(typed)}"],
                              capture_output=True, text=True, timeout=DEADLINE_S, cwd=self.folder,
                              env={**os.environ, "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "TERM": "dumb",
                                   "LD_LIBRARY_PATH": os.pathsep.join(map(str, ROOT.glob("usr/lib/*")))})
        assert done.returncode == 0 and not done.stderr, (typed, done)
        return dict(line.partition("\t")[::2] for line in done.stdout.splitlines())

    def tab(self, typed):
        offers = list(self.offers(typed))
        kept, _, word = typed.rpartition(" ")
        word = offers[0] + " " if len(offers) == 1 else os.path.commonprefix(offers) or word
        return f"{kept} {word}"

    def all(self, typed):
        return set(self.offers(typed))

    def end(self):
        pass


def shells(folder):
    rc = folder / "bash.rc"
    rc.write_text(BASH)
    yield Typed("bash", folder, ["bash", "--noprofile", "--rcfile", str(rc), "-i"], rc)
    rc = folder / "zsh" / ".zshrc"
    rc.parent.mkdir()
    rc.write_text(ZSH)
    modules = next(ROOT.glob("usr/lib/*/zsh/*/zsh")).parent
    yield Typed("zsh", folder, [str(ROOT / "bin/zsh"), "-d", "-i"], rc, ZDOTDIR=str(rc.parent), MODULES=str(modules),
                FUNCTIONS=str(ROOT / "usr/share/zsh/functions"))
    yield Fish(folder)


def ctl(*words):
    return subprocess.run(["rabbitmqctl", "-q", *words], check=True, capture_output=True, text=True).stdout


def look(shell, folder):
    """What each shell must do."""
    def pressed(press, typed, expected):
        # Nobody waits long for a name. Who presses again gets it, however busy the machine.
        tries = (press(typed) for _ in range(TRIES))
        return next((seen for seen in tries if seen == expected), None) or press(typed)

    def tab(typed, line):
        seen = pressed(shell.tab, typed, line)
        ok(f"{shell.name}: {typed}<TAB>", seen == line, seen)

    def offers(typed, *expected):
        seen = pressed(shell.all, typed, set(expected))
        ok(f"{shell.name}: {typed} fits {len(expected)}", seen == set(expected), seen ^ set(expected))

    # Commands of each tool.
    tab("rabbitmqctl add_v", "rabbitmqctl add_vhost ")
    tab("rabbitmq-plugins is_", "rabbitmq-plugins is_enabled ")
    tab("rabbitmq-diagnostics check_if_any", "rabbitmq-diagnostics check_if_any_deprecated_features_are_used ")
    tab("rabbitmq-queues reba", "rabbitmq-queues rebalance ")
    tab("rabbitmq-upgrade post", "rabbitmq-upgrade post_upgrade ")
    tab("rabbitmqctl help set_pol", "rabbitmqctl help set_policy ")
    tab("rabbitmqctl -q -p completion list_exch", "rabbitmqctl -q -p completion list_exchanges ")
    offers("rabbitmqctl list_users_")
    # In a pipe the help has the reference's commands alone.
    commands = {*re.findall(r"^   (\w+) ", ctl("help"), re.MULTILINE), "declare_queue", "health", "completion"}
    missing = commands - shell.all("rabbitmqctl ")
    ok(f"{shell.name}: all commands fit", len(commands) > 100 and not missing, missing)
    # Switches, their values, and info items.
    tab("rabbitmqctl list_users --form", "rabbitmqctl list_users --formatter ")
    offers("rabbitmqctl list_users --formatter pr", "pretty_table")
    offers("rabbitmqctl delete_queue --if", "--if-empty", "--if-unused")
    tab("rabbitmqctl list_queues name messages_read", "rabbitmqctl list_queues name messages_ready")
    tab("rabbitmqctl list_queues name messages_unack", "rabbitmqctl list_queues name messages_unacknowledged")
    # Names that the broker knows, spaces and shell's own characters in them.
    offers("rabbitmqctl delete_user completion-", "completion-anna", "completion-bert")
    tab("rabbitmqctl delete_user completion-a", "rabbitmqctl delete_user completion-anna ")
    tab("rabbitmqctl set_permissions -p comp", "rabbitmqctl set_permissions -p completion ")
    tab("rabbitmqctl delete_vhost comp", "rabbitmqctl delete_vhost completion ")
    offers(f"rabbitmqctl delete_queue -p {VHOST} ", "orders.eu", "orders.us", "two words", "price$:1")
    offers("rabbitmqctl delete_queue orders")
    offers(f"rabbitmqctl -p {VHOST} clear_policy len", "lengths")
    tab("rabbitmq-plugins enable rabbitmq_event", "rabbitmq-plugins enable rabbitmq_event_exchange ")
    # Files.
    tab("rabbitmqctl import_definitions defin", "rabbitmqctl import_definitions definitions.json ")
    shell.end()


def main():
    ctl("add_vhost", VHOST)
    ctl("set_permissions", "-p", VHOST, "guest", ".*", ".*", ".*")
    for user in ("completion-anna", "completion-bert"):
        ctl("add_user", user, "secret")
    ctl("set_policy", "-p", VHOST, "lengths", ".*", '{"max-length": 1}')
    for queue in ("orders.eu", "orders.us", "two words", "price$:1"):
        ctl("declare_queue", "-p", VHOST, queue)
    with tempfile.TemporaryDirectory(prefix="warren-completion-") as folder:
        pathlib.Path(folder, "definitions.json").touch()
        for shell in shells(pathlib.Path(folder)):
            look(shell, folder)


main()
