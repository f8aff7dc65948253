"""Which connections are let in: first by what this process has, and then by what all of them have."""

from fluxbase.realtime.connection import Connection
from fluxbase.realtime.registry import Registry, TooManyConnectionsError
from fluxbase.realtime.tally import Subject, Tally


class Admission:
    """Keeps `registry` and `tally` of one mind."""

    def __init__(self, registry: Registry, tally: Tally) -> None:
        self._registry = registry
        self._tally = tally

    async def enter(self, connection: Connection) -> None:
        """Take a connection in.

        Raises:
            TooManyConnectionsError: Names the limit that is reached.
        """
        refused = await self._tally.claim(self._registry.add(connection))
        if refused is not None:
            self.leave(connection)
            raise TooManyConnectionsError(refused.setting, refused.limit)

    async def become(self, connection: Connection, user: str | None) -> None:
        """Count a connection with the user whose it is from now on.

        Raises:
            TooManyConnectionsError: The user has as many as they may.
        """
        subjects = self._registry.add_user(connection, user)
        refused = await self._tally.claim(subjects) if subjects else None
        if refused is not None:
            self._registry.drop(connection, subjects)
            self._tally.release(subjects)  # others of this process may have been written down together with it
            raise TooManyConnectionsError(refused.setting, refused.limit)

    def leave(self, connection: Connection) -> None:
        """Count a connection no longer; again is nothing."""
        subjects: tuple[Subject, ...] = self._registry.remove(connection)
        if subjects:
            self._tally.release(subjects)
