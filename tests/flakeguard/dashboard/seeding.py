"""A believable month of a web shop's tests, written as rows and judged by the real analysis.

Flaky, broken, recovering and suspected tests, a job that really differs, an outage, a pull request with one failure
of its own. Deterministic: one seed, one clock.
"""

import hashlib
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flakeguard.analysis.analyzing import analyze_run
from flakeguard.analysis.config import DEFAULT_CONFIG
from flakeguard.ingestion.fingerprint import digest, fingerprint
from flakeguard.reports.identity import identity_hash
from fluxbase.db import Connection, Database

PASSED, FAILED, ERROR, SKIPPED = 0, 1, 2, 3

_MODULES = {
    "tests/checkout/test_cart.py": (
        "TestCart",
        [
            "adds_item",
            "removes_item",
            "merges_guest_cart",
            "keeps_quantity_over_sessions",
            "rejects_negative_quantity",
            "applies_coupon",
            "totals_in_three_currencies",
        ],
    ),
    "tests/checkout/test_payment.py": (
        "TestPayment",
        [
            "charges_card",
            "retries_declined_card",
            "refunds_partially",
            "webhook_is_idempotent",
            "three_d_secure_redirect",
            "saves_card_for_later",
        ],
    ),
    "tests/search/test_index.py": (
        "TestIndex",
        [
            "finds_by_title",
            "ranks_exact_matches_first",
            "reindexes_after_update",
            "handles_unicode[ß-groß]",
            "handles_unicode[İ-istanbul]",
            "paginates_stably",
        ],
    ),
    "tests/accounts/test_login.py": (
        "TestLogin",
        ["signs_in", "locks_after_five_failures", "remembers_device", "oauth_state_mismatch", "expires_session"],
    ),
    "tests/inventory/test_stock.py": (
        "TestStock",
        [
            "reserves_stock",
            "releases_on_timeout",
            "never_oversells[8 workers]",
            "syncs_with_warehouse",
            "reports_low_stock",
        ],
    ),
    "tests/shipping/test_rates.py": (
        "TestRates",
        ["domestic", "international", "free_over_threshold", "weight_limits", "carrier_timeout_falls_back"],
    ),
    "tests/emails/test_templates.py": (
        "TestTemplates",
        ["renders_receipt", "renders_refund", "escapes_names", "plain_text_alternative"],
    ),
    "tests/api/test_rate_limit.py": ("TestRateLimit", ["limits_per_key", "resets_after_window", "returns_retry_after"]),
}

_TEXTS: dict[str, tuple[str, str]] = {
    "merges_guest_cart": ("AssertionError", "assert 2 == 3\n  cart of session {hex} lost an item"),
    "webhook_is_idempotent": ("psycopg.errors.SerializationFailure", "could not serialize access, attempt {n}"),
    "reindexes_after_update": ("TimeoutError", "index not refreshed after {n}.0 s"),
    "never_oversells[8 workers]": (
        "AssertionError",
        "\x1b[31massert -1 >= 0\x1b[0m\n  oversold item {n} with 8 workers",
    ),
    "three_d_secure_redirect": ("playwright.TimeoutError", "#acs-frame not visible after 30000 ms at 127.0.0.1:{n}"),
    "carrier_timeout_falls_back": ("httpx.ReadTimeout", "The read operation timed out after {n} ms"),
    "weight_limits": ("AssertionError", "assert Decimal('31.50') <= Decimal('30.00')"),
    "totals_in_three_currencies": ("AssertionError", "assert '€ 10,00' == '10,00 €'"),
}

_STACK = """Traceback (most recent call last):
  File "{file}", line {n}, in test_{name}
    assert_eventually(lambda: outcome(session), within=timedelta(seconds=5))
  File "tests/support/eventually.py", line 31, in assert_eventually
    raise AssertionError(message) from last
{type}: {message}"""

# Chance to fail with good code, and until how many days ago it lasted.
_FLAKY = {
    "never_oversells[8 workers]": (0.20, 0),
    "webhook_is_idempotent": (0.10, 0),
    "reindexes_after_update": (0.06, 0),
    "three_d_secure_redirect": (0.045, 0),
    "merges_guest_cart": (0.03, 0),
    "carrier_timeout_falls_back": (0.10, 3.5),
    "locks_after_five_failures": (0.07, 2.5),
}
_BROKEN = {"weight_limits": 2.2, "renders_refund": 1.1}
_WINDOWS_ONLY = "handles_unicode[İ-istanbul]"
_SUSPECTED = {"syncs_with_warehouse": 0.12, "oauth_state_mismatch": 0.09}
_REGRESSION = ("free_over_threshold", 18.0, 16.5)
_OUTAGE_DAYS = 6.0


@dataclass
class Seeded:
    """What was made."""

    project_id: int
    tests: dict[str, int] = field(default_factory=dict)
    pull_request_run: int = 0
    outage_run: int = 0


@dataclass
class _Run:
    at: datetime
    sha: str
    branch: str
    job: str
    variant: str
    days_ago: float
    retries: int
    attempt: int = 1
    pr: int | None = None
    outage: bool = False


