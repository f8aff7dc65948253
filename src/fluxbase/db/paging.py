"""A page of a query, and how many rows there are in all."""

from typing import Any

import asyncpg

from fluxbase.db.database import Connection


async def fetch_page(
    connection: Connection, query: str, *arguments: Any, limit: int, offset: int
) -> tuple[list[asyncpg.Record], int]:
    """The rows of a page and how many there are on all pages, also past the last one.

    `query` has `count(*) OVER () AS total` among its columns and takes LIMIT and OFFSET as its last two arguments.
    """
    rows = await connection.fetch(query, *arguments, limit, offset)
    # A window counts for the rows that it is a column of: where there are none, the first row has to be asked.
    counted = rows or (await connection.fetch(query, *arguments, 1, 0) if offset else [])
    return rows, counted[0]["total"] if counted else 0
