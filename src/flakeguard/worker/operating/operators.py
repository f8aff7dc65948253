"""Operators: accounts that may see and steer what belongs to the whole installation.

They are named on the command line, by who runs the servers, and never by themselves: `app_metadata` of an account
cannot be changed over HTTP by its owner.
"""

from collections.abc import Sequence

from flakeguard.worker.operating.inspecting import SQL
from fluxbase.auth import User
from fluxbase.db import Connection

_MARK = "flakeguard_operator"


def is_operator(user: User) -> bool:
    """Whether the account may see the installation's queues."""
    return user.app_metadata.get(_MARK) is True


async def make_operator(connection: Connection, email: str) -> bool:
    """Let an account operate; False when there is none of that address."""
    return await connection.fetchval(SQL["make_operator"], email) is not None


async def unmake_operator(connection: Connection, email: str) -> bool:
    """Let it operate no more; False when there is none of that address."""
    return await connection.fetchval(SQL["unmake_operator"], email) is not None


async def operators(connection: Connection) -> Sequence[str]:
    """The addresses of those who may."""
    return [row["email"] for row in await connection.fetch(SQL["operators"])]
