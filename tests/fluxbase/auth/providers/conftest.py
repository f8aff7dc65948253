"""A real OpenID Connect server beside us, and a GitHub of our own."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from oidc_provider_mock import User, run_server_in_thread

from fluxbase.auth.providers import configured
from fluxbase.auth.providers.model import Endpoints
from fluxbase.settings import OAuthProvider

PEOPLE = (
    User(sub="ada", claims={"email": "ada@example.com", "email_verified": True, "name": "Ada"}),
    User(sub="ada-too", claims={"email": "Ada@Example.com", "email_verified": True}),
    User(sub="eve", claims={"email": "ada@example.com", "email_verified": False}),
    User(sub="nobody", claims={}),
)


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_server_in_thread(user_claims=PEOPLE, require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


class FakeGitHub(BaseHTTPRequestHandler):
    """As much of GitHub as we ask for. It holds us to PKCE: the code is the challenge itself."""

    verified = True

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        right = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == form["code"][0]
        self._answer({"access_token": "gho_x", "token_type": "bearer"} if right else {"error": "bad_verification_code"})

    def do_GET(self) -> None:
        assert self.headers["authorization"] == "Bearer gho_x"
        other = {"email": "other@example.com", "primary": False, "verified": True}
        mine = {"email": "ada@example.com", "primary": True, "verified": self.verified}
        self._answer([other, mine] if self.path.endswith("/emails") else {"id": 4711, "login": "ada", "name": None})

    def _answer(self, body: object) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def github(monkeypatch) -> Iterator[type[FakeGitHub]]:
    handler = type("Handler", (FakeGitHub,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    endpoints = Endpoints(f"{base}/login/oauth/authorize", f"{base}/login/oauth/access_token", f"{base}/user")
    monkeypatch.setattr(configured, "GITHUB_ENDPOINTS", endpoints)
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def app(app, issuer):
    app.state.settings = app.state.settings.model_copy(
        update={
            "signin_attempts_per_minute": 1000,
            "redirect_urls": ("https://app.example.com/back",),
            "oauth_providers": {
                "oidc": OAuthProvider(client_id="us", client_secret="ours", issuer=issuer),
                "github": OAuthProvider(client_id="us", client_secret="ours"),
                "gone": OAuthProvider(client_id="us", client_secret="ours", issuer="http://127.0.0.1:1"),
            },
        }
    )
    return app
