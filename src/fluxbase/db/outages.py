"""What a PostgreSQL that is away, ill or restarting raises; whoever works in a loop waits for it to come back."""

import asyncpg

OUTAGES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
