"""Servers as processes: one in this process, or several that a supervisor keeps alive."""

from fluxbase.serving.roles import STOP_SECONDS, Role, StopSignal, keep_alive, stop_all
from fluxbase.serving.running import run
from fluxbase.serving.server import (
    SUPERVISED,
    Server,
    serve_until_orphaned,
    server_config,
    shared_socket,
)

__all__ = [
    "STOP_SECONDS",
    "SUPERVISED",
    "Role",
    "Server",
    "StopSignal",
    "keep_alive",
    "run",
    "serve_until_orphaned",
    "server_config",
    "shared_socket",
    "stop_all",
]
