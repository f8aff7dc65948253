"""The database: a pool, transactions as a role with claims, queries from files, a listener, migrations."""

from fluxbase.db.database import ANONYMOUS, SERVICE, Claims, Connection, Database, Work
from fluxbase.db.moments import aware
from fluxbase.db.outages import OUTAGES
from fluxbase.db.paging import fetch_page
from fluxbase.db.queries import Queries, load

__all__ = [
    "ANONYMOUS",
    "OUTAGES",
    "SERVICE",
    "Claims",
    "Connection",
    "Database",
    "Queries",
    "Work",
    "aware",
    "fetch_page",
    "load",
]
