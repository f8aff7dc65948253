"""Texts without escape codes, and tables that spreadsheets do not run."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flakeguard.dashboard.export import as_csv, as_json
from flakeguard.dashboard.model import ListedTest
from flakeguard.dashboard.model import TestName as Name
from flakeguard.dashboard.snippets import snippets
from flakeguard.dashboard.texts import failure_text, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;https://example.com\x07link\x1b]8;;\x07", "link"),
        ("[31mlost its escape[0m", "lost its escape"),
        ("list[0] stays [1, 2]", "list[0] stays [1, 2]"),
        ("\ufffd[1;31mreplaced\ufffd[0m", "replaced"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("\x00\x08", None),
        (None, None),
    ],
)
def test_plain(text: str | None, expected: str | None) -> None:
    assert plain(text) == expected


def test_details_that_repeat_the_message_are_shown_once() -> None:
    text = failure_text("E", "same", "same\n")
    assert text is not None
    assert (text.message, text.details, text.first_line) == ("same", None, "same")
    assert failure_text(None, None, " \x1b[0m") is None or failure_text(None, None, None) is None


def listed(name: str) -> ListedTest:
    return ListedTest(
        id=1, name=Name("suite", "a.py", "A", name, ""), verdict="flaky", severity="low", score=0.5,
        flake_rate_low=None, flake_rate=None, flake_rate_high=None, runs=3, failures=1, broken_branches=("a", "b"),
        duration_ms=1.5, last_failed_at=None, last_seen_at=datetime(2026, 1, 1, tzinfo=UTC), recent=(),
    )  # fmt: skip


def test_csv_disarms_formulas() -> None:
    (row,) = csv.DictReader(io.StringIO(as_csv([listed("=HYPERLINK(1)")])))
    assert row["name"] == "'=HYPERLINK(1)"
    assert row["broken_branches"] == "a b"


def test_json_keeps_names_as_they_are() -> None:
    (row,) = json.loads(json.dumps(as_json([listed("=x")])))
    assert row["name"] == "=x"
    assert row["last_seen_at"] == "2026-01-01T00:00:00+00:00"


def test_snippets_name_the_project_and_keep_the_key_out() -> None:
    found = snippets("https://fg.example.com", "web-shop", "trunk")
    assert [snippet.id for snippet in found] == [
        "github",
        "gitlab",
        "jenkins",
        "circleci",
        "buildkite",
        "azure",
        "curl",
    ]
    for snippet in found:
        assert "https://fg.example.com" in snippet.text
        assert "web-shop" in snippet.text
        assert "FLAKEGUARD_API_KEY" in snippet.text + snippet.where


def test_snippets_run_when_the_documented_ones_do() -> None:
    documented = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    for snippet in snippets("https://fg.example.com", "web-shop", "trunk"):
        for condition in re.findall(r"^ *((?:if|when|condition): .*)$", snippet.text, re.MULTILINE):
            assert condition in documented, snippet.id
