"""Every statement in every queries.sql is one that PostgreSQL can prepare against the migrated schema."""

from pathlib import Path

import asyncpg
import pytest

import flakeguard
import fluxbase
from fluxbase.db import Queries, load

ROOTS = {package.__name__: Path(package.__file__).parent for package in (fluxbase, flakeguard)}


def every_query() -> list[Queries]:
    return [
        load(".".join((name, *file.parent.relative_to(root).parts)))
        for name, root in ROOTS.items()
        for file in sorted(root.rglob("queries.sql"))
    ]


@pytest.mark.pg16
async def test_every_query_prepares(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    broken = {}
    count = 0
    for queries in every_query():
        for name, sql in queries.items():
            count += 1
            try:
                await owner.prepare(sql)
            except asyncpg.PostgresError as error:
                broken[f"{queries.package}:{name}"] = str(error)
    assert count > 50, "the test must find the queries"
    assert broken == {}


def test_every_query_is_used() -> None:
    """A statement nobody names is dead code."""
    code = "\n".join(file.read_text() for root in ROOTS.values() for file in root.rglob("*.py"))
    unused = [f"{q.package}:{name}" for q in every_query() for name in q if f'"{name}"' not in code]
    assert unused == []
