"""A server that went away is told in a line; what is no server's fault is not told as one."""

import errno
from contextlib import nullcontext

import asyncpg
import pytest
import typer

from flakeguard.cli import starting as flakeguards
from flakeguard.settings import FlakeGuardSettings
from fluxbase.cli import starting as fluxbases

LEFT = (
    asyncpg.UndefinedTableError("no such relation"),
    asyncpg.UniqueViolationError("it is there"),
    asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
    PermissionError(errno.EACCES, "binding to port 80"),
    OSError(errno.EADDRINUSE, "address in use"),
    FileNotFoundError(errno.ENOENT, "no such file", "/no/such"),
    BrokenPipeError(errno.EPIPE, "nobody reads"),
    KeyError("a mistake of ours"),
)
TOLD = (
    ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"),
    OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 5432)"),
    TimeoutError(),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.AdminShutdownError("terminating connection due to administrator command"),
    asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    asyncpg.InvalidPasswordError("password authentication failed"),
    asyncpg.InterfaceError("connection is closed"),
)


@pytest.fixture(params=(flakeguards, fluxbases), ids=("flakeguard", "fluxbase"))
def reached(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(request.param, "reach_servers", lambda *_: nullcontext())
    monkeypatch.setattr(request.param, "configure_logging", lambda **_: None)
    return request.param.reached(FlakeGuardSettings())


@pytest.mark.parametrize("error", LEFT, ids=lambda error: type(error).__name__)
def test_the_commands_own_trouble_stays_what_it_is(reached, error: Exception) -> None:
    with pytest.raises(type(error)) as raised, reached:
        raise error
    assert raised.value is error


@pytest.mark.parametrize("error", TOLD, ids=lambda error: type(error).__name__)
def test_a_server_that_cannot_be_used_is_said(reached, error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, reached:
        raise error
    assert ended.value.exit_code == 5
    assert f"a server cannot be used ({type(error).__name__}" in capsys.readouterr().err
