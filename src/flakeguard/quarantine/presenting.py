"""Decisions as the API's JSON. Pure."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flakeguard.quarantine.repository import Decision, ListedDecision


def decision_as_json(decision: Decision) -> dict[str, Any]:
    """A decision; times in RFC 3339."""
    return {name: _plain(value) for name, value in asdict(decision).items()}


def listed_as_json(listed: ListedDecision) -> dict[str, Any]:
    """A decision with its test."""
    named = {name: _plain(value) for name, value in asdict(listed).items() if name != "decision"}
    return decision_as_json(listed.decision) | named


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
