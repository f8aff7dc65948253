"""A migration that has landed is what databases were made by: whatever is to be different comes as a new one."""

import hashlib
from pathlib import Path

import pytest

MIGRATIONS = Path(__file__).parents[1] / "migrations"
LANDED = [line.split() for line in (MIGRATIONS / "landed.sha256").read_text().splitlines()]


@pytest.mark.parametrize(("digest", "name"), LANDED, ids=[name for _, name in LANDED])
def test_what_landed_is_not_edited(digest: str, name: str) -> None:
    assert hashlib.sha256((MIGRATIONS / name).read_bytes()).hexdigest() == digest
