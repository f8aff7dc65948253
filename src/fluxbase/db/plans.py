"""Which plans a connection keeps: prepared statements that `rest.run` makes and runs.

A plan has sharers, such as a role, or one user: nobody else ever runs it. PostgreSQL would plan again each time that
roles take turns, where row-level security is in it; and what is best for a user with ten rows is not what is best for
one with half of the table.
"""

from collections import OrderedDict

_MOST = 100
_MOST_SEEN = 2000
_PREFIX = "rest_"
FORGET = """
DO $$
DECLARE
    plan text;
BEGIN
    FOR plan IN SELECT name FROM pg_catalog.pg_prepared_statements WHERE pg_catalog.starts_with(name, 'rest_') LOOP
        EXECUTE pg_catalog.format('DEALLOCATE %I', plan);
    END LOOP;
END $$
"""
"""The statement that drops them all."""


class Plans:
    """The plans of one connection."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._kept: set[str] = set()
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    @property
    def too_many(self) -> bool:
        """Whether it is time for `FORGET`, and then `forget`."""
        return len(self._names) > _MOST

    def of(self, sharers: str, statement: str) -> tuple[str | None, str | None]:
        """The plan's name, and what to prepare under it: None when it was prepared for certain.

        What is asked for the first time has no name yet: most of what is asked once is never asked again.
        """
        key = sharers, statement
        name = self._names.get(key)
        if name is None:
            if key not in self._seen:
                self._see(key)
                return None, statement
            name = self._names[key] = f"{_PREFIX}{len(self._names)}"
        return name, None if name in self._kept else statement

    def keep(self, name: str) -> None:
        """Remember that it was prepared."""
        self._kept.add(name)

    def forget(self) -> None:
        """Remember none."""
        self._names.clear()
        self._kept.clear()

    def _see(self, key: tuple[str, str]) -> None:
        self._seen[key] = None
        if len(self._seen) > _MOST_SEEN:
            self._seen.popitem(last=False)
