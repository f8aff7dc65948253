"""Keys of one secret, apart by purpose; what is stored under them must open again after an upgrade."""

import hashlib
import hmac

from fluxbase.auth.encryption import SecretBox
from fluxbase.derived_keys import derived_key
from fluxbase.http.csrf import token_for
from fluxbase.resources import Addresses

SECRET = "x" * 40


def test_one_for_each_purpose_and_secret():
    keys = {derived_key(secret, purpose) for secret in (SECRET, SECRET + "x") for purpose in ("one", "other")}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    assert derived_key(SECRET, "one") in keys


def test_what_was_sealed_before_opens():
    sealed = (  # by the version that had no derived_key yet
        "gAAAAABrBzncNAvapVkhW-NsnHREMLKTQjiARYpnoF9lVXhPID7cIAC-L56rp_ro1i3ZVrbmo5Ss0sRhNRpZHjpl68r3fK4aUg=="
    )
    assert SecretBox(SECRET, purpose="secrets at rest").open(sealed) == "a text"


def test_no_token_of_a_page_is_made_with_the_secret_that_signs_access_tokens():
    assert token_for(SECRET, "session") != hmac.new(SECRET.encode(), b"csrf:session", hashlib.sha256).hexdigest()


def test_installations_have_names():
    def of(secret: str, dsn: str) -> str:
        return Addresses(None, dsn, "redis://r", secret).installation

    assert of(SECRET, "postgresql://a/one") == of(SECRET, "postgresql://b:5432/one")
    assert len({of(s, f"postgresql://a/{d}") for s in (SECRET, SECRET + "x") for d in ("one", "other")}) == 4
