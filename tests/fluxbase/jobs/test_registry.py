"""What can be registered."""

import pytest

from fluxbase.jobs import Functions, Job


def test_a_registry_refuses_what_cannot_work() -> None:
    functions = Functions()

    @functions.function("one")
    async def one(_job: Job) -> None: ...

    with pytest.raises(ValueError, match="registered already"):
        functions.function("one")(one)
    with pytest.raises(ValueError, match="is not registered"):
        functions.schedule("s", function="two", cron="* * * * *")
    with pytest.raises(ValueError, match="no cron expression"):
        functions.schedule("s", function="one", cron="61 * * * *")
    with pytest.raises(ValueError, match="no time zone"):
        functions.schedule("s", function="one", cron="* * * * *", time_zone="Mars/Olympus")
    with pytest.raises(ValueError, match="max_attempts"):
        functions.function("three", max_attempts=0)(one)
