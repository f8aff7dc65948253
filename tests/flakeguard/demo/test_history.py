"""The made-up history, judged without a server: every plant earns its verdict, whatever the seed and the weekday."""

import io
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from flakeguard.analysis.evaluate import evaluate
from flakeguard.analysis.model import Observation, Run, Verdict
from flakeguard.analysis.outage import is_outage, mass_failures
from flakeguard.demo.history import generate
from flakeguard.reports.junit import parse_junit
from flakeguard.reports.model import Outcome

FRIDAY_NOON = datetime(2026, 3, 20, 12, 7, tzinfo=UTC)
SUNDAY_MIDNIGHT = datetime(2026, 3, 22, 0, 0, 5, tzinfo=UTC)
MONDAY_NIGHT = datetime(2026, 3, 23, 23, 50, tzinfo=UTC)


def attempts(run):
    """Outcomes of each test of a run, by class, name and variant, and the formats that were recognised."""
    found, formats = defaultdict(list), set()
    for report in run.reports:
        parsed = parse_junit(io.BytesIO(report.content))
        for attempt in parsed:
            found[attempt.class_name, attempt.name, run.meta["job_variant"]].append(attempt.outcome)
        assert not parsed.info.warnings
        formats.add(parsed.info.format)
    return found, formats


def described(number, run, tests):
    ran = {key: outcomes for key, outcomes in tests.items() if set(outcomes) != {Outcome.SKIPPED}}
    groups = defaultdict(lambda: [0, 0])
    for (group, _, _), outcomes in ran.items():
        groups[group][0] += 1
        groups[group][1] += any(outcome.is_bad for outcome in outcomes)
    return Run(
        id=number,
        executed_at=run.started_at,
        key=bytes(1),
        commit=run.meta["sha"],
        branch=run.meta["branch"],
        job=f"{run.meta['job_name']}\x1f{run.meta['job_variant']}",
        outage=is_outage(len(ran), sum(outcomes[-1].is_bad for outcomes in ran.values())),
        mass_failures=mass_failures((group, *counts) for group, counts in groups.items()),
    )


@pytest.mark.parametrize(("seed", "now"), [(2024, SUNDAY_MIDNIGHT), (2, MONDAY_NIGHT)], ids=["sunday", "monday"])
def test_every_plant_earns_its_verdict_and_nothing_else_is_remarkable(seed, now):
    history = generate(now, seed)
    observations, runs = defaultdict(list), []
    for number, run in enumerate(history.runs, 1):
        tests, _ = attempts(run)
        runs.append(described(number, run, tests))
        for key, outcomes in tests.items():
            observations[key].append(Observation(runs[-1], tuple(outcomes)))
    verdicts = {
        key: evaluate(seen, group=key[0], default_branch="main", now=now).verdict for key, seen in observations.items()
    }
    planted = {(plant.case.class_name, plant.case.name, plant.variant): plant for plant in history.plants}
    assert {plant.key: verdicts.pop(key) for key, plant in planted.items()} == {
        plant.key: plant.verdict for plant in history.plants
    }
    assert Counter(verdicts.values()).keys() == {Verdict.STABLE}
    assert [run.branch for run in runs if run.outage] == ["main"]
    assert [run.branch for run in runs if run.mass_failures and not run.outage] == ["feature/wishlist-sharing"]


def test_the_same_seed_and_clock_give_the_same_bytes():
    assert generate(FRIDAY_NOON, 7).runs == generate(FRIDAY_NOON, 7).runs
    assert generate(FRIDAY_NOON, 7).runs != generate(FRIDAY_NOON, 8).runs


def test_runs_are_believable():
    history = generate(FRIDAY_NOON)
    metas = [run.meta for run in history.runs]
    assert 130 <= len(metas) <= 170
    assert {meta["branch"] for meta in metas} >= {"main", "release/2.4", "feature/express-checkout"}
    assert len({(m["github_run_id"], m["github_run_attempt"], m["job_name"], m["job_variant"]) for m in metas}) == len(
        metas
    )
    assert history.runs == tuple(sorted(history.runs, key=lambda run: run.started_at))
    assert history.runs[-1].started_at + history.runs[-1].duration < FRIDAY_NOON
    assert history.runs[0].started_at > FRIDAY_NOON - timedelta(days=24)
    assert metas[-1]["pr_number"] == 1431


def test_each_framework_is_recognised_in_its_own_dialect():
    formats = [attempts(run)[1] for run in generate(FRIDAY_NOON).runs[-3:]]
    assert set().union(*formats) == {"pytest", "jest", "surefire"}
