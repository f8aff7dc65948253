"""PostgreSQL and Valkey from wheels, for one machine: found running and joined, or started."""

from fluxbase.embedded.home import Home
from fluxbase.embedded.servers import EmbeddedServers, join_servers

__all__ = ["EmbeddedServers", "Home", "join_servers"]
