"""`flakeguard up`, as `make run` starts it: one address, an upload through it, Ctrl-C, and the data is still there."""

import socket

import httpx

from fluxbase.embedded import Home
from fluxbase.embedded.postgres import EmbeddedPostgres, wheel_archive

from ..chaos.installation import running, temporary_home, until
from ..chaos.test_kill import TESTS, send, signed_up


def test_up_serves_stops_cleanly_and_keeps_the_data() -> None:
    with temporary_home() as home:
        with running(home) as up, signed_up(up) as (client, token, _project):
            session = client.headers["Authorization"]
            first = send(up, token, 1)
            until(lambda: client.get(f"/api/v1/ingestions/{first}").json()["data"]["state"] == "analyzed", 60)
            assert httpx.get(up.url, trust_env=False, follow_redirects=True).is_success
        assert up.process.returncode == 0
        assert "FlakeGuard is ready" in up.log.read_text()
        assert not EmbeddedPostgres(Home(home), wheel_archive()).is_running(), "Ctrl-C stops all of it"

        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            taken = busy.getsockname()[1]
            with running(home, port=taken, moved_aside=True) as again:
                assert again.port != taken
                url, headers = f"{again.url}/api/v1/ingestions/{first}", {"Authorization": session}
                kept = httpx.get(url, headers=headers, trust_env=False).json()["data"]
                assert kept["stored"]["test_results"] == TESTS
