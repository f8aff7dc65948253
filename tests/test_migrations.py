"""A migration that has landed is what databases were made by: whatever is to be different comes as a new one."""

import hashlib
from pathlib import Path

import pytest

MIGRATIONS = Path(__file__).parents[1] / "migrations"
LANDED = [line.split() for line in (MIGRATIONS / "landed.sha256").read_text().splitlines()]
EXISTING = sorted(path.relative_to(MIGRATIONS).as_posix() for path in MIGRATIONS.glob("*/versions/*.sql"))


@pytest.mark.parametrize(("digest", "name"), LANDED, ids=[name for _, name in LANDED])
def test_what_landed_is_not_edited(digest: str, name: str) -> None:
    assert _digest(name) == digest


def test_a_migration_lands_with_its_digest() -> None:
    listed = {name for _, name in LANDED}
    missing = "\n".join(f"{_digest(name)}  {name}" for name in EXISTING if name not in listed)
    assert not missing, f"add to migrations/landed.sha256:\n{missing}"


def _digest(name: str) -> str:
    return hashlib.sha256((MIGRATIONS / name).read_bytes()).hexdigest()
