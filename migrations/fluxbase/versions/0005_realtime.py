"""The change table, its triggers and who may listen."""

from fluxbase.db.migrate import run_sql_beside

revision = "0005_realtime"
down_revision = "0004_rest"


def upgrade() -> None:
    run_sql_beside(__file__)
