"""Which plans a connection keeps: prepared statements that `rest.run` makes and runs, by role and text.

No role ever runs another's plan; PostgreSQL would plan again each time that roles take turns, where row-level security
is in it.
"""

_MOST = 100
_PREFIX = "rest_"
FORGET = """
DO $$
DECLARE
    plan text;
BEGIN
    FOR plan IN SELECT name FROM pg_prepared_statements WHERE starts_with(name, 'rest_') LOOP
        EXECUTE format('DEALLOCATE %I', plan);
    END LOOP;
END $$
"""
"""The statement that drops them all."""


class Plans:
    """The plans of one connection."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._kept: set[tuple[str, str]] = set()

    @property
    def too_many(self) -> bool:
        """Whether it is time for `FORGET`, and then `forget`."""
        return len(self._names) > _MOST

    def of(self, role: str, statement: str) -> tuple[str, str | None]:
        """The plan's name, and what to prepare under it: None when it was prepared for certain."""
        key = role, statement
        name = self._names.setdefault(key, f"{_PREFIX}{len(self._names)}")
        return name, None if key in self._kept else statement

    def keep(self, role: str, statement: str) -> None:
        """Remember that it was prepared."""
        self._kept.add((role, statement))

    def forget(self) -> None:
        """Remember none."""
        self._names.clear()
        self._kept.clear()
