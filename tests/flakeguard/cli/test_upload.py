"""`flakeguard upload` against a real local server that plays the API's edge."""

import gzip
import json
import os
import time
from typing import ClassVar

import pytest

from .conftest import PASSING, SECRET
from .fake_server import RESET, gunzip

SHA = "0123456789abcdef0123456789abcdef01234567"
RUN = ["--project", "shop", "--sha", SHA, "--branch", "main", "--job", "test"]


@pytest.fixture
def upload(run, server, waits, monkeypatch):
    """Run `flakeguard upload` on the fake server with a key, and check that the key is never shown."""
    monkeypatch.setenv("FLAKEGUARD_URL", server.url)
    monkeypatch.setenv("FLAKEGUARD_API_KEY", SECRET)

    def _upload(*arguments, run_options=RUN, env=None):
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        result = run(["upload", *arguments, *run_options])
        assert SECRET not in result.output
        assert not result.exception or isinstance(result.exception, SystemExit), result.exception
        return result

    return _upload


class TestSending:
    def test_reports_and_meta_arrive(self, upload, write, server):
        write("reports/a.xml")
        write("reports/deep/b.xml", PASSING.replace('"t"', '"u"'))
        result = upload("reports/**/*.xml")
        assert result.exit_code == 0, result.output
        (request,) = server.uploads
        assert request.path == "/api/v1/ingest/junit"
        assert request.headers["Authorization"] == f"Bearer {SECRET}"
        assert sorted(request.files) == ["reports/a.xml", "reports/deep/b.xml"]
        assert gunzip(request.files["reports/a.xml"]).decode() == PASSING
        expected = {"project_slug": "shop", "sha": SHA, "branch": "main", "job_name": "test", "provider": "cli"}
        assert request.meta.items() >= expected.items()
        assert {"started_at", "completed_at", "github_run_id", "github_run_attempt"} <= request.meta.keys()
        assert "2 reports uploaded in 1 request" in result.stdout

    def test_the_same_upload_again_is_the_same_bytes_and_the_same_run(self, upload, write, server):
        write("a.xml")
        upload("a.xml")
        upload("a.xml")
        first, second = server.uploads
        assert (first.meta, first.files) == (second.meta, second.files)

    def test_other_content_outside_ci_is_another_run(self, upload, write, server):
        write("a.xml")
        upload("a.xml")
        write("a.xml", PASSING.replace("0.1", "0.2"))
        upload("a.xml")
        first, second = server.uploads
        assert first.meta["github_run_id"] != second.meta["github_run_id"]

    def test_compressed_reports_are_sent_as_they_are(self, upload, write, server, tmp_path):
        content = gzip.compress(PASSING.encode(), mtime=0)
        (tmp_path / "a.xml.gz").write_bytes(content)
        upload("a.xml.gz")
        assert server.uploads[0].files == {"a.xml.gz": content}

    def test_a_folder_means_the_reports_in_it(self, upload, write, server):
        write("out/a.xml")
        write("out/notes.txt", "no report")
        upload("out")
        assert list(server.uploads[0].files) == ["out/a.xml"]

    def test_names_with_brackets_and_hidden_folders_are_found(self, upload, write, server):
        write(".reports/TEST-a[1].xml")
        write(".reports/b.xml")
        assert upload(".reports/TEST-a[1].xml").exit_code == 0
        upload("**/*.xml")
        assert [len(request.files) for request in server.uploads] == [1, 2]

    def test_a_large_file_is_streamed(self, upload, tmp_path, server):
        case = '<testcase classname="c" name="t{}"><system-out>{}</system-out></testcase>'
        noise = os.urandom(3000).hex()
        body = "".join(case.format(number, noise) for number in range(1000))
        (tmp_path / "big.xml").write_text(f"<testsuite>{body}</testsuite>")
        assert upload("big.xml").exit_code == 0
        request = server.uploads[0]
        assert request.headers["Transfer-Encoding"] == "chunked"
        assert len(gunzip(request.files["big.xml"])) == (tmp_path / "big.xml").stat().st_size

    def test_the_key_may_come_from_a_file(self, upload, write, server, monkeypatch):
        monkeypatch.delenv("FLAKEGUARD_API_KEY")
        write("a.xml")
        write("key", f"{SECRET}\n")
        assert upload("a.xml", "--api-key-file", "key").exit_code == 0
        assert server.uploads[0].headers["Authorization"] == f"Bearer {SECRET}"

    def test_github_pull_request_is_filled_from_the_event(self, upload, write, server):
        write("a.xml")
        event = {"pull_request": {"number": 12, "head": {"sha": "f" * 40}, "base": {}}}
        path = write("event.json", json.dumps(event))
        env = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_HEAD_REF": "fix",
            "GITHUB_SHA": "e" * 40,
            "GITHUB_RUN_ID": "7",
        }
        assert upload("a.xml", run_options=["--project", "shop"], env=env).exit_code == 0
        expected = {"sha": "f" * 40, "branch": "fix", "pr_number": 12, "github_run_id": 7, "provider": "github"}
        assert server.uploads[0].meta.items() >= expected.items()

    def test_options_go_before_ci(self, upload, write, server):
        write("a.xml")
        env = {"GITLAB_CI": "true", "CI_COMMIT_SHA": "e" * 40, "CI_JOB_ID": "1", "CI_JOB_NAME": "t: [a]"}
        upload("a.xml", "--variant", "py312", "--run-id", "9", env=env)
        expected = {"sha": SHA, "job_variant": "py312", "github_run_id": 9, "provider": "gitlab"}
        assert server.uploads[0].meta.items() >= expected.items()

    def test_json_is_all_that_is_on_standard_output(self, upload, write):
        write("a.xml")
        document = json.loads(upload("a.xml", "--json").stdout)
        assert document["files"] == 1
        assert document["ingestions"][0]["ingestion_id"].endswith("1")
        assert document["meta"]["sha"] == SHA


