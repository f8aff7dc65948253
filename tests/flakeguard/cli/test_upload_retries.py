"""`flakeguard upload` where the server is away, busy, or refuses: what is tried again, and how it leaves."""

import pytest

from .fake_server import RESET


class TestRetries:
    def test_429_waits_as_long_as_the_server_says(self, upload, write, server, waits):
        write("a.xml")
        server.refuse(429, "rate_limit_exceeded", headers={"Retry-After": "7"})
        result = upload("a.xml")
        assert result.exit_code == 0
        assert waits == [7]
        assert "Trying again in 7 s" in result.stderr

    def test_503_backs_off_longer_each_time(self, upload, write, server, waits):
        write("a.xml")
        for _ in range(3):
            server.refuse(503, "unavailable")
        assert upload("a.xml").exit_code == 0
        assert len(server.uploads) == 4
        assert waits[0] >= 1
        assert waits[2] > waits[0]

    def test_a_reset_connection_is_tried_again_with_the_whole_body(self, upload, write, server):
        write("a.xml")
        server.answers.append(RESET)
        assert upload("a.xml").exit_code == 0
        first, second = server.uploads
        assert first.files == second.files

    def test_429_for_ever_is_a_refusal(self, upload, write, server):
        write("a.xml")
        for _ in range(5):
            server.refuse(429, "rate_limit_exceeded", "slow down")
        result = upload("a.xml")
        assert (result.exit_code, len(server.uploads)) == (4, 5)
        assert "rate_limit_exceeded: slow down" in result.stderr

    def test_503_for_ever_is_unreachable(self, upload, write, server):
        write("a.xml")
        for _ in range(2):
            server.refuse(503, "unavailable", "down")
        result = upload("a.xml", "--attempts", "2")
        assert result.exit_code == 5
        assert server.url in result.stderr

    def test_a_wait_beyond_our_patience_is_not_begun(self, upload, write, server, waits):
        write("a.xml")
        server.refuse(429, "rate_limit_exceeded", headers={"Retry-After": "3600"})
        assert upload("a.xml").exit_code == 4
        assert waits == []

    def test_nobody_listens(self, upload, write, server, unused_port):
        write("a.xml")
        result = upload("a.xml", "--url", f"http://127.0.0.1:{unused_port}", "--attempts", "2")
        assert result.exit_code == 5
        assert "cannot be reached" in result.stderr

    def test_what_arrived_before_the_end_is_said(self, upload, write, server):
        for number in range(3):
            write(f"{number}.xml")
        server.answers.append((202, {}, {"data": {"ingestion_id": "x"}}))
        server.refuse(401, "expired_api_key")
        result = upload("*.xml", "--max-files", "2")
        assert result.exit_code == 4
        assert "2 of 3 reports had arrived before" in result.stderr


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "code", "advice"),
        [
            (401, "invalid_api_key", "settings page"),
            (401, "expired_api_key", "Rotate"),
            (400, "invalid_meta", "--dry-run"),
            (400, "invalid_junit_xml", "flakeguard parse"),
        ],
    )
    def test_the_servers_code_and_message_and_what_to_do(self, upload, write, server, status, code, advice):
        write("a.xml")
        server.refuse(status, code, "because")
        result = upload("a.xml")
        assert (result.exit_code, len(server.uploads)) == (4, 1)
        for text in (code, "because", advice, "req-1"):
            assert text in result.stderr

    def test_an_answer_of_somebody_else(self, upload, write, server):
        write("a.xml")
        server.answers.append((200, {"Content-Type": "text/html"}, b"<html>Welcome to nginx</html>"))
        result = upload("a.xml")
        assert result.exit_code == 4
        assert "not FlakeGuard's" in result.stderr

    def test_a_redirect_is_not_followed_with_the_key(self, upload, write, server):
        write("a.xml")
        server.answers.append((301, {"Location": "https://elsewhere.example/"}, b""))
        result = upload("a.xml")
        assert (result.exit_code, len(server.uploads)) == (4, 1)
        assert "https://elsewhere.example/" in result.stderr
