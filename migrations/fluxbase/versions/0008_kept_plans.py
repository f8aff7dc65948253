"""Plans of statements without values, and a cheaper look at the session."""

from fluxbase.db.migrate import run_sql_beside

revision = "0008_kept_plans"
down_revision = "0007_jobs"


def upgrade() -> None:
    run_sql_beside(__file__)
