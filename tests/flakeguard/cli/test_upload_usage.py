"""`flakeguard upload` used wrongly, and what `--dry-run` says."""

import json

from .conftest import SECRET, SHA


class TestUsage:
    def test_no_project(self, upload, write):
        write("a.xml")
        result = upload("a.xml", run_options=["--sha", SHA])
        assert result.exit_code == 2
        assert "--project" in result.stderr

    def test_no_commit(self, upload, write):
        write("a.xml")
        result = upload("a.xml", run_options=["--project", "shop"])
        assert result.exit_code == 2
        assert "--sha" in result.stderr

    def test_in_ci_the_address_must_be_given(self, upload, write, monkeypatch):
        write("a.xml")
        monkeypatch.delenv("FLAKEGUARD_URL")
        result = upload("a.xml", env={"CIRCLECI": "true"})
        assert result.exit_code == 2
        assert "FLAKEGUARD_URL" in result.stderr

    def test_credentials_in_the_address_are_refused_and_not_shown(self, upload, write):
        write("a.xml")
        result = upload("a.xml", "--url", f"https://me:{SECRET}@flakeguard.example.com")
        assert result.exit_code == 2

    def test_a_key_over_plain_http_is_warned_about(self, upload, write):
        write("a.xml")
        result = upload("a.xml", "--url", "http://flakeguard.example.com", "--dry-run")
        assert "not encrypted" in result.stderr

    def test_a_time_without_zone_is_refused(self, upload, write):
        write("a.xml")
        assert upload("a.xml", "--started-at", "2026-01-01T00:00:00").exit_code == 2


class TestDryRun:
    def test_nothing_is_sent_and_no_key_is_needed(self, upload, write, server, monkeypatch):
        monkeypatch.delenv("FLAKEGUARD_API_KEY")
        for number in range(3):
            write(f"{number}.xml")
        result = upload("*.xml", "--dry-run", "--max-files", "2")
        assert (result.exit_code, server.requests) == (0, [])
        for text in ("Would send", "2 requests", SHA, "2.xml", server.url):
            assert text in result.stdout

    def test_as_json(self, upload, write, server):
        write("a.xml")
        document = json.loads(upload("a.xml", "--dry-run", "--json").stdout)
        assert document["requests"] == [["a.xml"]]
        assert document["meta"]["project_slug"] == "shop"
        assert server.requests == []