class TestBatches:
    def test_many_files_go_in_requests_of_twenty_of_one_run(self, upload, write, server):
        for number in range(45):
            write(f"r/{number:02}.xml")
        result = upload("r/*.xml")
        assert [len(request.files) for request in server.uploads] == [20, 20, 5]
        assert len({json.dumps(request.meta) for request in server.uploads}) == 1
        assert "45 reports uploaded in 3 requests" in result.stdout

    def test_bytes_are_limited_too(self, upload, write, server):
        for number in range(4):
            write(f"{number}.xml")
        upload("*.xml", "--max-bytes", str(2 * len(PASSING)))
        assert [len(request.files) for request in server.uploads] == [2, 2]

    @pytest.mark.parametrize(("status", "code"), [(413, "payload_too_large"), (400, "too_many_files")])
    def test_a_batch_that_the_server_finds_too_large_is_halved(self, upload, write, server, status, code):
        for number in range(4):
            write(f"{number}.xml")
        server.refuse(status, code)
        assert upload("*.xml").exit_code == 0
        assert [len(request.files) for request in server.uploads] == [4, 2, 2]

    def test_one_file_that_is_too_large_is_refused(self, upload, write, server):
        write("a.xml")
        server.refuse(413, "payload_too_large", "larger than 10 MB")
        result = upload("a.xml")
        assert result.exit_code == 4
        assert "larger than 10 MB" in result.stderr
        assert "FG_MAX_FILE_BYTES" in result.stderr


class TestRetries:
    def test_429_waits_as_long_as_the_server_says(self, upload, write, server, waits):
        write("a.xml")
        server.refuse(429, "rate_limit_exceeded", headers={"Retry-After": "7"})
        result = upload("a.xml")
        assert result.exit_code == 0
        assert waits == [7]
        assert "Trying again in 7 s" in result.stderr

    def test_503_backs_off_longer_each_time(self, upload, write, server, waits):
        write("a.xml")
        for _ in range(3):
            server.refuse(503, "unavailable")
        assert upload("a.xml").exit_code == 0
        assert len(server.uploads) == 4
        assert waits[0] >= 1
        assert waits[2] > waits[0]

    def test_a_reset_connection_is_tried_again_with_the_whole_body(self, upload, write, server):
        write("a.xml")
        server.answers.append(RESET)
        assert upload("a.xml").exit_code == 0
        first, second = server.uploads
        assert first.files == second.files

    def test_429_for_ever_is_a_refusal(self, upload, write, server):
        write("a.xml")
        for _ in range(5):
            server.refuse(429, "rate_limit_exceeded", "slow down")
        result = upload("a.xml")
        assert (result.exit_code, len(server.uploads)) == (4, 5)
        assert "rate_limit_exceeded: slow down" in result.stderr

    def test_503_for_ever_is_unreachable(self, upload, write, server):
        write("a.xml")
        for _ in range(2):
            server.refuse(503, "unavailable", "down")
        result = upload("a.xml", "--attempts", "2")
        assert result.exit_code == 5
        assert server.url in result.stderr

    def test_a_wait_beyond_our_patience_is_not_begun(self, upload, write, server, waits):
        write("a.xml")
        server.refuse(429, "rate_limit_exceeded", headers={"Retry-After": "3600"})
        assert upload("a.xml").exit_code == 4
        assert waits == []

    def test_nobody_listens(self, upload, write, server, unused_port):
        write("a.xml")
        result = upload("a.xml", "--url", f"http://127.0.0.1:{unused_port}", "--attempts", "2")
        assert result.exit_code == 5
        assert "cannot be reached" in result.stderr

    def test_what_arrived_before_the_end_is_said(self, upload, write, server):
        for number in range(3):
            write(f"{number}.xml")
        server.answers.append((202, {}, {"data": {"ingestion_id": "x"}}))
        server.refuse(401, "expired_api_key")
        result = upload("*.xml", "--max-files", "2")
        assert result.exit_code == 4
        assert "2 of 3 reports had arrived before" in result.stderr


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "code", "advice"),
        [
            (401, "invalid_api_key", "settings page"),
            (401, "expired_api_key", "Rotate"),
            (400, "invalid_meta", "--dry-run"),
            (400, "invalid_junit_xml", "flakeguard parse"),
        ],
    )
    def test_the_servers_code_and_message_and_what_to_do(self, upload, write, server, status, code, advice):
        write("a.xml")
        server.refuse(status, code, "because")
        result = upload("a.xml")
        assert (result.exit_code, len(server.uploads)) == (4, 1)
        for text in (code, "because", advice, "req-1"):
            assert text in result.stderr

    def test_an_answer_of_somebody_else(self, upload, write, server):
        write("a.xml")
        server.answers.append((200, {"Content-Type": "text/html"}, b"<html>Welcome to nginx</html>"))
        result = upload("a.xml")
        assert result.exit_code == 4
        assert "not FlakeGuard's" in result.stderr

    def test_a_redirect_is_not_followed_with_the_key(self, upload, write, server):
        write("a.xml")
        server.answers.append((301, {"Location": "https://elsewhere.example/"}, b""))
        result = upload("a.xml")
        assert (result.exit_code, len(server.uploads)) == (4, 1)
        assert "https://elsewhere.example/" in result.stderr


