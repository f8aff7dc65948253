"""The connections of this process, and how many there may be."""

from collections import Counter
from collections.abc import Iterator, Mapping

from fluxbase.errors import UnavailableError
from fluxbase.ratelimit.addresses import address_subject
from fluxbase.realtime.connection import Connection
from fluxbase.realtime.tally import Subject
from fluxbase.settings.realtime import RealtimeSettings


class TooManyConnectionsError(UnavailableError):
    """There are as many connections as there may be."""

    code = "too_many_connections"

    def __init__(self, setting: str, limit: int) -> None:
        super().__init__(f"too many connections: {setting} is {limit}")
        self.setting = setting


class Registry:
    """Who is connected here, and how many of them are of the same user or address."""

    def __init__(self, settings: RealtimeSettings) -> None:
        self._settings = settings
        self._connections: dict[Connection, tuple[Subject, ...]] = {}
        self._counts = Counter[str]()

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._connections))

    @property
    def counts(self) -> Mapping[str, int]:
        """How many connections a subject has, by its name: a view that changes with them."""
        return self._counts

    def add(self, connection: Connection) -> tuple[Subject, ...]:
        """Take a connection in; with whom it is counted.

        Raises:
            TooManyConnectionsError: Names the limit that is reached.
        """
        limit = self._settings.realtime_max_connections
        if len(self._connections) >= limit:
            raise TooManyConnectionsError("realtime.max_connections", limit)
        subjects = (self._address(connection), *self._user(connection.user))
        self._count(subjects)
        self._connections[connection] = subjects
        return subjects

    def add_user(self, connection: Connection, user: str | None) -> tuple[Subject, ...]:
        """Count a connection that was anonymous, and is a user's now, with them too; nothing when it was theirs before.

        Raises:
            TooManyConnectionsError: The user has as many as they may.
        """
        held = self._connections[connection]
        subjects = tuple(one for one in self._user(user) if one not in held)
        self._count(subjects)
        self._connections[connection] = held + subjects
        return subjects

    def drop(self, connection: Connection, subjects: tuple[Subject, ...]) -> None:
        """Count a connection with `subjects` no longer; one that left meanwhile is counted with none."""
        held = self._connections.get(connection)
        if held is None:
            return
        self._connections[connection] = tuple(one for one in held if one not in subjects)
        self._uncount(subjects)

    def remove(self, connection: Connection) -> tuple[Subject, ...]:
        """Forget a connection; with whom it was counted. One that was refused was never in."""
        subjects = self._connections.pop(connection, ())
        self._uncount(subjects)
        return subjects

    def _address(self, connection: Connection) -> Subject:
        limit = self._settings.realtime_max_connections_per_ip
        return Subject(f"address:{address_subject(connection.address)}", "realtime.max_connections_per_ip", limit)

    def _user(self, user: str | None) -> tuple[Subject, ...]:
        limit = self._settings.realtime_max_connections_per_user
        return () if user is None else (Subject(f"user:{user}", "realtime.max_connections_per_user", limit),)

    def _count(self, subjects: tuple[Subject, ...]) -> None:
        for subject in subjects:
            if self._counts[subject.name] >= subject.limit:
                raise TooManyConnectionsError(subject.setting, subject.limit)
        for subject in subjects:
            self._counts[subject.name] += 1

    def _uncount(self, subjects: tuple[Subject, ...]) -> None:
        for subject in subjects:
            self._counts[subject.name] -= 1
            if not self._counts[subject.name]:
                del self._counts[subject.name]
