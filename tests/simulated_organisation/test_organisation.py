"""Some of it in seconds; the whole is `python -m tests.simulated_organisation`."""

from .playing import expected, played, said_of_pulls, stored


def test_two_repositories_through_flakeguard_up() -> None:
    with played(2, 7, lambda _text: None, polling=False) as stage:
        assert {attempt.told for attempt in stage.attempts} == {0, 1, 2}
        assert any(attempt.number == 2 for attempt in stage.attempts)
        assert stored(stage) == expected(stage)
        (results,) = stage.rows("SELECT count(*) FROM flake_events")
        assert results["count"] == sum(attempt.results for attempt in stage.attempts)
        for name, repository in stage.organisation.repositories.items():
            commits = {attempt.sha for attempt in stage.attempts if attempt.repository == name}
            assert sorted(one["head_sha"] for one in repository.check_runs.values()) == sorted(commits)
            pulls = {attempt.pr_number for attempt in stage.attempts if attempt.repository == name}
            assert {comment["issue"] for comment in repository.comments.values()} <= pulls
        for said in said_of_pulls(stage):
            assert set(said.page.values()) > {"yours", "known_flake"}
            assert said.page == said.comment == said.check_run
        assert stage.rows("SELECT 1 FROM outbox WHERE dead_at IS NOT NULL") == []
