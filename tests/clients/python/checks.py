"""What the programs share: the broker's addresses, and one line of output for each check that holds."""
import os
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
