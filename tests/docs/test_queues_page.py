"""The page on queues names the jobs that workers do, by queue, and no other."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.github.jobs import Fetching
from flakeguard.github.webhooks.working import App
from flakeguard.reports.archives import ArchiveLimits
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import AnalysisMetrics
from flakeguard.worker.processors import processors
from flakeguard.worker.queues import QUEUES

PAGE = Path(__file__).parents[2] / "docs" / "queues.md"


def test_every_job_is_documented_and_no_other(settings: FlakeGuardSettings) -> None:
    documented = {
        queue: set(re.findall(r"`([a-z-]+)`", jobs))
        for queue, jobs in re.findall(r"^\| `([a-z:]+)` \| `[a-z-]+` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    }
    assert tuple(documented) == QUEUES
    assert documented == done_by_workers(settings)


def done_by_workers(settings: FlakeGuardSettings) -> dict[str, set[str]]:
    nothing_open: Any = None
    known = processors(
        nothing_open, AnalysisConfig(), ArchiveLimits(), AnalysisMetrics(CollectorRegistry()), App.of(settings),
        fetching=Fetching.by(settings, ArchiveLimits()),
    )  # fmt: skip
    jobs: dict[str, set[str]] = defaultdict(set)
    for queue, name in known:
        jobs[queue].add(name)
    return jobs
