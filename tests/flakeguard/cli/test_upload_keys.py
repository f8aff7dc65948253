"""`flakeguard upload` without a project key: forks, Dependabot, mistakes."""

from typing import ClassVar

import pytest

from .conftest import SECRET, SHA


class TestNoKey:
    FORK: ClassVar = {
        "GITLAB_CI": "true",
        "CI_COMMIT_SHA": SHA,
        "CI_MERGE_REQUEST_PROJECT_PATH": "acme/shop",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "stranger/shop",
    }

    @pytest.fixture(autouse=True)
    def no_key(self, upload, monkeypatch, write):
        monkeypatch.delenv("FLAKEGUARD_API_KEY")
        write("a.xml")

    def test_it_says_where_to_put_one(self, upload, server):
        result = upload("a.xml")
        assert (result.exit_code, server.uploads) == (6, [])
        assert "FLAKEGUARD_API_KEY" in result.stderr

    def test_a_fork_is_told_what_to_do(self, upload, server):
        result = upload("a.xml", env=self.FORK)
        assert (result.exit_code, server.uploads) == (6, [])
        for text in ("fork", "workflow_run", "--allow-missing-key"):
            assert text in result.stderr

    def test_a_fork_may_stay_green_with_a_visible_warning(self, upload, server):
        result = upload("a.xml", "--allow-missing-key", env=self.FORK)
        assert (result.exit_code, server.uploads) == (0, [])
        assert "warning" in result.stderr
        assert "Nothing was sent" in result.stderr

    def test_our_own_branch_may_not(self, upload):
        env = {"GITHUB_ACTIONS": "true", "GITHUB_REF_NAME": "main"}
        result = upload("a.xml", "--allow-missing-key", env=env)
        assert result.exit_code == 6
        assert "::error title=FlakeGuard::No project key" in result.stderr

    def test_dependabot_gets_no_secrets_either(self, upload):
        env = {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "dependabot[bot]"}
        result = upload("a.xml", "--allow-missing-key", env=env)
        assert result.exit_code == 0
        assert "::warning title=FlakeGuard::" in result.stderr

    def test_a_broken_key_is_not_quoted(self, upload, monkeypatch):
        monkeypatch.setenv("FLAKEGUARD_API_KEY", f"{SECRET}\nX-Evil: 1")
        result = upload("a.xml")
        assert result.exit_code == 6
        assert "line breaks" in result.stderr
