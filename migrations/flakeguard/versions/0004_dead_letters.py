"""What is owed has a priority and a history of failures; what people did about dead letters is kept."""

from fluxbase.db.migrate import run_sql_beside

revision = "0004_dead_letters"
down_revision = "0003_github"


def upgrade() -> None:
    run_sql_beside(__file__)
