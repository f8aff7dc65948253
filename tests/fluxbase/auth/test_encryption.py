"""Secrets at rest: sealed, never opened by the wrong key."""

import pytest

from fluxbase.auth.encryption import SecretBox, UnreadableSecretError
from fluxbase.errors import ConfigurationError

HOOK = "https://hooks.slack.com/services/T0/B0/äöü"


def box(secret: str = "first", purpose: str = "hooks") -> SecretBox:
    return SecretBox(secret, purpose=purpose)


def test_what_is_sealed_opens_again_and_shows_nothing():
    sealed = box().seal(HOOK)
    assert box().open(sealed) == HOOK
    assert "slack" not in sealed
    assert sealed.isascii()
    assert box().seal(HOOK) != sealed


def test_other_secrets_other_purposes_and_changed_texts_do_not_open():
    sealed = box().seal(HOOK)
    for other, text in ((box("second"), sealed), (box(purpose="cookies"), sealed), (box(), sealed[:-4] + "AAAA")):
        with pytest.raises(UnreadableSecretError):
            other.open(text)


def test_a_box_needs_a_secret():
    with pytest.raises(ConfigurationError):
        box("")
