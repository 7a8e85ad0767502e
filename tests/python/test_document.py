"""The comparison with a document is strict: each way in which an answer can differ from it is found."""
import json

import pytest
from document import Document

BODY = {"type": "object", "required": ["name"], "properties": {
    "name": {"type": "string"}, "inner": {"$ref": "#/components/schemas/Inner"},
    "more": {"type": "object", "additionalProperties": {}}}}
ALLOWED = {"description": "Bare", "headers": {"Allow": {"schema": {"type": "string"}}}}
OTHERS = {
    "x-allow": "HEAD, GET, OPTIONS",
    "head": {"responses": {"200": {"description": "Bare"}}},
    "options": {"responses": {"200": {"$ref": "#/components/responses/Bare"}}},
}
DOCUMENT = {
    "x-otherwise": {"405": {"$ref": "#/components/responses/Bare"}},
    "components": {"responses": {"Bare": ALLOWED}, "schemas": {
        "Thing": BODY,
        "Inner": {"type": "object", "properties": {"count": {"type": "integer"}}},
        "Both": {"allOf": [{"$ref": "#/components/schemas/Inner"},
                           {"type": "object", "properties": {"name": {"type": "string"}}}]},
        "Columns": {"type": "object", "additionalProperties": {}},
    }},
    "paths": {
        "/api/things/{thing}": {**OTHERS, "get": {
            "parameters": [{"name": "columns", "in": "query"}],
            "responses": {"404": {"description": "Missing"}, "200": {"description": "Done", "content": {
                "application/json": {"schema": {"anyOf": [
                    {"$ref": "#/components/schemas/Thing"}, {"$ref": "#/components/schemas/Columns"}]}}}}}}},
        "/api/both": {**OTHERS, "get": {"responses": {"200": {
            "description": "Done", "content": {"application/json": {
                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Both"}}}}}}}},
    },
}
JSON = {"Content-Type": "application/json"}
ALLOW = {"Allow": "HEAD, GET, OPTIONS"}


def found(method, target, status, headers, value):
    body = b"" if value is None else json.dumps(value).encode()
    return Document(DOCUMENT).findings(method, target, status, headers, body)


@pytest.mark.parametrize("answer", [
    ("GET", "/api/things/x", 200, JSON, {"name": "x", "inner": {"count": 1}, "more": {"any": 1}}),
    ("GET", "/api/things/x?columns=inner", 200, JSON, {"inner": {}}),
    ("GET", "/api/things/x/", 404, {}, None),
    ("GET", "/api/both", 200, JSON, [{"name": "x", "count": 1}]),
    ("HEAD", "/api/things/x", 200, JSON, None),
    ("OPTIONS", "/api/things/x", 200, ALLOW, None),
    ("PUT", "/api/things/x", 405, ALLOW, None),
    ("PATCH", "/api/things/x", 405, ALLOW, None),
    ("TRACE", "/api/things/x", 501, {}, None),
    ("GET", "/api/elsewhere", 404, {}, None),
])
def test_what_the_document_says_passes(answer):
    assert found(*answer) == []


@pytest.mark.parametrize("answer", [
    ("GET", "/api/things/x", 200, JSON, {"name": "x", "undeclared": 1}),
    ("GET", "/api/things/x", 200, JSON, {"name": "x", "inner": {"undeclared": 1}}),
    ("GET", "/api/things/x", 200, JSON, {"name": 5}),
    ("GET", "/api/things/x", 200, JSON, {"inner": {}}),
    ("GET", "/api/both", 200, JSON, [{"name": "x", "undeclared": 1}]),
    ("GET", "/api/things/x", 200, {"Content-Type": "text/plain"}, {"name": "x"}),
    ("GET", "/api/things/x", 200, JSON, None),
    ("GET", "/api/things/x", 500, {}, None),
    ("GET", "/api/things/x", 404, {"Allow": "GET"}, None),
    ("HEAD", "/api/things/x", 200, JSON, {"name": "x"}),
    ("OPTIONS", "/api/things/x", 200, {}, None),
    ("HEAD", "/api/things/x", 404, {}, None),
    ("PUT", "/api/things/x", 200, ALLOW, None),
    ("PUT", "/api/things/x", 405, {}, None),
    ("PUT", "/api/things/x", 405, ALLOW, {}),
    ("TRACE", "/api/things/x", 405, ALLOW, None),
    ("GET", "/api/elsewhere", 200, JSON, {}),
])
def test_what_it_does_not_say_is_found(answer):
    assert len(found(*answer)) == 1


def test_a_path_names_the_methods_it_answers():
    item = {**DOCUMENT["paths"]["/api/both"], "x-allow": "GET, OPTIONS"}
    document = Document({**DOCUMENT, "paths": {"/api/both": item}})
    assert len(document.findings("GET", "/api/both", 200, {**JSON, "Allow": "GET, OPTIONS"}, b"[]")) == 1