def _sha(*parts: object) -> str:
    return hashlib.sha1("/".join(map(str, parts)).encode()).hexdigest()


async def seed_project(
    database: Database, project_id: int, now: datetime, *, days: int = 30, runs_a_day: int = 4
) -> Seeded:
    """Fill the project with `days` days of runs that end at `now`."""
    dice = random.Random(20)
    seeded = Seeded(project_id)
    async with database.transaction() as connection:
        seeded.tests = await _add_tests(connection, project_id, now - timedelta(days=days))
        for run in _schedule(dice, now, days, runs_a_day):
            run_id = await _add_run(connection, seeded, dice, run)
            if run.outage:
                seeded.outage_run = run_id
            if run.pr == 482:
                seeded.pull_request_run = run_id
        await _add_uploads(connection, project_id, now)
    return seeded


def _schedule(dice: random.Random, now: datetime, days: int, runs_a_day: int) -> list[_Run]:
    runs: list[_Run] = []
    for number in range(days * runs_a_day):
        ago = days - (number + dice.random() * 0.6) / runs_a_day
        at = now - timedelta(days=ago)
        branch = dice.choice(["main", "main", "main", "feature/gift-cards", "fix/tax-rounding", "renovate/all"])
        sha = _sha("commit", number)
        runs.append(_Run(at, sha, branch, "unit", "linux", ago, retries=2))
        if number % 3 == 0:
            runs.append(_Run(at + timedelta(minutes=4), sha, branch, "unit", "windows", ago, retries=2))
        if number % 2 == 0:
            runs.append(_Run(at + timedelta(minutes=9), sha, "main", "integration", "", ago, retries=0))
    outage_at = now - timedelta(days=min(_OUTAGE_DAYS, days / 2))
    runs.append(_Run(outage_at, _sha("outage"), "main", "unit", "linux", _OUTAGE_DAYS, retries=0, outage=True))
    head = _sha("pull request 482")
    for back in (3, 2):
        at = now - timedelta(hours=back)
        runs.append(_Run(at, _sha("main", back), "main", "unit", "linux", back / 24, retries=2))
    runs.append(_Run(now - timedelta(minutes=9), head, "feature/gift-cards", "unit", "linux", 0.01, retries=2, pr=482))
    return sorted(runs, key=lambda run: run.at)


async def _add_tests(connection: Connection, project_id: int, seen_at: datetime) -> dict[str, int]:
    tests: dict[str, int] = {}
    for file, (class_name, names) in _MODULES.items():
        for name in names:
            test_id = await connection.fetchval(
                "INSERT INTO test_cases (project_id, identity_hash, suite, file, class_name, name, created_at)"
                " VALUES ($1, $2, 'pytest', $3, $4, $5, $6) RETURNING id",
                project_id,
                identity_hash("pytest", file, class_name, f"test_{name}"),
                file,
                class_name,
                f"test_{name}",
                seen_at,
            )
            await connection.execute(
                "INSERT INTO flake_stats (test_case_id, project_id, first_seen_at, last_seen_at)"
                " VALUES ($1, $2, $3, $3)",
                test_id, project_id, seen_at,
            )  # fmt: skip
            tests[name] = test_id
    return tests


def _fails_for_sure(name: str, run: _Run) -> bool:
    kind, since, until = _REGRESSION
    return (
        (name in _BROKEN and run.days_ago < _BROKEN[name])
        or (run.pr == 482 and name in ("totals_in_three_currencies", "never_oversells[8 workers]"))
        or (name == _WINDOWS_ONLY and run.variant == "windows")
        or (name == kind and until < run.days_ago < since and run.branch == "main")
    )


def _attempts(dice: random.Random, name: str, run: _Run) -> list[int]:
    if run.outage:
        return [ERROR] if dice.random() < 0.93 else [PASSED]
    if _fails_for_sure(name, run):
        return [FAILED] * (1 + run.retries)
    if run.pr == 482 and name == "merges_guest_cart":
        return [FAILED, PASSED]
    if name == "paginates_stably" and run.variant == "windows":
        return [SKIPPED]
    if name in _SUSPECTED:
        if run.job != "integration":
            return [PASSED]
        return [FAILED] if dice.random() < _SUSPECTED[name] else [PASSED]
    chance, until_days = _FLAKY.get(name, (0.0, 0))
    attempts: list[int] = []
    while len(attempts) <= run.retries:
        bad = run.days_ago > until_days and dice.random() < chance
        attempts.append(FAILED if bad else PASSED)
        if not bad:
            break
    return attempts


