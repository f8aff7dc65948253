"""The whole history: every push played in every job, with reruns, as uploads in the order in which they happened."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from random import Random

from flakeguard.demo import outages
from flakeguard.demo.catalogue import catalogue
from flakeguard.demo.dialects import Played, write
from flakeguard.demo.model import PASS, Case, DemoRun, Job, Place, Plant, Push
from flakeguard.demo.plants import Scene, planted, rerun_pushes
from flakeguard.demo.pushes import pushes

DEFAULT_SEED = 2024
REPOSITORY = "example/web-shop"

_RERUN_AFTER = timedelta(minutes=25)
_WINDOWS_STARTS_LATER = timedelta(minutes=3)
_WINDOWS_IS_SLOWER = 1.5
_WORKERS = 4
_SET_UP = timedelta(seconds=70)
_DRIFTS_FROM_SECONDS, _DRIFTS_TO_SECONDS = 2.1, 9.4
_DRIFTS = ("TestCatalogueImport", "test_full_catalogue_import")
_NOISE = 0.16
_FIRST_RUN_ID = 9_100_000_000


@dataclass(frozen=True, slots=True)
class History:
    """Runs, oldest first, and the plants in them."""

    runs: tuple[DemoRun, ...]
    plants: tuple[Plant, ...]


def generate(now: datetime, seed: int = DEFAULT_SEED) -> History:
    """Make up the history that ends at `now` (UTC); the same seed and clock give the same bytes."""
    random = Random(seed)  # noqa: S311 -- a story, no secret
    every = pushes(random, now)
    tests = catalogue()
    scene = Scene(
        random=random,
        now=now,
        pushes=[push for push in every if push.event != "schedule"],
        nights=[push for push in every if push.event == "schedule"],
        cases={(case.class_name.rpartition(".")[2], case.name): case for case in tests},
    )
    plants = planted(scene)
    play = _Play(seed, scene, tests, plants)
    runs = [play.run(place) for push in every for place in play.places(push)]
    return History(tuple(sorted(runs, key=lambda run: run.started_at)), plants)


class _Play:
    """Plays the stories at one place after the other."""

    def __init__(self, seed: int, scene: Scene, tests: Sequence[Case], plants: Sequence[Plant]) -> None:
        self._seed = seed
        self._scene = scene
        self._stories = {plant.case: plant.story for plant in plants}
        self._tests = _with_new(tests, plants)
        self._no_database = outages.without_database(scene).number
        self._no_redis = outages.without_redis(scene).number
        self._reruns = rerun_pushes(plants, scene) | {self._no_database, self._no_redis}

    def places(self, push: Push) -> Iterator[Place]:
        """The jobs of a push, and the Linux job again where somebody started it again."""
        if push.event == "schedule":
            for job in (Job.CHROMIUM, Job.FIREFOX):
                yield self._place(push, job, 1, push.at)
            return
        # The open pull request's Linux run is the newest of all: the one that a person looks at first.
        newest = push is self._scene.newest
        later = -_WINDOWS_STARTS_LATER if newest else _WINDOWS_STARTS_LATER
        yield self._place(push, Job.LINUX, 1, push.at)
        yield self._place(push, Job.WINDOWS, 1, push.at + later)
        if push.number in self._reruns:
            yield self._place(push, Job.LINUX, 2, push.at + _RERUN_AFTER)

    def _place(self, push: Push, job: Job, run_attempt: int, started_at: datetime) -> Place:
        random = Random(f"{self._seed}/{push.number}/{job.name}/{run_attempt}")  # noqa: S311 -- a story
        return Place(push, job, run_attempt, started_at, random)

    def run(self, place: Place) -> DemoRun:
        """Everything that ran at a place."""
        played = [one for case in self._tests if case.suite in place.job.suites for one in self._played(case, place)]
        duration = _SET_UP + timedelta(seconds=sum(one.total_seconds for one in played) / _WORKERS)
        written = (
            write(suite, [one for one in played if one.case.suite is suite], place) for suite in place.job.suites
        )
        return DemoRun(_meta(place, duration), place.started_at, duration, tuple(chain.from_iterable(written)))

    def _played(self, case: Case, place: Place) -> Iterator[Played]:
        story = self._stories.get(case)
        told = story(place) if story else None
        if told == ():  # the test is not there
            return
        on_linux = place.job is Job.LINUX
        struck = outages.struck(
            case,
            place,
            no_database=on_linux and place.push.number == self._no_database,
            no_redis=on_linux and place.push.number == self._no_redis,
        )
        yield Played(case, struck or told or PASS, self._seconds(case, place))

    def _seconds(self, case: Case, place: Place) -> float:
        base = case.seconds
        if (case.class_name.rpartition(".")[2], case.name) == _DRIFTS:
            share = place.push.number / self._scene.newest.number
            base = _DRIFTS_FROM_SECONDS + (_DRIFTS_TO_SECONDS - _DRIFTS_FROM_SECONDS) * share
        slower = _WINDOWS_IS_SLOWER if place.job is Job.WINDOWS else 1.0
        return base * slower * place.random.lognormvariate(0, _NOISE)


def _with_new(tests: Sequence[Case], plants: Sequence[Plant]) -> list[Case]:
    """The catalogue, with planted tests that are not in it (a new name) beside their class."""
    ordered = list(tests)
    for plant in plants:
        if plant.case not in ordered:
            beside = max(at for at, case in enumerate(ordered) if case.class_name == plant.case.class_name)
            ordered.insert(beside + 1, plant.case)
    return ordered


def _meta(place: Place, duration: timedelta) -> Mapping[str, object]:
    push, nightly = place.push, place.push.event == "schedule"
    run_id = _FIRST_RUN_ID + 1_337 * push.number
    meta = {
        "sha": push.sha,
        "branch": push.branch,
        "provider": "github",
        "repo_full_name": REPOSITORY,
        "workflow_name": "nightly" if nightly else "ci",
        "github_run_id": run_id,
        "github_run_attempt": place.run_attempt,
        "github_run_number": push.number + 1,
        "run_url": f"https://ci.example.com/{REPOSITORY}/runs/{run_id}",
        "event": push.event,
        "pr_number": push.pr_number,
        "job_name": place.job.job_name,
        "job_variant": place.job.variant,
        "started_at": place.started_at.isoformat(),
        "completed_at": (place.started_at + duration).isoformat(),
    }
    return {name: value for name, value in meta.items() if value is not None}
