"""Recomputations and how far they are, for people to look at."""

from fluxbase.db.migrate import run_sql_beside

revision = "0006_recomputations"
down_revision = "0005_repositories_follow"


def upgrade() -> None:
    run_sql_beside(__file__)
