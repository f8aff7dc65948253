"""Secrets at rest: sealed, rotated, never opened by the wrong key."""

import pytest

from fluxbase.auth.encryption import SecretBox, UnreadableSecretError
from fluxbase.errors import ConfigurationError

HOOK = "https://hooks.slack.com/services/T0/B0/äöü"


def test_what_is_sealed_opens_again_and_shows_nothing():
    sealed = SecretBox(("first",)).seal(HOOK)
    assert SecretBox(("first",)).open(sealed) == HOOK
    assert "slack" not in sealed
    assert sealed.isascii()
    assert SecretBox(("first",)).seal(HOOK) != sealed


def test_an_old_secret_still_opens_and_a_new_one_seals():
    old = SecretBox(("old",)).seal(HOOK)
    both = SecretBox(("new", "old"))
    assert both.open(old) == HOOK
    moved = both.reseal(old)
    assert SecretBox(("new",)).open(moved) == HOOK
    with pytest.raises(UnreadableSecretError):
        SecretBox(("old",)).open(moved)


def test_other_secrets_other_purposes_and_changed_texts_do_not_open():
    sealed = SecretBox(("first",)).seal(HOOK)
    for box in (SecretBox(("second",)), SecretBox(("first",), purpose="cookies")):
        with pytest.raises(UnreadableSecretError):
            box.open(sealed)
        with pytest.raises(UnreadableSecretError):
            box.reseal(sealed)
    with pytest.raises(UnreadableSecretError):
        SecretBox(("first",)).open(sealed[:-4] + "AAAA")


@pytest.mark.parametrize("secrets", [(), ("",), ("good", "")])
def test_a_box_needs_secrets(secrets):
    with pytest.raises(ConfigurationError):
        SecretBox(secrets)
