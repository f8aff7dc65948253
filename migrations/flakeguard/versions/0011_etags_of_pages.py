"""ETags of all pages of a repository's list of runs."""

from fluxbase.db.migrate import run_sql_beside

revision = "0011_etags_of_pages"
down_revision = "0010_choices_stay"


def upgrade() -> None:
    run_sql_beside(__file__)
