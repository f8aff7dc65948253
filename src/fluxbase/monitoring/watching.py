"""What monitoring needs beside its routes, while the resources are open."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from fluxbase.monitoring.metrics import metrics_of


def watch_statements(app: FastAPI) -> None:
    """Count the statements of the application's pool in the application's metrics."""
    app.state.resources.database.statements.observer = metrics_of(app).observe_statement


@asynccontextmanager
async def watched(app: FastAPI) -> AsyncGenerator[None]:
    """Count while the application runs."""
    watch_statements(app)
    yield
