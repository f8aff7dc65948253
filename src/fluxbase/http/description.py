"""What an OpenAPI description says of every operation alike: how problems are told, and what callers show."""

from collections.abc import Sequence
from typing import Any, cast

type Json = dict[str, Any]

_DESCRIBED = "/api/"
_METHODS = frozenset(("get", "put", "post", "delete", "patch", "head", "options"))
# FastAPI's own words for a body or parameter that cannot be, which our errors replace.
_INVALID, _UNSAID = "422", ("HTTPValidationError", "ValidationError")
_TEXT: Json = {"type": "string"}
_SECURITY_SCHEMES: Json = {
    "token": {"type": "http", "scheme": "bearer", "description": "An access token, or a key."},
    "key": {"type": "apiKey", "in": "header", "name": "X-Service-Key"},
}


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": [n for n in properties if n not in _SOMETIMES]}


def _response(schema: Json) -> Json:
    return {"description": "Why not.", "content": {"application/json": {"schema": schema}}}


_SOMETIMES = frozenset(("details", "hint"))
_DETAILS: Json = {"description": "Fields and what is wrong with them, or PostgreSQL's words."}
_BARE = _response(
    _object(error=_TEXT, code=_TEXT, message=_TEXT, request_id=_TEXT, hint=_TEXT, details=_DETAILS),
)
_ENVELOPED = _response(_object(error=_object(code=_TEXT, message=_TEXT, request_id=_TEXT, details=_DETAILS)))


def completed(document: Json, envelope_prefixes: Sequence[str] = ()) -> Json:
    """`document` with problems and credentials; paths under `envelope_prefixes` tell problems in an envelope."""
    components: dict[str, Json] = document.setdefault("components", {})
    components["responses"] = {"problem": _BARE} | ({"problem_in_envelope": _ENVELOPED} if envelope_prefixes else {})
    components["securitySchemes"] = _SECURITY_SCHEMES
    components["schemas"] = {n: s for n, s in components.get("schemas", {}).items() if n not in _UNSAID}
    document["security"] = [{}, *({name: []} for name in _SECURITY_SCHEMES)]
    for path, item in cast("dict[str, Json]", document["paths"]).items():
        if path.startswith(_DESCRIBED):
            enveloped = any(path == prefix or path.startswith(f"{prefix}/") for prefix in envelope_prefixes)
            told = {"$ref": f"#/components/responses/{'problem_in_envelope' if enveloped else 'problem'}"}
            for method in item.keys() & _METHODS:
                responses: Json = item[method]["responses"]
                responses.pop(_INVALID, None)
                responses["default"] = told
    return document
