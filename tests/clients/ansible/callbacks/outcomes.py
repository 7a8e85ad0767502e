"""Says of every task, in a line of its own, what came of it."""
import json

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "outcomes"

    def say(self, outcome, result, said=None):
        print(outcome, result.task.get_name(), json.dumps(said or {}, default=str), sep="\t", flush=True)

    def v2_runner_on_ok(self, result):
        self.say("changed" if result.is_changed() else "unchanged", result)

    def v2_runner_on_skipped(self, result):
        self.say("skipped", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.say("failed", result, result.result)

    def v2_runner_on_unreachable(self, result):
        self.say("unreachable", result, result.result)
