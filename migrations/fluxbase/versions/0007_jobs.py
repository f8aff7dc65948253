"""Jobs, workers, schedules."""

from fluxbase.db.migrate import run_sql_beside

revision = "0007_jobs"
down_revision = "0006_storage"


def upgrade() -> None:
    run_sql_beside(__file__)
