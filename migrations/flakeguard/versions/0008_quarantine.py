"""Decisions on keeping flaky tests from standing in anybody's way, and what became of them."""

from fluxbase.db.migrate import run_sql_beside

revision = "0008_quarantine"
down_revision = "0007_missed_deliveries"


def upgrade() -> None:
    run_sql_beside(__file__)
