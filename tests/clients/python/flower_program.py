"""Flower, which shows the queues of a Celery application: its page about the broker, read from the management API."""
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

from amqpstorm import management
from celery import Celery
from checks import HOST, PORT, free_port, name, ok, until

VHOST = os.environ.get("FLOWER_VHOST") or name("flower")
app = Celery("flower_program", broker=f"amqp://guest:guest@{HOST}:{PORT}/{VHOST}")


def page(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/broker", timeout=10) as answer:
            return answer.read().decode()
    except urllib.error.URLError:
        return None


def rows(text):
    """The cells of each row of the table."""
    found = [re.findall(r"<td[^>]*>\s*(.*?)\s*</td>", row, re.S) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", text or "", re.S)]
    return {cells[0]: cells[1:] for cells in found if cells}


def main():
    api = management.ManagementApi(os.environ["HTTP_URL"], "guest", "guest")
    api.virtual_host.create(VHOST)
    api.user.set_permission("guest", VHOST)
    for number in range(3):
        app.send_task("nothing.that.runs", args=[number])
    until(lambda: api.queue.get("celery", VHOST).get("messages") == 3)
    port = free_port()
    flower = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "flower_program", "flower", "--address=127.0.0.1", f"--port={port}",
         "--broker-api=" + os.environ["HTTP_URL"].replace("//", "//guest:guest@") + "/api/", "--inspect-timeout=200"],
        env={**os.environ, "FLOWER_VHOST": VHOST})
    try:
        text = until(lambda: page(port))
        ok("Flower serves its page about the broker", VHOST in text)
        shown = until(lambda: rows(page(port)))
        ok("with the application's queue and its messages", shown["celery"][:3] == ["3", "0", "3"], shown)
        app.send_task("nothing.that.runs")
        until(lambda: rows(page(port))["celery"][0] == "4")
        ok("and shows a message more")
    finally:
        flower.terminate()
        flower.wait()
        api.virtual_host.delete(VHOST)


if __name__ == "__main__":
    main()
