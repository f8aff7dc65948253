"""What GitHub tells: installations, repositories, deliveries, runs; and what was published there."""

from fluxbase.db.migrate import run_sql_beside

revision = "0003_github"
down_revision = "0002_retention"


def upgrade() -> None:
    run_sql_beside(__file__)
