"""Annotations: in fifties, and each one once."""

import pytest
from tests.github import faults

from flakeguard.github.errors import GitHubAwayError

from .conftest import CHANGE_CHECK_RUN, MAKE_CHECK_RUN, Place


def located(names: range) -> bytes:
    cases = "".join(
        f"<testcase classname='c' name='t{n}'><failure message='no'>tests/test_{n}.py:{n + 1}: no</failure></testcase>"
        for n in names
    )
    return f"<testsuite name='s'>{cases}<testcase classname='c' name='ok'/></testsuite>".encode()


async def test_annotations_go_in_fifties_and_each_one_once(place: Place) -> None:
    await place.reported(located(range(120)))
    await place.owner.execute("UPDATE test_runs SET outage = false")  # so many failures would be an outage
    assert (await place.publish()).check_run_sent
    assert [place.asked(MAKE_CHECK_RUN), place.asked(CHANGE_CHECK_RUN)] == [1, 2]
    assert len(place.check_run["annotations"]) == 120
    await place.reported(located(range(118, 121)), job_name="more")
    await place.publish()
    said = [(one["path"], one["title"]) for one in place.check_run["annotations"]]
    assert {path for path, _ in said} == {f"tests/test_{n}.py" for n in range(121)}
    assert len(said) == len(set(said))


async def test_batches_cut_short_do_not_annotate_twice(place: Place) -> None:
    await place.reported(located(range(120)))
    await place.owner.execute("UPDATE test_runs SET outage = false")
    place.github.faults.on(CHANGE_CHECK_RUN, faults.cut(after=True))
    with pytest.raises(GitHubAwayError):
        await place.publish()
    assert len(place.check_run["annotations"]) == 100
    await place.publish(afresh=True)
    assert len(place.check_run["annotations"]) == 120
