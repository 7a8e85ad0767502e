"""AMQP, the HTTP API and the metrics over TLS, spoken by OpenSSL: encrypted.py CA CERTIFICATE KEY AMQPS HTTPS METRICS."""
import base64
import http.client
import json
import ssl
import sys

import pika

AUTHORITY, CERTIFICATE, KEY = sys.argv[1:4]
AMQPS, HTTPS, METRICS = (address.rsplit(":", 1) for address in sys.argv[4:7])
BODY_BYTES = 3_000_000


def trusting(certificate=True):
    context = ssl.create_default_context(cafile=AUTHORITY)
    if certificate:
        context.load_cert_chain(CERTIFICATE, KEY)
    return context


def get(place, path, status=200):
    connection = http.client.HTTPSConnection(place[0], int(place[1]), context=trusting(False), timeout=30)
    connection.request("GET", path, headers={"authorization": "Basic " + base64.b64encode(b"guest:guest").decode()})
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == status, (answer.status, body)
    connection.close()
    return body


def connect(context):
    return pika.BlockingConnection(pika.ConnectionParameters(
        host=AMQPS[0], port=int(AMQPS[1]), ssl_options=pika.SSLOptions(context, "localhost"), blocked_connection_timeout=30))


# A message larger than any buffer on the way goes there and back.
connection = connect(trusting())
channel = connection.channel()
channel.confirm_delivery()
channel.queue_declare("encrypted", durable=True)
body = bytes(range(256)) * (BODY_BYTES // 256)
for _ in range(3):
    channel.basic_publish("", "encrypted", body)
for _ in range(3):
    assert channel.basic_get("encrypted", auto_ack=True)[2] == body

# The API says how it is encrypted, and whom the certificate names.
shown, = json.loads(get(HTTPS, "/api/connections"))
assert shown["ssl"] is True and shown["ssl_protocol"] in ("tlsv1.2", "tlsv1.3"), shown
assert shown["peer_cert_subject"] == "CN=client" and shown["peer_cert_issuer"] == "CN=authority", shown
assert shown["ssl_cipher"] and shown["ssl_hash"] == "aead" and shown["port"] == int(AMQPS[1]), shown
connection.close()

# Who shows no certificate is not let in, since the configuration asks for one.
try:
    connect(trusting(False))
except (pika.exceptions.AMQPConnectionError, ssl.SSLError, OSError):
    pass
else:
    raise AssertionError("a client without a certificate was let in")

# A session that begins over TLS is never sent in the clear.
login = http.client.HTTPSConnection(HTTPS[0], int(HTTPS[1]), context=trusting(False), timeout=30)
login.request("POST", "/api/login", body="username=guest&password=guest",
              headers={"content-type": "application/x-www-form-urlencoded"})
answer = login.getresponse()
answer.read()
assert answer.status == 200 and "; Secure" in answer.getheader("set-cookie"), answer.getheaders()
login.close()

listeners = {listener["protocol"]: listener for listener in json.loads(get(HTTPS, "/api/overview"))["listeners"]}
for protocol, encrypted in {"amqp": False, "amqp/ssl": True, "https": True, "https/prometheus": True, "http": False}.items():
    assert listeners[protocol]["tls"] is encrypted, listeners
assert json.loads(get(HTTPS, "/api/health/checks/protocol-listener/amqps,https"))["status"] == "ok"
assert b"rabbitmq_build_info" in get(METRICS, "/metrics")

# The certificates of the test are valid for long, but not for ever.
assert json.loads(get(HTTPS, "/api/health/checks/certificate-expiration/1/years"))["status"] == "ok"
failed = json.loads(get(HTTPS, "/api/health/checks/certificate-expiration/10000/years", status=503))
assert failed["status"] == "failed" and failed["reason"] == "Certificates expiring", failed
assert sorted(listener["protocol"] for listener in failed["expired"]) == ["amqp/ssl", "https", "https/prometheus"], failed
assert failed["expired"][0]["certfile_expires_on"][0].startswith("4096-01-01 "), failed
