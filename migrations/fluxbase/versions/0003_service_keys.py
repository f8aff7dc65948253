"""Keys of machines."""

from fluxbase.db.migrate import run_sql_beside

revision = "0003_service_keys"
down_revision = "0002_sessions"


def upgrade() -> None:
    run_sql_beside(__file__)
