"""What need not be found out again for each request: a bounded memory of one process."""

_MOST = 5_000


class Remembered[T]:
    """Values by token; the oldest goes when there are many. It never says how long a value holds."""

    def __init__(self) -> None:
        self._values: dict[str, T] = {}

    def get(self, token: str) -> T | None:
        """What was remembered for `token`."""
        return self._values.get(token)

    def add(self, token: str, value: T) -> None:
        """Remember `value`."""
        if len(self._values) >= _MOST:
            del self._values[next(iter(self._values))]
        self._values[token] = value
