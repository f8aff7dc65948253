"""auth.uid() reads the claims without making jsonb of them."""

from fluxbase.db.migrate import run_sql_beside

revision = "0011_cheaper_uid"
down_revision = "0010_realtime_trips"


def upgrade() -> None:
    run_sql_beside(__file__)
