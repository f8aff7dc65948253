"""Errors to responses: every kind its status, in the dialect of its path, saying nothing it should not."""

import errno
import io
import json
from types import SimpleNamespace

import asyncpg
import pytest
from redis import exceptions as redis_errors
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, StreamingResponse

from fluxbase import errors
from fluxbase.http import success
from fluxbase.http.problem import problem_of
from fluxbase.monitoring import configure_logging

from ..serving import client_for, make_app

PROBLEMS = [
    (errors.InvalidRequestError("no"), 400, "invalid_request"),
    (errors.NotAuthenticatedError(), 401, "not_authenticated"),
    (errors.PermissionDeniedError(), 403, "permission_denied"),
    (errors.NotFoundError(), 404, "not_found"),
    (errors.ConflictError(), 409, "conflict"),
    (errors.ConflictError(code="email_exists"), 409, "email_exists"),
    (errors.PayloadTooLargeError(), 413, "payload_too_large"),
    (errors.RateLimitError(retry_after_seconds=7), 429, "rate_limit_exceeded"),
    (errors.UnavailableError(), 503, "service_unavailable"),
    (errors.ConfigurationError("the secret is hunter2"), 500, "internal_error"),
    (HTTPException(405), 405, "method_not_allowed"),
    (asyncpg.UniqueViolationError("secret_key"), 409, "conflict"),
    (asyncpg.ForeignKeyViolationError("x"), 409, "conflict"),
    (asyncpg.CheckViolationError("x"), 400, "invalid_request"),
    (asyncpg.UntranslatableCharacterError("x"), 400, "invalid_request"),
    (asyncpg.InsufficientPrivilegeError("x"), 403, "permission_denied"),
    (asyncpg.UndefinedTableError("x"), 500, "internal_error"),
    (asyncpg.DeadlockDetectedError("x"), 503, "service_unavailable"),
    (asyncpg.LockNotAvailableError("x"), 503, "service_unavailable"),
    (asyncpg.QueryCanceledError("x"), 503, "service_unavailable"),
    (asyncpg.TooManyConnectionsError("x"), 503, "service_unavailable"),
    (asyncpg.DiskFullError("x"), 507, "insufficient_storage"),
    (asyncpg.AdminShutdownError("x"), 503, "service_unavailable"),
    (asyncpg.CannotConnectNowError("x"), 503, "service_unavailable"),
    (asyncpg.ConnectionDoesNotExistError("x"), 503, "service_unavailable"),
    (asyncpg.InterfaceError("connection is closed"), 503, "service_unavailable"),
    (asyncpg.InterfaceError("another operation is in progress"), 500, "internal_error"),
    (ConnectionRefusedError(), 503, "service_unavailable"),
    (OSError("Multiple exceptions: [Errno 111] Connect call failed"), 503, "service_unavailable"),
    (OSError(errno.EHOSTUNREACH, "No route"), 503, "service_unavailable"),
    (FileNotFoundError(errno.ENOENT, "No such file"), 503, "service_unavailable"),
    (FileNotFoundError(errno.ENOENT, "No such file", "template.html"), 500, "internal_error"),
    (TimeoutError(), 503, "service_unavailable"),
    (TimeoutError(), 503, "service_unavailable"),
    (redis_errors.ConnectionError(), 503, "service_unavailable"),
    (ZeroDivisionError("secret"), 500, "internal_error"),
]


@pytest.mark.parametrize(("error", "status", "code"), PROBLEMS, ids=lambda value: repr(value)[:60])
def test_every_kind_of_error_has_its_status(error, status, code):
    problem = problem_of(error, "r1")
    assert (problem.status, problem.code) == (status, code)
    assert problem.unexpected == (status == 500)
    assert "secret" not in problem.message
    assert ("Retry-After" in problem.headers) == (status in (429, 503, 507))


@pytest.fixture
def failing(settings):
    """Routes that fail in each way, in each dialect."""

    def build(**options):
        app = make_app(settings, None, **options)
        raised: list[Exception] = []

        async def fail():
            raise raised[-1]

        async def half():
            async def body():
                yield b"half"
                raise raised[-1]

            return StreamingResponse(body())

        for path in ("/api/v1/orgs/x", "/api/v1/auth/x", "/page"):
            app.add_api_route(path, fail)
        app.add_api_route("/half", half)
        return app, raised

    return build


