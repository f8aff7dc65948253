"""Sessions that JWTs and refresh tokens name."""

from fluxbase.db.migrate import run_sql_beside

revision = "0002_sessions"
down_revision = "0001_auth"


def upgrade() -> None:
    run_sql_beside(__file__)
