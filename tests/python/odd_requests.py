"""Requests that no client makes, byte for byte: none is answered 5xx, every answer is in the document, and the node goes on.

Some have one right answer, which stands beside them; of the others it only matters that they are refused or done as the
document says. Asked over plain sockets, since a client library would not send them.
"""
import base64
import contextlib
import gzip
import json
import os
import re
import socket
import sys
from urllib.parse import urlsplit

from document import KNOWN, Document

AUTH = b"Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n"
JSON = b"Content-Type: application/json\r\n"
DEADLINE_S = 30
# Answers of the server itself, to what is no request; and to methods that are none.
NO_REQUEST = (400, 408, 414, 431, 501, 505)
VHOST = "/api/queues/odd/"
EXCHANGE = "/api/exchanges/odd/"
PUBLISH = EXCHANGE + "amq.default/publish"
IMPORT = "/api/definitions/odd"
LONGEST, TOO_LONG = "n" * 255, "n" * 256


def head(method, path, headers=b"", auth=AUTH, version=b"HTTP/1.1", host=b"Host: x\r\n"):
    return method.encode() + b" " + path.encode() + b" " + version + b"\r\n" + host + auth + headers + b"\r\n"


def ask(method, path, body=None, headers=b"", kind=JSON, length=None, auth=AUTH):
    """A request whose framing may lie: `length` is what it says of its body, False for nothing."""
    if body is None:
        return head(method, path, headers, auth)
    body = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    said = b"" if length is False else b"Content-Length: %d\r\n" % (len(body) if length is None else length)
    return head(method, path, headers + kind + said, auth) + body


def put(name, body):
    return ask("PUT", VHOST + name, body)


def arguments(text):
    return '{"arguments":{"a":%s}}' % text


def chunked(body):
    return ask("PUT", VHOST + "chunked", body, b"Transfer-Encoding: chunked\r\n", length=False)


