"""A registry as the text that Prometheus reads."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import Response


def exposition(registry: CollectorRegistry) -> Response:
    """Every metric of `registry` at this moment."""
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
