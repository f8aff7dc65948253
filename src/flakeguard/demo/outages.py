"""When the machines fail and not the tests: a whole run without its database, and one without Redis."""

from flakeguard.demo import stories, texts
from flakeguard.demo.model import Attempt, Case, Place, Push
from flakeguard.demo.plants import Scene
from flakeguard.reports.model import Outcome

_MAIN_PUSH_WITHOUT_DATABASE = 8  # even, as the reruns are: what is never rerun stays so
_BRANCH_WITHOUT_REDIS = "feature/wishlist-sharing"
_NEED_NO_DATABASE = frozenset({"FraudRulesTest", "Gallery"})
_NEED_REDIS = frozenset({"TestCart", "TestSession", "TestSearch", "TestReservation"})
_SURVIVE_WITHOUT_REDIS = 0.15


def without_database(scene: Scene) -> Push:
    """The push whose Linux job ran without a database."""
    return scene.main[_MAIN_PUSH_WITHOUT_DATABASE]


def without_redis(scene: Scene) -> Push:
    """The push whose Linux job ran without Redis."""
    return [push for push in scene.pushes if push.branch == _BRANCH_WITHOUT_REDIS][1]


def struck(case: Case, place: Place, *, no_database: bool, no_redis: bool) -> tuple[Attempt, ...] | None:
    """What the outage makes of a test; None where it leaves it alone. A run that is started again is fine."""
    owner = case.class_name.rpartition(".")[2]
    if place.run_attempt > 1:
        return None
    if no_database and owner not in _NEED_NO_DATABASE:
        return stories.fails_always(case, texts.database_down, place, Outcome.ERROR)
    if no_redis and owner in _NEED_REDIS and place.random.random() > _SURVIVE_WITHOUT_REDIS:
        return stories.fails_always(case, texts.redis_down, place)
    return None