class TestNothingToSend:
    def test_a_glob_without_matches_fails_and_says_what_there_is(self, upload, write, server):
        write("build/test-results/a.xml")
        result = upload("reports/**/*.xml")
        assert (result.exit_code, server.uploads) == (3, [])
        assert "reports/**/*.xml" in result.stderr
        assert "build/test-results/a.xml" in result.stderr

    def test_files_that_are_no_reports_are_told_and_not_sent(self, upload, write, server):
        write("a.xml")
        write("package.xml", "<project><modelVersion>4.0.0</modelVersion></project>")
        result = upload("*.xml")
        assert result.exit_code == 0
        assert list(server.uploads[0].files) == ["a.xml"]
        assert "1 file matched but is no report, not sent: package.xml" in result.stderr

    def test_only_files_that_are_no_reports_fail(self, upload, write, server):
        write("package.xml", "<project/>")
        result = upload("*.xml")
        assert (result.exit_code, server.uploads) == (3, [])

    def test_fewer_than_expected_fail(self, upload, write, server):
        write("a.xml")
        result = upload("*.xml", "--min-files", "850")
        assert (result.exit_code, server.uploads) == (3, [])
        assert "850" in result.stderr

    def test_left_overs_of_an_earlier_run_are_warned_about(self, upload, write):
        long_ago = time.time() - 3 * 24 * 3600
        os.utime(write("old.xml"), (long_ago, long_ago))
        write("new.xml")
        result = upload("*.xml")
        assert result.exit_code == 0
        assert "1 report is much older than this job: old.xml" in result.stderr

    def test_older_than_the_jobs_start_is_old_even_when_young(self, upload, write):
        write("a.xml")
        env = {"GITLAB_CI": "true", "CI_JOB_STARTED_AT": "2099-01-01T00:00:00Z"}
        assert "much older" in upload("a.xml", env=env).stderr


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


class TestWait:
    ANALYZED: ClassVar = {
        "state": "analyzed",
        "stored": {"junit_files": 1, "test_results": 1200},
        "flake_events_created": 2,
        "verdicts": {"flaky": 2, "stable": 1198},
        "warnings": ["a.xml: truncated"],
        "dashboard_url": "https://flakeguard.example.com/runs/1",
    }

    def test_verdicts_are_waited_for_and_printed(self, upload, write, server):
        write("a.xml")
        server.states.extend([{"state": "stored"}, self.ANALYZED])
        result = upload("a.xml", "--wait", "30")
        assert result.exit_code == 0
        for text in ("1,200 test results", "2 flaky", "truncated", "https://flakeguard.example.com/runs/1"):
            assert text in result.stdout

    def test_a_file_that_the_server_could_not_read_is_an_error(self, upload, write, server):
        write("a.xml")
        write("b.xml")
        files = [
            {"filename": "a.xml", "error": None, "warnings": ["truncated"]},
            {"filename": "b.xml", "error": "the file unpacks to more than 9 bytes", "warnings": []},
        ]
        told = ["a.xml: truncated", "b.xml: the file unpacks to more than 9 bytes"]
        server.states.append({**self.ANALYZED, "files": files, "warnings": told})
        result = upload("*.xml", "--wait", "30")
        assert result.exit_code == 4
        assert "could not read 1 of 2 reports: b.xml: the file unpacks to more than 9 bytes" in result.stderr
        assert "truncated" in result.stdout
        assert "unpacks" not in result.stdout

    def test_time_up_is_a_warning_and_no_failure(self, upload, write):
        write("a.xml")
        result = upload("a.xml", "--wait", "0.01")
        assert result.exit_code == 0
        assert "not there after 0.01 s" in result.stderr
