"""To GitHub and back: what leaves with the browser, so that only the session that left can come back. Pure.

The state names installation and organisation under an HMAC that also covers the session; nothing is stored. PKCE's
verifier is an HMAC of the state: GitHub gives its code only to who can derive it.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

LIFETIME_SECONDS = 3600
_PUBLIC_API = "https://api.github.com"


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody's wish that an installation be an organisation's, until `expires_at` (seconds since 1970)."""

    installation_id: int
    organization: str
    session: str
    expires_at: int


def seal(wish: Wish, key: bytes) -> str:
    """The state of a wish."""
    told = _encoded(json.dumps([wish.installation_id, wish.organization, wish.expires_at]).encode())
    return f"{told}.{_mac(key, told, wish.session)}"


def unseal(state: str, key: bytes, *, session: str, now: int) -> Wish | None:
    """The wish of a state; None when another session left with it, it is none of ours, or too old."""
    told, _, mac = state.partition(".")
    if not hmac.compare_digest(mac.encode(), _mac(key, told, session).encode()):
        return None
    installation_id, organization, expires_at = json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
    return Wish(installation_id, organization, session, expires_at) if expires_at > now else None


def verifier(state: str, key: bytes) -> str:
    """PKCE's code verifier of a state."""
    return _encoded(hmac.digest(key, f"verifier of {state}".encode(), hashlib.sha256))


def authorize_url(api_url: str, client_id: str, state: str, key: bytes, *, redirect_uri: str) -> str:
    """Where the browser is sent."""
    challenge = _encoded(hashlib.sha256(verifier(state, key).encode()).digest())
    query: dict[str, Any] = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{web_url(api_url)}/login/oauth/authorize?{urlencode(query)}"


def web_url(api_url: str) -> str:
    """Where people see GitHub, for the address of its API: github.com, an Enterprise server, or a `ghe.com` tenant."""
    api = api_url.rstrip("/")
    if api == _PUBLIC_API:
        return "https://github.com"
    parts = urlsplit(api)
    host = parts.netloc.removeprefix("api.") if parts.netloc.endswith(".ghe.com") else parts.netloc
    return f"{parts.scheme}://{host}"


def install_url(api_url: str, slug: str) -> str:
    """Where people install the App; an Enterprise server keeps `apps` for itself."""
    web = web_url(api_url)
    is_cloud = web == "https://github.com" or web.endswith(".ghe.com")
    return f"{web}/{'apps' if is_cloud else 'github-apps'}/{slug}/installations/new"


def _mac(key: bytes, told: str, session: str) -> str:
    return _encoded(hmac.digest(key, f"{session}\n{told}".encode(), hashlib.sha256))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
