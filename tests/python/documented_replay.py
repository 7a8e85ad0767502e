"""Replays the recorded HTTP exchanges as tests/transcripts/http/replay.py does, with the same arguments, and
compares every answer with the OpenAPI document that the broker serves.

    documented_replay.py UNDOCUMENTED.json ARGUMENTS OF THE REPLAYER

What was answered and is not in the document goes to the named file: each finding with how often it was made and the
first request that made it.
"""
import collections
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../transcripts/http"))
import replay  # noqa: E402
from document import Document  # noqa: E402


def main():
    where = sys.argv.pop(1)
    url = sys.argv[sys.argv.index("--url") + 1]
    document = Document.of(url)
    counts, first = collections.Counter(), {}
    plain = replay.HttpClient.request

    def request(self, method, path, creds=None, headers=None, body=None, chunked=False):
        response = plain(self, method, path, creds, headers, body, chunked)
        if path.startswith("/api/") and url.endswith("%s:%d" % (self.host, self.port)):
            found = document.find(path)
            for finding in document.findings(method, path, response.status, response.headers, response.body):
                finding = "%s %s: %s" % (method, found[0] if found else path, finding)
                counts[finding] += 1
                first.setdefault(finding, path)
        return response

    replay.HttpClient.request = request
    status = replay.main()
    with open(where, "w", encoding="utf-8") as file:
        json.dump(["%s (%d times, first %s)" % (finding, times, first[finding])
                   for finding, times in counts.most_common()], file, indent=1)
    return status


if __name__ == "__main__":
    sys.exit(main())
