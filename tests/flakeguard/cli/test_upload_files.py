"""`flakeguard upload`: which files are sent, and how it leaves when there are none."""

import os
import time


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
