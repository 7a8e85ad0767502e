"""What the programs share: the broker's addresses, and one line of output for each check that holds."""
import os
import socket
import time
import uuid

HOST, PORT, URL = os.environ["AMQP_HOST"], int(os.environ["AMQP_PORT"]), os.environ["AMQP_URL"]
DEADLINE_S = 60


def name(what):
    """A name nobody else uses."""
    return f"clients-{what}-{uuid.uuid4().hex[:12]}"


def ok(what, holds=True, *seen):
    """Says that a check holds, or ends the program."""
    assert holds, (what, *seen)
    print("ok", what, flush=True)


def until(look):
    """The first thing seen that is something."""
    end = time.monotonic() + DEADLINE_S
    while not (seen := look()):
        assert time.monotonic() < end, f"not seen within {DEADLINE_S} s"
        time.sleep(0.05)
    return seen


def free_port():
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
