"""The runbook's questions are answered by the database as it is."""

import re
from pathlib import Path

import asyncpg
import pytest

RUNBOOK = Path(__file__).parents[2] / "docs" / "operations.md"


def questions() -> list[str]:
    """Every SELECT in the runbook's blocks of SQL."""
    blocks = re.findall(r"^```sql\n(.*?)^```", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    statements = (piece.strip() for block in blocks for piece in re.sub(r"--.*", "", block).split(";"))
    return [statement for statement in statements if statement.startswith("SELECT")]


async def test_every_question_of_the_runbook_can_be_asked(owner: asyncpg.Connection) -> None:
    asked = [question for question in questions() if "pg_stat_statements" not in question]  # an extension
    assert len(asked) > 4
    for question in asked:
        try:
            await owner.fetch(question.replace("'flakeguard'", "current_database()"))
        except asyncpg.PostgresError as error:
            pytest.fail(f"{error}\n{question}")
