"""Where a user is signed in. Sessions are the backend's table: read and ended as the service, for that user only."""

from datetime import datetime
from uuid import UUID

from flakeguard.dashboard.model import Session
from fluxbase.auth import User
from fluxbase.db import SERVICE, Database, load

_QUERIES = load(__package__)


async def list_all(database: Database, user: User, now: datetime) -> list[Session]:
    """The user's sessions, the one used last first."""
    async with database.transaction(SERVICE) as connection:
        return [Session(**dict(row)) for row in await connection.fetch(_QUERIES["sessions_of"], user.id, now)]


async def end(database: Database, user: User, session_id: UUID | None) -> None:
    """End the session `session_id` of the user, or with None every session but the one in use."""
    async with database.transaction(SERVICE) as connection:
        if session_id is not None:
            await connection.execute(_QUERIES["end_session"], user.id, session_id)
        else:
            await connection.execute(_QUERIES["end_other_sessions"], user.id, user.session_id)
