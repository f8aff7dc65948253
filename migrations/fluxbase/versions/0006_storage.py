"""Buckets and objects."""

from fluxbase.db.migrate import run_sql_beside

revision = "0006_storage"
down_revision = "0005_realtime"


def upgrade() -> None:
    run_sql_beside(__file__)
