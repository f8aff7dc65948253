"""Deliveries that GitHub could not hand over, and how far its list of them was read."""

from fluxbase.db.migrate import run_sql_beside

revision = "0007_missed_deliveries"
down_revision = "0006_recomputations"


def upgrade() -> None:
    run_sql_beside(__file__)
