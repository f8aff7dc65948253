"""`python -m tests.simulated_organisation`: an organisation at GitHub, played through `flakeguard up` in minutes.

Twenty repositories with three weeks of runs; some runs are told by a webhook, some by two, some by none and have to be
found by polling. It says what came out, and leaves with 1 when something is missing, twice, or said differently at
GitHub than on the run's page. `--look` keeps everything running, to look at it in a browser.
"""

import argparse
import sys
import time
from collections import Counter

from .playing import PASSWORD, Stage, expected, played, said_of_pulls, stored


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repositories", type=int, default=20)
    parser.add_argument("--pushes", type=int, default=1000, help="of each repository, the newest; a history has 65")
    parser.add_argument("--look", action="store_true", help="keep it running until Ctrl-C")
    options = parser.parse_args()
    with played(options.repositories, options.pushes, _tell, polling=True) as stage:
        good = _report(stage)
        if options.look:
            _tell(f"{stage.up.url}: ada@example.com, {PASSWORD!r}; Ctrl-C ends it")
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                pass
    return 0 if good else 1


def _report(stage: Stage) -> bool:
    told = Counter(attempt.told for attempt in stage.attempts)
    _tell(f"attempts told of by no webhook {told[0]}, by one {told[1]}, by two {told[2]}")
    missing, more = expected(stage) - stored(stage), stored(stage) - expected(stage)
    _tell(f"runs of jobs stored {stored(stage).total()}, missing {missing.total()}, too many {more.total()}")
    (results,) = stage.rows("SELECT count(*) FROM flake_events")
    wanted = sum(attempt.results for attempt in stage.attempts)
    _tell(f"results of tests stored {results['count']} of {wanted}")
    commits = {(attempt.repository, attempt.sha) for attempt in stage.attempts}
    checks = [(name, one["head_sha"]) for name, at in _repositories(stage) for one in at.check_runs.values()]
    comments = sum(len(at.comments) for _, at in _repositories(stage))
    _tell(f"check runs {len(checks)} on {len(set(checks))} of {len(commits)} commits; comments {comments}")
    said = said_of_pulls(stage)
    alike = sum(one.page == one.comment == one.check_run for one in said)
    answers = Counter(answer for one in said for answer in one.page.values())
    _tell(f"newest pull requests said alike on page, comment and check run: {alike} of {len(said)}; {dict(answers)}")
    dead = stage.rows("SELECT queue, error FROM outbox WHERE dead_at IS NOT NULL")
    _tell(f"dead letters {len(dead)}" + "".join(f"\n  {one['queue']}: {one['error']}" for one in dead))
    whole = not missing and not more and results["count"] == wanted
    return whole and len(checks) == len(commits) == len(set(checks)) and alike == len(said) and not dead


def _repositories(stage: Stage):
    return stage.organisation.repositories.items()


def _tell(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
