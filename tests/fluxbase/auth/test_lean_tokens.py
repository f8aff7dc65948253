"""The lean check of our own tokens refuses whatever PyJWT refuses."""

import time

import jwt
import pytest

from fluxbase.auth import access_tokens
from fluxbase.auth.access_tokens import InvalidTokenError

SECRET = "a secret for tests only, long enough for HS256"
GOOD = {"iss": "fluxbase", "aud": "authenticated", "role": "anon", "iat": int(time.time()), "exp": time.time() + 86_400}
HEADER = {"typ": "JWT", "alg": "HS256", "kid": "other"}  # one that is not ours goes the long way

BAD = [
    GOOD | {"exp": time.time() - 1},
    GOOD | {"exp": "later"},
    {name: value for name, value in GOOD.items() if name != "exp"},
    {name: value for name, value in GOOD.items() if name != "role"},
    {name: value for name, value in GOOD.items() if name != "aud"},
    GOOD | {"aud": "others"},
    GOOD | {"iss": "others"},
    GOOD | {"nbf": time.time() + 86_400},
    GOOD | {"iat": time.time() + 86_400},
    GOOD | {"iat": "earlier"},
    GOOD | {"nbf": []},
    GOOD | {"role": "postgres"},
    GOOD | {"role": "authenticated"},
    GOOD | {"role": ["anon"]},
    GOOD | {"role": {}},
    GOOD | {"exp": float("nan")},
]


@pytest.mark.parametrize("headers", [None, HEADER], ids=["lean", "long"])
def test_good_tokens_are_taken_and_bad_ones_refused_on_both_ways(headers: dict | None) -> None:
    good = jwt.encode(GOOD, SECRET, "HS256", headers)
    assert access_tokens.verify(SECRET, good)["role"] == "anon"
    ahead = GOOD | {"iat": time.time() + 20, "nbf": time.time() + 20}  # the clock of the server that signed it
    assert access_tokens.verify(SECRET, jwt.encode(ahead, SECRET, "HS256", headers))["role"] == "anon"
    for claims in BAD:
        with pytest.raises(InvalidTokenError):
            access_tokens.verify(SECRET, jwt.encode(claims, SECRET, "HS256", headers))


@pytest.mark.parametrize("headers", [None, HEADER], ids=["lean", "long"])
def test_what_was_tampered_with_is_refused(headers: dict | None) -> None:
    head, payload, signature = jwt.encode(GOOD, SECRET, "HS256", headers).split(".")
    other = jwt.encode(GOOD | {"role": "service_role"}, SECRET, "HS256", headers).split(".")[1]
    for token in (
        f"{head}.{other}.{signature}",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}.",
        f"{head}..{signature}",
        f"{head}.{payload}.{signature[:-2]}é\udcff",
        jwt.encode(GOOD, SECRET + "!", "HS256", headers),
        jwt.encode(GOOD, None, "none"),
    ):
        with pytest.raises(InvalidTokenError):
            access_tokens.verify(SECRET, token)


@pytest.mark.parametrize("payload", [b'{"x": "\xff"}', b"", b"[]", b'{"x": NaN}', b"[" * 100_000 + b"]" * 100_000])
def test_what_was_signed_and_is_no_claims_is_refused(payload: bytes) -> None:
    with pytest.raises(InvalidTokenError):
        access_tokens.verify(SECRET, jwt.api_jws.encode(payload, SECRET, "HS256"))
