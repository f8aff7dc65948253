"""Whether a session lives is asked without switching settings for it."""

from fluxbase.db.migrate import run_sql_beside

revision = "0012_cheaper_session"
down_revision = "0011_cheaper_uid"


def upgrade() -> None:
    run_sql_beside(__file__)
