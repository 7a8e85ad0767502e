"""Celery: workers with late acknowledgement, retries, ETA, and results over rpc://."""
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone

from celery import Celery, chain, group
from checks import DEADLINE_S, URL, ok

QUEUE = os.environ.setdefault("CLIENTS_QUEUE", f"clients-celery-{os.getpid()}")
FOLDER = os.environ.setdefault("CLIENTS_FOLDER", tempfile.mkdtemp(prefix="celery-"))
app = Celery("celery_program", broker=URL, backend="rpc://")
app.conf.update(task_default_queue=QUEUE, task_acks_late=True, worker_prefetch_multiplier=1, result_expires=600,
                task_reject_on_worker_lost=True, broker_connection_retry_on_startup=False,
                event_queue_prefix=QUEUE, control_exchange=QUEUE + "-control", result_exchange=QUEUE + "-results")


def marks(what):
    """How often a task has begun, over all workers."""
    path = os.path.join(FOLDER, what)
    with open(path, "a") as file:
        file.write(".")
    return os.path.getsize(path)


@app.task
def add(x, y):
    return x + y


@app.task(bind=True, max_retries=5)
def third_time_lucky(self):
    if marks("lucky") < 3:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task
def now():
    return time.time()


@app.task
def killed_the_first_time():
    if marks("killed") == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


@app.task
def refuse():
    raise ValueError("no")


def worker():
    """Started in a process of its own; the solo pool, so that killing it is killing the worker."""
    return subprocess.Popen([sys.executable, "-m", "celery", "-A", "celery_program", "worker", "--pool", "solo",
                             "--loglevel", "WARNING", "--without-gossip", "--without-mingle"])


def main():
    first = worker()
    try:
        ok("a task's result comes back", add.delay(2, 3).get(timeout=DEADLINE_S) == 5)
        ok("a group's results come back", group(add.s(i, i) for i in range(20))().get(timeout=DEADLINE_S) ==
           [2 * i for i in range(20)])
        ok("a chain hands results on", chain(add.s(1, 2), add.s(10))().get(timeout=DEADLINE_S) == 13)
        ok("a task is retried", third_time_lucky.delay().get(timeout=DEADLINE_S) == 2)
        eta = datetime.now(timezone.utc) + timedelta(seconds=2)
        ok("a task waits for its ETA", now.apply_async(eta=eta).get(timeout=DEADLINE_S) >= eta.timestamp())
        failed = refuse.delay()
        ok("an exception comes back", isinstance(failed.get(timeout=DEADLINE_S, propagate=False), ValueError))
        ok("a worker answers to remote control", app.control.ping(timeout=5) != [])
        lost = killed_the_first_time.delay()
        ok("a killed worker ends", first.wait(timeout=DEADLINE_S) == -signal.SIGKILL)
        second = worker()
        try:
            ok("its task goes to the next worker", lost.get(timeout=DEADLINE_S) == "survived")
        finally:
            second.terminate()
        ok("a worker stops when told", second.wait(timeout=DEADLINE_S) == 0)
        with app.connection_for_write() as connection:
            ok("nothing is left", connection.channel().queue_delete(QUEUE) == 0)
    finally:
        first.kill()


if __name__ == "__main__":
    main()
