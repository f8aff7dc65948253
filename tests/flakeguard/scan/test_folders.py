"""What paths say of runs, commits and jobs."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from flakeguard.scan.folders import Place, branch_of, commit_of, group, places
from flakeguard.uploading.files import ReportFile


def folders(*names):
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    reports = [f"{name}/junit.xml" for name in names]
    return group(ReportFile(Path(name), name.lstrip("/"), 1, moment) for name in reports)


def found(*names):
    return {folder.name: place for folder, place in zip(folders(*names), places(folders(*names)), strict=True)}


def test_one_folder_is_one_run_in_the_order_people_count():
    assert [folder.name for folder in folders("r/run-10", "r/run-9", "r/run-9")] == ["r/run-9", "r/run-10"]


@pytest.mark.parametrize(
    ("component", "commit"),
    [
        ("1a2b3c4", "1a2b3c4"),
        ("1A2B3C4", "1a2b3c4"),
        ("0123456789" * 4, "0123456789" * 4),
        ("sha-1234567", "1234567"),
        ("run-3-sha-1a2b3c4", "1a2b3c4"),
        ("commit_1a2b3c4d", "1a2b3c4d"),
        ("20260102", None),
        ("defaced", None),
        ("1a2b3c", None),
        ("1a2b3c4g", None),
    ],
)
def test_commits(component, commit):
    assert found(f"r/{component}/1", "r/other/1")[f"r/{component}/1"].commit == commit


def test_all_digit_commits_are_known_by_their_neighbours():
    assert found("r/1234567", "r/1a2b3c4")["r/1234567"].commit == "1234567"


@pytest.mark.parametrize(
    "component", ["1", "run-3", "run_03", "attempt2", "retry-1", "2026-01-02T03:04:05Z", "20260102-030405", "#7"]
)
def test_counters_are_no_jobs(component):
    assert found(f"r/1a2b3c4/{component}", "r/1a2b3c4/linux")[f"r/1a2b3c4/{component}"] == Place("1a2b3c4", "")


def test_what_is_left_is_the_job():
    assert found("r/linux-py3.12/1a2b3c4/run-1", "r/windows/1a2b3c4/run-1") == {
        "r/linux-py3.12/1a2b3c4/run-1": Place("1a2b3c4", "linux-py3.12"),
        "r/windows/1a2b3c4/run-1": Place("1a2b3c4", "windows"),
    }


def test_what_all_paths_share_is_no_job():
    assert {place.job for place in found("build/reports/1", "build/reports/2").values()} == {""}


def test_a_commit_that_all_runs_share_is_one_but_no_folder_of_the_machine():
    assert {place.commit for place in found("r/1a2b3c4/1", "r/1a2b3c4/2").values()} == {"1a2b3c4"}
    assert set(found("abc1234/linux/1", "abc1234/linux/2").values()) == {Place("abc1234", "")}
    assert {place.commit for place in found("/r/1a2b3c4/1", "/r/1a2b3c4/2").values()} == {"1a2b3c4"}
    for elsewhere in ("/builds/1a2b3c4/r", "../1a2b3c4/r"):
        assert {place.commit for place in found(f"{elsewhere}/1", f"{elsewhere}/2").values()} == {None}


def test_what_tells_runs_apart_is_the_commit_before_what_they_share():
    assert found("cache1a/deadbee1/1a2b3c4/1", "cache1a/deadbee1/2b3c4d5/1") == {
        "cache1a/deadbee1/1a2b3c4/1": Place("1a2b3c4", ""),
        "cache1a/deadbee1/2b3c4d5/1": Place("2b3c4d5", ""),
    }


def test_absolute_paths_keep_their_root():
    assert [folder.name for folder in folders("/ci/run-1", "/ci/run-2")] == ["/ci/run-1", "/ci/run-2"]


def test_properties():
    assert commit_of({"CI": "yes", "git.commit.id": "1A2B3C4D"}) == "1a2b3c4d"
    assert commit_of({"GITHUB_SHA": "f" * 40}) == "f" * 40
    assert commit_of({"revision": "release 1.2"}) is None
    assert branch_of({"git.branch": "main"}) == "main"
    assert branch_of({}) is None
