"""The connections of this process, and how many there may be."""

from collections import Counter
from collections.abc import Iterator

from fluxbase.errors import UnavailableError
from fluxbase.ratelimit.addresses import address_subject
from fluxbase.realtime.connection import Connection
from fluxbase.settings.realtime import RealtimeSettings


class TooManyConnectionsError(UnavailableError):
    """There are as many connections as there may be."""

    code = "too_many_connections"

    def __init__(self, setting: str, limit: int) -> None:
        super().__init__(f"too many connections: {setting} is {limit}")
        self.setting = setting


class Registry:
    """Who is connected. Counts are of this process."""

    def __init__(self, settings: RealtimeSettings) -> None:
        self._settings = settings
        self._connections: set[Connection] = set()
        self._by_user: Counter[str] = Counter()
        self._by_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._connections))

    def add(self, connection: Connection) -> None:
        """Take a connection in.

        Raises:
            TooManyConnectionsError: Names the limit that is reached.
        """
        settings, place = self._settings, address_subject(connection.address)
        self._check("realtime.max_connections", settings.realtime_max_connections, len(self._connections))
        per_address = settings.realtime_max_connections_per_ip
        self._check("realtime.max_connections_per_ip", per_address, self._by_address[place])
        self._check_user(connection.user)
        self._connections.add(connection)
        self._by_address[place] += 1
        self._count_user(connection.user, 1)

    def _check(self, setting: str, limit: int, current: int) -> None:
        if current >= limit:
            raise TooManyConnectionsError(setting, limit)

    def _check_user(self, user: str | None) -> None:
        if user is not None:
            limit = self._settings.realtime_max_connections_per_user
            self._check("realtime.max_connections_per_user", limit, self._by_user[user])

    def change_user(self, before: str | None, after: str | None) -> None:
        """A connection that was anonymous is a user's now.

        Raises:
            TooManyConnectionsError: The user has as many as they may.
        """
        if before != after:
            self._check_user(after)
            self._count_user(before, -1)
            self._count_user(after, 1)

    def remove(self, connection: Connection) -> None:
        """Forget a connection; one that was refused was never in."""
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        place = address_subject(connection.address)
        self._by_address[place] -= 1
        if not self._by_address[place]:
            del self._by_address[place]
        self._count_user(connection.user, -1)

    def _count_user(self, user: str | None, step: int) -> None:
        if user is not None:
            self._by_user[user] += step
            if not self._by_user[user]:
                del self._by_user[user]
