"""`flakeguard upload`: what arrives at the server, from which files, in how many requests."""

import gzip
import json
import os

import pytest

from .conftest import PASSING, SECRET, SHA
from .fake_server import gunzip


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
