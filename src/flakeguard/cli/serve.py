"""`flakeguard serve api|web`: one role in the foreground."""

from typing import Annotated

import typer

from flakeguard.cli.output import stderr
from flakeguard.cli.serving_api import serve_api
from flakeguard.cli.starting import reached, read_settings
from fluxbase.embedded.ports import port_or_next

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Run one role: API and dashboard.")

Host = Annotated[str | None, typer.Option(help="Address to listen on (HOST).")]
Port = Annotated[int | None, typer.Option(help="Port to listen on (PORT).")]


@app.command()
def api(host: Host = None, port: Port = None) -> None:
    """Serve the API and the dashboard (PORT, 3000)."""
    _serve(host, port)


@app.command()
def web(host: Host = None, port: Port = None) -> None:
    """Serve the dashboard on a port of its own (3002): the same application, behind another address."""
    _serve(host, port or 3002)


def _serve(host: str | None, port: int | None) -> None:
    settings = read_settings(host=host, port=port)
    if not settings.is_production:
        free = port_or_next(settings.host, settings.port)
        if free != settings.port:
            stderr().print(f"port {settings.port} is busy: using {free}")
            settings = settings.model_copy(update={"port": free})
    with reached(settings) as addresses:
        stderr().print(f"FlakeGuard listens on http://{settings.host}:{settings.port}")
        serve_api(settings, addresses)
