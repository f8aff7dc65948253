"""What `fluxbase serve` answers, `flakeguard up` answers too."""

from fastapi import FastAPI
from starlette.routing import Route

from flakeguard.app import create_app
from fluxbase import app as fluxbase
from fluxbase.resources import Addresses

ADDRESSES = Addresses(None, "postgresql://127.0.0.1:1/none", "redis://127.0.0.1:1/0", "x" * 40)


def answered(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of what is described; of the rest (tables and functions) the path."""
    described = {(method, path) for path, methods in app.openapi()["paths"].items() for method in methods}
    return described | {("any", route.path) for route in app.routes if isinstance(route, Route)}


def test_every_route_of_fluxbase_is_there(settings) -> None:
    alone, beside = fluxbase.create_app(settings, ADDRESSES), create_app(settings, ADDRESSES)
    assert {("get", "/health"), ("post", "/api/v1/jobs/submit"), ("any", "/api/v1/rpc/{function}")} <= answered(alone)
    assert answered(alone) <= answered(beside)
    assert {app.url_path_for("realtime_socket") for app in (alone, beside)} == {"/realtime"}
