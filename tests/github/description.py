"""GitHub's OpenAPI description as JSON Schemas, of the operations that the fake speaks.

It is 13 MB, so what is needed of it is kept beside the package, by version and operations. OpenAPI 3.0 has its own word
for null, and is silent about keys that it does not name: here these are refused, since a key that GitHub does not
describe is one that somebody made up.
"""

import functools
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .npm import package

OPENAPI = ("@octokit/openapi", "23.0.2")
_FORM = 4  # of what is kept: another number when this module makes other schemas
_NO_CONSTRAINTS = {"description", "example", "examples", "title", "externalDocs", "default", "deprecated", "readOnly"}
_COMBINED = ("allOf", "anyOf", "oneOf")
_ALSO_NULL = {"workflow-run": "head_repository"}  # a fork that was deleted: GitHub sends null, and describes an object
_EITHER = [
    "Simple User",
    "Enterprise",
]  # an account: `anyOf` in components, `allOf` where it is written out, by mistake

type Json = dict[str, Any]


@functools.cache
def description(operations: tuple[str, ...]) -> Json:
    """`operations` by name (`GET /app`), `components` that they refer to, and the `names` of all that GitHub has.

    Raises:
        NoPackageError: npm is absent.
        KeyError: GitHub has no such operation.
    """
    folder = package(*OPENAPI)
    digest = hashlib.sha256(json.dumps([_FORM, *operations]).encode()).hexdigest()[:16]
    kept = folder / f"extract-{digest}.json"
    if not kept.exists():
        whole = json.loads((folder / "generated" / "api.github.com.json").read_text())
        temporary = kept.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(_extract(whole, operations)))
        temporary.replace(kept)
    return json.loads(kept.read_text())


def _extract(whole: Json, operations: Iterable[str]) -> Json:
    found = {name: _operation(whole, name) for name in operations}
    schemas: Json = {}
    wanted = {reference for one in found.values() for reference in _references(one)} | {"basic-error"}
    while wanted:
        name = wanted.pop()
        schemas[name] = schema(whole["components"]["schemas"][name])
        if name in _ALSO_NULL:
            properties = schemas[name]["properties"]
            properties[_ALSO_NULL[name]] = _or_null(properties[_ALSO_NULL[name]])
        wanted |= {reference for reference in _references(schemas[name]) if reference not in schemas}
    names = [f"{method.upper()} {path}" for path, methods in whole["paths"].items() for method in methods]
    return {"operations": found, "components": {"schemas": schemas}, "names": names}


def _operation(whole: Json, name: str) -> Json:
    method, _, path = name.partition(" ")
    described = whole["paths"][path][method.lower()]
    body = described.get("requestBody")
    return {
        "parameters": [_parameter(_resolved(whole, one)) for one in described.get("parameters", ())],
        "body": None if body is None else _content(_resolved(whole, body)),
        "body_required": bool(body and body.get("required")),
        "responses": {status: _content(_resolved(whole, one)) for status, one in described["responses"].items()},
    }


def _parameter(told: Json) -> Json:
    wanted = schema(told["schema"])
    if "search syntax" in told.get("description", ""):
        wanted.pop("format", None)  # `created` takes `>=2026-11-25`, as its words say; its format denies it
    return {"name": told["name"], "in": told["in"], "required": told.get("required", False), "schema": wanted}


def _content(told: Json) -> Json | None:
    for kind, content in told.get("content", {}).items():
        if kind.endswith("json"):
            return schema(content["schema"])
    return None


def _resolved(whole: Json, told: Json) -> Json:
    if "$ref" not in told:
        return told
    return functools.reduce(lambda held, name: held[name], told["$ref"].removeprefix("#/").split("/"), whole)


def _references(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        if isinstance(told.get("$ref"), str):
            yield told["$ref"].rpartition("/")[2]
        for value in told.values():
            yield from _references(value)
    elif isinstance(told, list):
        for value in told:
            yield from _references(value)


def schema(told: Mapping[str, Any], *, closed: bool = True) -> Json:
    """OpenAPI 3.0's as JSON Schema 2020-12. `closed`: keys that it does not name are refused."""
    made = {
        name: value for name, value in told.items() if name not in _NO_CONSTRAINTS and not name.startswith("x-")
    }  # fmt: skip
    nullable = made.pop("nullable", False)
    if [one.get("title") for one in made.get("allOf", ())] == _EITHER:
        made["anyOf"] = made.pop("allOf")
    if "properties" in made:
        made["properties"] = {name: schema(value) for name, value in made["properties"].items()}
    for name in ("items", "additionalProperties", "not"):
        if isinstance(made.get(name), dict):
            made[name] = schema(made[name])
    for name in _COMBINED:
        if name in made:  # their parts see a part of the keys each
            alone = "properties" not in made and (name != "allOf" or len(made[name]) == 1)
            made[name] = [schema(one, closed=alone) for one in made[name]]
    if not closed and made.get("additionalProperties") is True:
        del made["additionalProperties"]
    if closed and made.get("properties") and "additionalProperties" not in made:
        made["unevaluatedProperties"] = False
    return _or_null(made) if nullable else made


def _or_null(made: Json) -> Json:
    if isinstance(made.get("type"), str) and not any(name in made for name in (*_COMBINED, "enum")):
        return made | {"type": [made["type"], "null"]}
    return {"anyOf": [made, {"type": "null"}]}
