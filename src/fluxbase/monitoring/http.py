"""Count and time every request by its route's template, never by its address: ids would make endless series."""

from starlette.types import Scope

from fluxbase.monitoring.metrics import Metrics

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


def count_request(metrics: Metrics, scope: Scope, status: int, seconds: float) -> None:
    """Feed the `fluxbase_http_…` metrics with a request that is over."""
    method = scope["method"] if scope["method"] in _METHODS else "OTHER"
    path = getattr(scope.get("route"), "path", None) or "(no route)"
    metrics.count_request(method, path, status, seconds)
