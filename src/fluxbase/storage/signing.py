"""Signed addresses: they show one object to whoever has them, as long as their signer could see it.

The address holds, sealed, which object it is for, until when, and who signed; not what they were allowed. That is asked
for anew at each use: the signer's session, account or key must still live, and the policies must still show them the
object.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

from fluxbase.auth.callers import Caller
from fluxbase.auth.encryption import SecretBox, UnreadableSecretError
from fluxbase.errors import InvalidRequestError
from fluxbase.storage.errors import InvalidSignatureError, SignatureExpiredError

LONGEST = timedelta(days=7)
_PURPOSE = "signed storage addresses"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed: a session, a service key, or a role alone."""

    role: str
    session_id: UUID | None
    key_id: UUID | None


def check_lifetime(seconds: Any) -> timedelta:
    """`expires_in` of a request.

    Raises:
        InvalidRequestError: 400.
    """
    most = int(LONGEST.total_seconds())
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 1 <= seconds <= most:
        raise InvalidRequestError(f"expires_in is a whole number of seconds, from 1 to {most}.")
    return timedelta(seconds=seconds)


def sign(secret: str, caller: Caller, bucket_id: str, name: str, *, now: datetime, lifetime: timedelta) -> str:
    """A token for one object, in the caller's name."""
    content = {
        "bucket": bucket_id,
        "name": name,
        "until": (now + lifetime).timestamp(),
        "role": caller.claims.role,
        "session": caller.session_id and str(caller.session_id),
        "key": caller.key_id and str(caller.key_id),
    }
    return SecretBox(secret, purpose=_PURPOSE).seal(json.dumps(content))


def redeem(secret: str, token: str, bucket_id: str, name: str, *, now: datetime) -> Signer:
    """Who signed this object's address.

    Raises:
        InvalidSignatureError: 403, it is damaged, not ours, or another object's.
        SignatureExpiredError: 403.
    """
    try:
        content: Mapping[str, Any] = json.loads(SecretBox(secret, purpose=_PURPOSE).open(token))
    except (UnreadableSecretError, UnicodeEncodeError) as error:
        raise InvalidSignatureError from error
    if (content["bucket"], content["name"]) != (bucket_id, name):
        raise InvalidSignatureError("This signed address is for another object.")
    if now.timestamp() >= content["until"]:
        raise SignatureExpiredError
    return Signer(content["role"], _uuid(content["session"]), _uuid(content["key"]))


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def address(base: str, bucket_id: str, name: str, token: str) -> str:
    """The whole address; `base` is the server's, without a slash at its end."""
    return f"{base}/api/v1/storage/{quote(bucket_id)}/{quote(name)}?token={token}"
