"""What the REST interface needs of the database."""

from fluxbase.db.migrate import run_sql_beside

revision = "0004_rest"
down_revision = "0003_service_keys"


def upgrade() -> None:
    run_sql_beside(__file__)
