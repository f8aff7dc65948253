"""Roles, claims, users, sessions, audit."""

from fluxbase.db.migrate import run_sql_beside

revision = "0001_auth"
down_revision = None


def upgrade() -> None:
    run_sql_beside(__file__)
