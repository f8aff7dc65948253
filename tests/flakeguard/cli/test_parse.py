"""`flakeguard parse`, from the command line."""

import gzip
import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flakeguard.cli import app

REPORT = (
    '<testsuite name="s"><testcase name="a" time="1.5"/><testcase name="b"><failure message="m"/></testcase>'
    "</testsuite>"
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["parse", *arguments])
    return result.exit_code, result.stdout


def write(name: str, content: str | bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_json_says_what_was_understood():
    write("r/a.xml", REPORT)
    code, output = run("r/a.xml", "--json")

    assert code == 0
    assert json.loads(output) == {
        "files": [
            {
                "path": "r/a.xml", "format": "junit", "suites": 1, "cases": 2, "attempts": 2, "passed": 1, "failed": 1,
                "errors": 0, "skipped": 0, "seconds": 1.5, "warnings": [], "error": None,
            }
        ]
    }  # fmt: skip


def test_one_unreadable_file_spoils_the_exit_code_and_nothing_else():
    write("r/a.xml", REPORT)
    write("r/pom.xml", "<project/>")
    code, output = run("r", "--json")
    files = {file["path"]: file for file in json.loads(output)["files"]}

    assert code == 1
    assert files["r/a.xml"]["cases"] == 2
    assert files["r/pom.xml"]["error"].startswith("not_a_report")
    assert files["r/pom.xml"]["cases"] == 0


def test_globs_folders_and_archives_are_read():
    write("r/deep/a.xml", REPORT)
    write("r/b.xml.gz", gzip.compress(REPORT.encode()))
    with zipfile.ZipFile("r/c.zip", "w") as archive:
        archive.writestr("in/d.xml", REPORT)
        archive.writestr("in/e.xml", REPORT)

    _, by_folder = run("r", "--json")
    _, by_glob = run("r/**/*.xml", "--json")

    assert sorted(file["path"] for file in json.loads(by_folder)["files"]) == [
        "r/b.xml.gz", "r/c.zip!in/d.xml", "r/c.zip!in/e.xml", "r/deep/a.xml",
    ]  # fmt: skip
    assert [file["path"] for file in json.loads(by_glob)["files"]] == ["r/deep/a.xml"]


def test_people_get_a_table_with_warnings_below():
    write("a.xml", REPORT)
    write("cut.xml", REPORT[:60])
    write("none.xml", "hello")
    code, output = run("a.xml", "cut.xml", "none.xml")

    assert code == 1
    assert "a.xml" in output
    assert "ends too early" in output
    assert "not_a_report" in output
    assert "2 reports read, 3 test cases, 3 attempts; 1 file could not be read" in output


def test_in_a_pipe_paths_are_whole_and_lines_have_no_blanks_at_their_ends(tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    deep = "/".join(["a-folder-with-a-long-name"] * 6)
    for name in ("a.xml", f"{deep}/b.xml"):
        write(f"reports/{name}", REPORT)
    Path("elsewhere").mkdir()

    _, below = run("reports")
    monkeypatch.chdir("elsewhere")
    _, absolute = run(str(tmp_path / "reports"))
    _, beside = run("../reports")

    assert f" reports/{deep}/b.xml\n" in below
    for output, folder in ((absolute, f"{tmp_path}/reports"), (beside, "../reports")):
        assert output.startswith(f"in {folder}/\n")
        assert f" {deep}/b.xml\n" in output
    assert not [line for line in (below + absolute + beside).splitlines() if line != line.rstrip()]


def test_nothing_that_matches_is_an_error_of_its_own():
    code, _ = run("nothing/**/*.xml")

    assert code == 3
