"""What old rows are deleted with."""

from fluxbase.db.migrate import run_sql_beside

revision = "0002_retention"
down_revision = "0001_evidence"


def upgrade() -> None:
    run_sql_beside(__file__)
