"""What each page of evidence shows, gathered: a mapping of names that its template knows."""

from datetime import datetime, timedelta
from typing import Any

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.explanation import explain_run
from flakeguard.analysis.model import Verdict
from flakeguard.dashboard import history, repository
from flakeguard.dashboard.answers import job_title, present, stored_proofs
from flakeguard.dashboard.listing import EXPORT_LIMIT, TREND_DAYS, TestFilter
from flakeguard.dashboard.paging import find_page
from flakeguard.quarantine.decisions import FLAKES
from flakeguard.quarantine.policy import DEFAULT_POLICY
from flakeguard.quarantine.repository import decisions_of_test, open_of_tests
from fluxbase.db import Connection
from fluxbase.errors import NotFoundError

_HISTORY_RUNS = 100
_SLOWEST = 10
_FAILURE_GROUPS = 12
_CHANGES = 20
_DECISIONS = 20
_CONTRADICTIONS = 3
_PROOFS = 6
_WEEK_DAYS = 7

type View = dict[str, Any]


async def overview(connection: Connection, project_id: int, wanted: TestFilter, now: datetime) -> View:
    """The project page."""
    tests, page = await find_page(
        wanted.page,
        lambda page: repository.find_tests(connection, project_id, wanted, now, limit=page.size, offset=page.offset),
    )
    length = max(TREND_DAYS, 2 * _WEEK_DAYS)
    since = (now - timedelta(days=length - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    days = await repository.trend(connection, project_id, since, wanted.branch)
    counts = await repository.verdict_counts(connection, project_id)
    last_upload_at, pending = await repository.pulse(connection, project_id)
    suites, variants = await repository.test_choices(connection, project_id)
    week = (now - timedelta(days=_WEEK_DAYS - 1)).date()
    before = week - timedelta(days=_WEEK_DAYS)
    return {
        "tests": tests,
        "page": page,
        "export_limit": EXPORT_LIMIT,
        "counts": {str(verdict): counts.get(verdict, 0) for verdict in Verdict},
        "trend": history.trend_points(days, now.date(), length),
        "trend_days": days,
        "rate_now": history.flake_rate(day for day in days if day.day >= week),
        "rate_before": history.flake_rate(day for day in days if before <= day.day < week),
        "runs_now": sum(day.runs for day in days if day.day >= week),
        "last_upload_at": last_upload_at,
        "pending": pending,
        "suites": suites,
        "variants": variants,
        "branches": await repository.branches(connection, project_id, since),
    }


async def run_detail(
    connection: Connection, project_id: int, run_id: int, config: AnalysisConfig, now: datetime
) -> View:
    """The run page.

    Raises:
        NotFoundError: There is no such run in this project.
    """
    run = await repository.find_run(connection, project_id, run_id)
    if run is None:
        raise NotFoundError("There is no such run in this project.")
    explained = await explain_run(connection, project_id, run_id, config=config)
    held = await open_of_tests(connection, [failure.test_case_id for failure in explained.failures], now)
    siblings = await repository.runs_of_commit(connection, project_id, run.sha)
    return {
        "run": run,
        "explained": present(explained, held),
        "siblings": [sibling for sibling in siblings if sibling.id != run.id],
        "slowest": await repository.slowest_tests(connection, project_id, run_id, _SLOWEST),
    }


async def test_detail(connection: Connection, project_id: int, test_case_id: int) -> View:
    """The test page.

    Raises:
        NotFoundError: There is no such test in this project.
    """
    test = await repository.find_test(connection, project_id, test_case_id)
    if test is None:
        raise NotFoundError("There is no such test in this project.")
    runs = await repository.runs_of_test(connection, project_id, test_case_id, _HISTORY_RUNS)
    found = history.contradictions(runs)
    return {
        "test": test,
        "runs": runs,
        "cells": history.strip(runs),
        "strip_text": history.summarise(runs),
        "contradictions": found[:_CONTRADICTIONS],
        "more_contradictions": found[_CONTRADICTIONS:],
        "job_title": job_title,
        "proofs": stored_proofs(test.findings)[:_PROOFS],
        "durations": history.duration_points(runs),
        "failures": await repository.failure_groups(connection, project_id, test_case_id, _FAILURE_GROUPS),
        "decisions": await decisions_of_test(connection, project_id, test_case_id, _DECISIONS),
        "may_be_quarantined": test.verdict in FLAKES,
        "policy": DEFAULT_POLICY,
        "changes": await repository.verdict_changes(connection, project_id, test_case_id, _CHANGES),
    }
