"""Whether an answer is in the OpenAPI document: its status, its content type, every field of its body.

Knows the document and nothing of the broker. Schemas are made strict first: a field that is sent and
not declared is a finding, which plain JSON Schema would let pass.
"""
import gzip
import json
import re
import urllib.request
import zlib
from urllib.parse import parse_qs, urlsplit

import jsonschema_rs

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VERBS = ("get", "put", "post", "delete", "head", "options")
# Methods that the server has heard of; any other is answered 501 on every path.
KNOWN = {verb.upper() for verb in VERBS} | {"PATCH"}
BERT = "application/bert"
FINDING_CHARACTERS_MAX = 300


def strict(schema, inside=False):
    """The same schema, with objects that may hold nothing but what is declared.

    `inside` is true for a part of a composition (allOf): there the whole decides what is left over.
    """
    if not isinstance(schema, dict):
        return schema
    out = dict(schema)
    for key in ("properties", "$defs", "patternProperties"):
        if key in out:
            out[key] = {name: strict(part) for name, part in out[key].items()}
    for key in ("items", "additionalProperties"):
        if key in out:
            out[key] = strict(out[key])
    if "allOf" in out:
        out["allOf"] = [strict(part, True) for part in out["allOf"]]
    for key in ("anyOf", "oneOf"):
        if key in out:
            out[key] = [strict(part, inside) for part in out[key]]
    composed = "$ref" in out or "allOf" in out or "properties" in out
    if composed and not inside and "additionalProperties" not in out:
        out["unevaluatedProperties"] = False
    return out


