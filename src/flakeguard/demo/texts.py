"""How the shop's tests fail: messages and stacks as the frameworks print them, with numbers that differ each time."""

from random import Random

from flakeguard.demo.model import Case, Failure, Suite


def assertion(case: Case, message: str, line: str) -> Failure:
    """A plain assertion in the case's framework."""
    match case.suite:
        case Suite.BACKEND:
            details = f"self = <{case.class_name}>\n\n    def {case.name}(self):\n>       {line}\nE       {message}\n"
            return Failure("AssertionError", message, f"{details}\n{case.file}:{_line(case)}: AssertionError")
        case Suite.PAYMENTS:
            kind = "org.opentest4j.AssertionFailedError"
            file = case.class_name.rpartition(".")[2]
            at = f"\tat {case.class_name}.{case.name}({file}.java:{_line(case)})"
            return Failure(kind, message, f"{kind}: {message}\n{at}")
        case Suite.FRONTEND | Suite.E2E:
            at = f"    at Object.<anonymous> ({case.file}:{_line(case)}:21)"
            return Failure("Error", message, f"Error: {message}\n\n  > {_line(case)} |     {line}\n{at}")


def webhook_late(case: Case, random: Random) -> Failure:
    """The payment provider's call came too late."""
    waited, order = random.uniform(5.0, 5.4), random.randrange(100_000, 999_999)
    message = f"order {order} is still 'pending' after {waited:.2f} s"
    told = assertion(case, message, "wait_until(lambda: order.refresh().status == 'paid', timeout=5)")
    return told._replace(kind="TimeoutError")


def deadlock(case: Case, random: Random) -> Failure:
    """Two transactions waited for each other: an error, not an assertion."""
    first, second = random.randrange(2_000, 30_000), random.randrange(2_000, 30_000)
    message = f"deadlock detected: process {first} waits for ShareLock on transaction {second * 7}"
    details = (
        f"{case.file}:{_line(case)}: in {case.name}\n    warehouse.reserve(sku, 1)\n"
        f"psycopg.errors.DeadlockDetected: {message}; blocked by process {second}.\n"
        "HINT:  See server log for query details."
    )
    return Failure("psycopg.errors.DeadlockDetected", message, details)


def late_suggestion(case: Case, random: Random) -> Failure:
    """The list of suggestions was not there yet."""
    message = f'Unable to find role="listbox" within {random.randrange(1000, 1040)} ms'
    return assertion(case, message, "expect(await screen.findByRole('listbox')).toBeVisible()")


def idempotency(case: Case, random: Random) -> Failure:
    """Two threads refunded one payment."""
    refunds = random.choice((2, 2, 3))
    return assertion(case, f"expected: <1> but was: <{refunds}>", "assertEquals(1, ledger.refundsOf(payment).size());")


def slow_resize(case: Case, random: Random) -> Failure:
    """A busy machine resizes slowly."""
    over = random.randrange(12, 900)
    message = f"execution exceeded timeout of 2000 ms by {over} ms"
    return assertion(case, message, "assertTimeout(ofSeconds(2), () -> resize(large));")


def lost_basket(case: Case, random: Random) -> Failure:
    """The basket is empty after the switch."""
    message = f"expect(received).toHaveLength(3): received length {random.choice((0, 0, 2))}"
    return assertion(case, message, "expect(store.getState().basket.items).toHaveLength(3)")


def badge(case: Case, random: Random) -> Failure:
    """An animation had not ended."""
    return assertion(
        case, f"expected opacity 1, received {random.uniform(0.6, 0.97):.3f}", "expect(badge).toBeOpaque()"
    )


def card_frame(case: Case, random: Random) -> Failure:
    """The payment frame did not load in time."""
    message = f'locator.click: Timeout 15000ms exceeded waiting for frame[name="card-{random.randrange(10**6)}"]'
    return assertion(case, message, "await card.getByText('•••• 4242').click()")


def database_down(case: Case, random: Random) -> Failure:
    """No connection to the database: nothing works."""
    port = random.randrange(33_000, 60_000)
    message = f'connection to server at "10.0.3.17", port 5432 failed: Connection refused (from port {port})'
    return Failure("OperationalError", message, f"{message}\n\tIs the server running on that host?\n\tin {case.name}")


def redis_down(case: Case, random: Random) -> Failure:
    """No connection to Redis: what uses the cache fails."""
    message = f"Error 111 connecting to redis:6379 after {random.randrange(2000, 2100)} ms. Connection refused."
    return Failure("redis.exceptions.ConnectionError", message, f"{message}\n{case.file}: in {case.name}")


def _line(case: Case) -> int:
    return 20 + len(case.name) * 3
