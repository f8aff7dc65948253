"""Realtime's reader asks once for each look, and a policy's question is planned once."""

from fluxbase.db.migrate import run_sql_beside

revision = "0010_realtime_trips"
down_revision = "0009_names_written_out"


def upgrade() -> None:
    run_sql_beside(__file__)