class Document:
    """An OpenAPI document that answers are compared with."""

    def __init__(self, document, prefix=""):
        self.document = document
        self.prefix = prefix
        # The schemas themselves stay open: who refers to them says that nothing else may come.
        schemas = document["components"]["schemas"]
        self.schemas = {name: strict(schema, True) for name, schema in schemas.items()}
        self.paths = []
        for path, item in document["paths"].items():
            segments = path.split("/")[1:]
            # The most literal path goes first, as in the server.
            self.paths.append(([s.startswith("{") for s in segments], segments, path, item))
        self.paths.sort(key=lambda entry: entry[0])
        self.validators = {}

    @classmethod
    def of(cls, url):
        """The document a running broker serves."""
        with urllib.request.urlopen(url + "/api/openapi.json", timeout=30) as answer:
            return cls(json.load(answer))

    def operations(self):
        """(path, method, operation) of all."""
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if method in ("get", "put", "post", "delete"):
                    yield path, method, operation

    def find(self, target):
        """The path of the document that a request target names: (path, item), or None."""
        raw = urlsplit("//host" + target if target.startswith("/") else target).path
        segments = []
        for segment in raw.split("/")[1:]:
            if segment == "..":
                segments = segments[:-1]
            elif segment != ".":
                segments.append(segment)
        found = self._match(segments)
        if found is None:  # the default virtual host, decoded on the way
            for at in range(len(segments) - 1):
                if segments[at:at + 2] == ["", ""]:
                    return self._match(segments[:at] + ["%2F"] + segments[at + 2:])
        return found

    def _match(self, segments):
        for candidate in (segments, segments[:-1] if segments and segments[-1] == "" else None):
            if candidate is None:
                continue
            for _, pattern, path, item in self.paths:
                if len(pattern) == len(candidate) and all(
                        (value or at + 1 < len(candidate)) if part.startswith("{") else part == value
                        for at, (part, value) in enumerate(zip(pattern, candidate))):
                    return path, item
        return None

    def resolve(self, part):
        while "$ref" in part:
            node = self.document
            for name in part["$ref"].split("/")[1:]:
                node = node[name]
            part = node
        return part

    def validator(self, key, schema):
        if key not in self.validators:
            whole = {"$schema": DIALECT, "components": {"schemas": self.schemas}, "allOf": [strict(schema)]}
            self.validators[key] = jsonschema_rs.Draft202012Validator(whole)
        return self.validators[key]

    def findings(self, method, target, status, headers, body):
        """What is wrong with an answer, in words; nothing when the document says so."""
        headers = {name.lower(): value for name, value in headers.items()}
        found = self.find(target)
        if found is None:
            expected = (200, 400) if method == "OPTIONS" else (301, 400, 404, 405, 501)
            return [] if status in expected else ["no such path in the document, answered %d" % status]
        path, item = found
        if headers.get("allow", item["x-allow"]) != item["x-allow"]:
            return ["Allow is %s, and %s in the document" % (headers["allow"], item["x-allow"])]
        methods = {verb.upper() for verb in item if verb in VERBS}
        if set(item["x-allow"].split(", ")) != methods:
            return ["%s answers %s, and x-allow is %s" % (path, ", ".join(sorted(methods)), item["x-allow"])]
        if method not in methods:
            return self._otherwise(method, status, headers, body)
        operation = item[method.lower()]
        answer = operation["responses"].get(str(status))
        if answer is None:
            return ["status %d is not in the document" % status]
        answer = self.resolve(answer)
        missing = [name for name in answer.get("headers", {}) if name == "Allow" and "allow" not in headers]
        if missing:
            return ["%s without %s" % (method, ", ".join(missing))]
        if method == "HEAD":
            return ["HEAD has a body"] if body else ["HEAD is given a body"] if "content" in answer else []
        return self._body(path, method, operation, status, answer, target, headers, body)

    def _otherwise(self, method, status, headers, body):
        """A method that the path does not offer."""
        (expected, answer), = (self.document["x-otherwise"].items() if method in KNOWN
                               else [("501", {"description": ""})])
        if str(status) != expected:
            return ["%s answers %d instead of %s" % (method, status, expected)]
        if body:
            return ["%s has a body" % method]
        return ["%s without %s" % (method, name) for name in self.resolve(answer).get("headers", {})
                if name.lower() not in headers]

    def _body(self, path, method, operation, status, answer, target, headers, body):
        content = answer.get("content", {})
        if not body:
            # A refusal may come without words.
            return [] if status >= 400 or not content else ["an empty body with status %d" % status]
        kind = headers.get("content-type", "")
        if kind.split(";")[0] == BERT and "application/json" in content:
            return []
        if kind not in content:
            return ["content type %s with status %d is not in the document" % (kind, status)]
        if kind != "application/json":
            return []
        schema = content[kind].get("schema", {})
        if status < 300:
            schema = self.alternative(operation, schema, target)
        try:
            value = json.loads(decoded(headers, body))
        except ValueError as error:
            return ["no JSON with status %d: %s" % (status, error)]
        validator = self.validator(json.dumps([path, method, status, schema]), schema)
        return ["status %d: %s" % (status, said(error)) for error in validator.iter_errors(value)][:5]

    @staticmethod
    def alternative(operation, schema, target):
        """Of the shapes that listing parameters make of an answer, the one that was asked for."""
        declared = {parameter["name"] for parameter in operation.get("parameters", [])}
        asked = parse_qs(urlsplit(target).query, keep_blank_values=True)
        if "columns" not in declared or "columns" in asked:
            return schema
        return schema["anyOf"][1 if "page" in declared and "page" in asked else 0]

    def example_findings(self):
        """What is wrong with the examples."""
        findings = []
        for path, method, operation in self.operations():
            for status, answer in operation["responses"].items():
                for kind, content in self.resolve(answer).get("content", {}).items():
                    findings += self._example(path, method, status, content)
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                findings += self._example(path, method, "request", content)
        return findings

    def _example(self, path, method, what, content):
        if "example" not in content:
            return []
        validator = self.validator(json.dumps([path, method, what, content["schema"]]), content["schema"])
        return ["%s %s %s: %s" % (method.upper(), path, what, said(error))
                for error in validator.iter_errors(content["example"])][:3]


def decoded(headers, body):
    kind = headers.get("content-encoding", "")
    if kind == "gzip":
        return gzip.decompress(body)
    if kind == "deflate":
        return zlib.decompress(body)
    return body


def said(error):
    """One finding: where, and what."""
    where = "".join("[]" if isinstance(step, int) else "." + step for step in error.instance_path)
    return re.sub(r"\s+", " ", "$%s: %s" % (where, error.message))[-FINDING_CHARACTERS_MAX:]
