"""Replays the recorded HTTP exchanges as tests/transcripts/http/replay.py does, with the same arguments, and
compares every answer with the OpenAPI document that the broker serves.

    documented_replay.py UNDOCUMENTED.json ARGUMENTS OF THE REPLAYER

Findings go to the named file, each with how often it was made and the first request that made it. With
WARREN_UPDATE_EXAMPLES=FILE the answers that serve best as examples are written there.
"""
import collections
import json
import os
import sys
from urllib.parse import parse_qsl

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../transcripts/http"))
import replay  # noqa: E402
from document import Document, decoded  # noqa: E402

# Larger answers make no example.
EXAMPLE_BYTES_MAX = 6000


class Examples:
    """The best answer seen of each operation: the one that shows most, without being long."""

    def __init__(self, document):
        self.document = document
        self.best = {}

    def offer(self, method, target, request, request_type, response):
        found = self.document.find(target)
        if found is None or method not in ("GET", "PUT", "POST", "DELETE") or response.status >= 300:
            return
        operation = found[1].get(method.lower(), {})
        identity = operation.get("operationId")
        if identity is None or "columns=" in target or "page=" in target:
            return
        example = {"status": response.status}
        if response.body:
            if not response.headers.get("content-type", "").startswith("application/json"):
                return
            example["response"] = json.loads(decoded(response.headers, response.body))
        if request and operation.get("requestBody"):
            try:
                example["request"] = read(request, request_type)
            except ValueError:
                return
        size = len(json.dumps(example))
        if size > EXAMPLE_BYTES_MAX:
            return
        if identity not in self.best or size > self.best[identity][0]:
            self.best[identity] = (size, example)


def read(body, kind):
    """A request body as the value that an example shows."""
    text = body.decode()
    return dict(parse_qsl(text)) if "form-urlencoded" in kind else json.loads(text)


def main():
    where = sys.argv.pop(1)
    url = sys.argv[sys.argv.index("--url") + 1]
    document = Document.of(url)
    counts, first = collections.Counter(), {}
    examples = Examples(document)
    plain = replay.HttpClient.request

    def request(self, method, path, creds=None, headers=None, body=None, chunked=False):
        response = plain(self, method, path, creds, headers, body, chunked)
        if path.startswith("/api/") and "%s:%d" % (self.host, self.port) in url:
            found = document.find(path)
            for finding in document.findings(method, path, response.status, response.headers, response.body):
                finding = "%s %s: %s" % (method, found[0] if found else path, finding)
                counts[finding] += 1
                first.setdefault(finding, path)
            kind = (headers or {}).get("content-type") or "application/json"
            examples.offer(method, path, body, kind, response)
        return response

    replay.HttpClient.request = request
    status = replay.main()
    with open(where, "w", encoding="utf-8") as file:
        json.dump([{"finding": finding, "times": times, "first": first[finding]}
                   for finding, times in counts.most_common()], file, indent=1)
    target = os.environ.get("WARREN_UPDATE_EXAMPLES")
    if target:
        chosen = {name: example for name, (_, example) in sorted(examples.best.items())}
        with open(target, "w", encoding="utf-8") as file:
            json.dump(chosen, file, indent=1, ensure_ascii=False)
            file.write("\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
