"""Plain SQL in `queries.sql` beside the repository that runs it, found by name.

A block begins with `-- name: find_user` and ends where the next begins. aiosql does the same with dynamic
attributes, which strict typing cannot follow; this loader is a mapping, and a name that is missing fails at import.
"""

import re
from collections.abc import Iterator
from importlib.resources import files

_HEADER = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


class Queries:
    """The named statements of one package."""

    def __init__(self, package: str, text: str) -> None:
        parts = _HEADER.split(text)
        self.package = package
        self._statements = {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}
        if len(self._statements) != len(parts) // 2:
            raise ValueError(f"{package}: a query name stands twice in queries.sql")

    def __getitem__(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            raise KeyError(f"{self.package}/queries.sql has no query named {name}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def items(self) -> list[tuple[str, str]]:
        """Name and statement of each, in file order."""
        return list(self._statements.items())


def load(package: str | None) -> Queries:
    """Read `queries.sql` of `package` (pass `__package__`).

    Raises:
        FileNotFoundError: The package has none.
        ValueError: A name stands twice, or there is no package.
    """
    if package is None:
        raise ValueError("queries are loaded by a module of a package: pass its __package__")
    return Queries(package, files(package).joinpath("queries.sql").read_text(encoding="utf-8"))
