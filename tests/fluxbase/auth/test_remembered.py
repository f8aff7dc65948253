from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from fluxbase.auth import access_tokens, remembered
from fluxbase.auth.access_tokens import InvalidTokenError, issue_for_role
from fluxbase.auth.identity import verified_claims
from fluxbase.auth.remembered import Remembered

SECRET = "a secret for tests only, long enough for HS256"


def connection() -> SimpleNamespace:
    state = SimpleNamespace(resources=SimpleNamespace(addresses=SimpleNamespace(secret=SECRET)))
    return SimpleNamespace(app=SimpleNamespace(state=state))


def test_a_token_is_verified_once_and_expires_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, verified = connection(), []
    real = access_tokens.verify
    monkeypatch.setattr(access_tokens, "verify", lambda *given: verified.append(given) or real(*given))
    token = issue_for_role(SECRET, "anon", now=datetime.now(UTC), lifetime=timedelta(minutes=15))
    assert verified_claims(asked, token) is verified_claims(asked, token)
    assert len(verified) == 1
    later = datetime.now(UTC).timestamp() + 901
    monkeypatch.setattr("time.time", lambda: later)
    with pytest.raises(InvalidTokenError):
        verified_claims(asked, token)


def test_what_was_refused_is_not_remembered_and_a_changed_token_is_another() -> None:
    asked = connection()
    token = issue_for_role(SECRET, "anon", now=datetime.now(UTC), lifetime=timedelta(minutes=15))
    verified_claims(asked, token)
    for wrong in (token[:-2], token + "x", "x"):
        for _ in range(2):
            with pytest.raises(InvalidTokenError):
                verified_claims(asked, wrong)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "_MOST", 3)
    memory: Remembered[int] = Remembered()
    for number in range(5):
        memory.add(str(number), number)
    assert [memory.get(str(number)) for number in range(5)] == [None, None, 2, 3, 4]
