"""A repository's organisation follows its installation's, also where that was nobody's before."""

from fluxbase.db.migrate import run_sql_beside

revision = "0005_repositories_follow"
down_revision = "0004_dead_letters"


def upgrade() -> None:
    run_sql_beside(__file__)