async def test_two_dialects_and_a_page(failing):
    app, raised = failing()
    raised.append(errors.NotFoundError("no <b>such</b> thing"))
    async with client_for(app, headers={"X-Request-ID": "r1", "Accept": "text/html"}) as client:
        enveloped = await client.get("/api/v1/orgs/x")
        bare = await client.get("/api/v1/auth/x")
        page = await client.get("/page")
    assert enveloped.json() == {"error": {"code": "not_found", "message": "no <b>such</b> thing", "request_id": "r1"}}
    assert bare.json() == {
        "error": "not_found",
        "code": "NOT_FOUND",
        "message": "no <b>such</b> thing",
        "request_id": "r1",
    }
    assert page.headers["content-type"].startswith("text/html")
    assert "no &lt;b&gt;such&lt;/b&gt; thing" in page.text
    assert [answer.status_code for answer in (enveloped, bare, page)] == [404, 404, 404]


async def test_paths_that_are_not_there_and_methods_that_are_not_taken(failing):
    app, _ = failing()
    async with client_for(app) as client:
        assert (await client.get("/api/v1/orgs/x/y")).json()["error"]["code"] == "not_found"
        assert (await client.get("/api/v1/organic")).json()["error"] == "not_found"
        refused = await client.post("/api/v1/orgs/x")
        assert refused.json()["error"]["code"] == "method_not_allowed"
        assert refused.headers["allow"] == "GET"


async def test_the_application_draws_its_own_pages(failing):
    app, raised = failing(error_page=lambda request, problem: RedirectResponse(f"/signin?next={request.url.path}"))
    raised.append(errors.NotAuthenticatedError())
    async with client_for(app, headers={"Accept": "text/html"}) as client:
        assert (await client.get("/page")).headers["location"] == "/signin?next=/page"
        assert (await client.get("/api/v1/orgs/x")).status_code == 401


async def test_the_unexpected_is_logged_with_its_stack_and_not_told(failing, monkeypatch):
    stream = io.StringIO()
    configure_logging(stream=stream)
    app, raised = failing()
    raised.append(ZeroDivisionError("the password=hunter2hunter2"))
    async with client_for(app, headers={"X-Request-ID": "r7"}) as client:
        answer = await client.get("/api/v1/orgs/x")
    assert answer.status_code == 500
    assert answer.json()["error"]["request_id"] == "r7"
    assert "ZeroDivision" not in answer.text
    assert "hunter2" not in answer.text
    logged = next(json.loads(line) for line in stream.getvalue().splitlines() if "request failed" in line)
    assert (logged["level"], logged["severity"], logged["requestId"]) == ("error", "ERROR", "r7")
    assert "ZeroDivisionError" in logged["exception"]
    assert "in fail" in logged["exception"]
    assert "hunter2" not in stream.getvalue()


async def test_an_answer_that_breaks_halfway_is_not_mistaken_for_a_whole_one(failing):
    app, raised = failing()
    raised.append(ZeroDivisionError())
    transport_error = client_for(app)
    transport_error._transport.raise_app_exceptions = True
    async with transport_error as client:
        with pytest.raises(ZeroDivisionError):
            await client.get("/half")


async def test_a_database_that_is_gone_is_503_and_comes_back(settings, resources, client):
    async def refused(*_args, **_options):
        raise ConnectionRefusedError(111, "Connect call failed")

    real = resources.database.pool
    resources.database.pool = SimpleNamespace(acquire=refused)
    try:
        answer = await client.get("/api/v1/auth/user", headers={"Cookie": "fluxbase_session=x"})
    finally:
        resources.database.pool = real
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["error"] == "service_unavailable"
    assert (await client.get("/api/v1/auth/user", headers={"Authorization": "Bearer x"})).status_code == 401


async def test_connections_that_the_operator_ends_are_replaced(client, ada, owner):
    headers = {"Authorization": f"Bearer {ada['access_token']}"}
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    answers = [(await client.get("/api/v1/auth/user", headers=headers)).status_code for _ in range(12)]
    assert set(answers) <= {200, 503}
    assert answers[-1] == 200


async def test_success_is_enveloped(settings):
    app = make_app(settings, None)

    async def route(request: Request):
        return success(request, {"n": 1}, status=201)

    app.add_api_route("/api/v1/orgs", route)
    async with client_for(app, headers={"X-Request-ID": "r1"}) as client:
        answer = await client.get("/api/v1/orgs")
    assert answer.status_code == 201
    assert answer.json() == {"request_id": "r1", "data": {"n": 1}}
