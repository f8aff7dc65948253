"""The description of all routes says how problems are told and who may ask, as they are."""

import httpx
import pytest
import schemathesis

from fluxbase.http.description import completed


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/v1/auth/signup", {"email": "ada@example.com"}, 422),
        ("POST", "/api/v1/auth/signup", {"email": "none", "password": "correct horse battery"}, 400),
        ("POST", "/api/v1/auth/signin", {"email": "ada@example.com", "password": "x"}, 401),
        ("GET", "/api/v1/auth/user", None, 401),
        ("GET", "/api/v1/admin/service-keys", None, 401),
    ],
)
async def test_problems_are_told_as_it_says(app, client: httpx.AsyncClient, method, path, body, status):
    described = (await client.get("/openapi.json")).json()
    assert "HTTPValidationError" not in str(described)
    operation = schemathesis.openapi.from_dict(described)[path][method]
    answer = await client.request(method, path, json=body)
    assert answer.status_code == status
    operation.validate_response(answer)
    told = described["components"]["responses"]["problem"]["content"]["application/json"]["schema"]
    assert told["required"] == ["error", "code", "message", "request_id"]


def test_an_envelope_is_described_where_there_is_one():
    operation = {"responses": {"200": {"description": ""}, "422": {"description": ""}}}
    paths = {path: {"get": {"responses": dict(operation["responses"])}} for path in ("/api/v1/orgs/x", "/api/v1/auth")}
    described = completed({"paths": {**paths, "/page": {"get": dict(operation)}}}, ("/api/v1/orgs",))
    told = {path: item["get"]["responses"].get("default", {}).get("$ref") for path, item in described["paths"].items()}
    assert told == {
        "/api/v1/orgs/x": "#/components/responses/problem_in_envelope",
        "/api/v1/auth": "#/components/responses/problem",
        "/page": None,
    }
    assert {} in described["security"]
