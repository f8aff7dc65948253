"""An index to find a branch's newest runs by."""

from fluxbase.db.migrate import run_sql_beside

revision = "0009_runs_of_a_branch"
down_revision = "0008_quarantine"


def upgrade() -> None:
    run_sql_beside(__file__)
