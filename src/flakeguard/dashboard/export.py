"""The project's table for spreadsheets and machines. Pure."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from flakeguard.dashboard.model import ListedTest

COLUMNS = (
    "id",
    *("suite", "file", "class_name", "name", "variant"),
    *("verdict", "severity", "score", "flake_rate", "flake_rate_low", "flake_rate_high"),
    *("runs", "failures", "broken_branches", "duration_ms", "last_failed_at", "last_seen_at"),
)
# A cell that begins so is a formula to spreadsheets, and test names come from whoever opens a pull request.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def as_json(tests: Iterable[ListedTest]) -> list[dict[str, Any]]:
    """One object a test, with the columns of COLUMNS; times in RFC 3339."""
    return [_row(test) for test in tests]


def as_csv(tests: Iterable[ListedTest]) -> str:
    """A header and one line a test; texts that a spreadsheet would run as formulas get an apostrophe in front."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in _row(test).items()} for test in tests)
    return out.getvalue()


def _row(test: ListedTest) -> dict[str, Any]:
    name = test.name
    return {
        "id": test.id,
        "suite": name.suite,
        "file": name.file,
        "class_name": name.class_name,
        "name": name.name,
        "variant": name.variant,
        "verdict": test.verdict,
        "severity": test.severity,
        "score": round(test.score, 4),
        "flake_rate": _rounded(test.flake_rate),
        "flake_rate_low": _rounded(test.flake_rate_low),
        "flake_rate_high": _rounded(test.flake_rate_high),
        "runs": test.runs,
        "failures": test.failures,
        "broken_branches": list(test.broken_branches),
        "duration_ms": test.duration_ms,
        "last_failed_at": test.last_failed_at.isoformat() if test.last_failed_at else None,
        "last_seen_at": test.last_seen_at.isoformat(),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(str(item) for item in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- list of anything
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