def part(content, name="file", boundary=b"x"):
    return (b'--' + boundary + b'\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + content + b"\r\n")


FORM = b"Content-Type: multipart/form-data; boundary=x\r\n"

FRAMING = [
    (head("GET", "/api/whoami", host=b""), 400), (head("GET", "/api/whoami", host=b"Host: a\r\nHost: b\r\n"), 400),
    (head("GET", "/api/whoami", version=b"HTTP/1.0", host=b""), 200), (head("GET", "/api/whoami", version=b"HTTP/2.0"), None),
    (head("GET", "http://x/api/whoami"), 200), (head("OPTIONS", "*"), 200), (head("CONNECT", "x:80"), None),
    (head("TRACE", "/api/whoami"), 501), (head("get", "/api/whoami"), 501), (head("B" * 300, "/api/whoami"), 501),
    (head("PATCH", "/api/whoami"), 405), (b"\0\1\2\r\n\r\n", None), (b"\x16\x03\x01\x02\0\r\n\r\n", None),
    (put("x", "{}").replace(b"Content-Length", b"Content-Length: 3\r\nContent-Length"), 400),
    (ask("PUT", VHOST + "x", "{}", length=-1), 400), (ask("PUT", VHOST + "x", "{}", length=10 ** 30), 400),
    (ask("PUT", VHOST + "x", "{}", length=10 ** 12), 400), (ask("PUT", VHOST + "short", '{"durable":true}', length=3), 400),
    (chunked("2\r\n{}\r\n0\r\n\r\n"), 201), (chunked("0\r\n\r\n"), 204), (chunked("zz\r\n{}\r\n0\r\n\r\n"), 400),
    (chunked("2;ext=1\r\n{}\r\n0\r\nTrailer: x\r\n\r\n"), 204), (chunked("f" * 17 + "\r\n{}\r\n0\r\n\r\n"), 400),
    (ask("PUT", VHOST + "te", "{}", b"Transfer-Encoding: gzip\r\n", length=False), 400),
    (ask("PUT", VHOST + "zip", gzip.compress(b"{}"), b"Content-Encoding: gzip\r\n"), 400),
    (ask("PUT", VHOST + "text", "{}", kind=b"Content-Type: text/plain\r\n"), 201),
    (ask("PUT", VHOST + "kindless", "{}", kind=b""), 201), (ask("PUT", VHOST + "x", "{}", kind=b"Content-Type: ;;;\r\n"), 415),
    (ask("PUT", VHOST + "x", '{"durable":true}'.encode("utf-16")), 400), (ask("PUT", VHOST + "x", b"\xef\xbb\xbf{}"), 400),
    (ask("POST", VHOST + "x", "{}", b"X-HTTP-Method-Override: DELETE\r\n"), 405),
    (head("GET", "/api/whoami", b"".join(b"X-%d: 1\r\n" % at for at in range(500))), None),
    (head("GET", "/api/whoami", b"X: " + b"a" * 1_000_000 + b"\r\n"), None), (head("GET", "/api/whoami?" + "a" * 100_000), 414),
    (head("GET", "/api/whoami", b"Accept: ;q=x,,*/\r\n"), 400), (head("GET", "/api/whoami", b"Accept-Encoding: *;q=0\r\n"), 200),
    (head("GET", "/api/whoami", b"Range: bytes=0-1\r\n"), 200), (head("GET", "/api/whoami", b"X: \xff\xfe\r\n"), 200),
]

CREDENTIALS = [
    (head("GET", "/api/whoami", auth=given), status) for given, status in (
        (b"", 401), (b"Authorization:\r\n", 400), (b"Authorization: Basic !!!\r\n", 400), (b"Authorization: \xff\xfe\r\n", 400),
        (b"Authorization: Basic " + base64.b64encode(b"guest") + b"\r\n", 400), (AUTH + AUTH, 400),
        (b"Authorization: Basic " + base64.b64encode(b"\xff:\0") + b"\r\n", 401), (b"Authorization: Bearer \r\n", 400),
        (b"Authorization: Basic " + base64.b64encode(b"u" * 100_000 + b":") + b"\r\n", None), (b"Cookie: ;;=;a\r\n", 401))
]

NAMES = [
    (ask("PUT", VHOST + LONGEST, "{}"), 201), (ask("PUT", VHOST + TOO_LONG, "{}"), 400), (ask("GET", VHOST + TOO_LONG), None),
    (ask("PUT", EXCHANGE + TOO_LONG, '{"type":"topic"}'), 400), (ask("GET", VHOST + "n" * 20_000), None),
    (ask("PUT", VHOST, "{}"), 405), (put("a%00b", "{}"), 201), (ask("GET", VHOST + "a%00b"), 200), (put("a%FFb", "{}"), 400),
    (ask("GET", VHOST + "a%FFb"), 404), (ask("DELETE", VHOST + "a%FFb"), 404), (put("a%C0%AF", "{}"), 400), (put("a%ED%A0%80", "{}"), 400),
    (put("%C3%BC", "{}"), 201), (ask("GET", VHOST + "%C3%BC"), 200), (ask("GET", VHOST + "u%CC%88"), 404), (put("u%CC%88", "{}"), 201),
    (put("a%ZZ", "{}"), 400), (put("a%2", "{}"), 400), (put("a%", "{}"), 400), (put("a+b", "{}"), 201), (ask("GET", VHOST + "a%2Bb"), 200),
    (ask("GET", VHOST + "a%20b"), 404), (put("%2e%2e", "{}"), 201), (ask("DELETE", VHOST + "%2e%2e"), 204), (put("a%252F", "{}"), 201),
    (ask("PUT", "/api/queues/odd/../odd/up", "{}"), 201), (ask("GET", "/../../api/whoami"), 200), (ask("GET", "/api/./whoami"), 200),
    (ask("GET", "//api/whoami"), None), (ask("GET", "/api/whoami;x=1"), 404), (ask("GET", "/api/whoami/"), 200), (ask("GET", "/" * 5000), None),
    (ask("PUT", "/api/vhosts/" + "v" * 5000, "{}"), None), (ask("DELETE", "/api/vhosts/" + "v" * 5000), None),
    (ask("PUT", "/api/users/", '{"tags":""}'), 405), (ask("PUT", "/api/vhosts/", "{}"), 405),
]

DOCUMENTS = [
    (put("x", text), status) for text, status in (
        (arguments("{" * 10), 400), (arguments('{"a":' * 5000 + "1" + "}" * 5000), 400), (arguments("[" * 100_000), 400),
        (arguments("[" * 100 + "]" * 100), 400), (arguments("null"), 400), (arguments("18446744073709551615"), 400),
        (arguments("1e400"), 400), (arguments("NaN"), 400), (arguments("-Infinity"), 400), (arguments("01"), 400), (arguments("0x1"), 400),
        (arguments('"\\ud800"'), 400), (arguments('"\\u00"'), 400), (arguments('"\\x41"'), 400), (b'{"arguments":{"a":"\xff"}}', 400),
        ('{"arguments":{"%s":1}}' % TOO_LONG, 400), ('{"arguments":null}', 400), ('{"arguments":"x"}', 400), ('{"durable":null}', 400),
        ('{"durable":1}', 400), ('{"node":5}', 400), ('"x"', 400), ("[]", 400), ("5", 400), ("{} {}", 400), ('{"durable":true,}', 400),
        ("{/**/}", 400), ("{'durable':true}", 400), ("\0", 400), ("  ", 400), ('{"durable":true', 400), ('{"a":1,"a":', 400))
] + [
    (put(name, text), 201) for name, text in (
        ("large", arguments("9223372036854775807")), ("small", arguments("-9223372036854775808")), ("float", arguments("1e308")),
        ("zero", arguments("-0.0")), ("twice", '{"durable":true,"durable":false}'), ("twice-inside", '{"arguments":{"a":1,"a":2}}'),
        ("pair", arguments('"\\ud83d\\ude00"')), ("nul", '{"arguments":{"a\\u0000b":"\\u0000"}}'),
        ("larger", arguments("123456789012345678901234567890")), ("list", arguments('[1,"a",true,1.5,{"x":[]}]')), ("void", "null"), ("empty-list", '{"arguments":[]}'))
] + [
    (ask("GET", VHOST + name), 200) for name in ("large", "small", "float", "zero", "twice", "twice-inside", "pair", "nul", "larger", "list")
] + [
    (ask("PUT", "/api/global-parameters/odd", '{"value":%s}' % value), status) for value, status in (
        ("123456789012345678901234567890.5e10", 201), ("1e400", 400), ('"\\udc00"', 400), ("[" * 100_000 + "]" * 100_000, 400), ("null", 204))
] + [(ask("GET", "/api/global-parameters/odd"), 200), (ask("DELETE", "/api/global-parameters/odd"), 204)]

QUERIES = [
    (ask("GET", "/api/queues/odd?" + query), status) for query, status in (
        ("columns=..,.,,a.,.b,name.name.name,arguments.x-queue-type", 200), ("columns=", 200), ("columns=name&columns=vhost", 200),
        ("columns=" + ",".join(["a.b"] * 2000), 200), ("columns=%FF%00", 200), ("columns=name%ZZ", 400), ("sort=none&columns=name", 200),
        ("sort=arguments&columns=name", 200), ("sort=..&columns=name", 200), ("sort=message_stats.publish_details.rate", 200),
        ("page=0", 400), ("page=-1", 400), ("page=x", 400), ("page=1.5", 400), ("page=", 400), ("page=9223372036854775807", 400),
        ("page=9223372036854775808", 400), ("page=4611686018427387904&page_size=500", 400), ("page=1&page_size=0", 400),
        ("page=1&page_size=501", 400), ("page=%D9%A1", 400), ("page=1&page_size=500&columns=name", 200),
        ("page=1&use_regex=true&name=(a%2B)%2B%24", 200), ("page=1&use_regex=true&name=(((a{100}){100}){100}){100}", 200),
        ("page=1&use_regex=true&name=(.*)*%5C1(?=x)z", 200), ("page=1&use_regex=true&name=(", 200),
        ("page=1&use_regex=true&name=" + "a" * 1025, 400), ("&&a&page", 400), ("=a", 400), ("a=%", 400),
        ("msg_rates_age=60&msg_rates_incr=0", 400), ("msg_rates_age=-5&msg_rates_incr=1", 400), ("lengths_age=100000000&lengths_incr=1", 400))
]

MESSAGES = [
    (ask("POST", PUBLISH, json.dumps({"routing_key": "zero", "payload": "a", "payload_encoding": "string", "properties": {}, **extra})), status)
    for extra, status in (
        ({}, 200), ({"payload_encoding": "utf8"}, 400), ({"payload": "a!", "payload_encoding": "base64"}, 400), ({"payload": 5}, 400),
        ({"payload": None}, 400), ({"routing_key": TOO_LONG}, 400), ({"routing_key": None}, 400), ({"properties": {"timestamp": 2 ** 70}}, 400),
        ({"properties": {"headers": 5}}, 400), ({"properties": {"message_id": TOO_LONG}}, 400), ({"properties": {"user_id": "other"}}, 400),
        ({"properties": {"expiration": "abc"}}, None), ({"properties": {"headers": {"CC": 5}}}, None), ({"properties": []}, 400),
        ({"properties": {"delivery_mode": 300, "priority": -1, "timestamp": -5, "headers": {"a": {"b": [1, {}]}}}}, 200))
] + [
    (ask("POST", VHOST + "zero/get", json.dumps({"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto", **extra})), status)
    for extra, status in (
        ({}, 200), ({"count": -1}, 200), ({"count": 10 ** 18}, 200), ({"count": 10 ** 40}, 400), ({"count": 1.5}, 400), ({"truncate": 0}, 200),
        ({"truncate": "x"}, 400), ({"encoding": "hex"}, 400), ({"ackmode": "maybe"}, 400), ({"ackmode": None}, 400))
] + [
    (ask("POST", "/api/bindings/odd/e/amq.topic/q/zero", json.dumps(body)), status) for body, status in (
        ({"routing_key": "k" * 255}, 201), ({"routing_key": "k" * 256}, 400), ({"routing_key": 5}, 400), ({"routing_key": "a\0~/%"}, 201))
] + [(ask("GET", "/api/bindings/odd/e/amq.topic/q/zero"), 200)]

UPLOADS = [
    (ask("POST", IMPORT, body), status) for body, status in (
        ("{}", 204), ("[]", 400), ('{"queues":null}', 400), ('{"queues":[{"name":5}]}', 400), ('{"queues":[{"name":"%s"}]}' % TOO_LONG, 400),
        ('{"queues":[{"name":""}]}', None), ('{"queues":[{"name":"amq.new"}]}', None),
        ('{"bindings":[{"source":"none","destination":"none"}]}', None), ('{"exchanges":[{"name":"x","type":"none"}]}', 400))
] + [
    (ask("POST", IMPORT, body, kind=kind), status) for body, kind, status in (
        (part(b"{}") + b"--x--\r\n", FORM, 204), (part(b"{}")[:-2], FORM, 400), (b"--x", FORM, 400), (b"--x", FORM.replace(b"; boundary=x", b""), 400),
        (part(b"\xff") + b"--x--\r\n", FORM, 400), (part(b"a\r\nSet-Cookie: x", "redirect") + part(b"{}") + b"--x--\r\n", FORM, 400),
        (part(b"{}", "other") + b"--x--\r\n", FORM, 400), (b"{}", b"Content-Type: text/plain\r\n", 415))
] + [(ask("GET", IMPORT + "?download=" + name), status) for name, status in (("a%0d%0aX:%20y", 400), ("a%22b", 400), ("a", 200))]

TABLES = (FRAMING, CREDENTIALS, NAMES, DOCUMENTS, QUERIES, MESSAGES, UPLOADS)


def answer(url, request):
    """What comes for the bytes: (status, headers, body); the connection may stay open."""
    with socket.create_connection((url.hostname, url.port), DEADLINE_S) as stream:
        with contextlib.suppress(OSError):  # it may be refused before it was sent
            stream.sendall(request)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while not is_whole(received) and (block := stream.recv(65536)):
                received += block
    status, headers, body = parted(received)
    return status, headers, unchunked(body) if headers.get("transfer-encoding") == "chunked" else body


def parted(received):
    top, _, body = received.partition(b"\r\n\r\n")
    lines = top.decode("latin-1").split("\r\n")
    found = re.fullmatch(r"HTTP/1\.[01] (\d{3}) .*", lines[0])
    headers = dict(line.split(": ", 1) for line in lines[1:])
    headers = {name.lower(): value for name, value in headers.items()}
    # Behind it may stand the answer to what a lie about the length left over.
    return int(found[1]) if found else None, headers, body[:int(headers.get("content-length", len(body)))]


def is_whole(received):
    if b"\r\n\r\n" not in received:
        return False
    status, headers, body = parted(received)
    if headers.get("transfer-encoding") == "chunked":
        return body.endswith(b"0\r\n\r\n")
    return status in (204, 304) or len(body) >= int(headers.get("content-length", 0))


def unchunked(body):
    whole = b""
    while body:
        length, _, rest = body.partition(b"\r\n")
        size = int(length, 16)
        if not size:
            break
        whole, body = whole + rest[:size], rest[size + 2:]
    return whole


def findings(document, request, expected, status, headers, body):
    if status is None:
        return ["no answer"]
    found = [] if expected in (None, status) else ["answers %d instead of %d: %r" % (status, expected, body[:150])]
    line = request.split(b"\r\n")[0].split(b" ")
    if status in NO_REQUEST and not body:
        return found
    if len(line) != 3:
        return found + ["answers %d to what is no request" % status]
    method, target = line[0].decode("latin-1"), line[1].decode("latin-1")
    if method in KNOWN and target.startswith("/"):
        found += document.findings(method, target, status, headers, body)
    return found + (["answers %d" % status] if status >= 500 and method in KNOWN else [])


def main():
    url = urlsplit(os.environ["WARREN_HTTP"])
    document = Document.of(url.geturl())
    scene = [ask("PUT", "/api/vhosts/odd", "{}"),
             ask("PUT", "/api/permissions/odd/guest", '{"configure":".*","write":".*","read":".*"}')]
    for request in scene:
        assert answer(url, request)[0] in (201, 204)
    said, count = [], 0
    for table in TABLES:
        for request, expected in table:
            count += 1
            found = findings(document, request, expected, *answer(url, request))
            said += ["%s\n    %r" % (finding, request[:220]) for finding in found]
        if answer(url, ask("GET", "/api/whoami"))[0] != 200:
            said.append("the node does not answer any more")
    answer(url, ask("DELETE", "/api/vhosts/odd"))
    print("\n".join(said) or "%d odd requests are answered as they should" % count)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
