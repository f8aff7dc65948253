"""Alembic's entry: all of it is in fluxbase.db.migrate."""

from fluxbase.db.migrate import run_alembic_environment

run_alembic_environment()
