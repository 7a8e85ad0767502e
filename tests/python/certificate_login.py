"""Logins by certificate over AMQP: certificate_login.py CA CERTIFICATE KEY AMQPS USER.

USER is the name the broker takes from the certificate; `nobody`: it finds none; `unverified`: it asks for none.
"""
import base64
import http.client
import json
import os
import ssl
import sys
from urllib.parse import quote

import pika

AUTHORITY, CERTIFICATE, KEY, AMQPS, USER = sys.argv[1:6]
HOST, PORT = AMQPS.rsplit(":", 1)
API = os.environ["WARREN_HTTP"].removeprefix("http://")
PLAIN = int(os.environ["WARREN_AMQP"].rsplit(":", 1)[1])
REFUSED = "ACCESS_REFUSED - Login was refused using authentication mechanism EXTERNAL. For details see the broker logfile."


def ask(method, path, body=None):
    connection = http.client.HTTPConnection(API, timeout=30)
    headers = {"authorization": "Basic " + base64.b64encode(b"guest:guest").decode()}
    connection.request(method, path, body=body and json.dumps(body), headers=headers)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status < 300, (path, answer.status, text)
    return json.loads(text) if text else None


def connect(certificate=True, port=int(PORT), encrypted=True):
    context = ssl.create_default_context(cafile=AUTHORITY)
    if certificate:
        context.load_cert_chain(CERTIFICATE, KEY)
    options = pika.SSLOptions(context, "localhost") if encrypted else None
    return pika.BlockingConnection(pika.ConnectionParameters(
        host=HOST, port=port, ssl_options=options, credentials=pika.credentials.ExternalCredentials()))


def refused(**how):
    try:
        connect(**how)
    except pika.exceptions.AMQPConnectionError as error:
        return repr(error)
    raise AssertionError("a client was let in")


node, = ask("GET", "/api/nodes")
offered = {mechanism["name"]: mechanism["enabled"] for mechanism in node["auth_mechanisms"]}
assert offered == {"PLAIN": True, "AMQPLAIN": False, "EXTERNAL": True}, offered

# In the clear there is no certificate, so the mechanism is not offered and pika does not try it.
assert "No acceptable" in refused(port=PLAIN, encrypted=False) or "Authentication" in refused(port=PLAIN, encrypted=False)

# A user that does not exist is not made by its certificate.
assert REFUSED in refused(), refused()

if USER in ("nobody", "unverified"):
    sys.exit()

ask("PUT", "/api/users/" + quote(USER, safe=""), {"password_hash": "", "tags": ""})
ask("PUT", "/api/permissions/%2F/" + quote(USER, safe=""), {"configure": ".*", "write": ".*", "read": ".*"})
connection = connect()
connection.channel().queue_declare("of-a-certificate", exclusive=True)
shown, = ask("GET", "/api/connections")
assert (shown["user"], shown["auth_mechanism"]) == (USER, "EXTERNAL"), shown
assert (shown["peer_cert_subject"], shown["peer_cert_issuer"]) == ("CN=client", "CN=authority"), shown
assert shown["ssl"] is True and shown["ssl_protocol"] == "tlsv1.3" and shown["ssl_key_exchange"] == "any", shown
assert " - " in shown["peer_cert_validity"] and int(shown["peer_cert_serial_number"], 16) > 0, shown
connection.close()

# Without a certificate the handshake fails, or the login where the handshake asks without insisting.
refusal = refused(certificate=False)
assert (REFUSED in refusal) is (USER == "client"), refusal
attempts, = [one for one in ask("GET", "/api/auth/attempts/" + quote(node["name"])) if one["protocol"] == "amqp091"]
assert attempts["auth_attempts_succeeded"] == 1 and attempts["auth_attempts_failed"] >= 1, attempts
