"""rest.run takes no function of the same name from a schema that others may write to."""

from fluxbase.db.migrate import run_sql_beside

revision = "0009_names_written_out"
down_revision = "0008_kept_plans"


def upgrade() -> None:
    run_sql_beside(__file__)
