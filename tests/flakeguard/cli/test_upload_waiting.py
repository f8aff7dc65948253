"""`flakeguard upload --wait`: what came of the reports, and how it leaves."""

import json
from typing import ClassVar


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

    def test_an_upload_that_the_server_gave_up_on_is_an_error_of_its_own(self, upload, write, server):
        write("a.xml")
        server.states.append({"state": "failed", "error": "OSError: disk full"})
        result = upload("a.xml", "--wait", "30")
        assert result.exit_code == 7
        assert "gave up on 1 of 1 request: OSError: disk full" in result.stderr
        for what_to_do in ("Run this step again", "flakeguard admin failed", "flakeguard admin retry"):
            assert what_to_do in result.stderr

    def test_what_was_not_read_is_said_beside_what_was_given_up(self, upload, write, server):
        write("a.xml")
        write("b.xml")
        unread = {"filename": "a.xml", "error": "no report", "warnings": []}
        server.states.extend([{**self.ANALYZED, "files": [unread]}, {"state": "failed", "error": None}])
        result = upload("*.xml", "--max-files", "1", "--wait", "30", "--json")
        assert result.exit_code == 7
        assert "could not read 1 of 2 reports: a.xml: no report." in result.stderr
        assert [item["state"] for item in json.loads(result.stdout)["ingestions"]] == ["analyzed", "failed"]

    def test_time_up_is_a_warning_and_no_failure(self, upload, write):
        write("a.xml")
        result = upload("a.xml", "--wait", "0.01")
        assert result.exit_code == 0
        assert "not there after 0.01 s" in result.stderr
