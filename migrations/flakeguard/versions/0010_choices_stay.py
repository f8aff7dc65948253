"""What people chose for their repositories."""

from fluxbase.db.migrate import run_sql_beside

revision = "0010_choices_stay"
down_revision = "0009_runs_of_a_branch"


def upgrade() -> None:
    run_sql_beside(__file__)
