"""What cannot be stored is refused when it arrives, by name; never accepted and then failed."""

import json

import pytest

from flakeguard.errors import InvalidMetaError
from flakeguard.ingestion.meta import RunMeta


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("branch", "main\x00"),
        ("job_name", "unit\x1f"),
        ("branch", "\ud800"),
        ("run_url", "https://ci.example.com/\x00"),
        ("github_run_number", 2**63),
        ("github_run_id", "\x00"),
        ("github_run_id", 2**4000),
        ("pr_number", 2**31),
        ("started_at", "0001-01-01T00:00:00+14:00"),
        ("completed_at", "9999-12-31T23:59:59-12:00"),
    ],
)
def test_values_that_no_column_holds_are_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidMetaError, match=f"{field}|JSON"):
        RunMeta.parse(json.dumps({"sha": "abcdef0", field: value}).encode())


def test_names_in_any_script_are_kept() -> None:
    meta = RunMeta.parse(json.dumps({"sha": "abcdef0", "branch": " feature/größe-✓ ", "github_run_id": 12}).encode())
    assert (meta.branch, meta.github_run_id) == ("feature/größe-✓", "12")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sha": "a b"}, "sha: must be 4 to 64 letters, digits, dots, dashes or underscores"),
        ({"sha": "abcdef0", "branch": "a\x00"}, "branch: must not hold control characters"),
        ({"sha": "abcdef0", "run_url": "ftp://ci"}, "run_url: must be an http or https address without blanks"),
    ],
)
def test_what_is_wrong_is_said_in_words(fields: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidMetaError) as refused:
        RunMeta.parse(json.dumps(fields).encode())
    assert str(refused.value) == f"meta is not usable: {words}"
