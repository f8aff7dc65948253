"""The API and the dashboard in this process."""

from flakeguard.app import create_app
from flakeguard.settings import FlakeGuardSettings
from fluxbase.resources import Addresses
from fluxbase.serving import Server, run, serve_until_orphaned, server_config


def serve_api(settings: FlakeGuardSettings, addresses: Addresses) -> None:
    """Serve API and dashboard until SIGTERM or SIGINT."""
    app = create_app(settings, addresses)

    def close_streams() -> None:
        live = getattr(app.state, "live", None)
        if live is not None:
            live.close()

    server = Server(server_config(app, settings.host, settings.port), close_streams)
    run(serve_until_orphaned(server))