async def _add_run(connection: Connection, seeded: Seeded, dice: random.Random, run: _Run) -> int:
    took = timedelta(seconds=dice.uniform(55, 140))
    key = hashlib.blake2b(f"{run.sha}{run.job}{run.variant}{run.at}".encode(), digest_size=16).digest()
    run_id: int = await connection.fetchval(
        "INSERT INTO test_runs (project_id, key, provider, repository, external_run_id, run_attempt, workflow, job,"
        " variant, sha, branch, pr_number, run_url, executed_at, completed_at, created_at)"
        " VALUES ($1, $2, 'github', 'acme/shop', $3, 1, 'CI', $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING id",
        seeded.project_id, key, str(int.from_bytes(key[:5])), run.job, run.variant, run.sha, run.branch, run.pr,
        "https://github.com/acme/shop/actions/runs/1", run.at, run.at + took,
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    for name, test_id in seeded.tests.items():
        for outcome in _attempts(dice, name, run):
            bad = outcome in (FAILED, ERROR)
            failure = await _failure(connection, seeded.project_id, dice, name, run) if bad else None
            duration = dice.lognormvariate(4.2, 0.5) * (6 if "workers" in name or "redirect" in name else 1)
            place = (seeded.project_id, test_id, run_id, 1, len(rows))
            rows.append((*place, outcome, duration, failure, run.at, run.at + took))
    columns = ["project_id", "test_case_id", "run_id", "report_key", "position"]
    columns += ["outcome", "duration_ms", "failure_id", "executed_at", "created_at"]
    await connection.copy_records_to_table("flake_events", records=rows, columns=columns)
    await _add_ingestion(connection, seeded.project_id, run_id, run, run.at + took, len(rows))
    await analyze_run(connection, run_id, [1], config=DEFAULT_CONFIG, now=run.at + took)
    return run_id


async def _failure(connection: Connection, project_id: int, dice: random.Random, name: str, run: _Run) -> int:
    if run.outage:
        kind, message = "ConnectionError", "could not connect to postgres:5432: Connection refused"
    else:
        kind, message = _TEXTS.get(name, ("AssertionError", f"assert {name} failed with {{n}}"))
    number = dice.randint(10, 99)
    message = message.replace("{n}", str(number)).replace("{hex}", _sha(number)[:10])
    details = _STACK.format(file="tests/checkout/test_cart.py", n=number, name=name, type=kind, message=message)
    return await connection.fetchval(
        "INSERT INTO failures (project_id, digest, fingerprint, failure_type, message, details)"
        " VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (project_id, digest) DO UPDATE SET failure_type = excluded.failure_type RETURNING id",
        project_id,
        digest(kind, message, details),
        fingerprint(kind, message, details),
        kind,
        message,
        details,
    )


async def _add_ingestion(
    connection: Connection, project_id: int, run_id: int, run: _Run, at: datetime, results: int
) -> None:
    meta = {"sha": run.sha, "branch": run.branch, "job_name": run.job, "job_variant": run.variant}
    ingestion = await connection.fetchval(
        "INSERT INTO ingestions (project_id, idempotency_key, state, meta, run_id, junit_files, test_results,"
        " flake_events_created, created_at, stored_at, analyzed_at)"
        " VALUES ($1, $2, 'analyzed', $3, $4, 1, $5, 0, $6, $7, $8) RETURNING id",
        project_id, _sha(run_id).encode(), meta, run_id, results, at, at + timedelta(milliseconds=210),
        at + timedelta(milliseconds=480),
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO run_reports (run_id, digest, ingestion_id, report_key) VALUES ($1, 'x', $2, 1)", run_id, ingestion
    )
    await _add_file(connection, project_id, ingestion, "test-results/junit.xml", results)


async def _add_file(
    connection: Connection,
    project_id: int,
    ingestion: Any,
    name: str,
    results: int | None,
    warnings: list[str] | None = None,
    error: str | None = None,
) -> None:
    await connection.execute(
        "INSERT INTO junit_files (project_id, ingestion_id, filename, size_bytes, sha256, encoding, format, test_count,"
        " warnings, error) VALUES ($1, $2, $3, $4, $5, 'gzip', $6, $7, $8, $9)",
        project_id, ingestion, name, 18_400, b"s", None if error else "pytest", results, warnings or [], error,
    )  # fmt: skip


async def _add_uploads(connection: Connection, project_id: int, now: datetime) -> None:
    """One with a warning and an unreadable file, one that failed, one still waiting."""
    meta = {"sha": _sha("main", 2), "branch": "main", "job_name": "e2e"}
    insert = (
        "INSERT INTO ingestions (project_id, idempotency_key, state, meta, junit_files, test_results, error,"
        " created_at, stored_at, analyzed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id"
    )
    done = now - timedelta(minutes=30)
    mixed = await connection.fetchval(insert, project_id, b"mixed", "analyzed", meta, 2, 14, None, done, done, done)
    await _add_file(connection, project_id, mixed, "reports/chromium.xml", 14, ["the file ends early"])
    await _add_file(connection, project_id, mixed, "reports/coverage.xml", None, None, "this is a coverage report")
    text = "no file of this upload is a test report"
    failed = await connection.fetchval(insert, project_id, b"failed", "failed", meta, 1, None, text, done, None, None)
    await _add_file(connection, project_id, failed, "reports/empty.xml", None, None, "the file is empty")
    await connection.fetchval(insert, project_id, b"waiting", "accepted", meta, 3, None, None, now, None, None)


def fixed_now() -> datetime:
    """Today at noon: recent enough for every window, and the same for a whole run."""
    return datetime.now(UTC).replace(microsecond=0)
