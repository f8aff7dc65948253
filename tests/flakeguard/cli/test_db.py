"""`flakeguard db` where the database cannot be used: no trace, but what to do."""

import pytest


@pytest.mark.parametrize("command", ["migrate", "status"])
def test_a_database_that_does_not_answer(run, monkeypatch, unused_port, command):
    monkeypatch.setenv("DATABASE_URL", f"postgresql://owner:hidden@127.0.0.1:{unused_port}/flakeguard")
    result = run(["db", command])
    assert result.exit_code == 5
    assert "does it run?" in result.stderr
    assert "hidden" not in result.output
