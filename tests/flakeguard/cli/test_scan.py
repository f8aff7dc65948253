"""`flakeguard scan` on folders of reports."""

import json
import os

import pytest

from .reports_on_disk import FAIL, PASS, SKIP, write_run

SHAS = ["1a2b3c4", "2b3c4d5", "3c4d5e6", "4d5e6f7", "5e6f7a8", "6f7a8b9"]


@pytest.fixture
def scan(run):
    """Run `flakeguard scan` and return its result."""

    def _scan(*arguments):
        result = run(["scan", *arguments])
        assert not result.exception or isinstance(result.exception, SystemExit), result.exception
        return result

    return _scan


@pytest.fixture
def scan_json(scan):
    def _scan_json(*arguments):
        result = scan(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return _scan_json


def names(document, verdict):
    return [test["name"] for test in document[verdict]]


@pytest.fixture
def history(tmp_path):
    """Six commits with two runs each: a flaky test, a broken one, a fixed regression, and one that is fine."""
    for day, sha in enumerate(SHAS, 1):
        for number in (1, 2):
            tests = {
                "flaky": FAIL if number == 1 and day in {2, 4} else PASS,
                "broken": FAIL if day > 3 else PASS,
                "fixed": FAIL if day in {2, 3} else PASS,
                "fine": PASS,
            }
            write_run(tmp_path / "reports" / sha / f"run-{number}", tests, timestamp=f"2026-01-0{day}T0{number}:00:00Z")


class TestVerdicts:
    def test_flaky_broken_and_fixed_are_told_apart(self, history, scan_json):
        document = scan_json("reports/**/*.xml")
        assert names(document, "flaky") == ["flaky"]
        assert names(document, "broken") == ["broken"]
        assert "fixed" not in names(document, "flaky") + names(document, "suspected")
        assert document["totals"]["runs"] == 12
        assert document["totals"]["commits"] == 6
        assert document["totals"]["tests"] == 4
        assert document["totals"]["attempts"] == 48
        assert (document["sight"], document["commits_told_by"]) == ("contradictions", "reports")

    def test_evidence_holds_the_attempts_and_what_they_said(self, history, scan_json):
        (test,) = scan_json("reports/**/*.xml")["flaky"]
        piece = next(piece for piece in test["evidence"] if piece["commit"] == SHAS[3])
        assert piece["kind"] == "rerun"
        (failed,), (passed,) = piece["failed"], piece["passed"]
        assert (failed["run"], failed["message"]) == (f"reports/{SHAS[3]}/run-1", "expected 3, got 4")
        assert (passed["run"], passed["outcome"]) == (f"reports/{SHAS[3]}/run-2", "passed")

    def test_contradicting_attempts_are_side_by_side(self, history, scan):
        result = scan("reports/**/*.xml")
        assert result.exit_code == 0
        line = next(line for line in result.stdout.splitlines() if f"{SHAS[3]}/run-1" in line)
        assert f"{SHAS[3]}/run-2" in line
        for text in ("1 test flaky", "1 test broken", "expected 3, got 4", "12 runs of 6 commits"):
            assert text in result.stdout
        assert "second line" not in result.stdout

    def test_a_retry_within_one_run_is_evidence_without_any_commit(self, tmp_path, scan_json):
        write_run(tmp_path / "a", {"t": f"{FAIL} {PASS}"})
        document = scan_json("a/*.xml")
        assert names(document, "flaky") == ["t"]
        (piece,) = document["flaky"][0]["evidence"]
        assert (piece["kind"], piece["commit"]) == ("retry", None)
        assert [attempt["attempt"] for attempt in piece["failed"] + piece["passed"]] == [1, 2]

    def test_of_one_or_two_runs_no_rate_is_said(self, tmp_path, scan, history):
        write_run(tmp_path / "a", {"t": f"{FAIL} {PASS}"})
        assert "% of runs" not in scan("a/*.xml").stdout
        assert "flakes in about" in scan("reports/**/*.xml").stdout

    def test_a_skip_contradicts_nothing(self, tmp_path, scan_json):
        for number, outcome in enumerate([SKIP, PASS, SKIP]):
            write_run(tmp_path / f"r/{number}", {"t": outcome})
        assert scan_json("r/**/*.xml", "--same-commit")["totals"]["verdicts"]["flaky"] == 0

    def test_linux_and_windows_disagreeing_is_no_flake(self, tmp_path, scan, scan_json):
        for job, outcome in (("linux", PASS), ("windows", FAIL)):
            write_run(tmp_path / "r" / SHAS[0] / job / "run-1", {"t": outcome})
        document = scan_json("r/**/*.xml")
        assert names(document, "flaky") == []
        assert {run["job"] for run in document["runs"]} == {"linux", "windows"}
        (difference,) = document["differences"]
        assert (difference["fails_in"], difference["passes_in"]) == ("windows", "linux")
        assert "fails in windows, passes in linux" in scan("r/**/*.xml").stdout

    def test_an_outage_counts_against_nobody_and_is_said(self, tmp_path, scan):
        many = {f"t{number}": PASS for number in range(25)}
        for number in range(4):
            tests = dict.fromkeys(many, FAIL) if number == 2 else many
            write_run(tmp_path / f"r/{number}", tests)
        result = scan("r/**/*.xml", "--same-commit", "--fail-on", "flaky", "--fail-on", "broken")
        assert result.exit_code == 0
        assert "Outages, counted against no test: r/2" in result.stdout


class TestWhichCommit:
    @pytest.fixture
    def two_runs(self, tmp_path):
        write_run(tmp_path / "r/first", {"t": PASS})
        write_run(tmp_path / "r/second", {"t": FAIL})

    def test_without_any_commit_the_output_says_that_only_patterns_can_be_seen(self, two_runs, scan, scan_json):
        assert "only patterns can be seen" in scan("r/**/*.xml").stdout
        document = scan_json("r/**/*.xml")
        assert (document["sight"], document["commits_told_by"]) == ("patterns_only", "nothing")
        assert names(document, "flaky") == []

    def test_same_commit(self, two_runs, scan, scan_json):
        assert names(scan_json("r/**/*.xml", "--same-commit"), "flaky") == ["t"]
        assert "patterns" not in scan("r/**/*.xml", "--same-commit").stdout

    def test_properties(self, tmp_path, scan_json):
        for number, outcome in enumerate([PASS, FAIL]):
            write_run(tmp_path / f"r/{number}", {"t": outcome}, properties={"git.commit": SHAS[0], "branch": "dev"})
        document = scan_json("r/**/*.xml")
        assert names(document, "flaky") == ["t"]
        assert {(run["commit"], run["branch"]) for run in document["runs"]} == {(SHAS[0], "dev")}

    def test_one_run_for_each_commit_shows_patterns_only_too(self, tmp_path, scan_json):
        for sha in SHAS:
            write_run(tmp_path / "r" / sha, {"t": PASS})
        document = scan_json("r/**/*.xml")
        assert (document["sight"], document["commits_told_by"]) == ("patterns_only", "reports")

    def test_without_commits_names_of_runs_are_no_jobs(self, tmp_path, scan_json):
        for name in ("a-monday", "b-tuesday", "c-wednesday", "d-thursday"):
            write_run(tmp_path / "r" / name, {"t": FAIL if name > "b" else PASS})
        document = scan_json("r/**/*.xml")
        assert {run["job"] for run in document["runs"]} == {""}
        assert names(document, "broken") == ["t"]

    def test_without_commits_names_that_runs_share_are_jobs(self, tmp_path, scan_json):
        for number in (1, 2):
            for job in ("linux", "windows"):
                write_run(tmp_path / "r" / job / str(number), {"t": PASS})
        assert {run["job"] for run in scan_json("r/**/*.xml")["runs"]} == {"linux", "windows"}


class TestOrder:
    def test_names_are_ordered_as_people_count(self, tmp_path, scan_json):
        for number in (10, 9, 1):
            write_run(tmp_path / f"r/run-{number}", {"t": PASS})
        document = scan_json("r/**/*.xml")
        assert [run["folder"] for run in document["runs"]] == ["r/run-1", "r/run-9", "r/run-10"]
        assert any("order of their names" in note for note in document["notes"])

    def test_timestamps_go_before_names(self, tmp_path, scan_json):
        write_run(tmp_path / "r/1", {"t": PASS}, timestamp="2026-01-02T00:00:00")
        write_run(tmp_path / "r/2", {"t": PASS}, timestamp="2026-01-01T23:00:00+00:00")
        assert [run["folder"] for run in scan_json("r/**/*.xml")["runs"]] == ["r/2", "r/1"]

    def test_old_reports_are_judged_by_their_own_clock(self, tmp_path, scan_json):
        for number in range(6):
            write_run(tmp_path / f"r/{number}", {"t": FAIL}, timestamp=f"2009-01-0{number + 1}T00:00:00Z")
        assert names(scan_json("r/**/*.xml"), "broken") == ["t"]


class TestFiles:
    def test_files_of_one_folder_are_one_run_and_repeated_tests_are_retries(self, tmp_path, scan_json):
        write_run(tmp_path / "r", {"t": FAIL}, name="attempt-1.xml")
        write_run(tmp_path / "r", {"t": PASS}, name="attempt-2.xml")
        document = scan_json("r/*.xml")
        assert document["totals"]["runs"] == 1
        assert document["flaky"][0]["evidence"][0]["kind"] == "retry"

    def test_each_file_may_be_a_run(self, tmp_path, scan_json):
        write_run(tmp_path / "r", {"t": FAIL}, name="1.xml")
        write_run(tmp_path / "r", {"t": PASS}, name="2.xml")
        document = scan_json("r/*.xml", "--run-is", "file", "--same-commit")
        assert document["totals"]["runs"] == 2
        assert document["flaky"][0]["evidence"][0]["kind"] == "rerun"

    def test_what_cannot_be_read_is_listed_and_the_rest_is_read(self, tmp_path, scan, scan_json, write):
        write_run(tmp_path / "r", {"t": PASS})
        write("r/pom.xml", "<project/>")
        write("r/empty.xml", "")
        document = scan_json("r/*.xml")
        assert {problem["path"]: problem["code"] for problem in document["unreadable"]} == {
            "r/empty.xml": "empty_file",
            "r/pom.xml": "not_a_report",
        }
        assert document["totals"]["tests"] == 1
        output = scan("r/*.xml").stdout
        assert "2 files could not be read" in output
        assert "r/pom.xml: not_a_report" in output

    def test_a_damaged_report_gives_what_could_be_read_and_a_warning(self, write, scan_json):
        write("r/a.xml", '<testsuite><testcase classname="c" name="a"/><testcase classname="c" na')
        document = scan_json("r/*.xml")
        assert document["totals"]["tests"] == 1
        assert [problem["path"] for problem in document["warnings"]] == ["r/a.xml"]

    def test_nothing_matches(self, scan):
        result = scan("nowhere/**/*.xml")
        assert result.exit_code == 3
        assert "nowhere/**/*.xml" in result.stderr

    def test_nothing_readable(self, scan, write):
        write("r/pom.xml", "<project/>")
        result = scan("r/*.xml")
        assert result.exit_code == 3
        assert "r/pom.xml" in result.stderr


class TestFailOn:
    @pytest.mark.parametrize(("verdict", "code"), [("flaky", 1), ("broken", 1), ("suspected", 0)])
    def test_only_what_was_asked_fails(self, history, scan, verdict, code):
        assert scan("reports/**/*.xml", "--fail-on", verdict).exit_code == code

    def test_findings_alone_do_not_fail(self, history, scan):
        assert scan("reports/**/*.xml").exit_code == 0


class TestSlow:
    def test_slow_tests_with_their_times(self, tmp_path, scan, scan_json):
        for number, seconds in enumerate([2, 4, 90]):
            write_run(tmp_path / f"r/{number}", {"t": PASS}, seconds=seconds)
            write_run(tmp_path / f"r/{number}", {"quick": PASS}, name="quick.xml")
        (test,) = scan_json("r/**/*.xml")["slow"]
        assert (test["name"], test["median_seconds"], test["longest_seconds"], test["executions"]) == ("t", 4, 90, 3)
        assert "4.00 s" in scan("r/**/*.xml").stdout
        assert scan_json("r/**/*.xml", "--slow", "0")["slow"] == []
        assert scan_json("r/**/*.xml", "--slow-seconds", "5")["slow"] == []


def test_markup_in_names_is_shown_as_it_is(tmp_path, scan):
    for number, outcome in enumerate([PASS, FAIL]):
        write_run(tmp_path / f"r/{number}", {"t[bold red]": outcome})
    assert "t[bold red]" in scan("r/**/*.xml", "--same-commit").stdout


def test_narrow_terminals_hold(history, scan, monkeypatch):
    monkeypatch.setitem(os.environ, "COLUMNS", "60")
    assert "1 test flaky" in scan("reports/**/*.xml").stdout
