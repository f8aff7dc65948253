"""Servers as processes: one in this process, or several that a supervisor keeps alive."""

from fluxbase.serving.roles import Role, StopSignal, revive, stop_all
from fluxbase.serving.running import run
from fluxbase.serving.server import (
    SUPERVISED,
    Server,
    serve_until_orphaned,
    server_config,
)

__all__ = [
    "SUPERVISED",
    "Role",
    "Server",
    "StopSignal",
    "revive",
    "run",
    "serve_until_orphaned",
    "server_config",
    "stop_all",
]
