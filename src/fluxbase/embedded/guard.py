"""Embedded servers that die while somebody uses them are started again, where they were: their addresses are in use."""

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import structlog

from fluxbase.errors import ConfigurationError

logger = structlog.get_logger(__name__)

_LOOK_SECONDS = 2.0


class Server(Protocol):
    """An embedded server, as far as it can die."""

    def listens(self) -> bool:
        """Whether somebody takes connections at its address."""
        ...

    def ensure_running(self) -> str:
        """Start unless running; its address."""
        ...


type Starting = Callable[[], AbstractContextManager[None]]


@contextmanager
def guarded(servers: Mapping[str, Server], starting: Starting, ended: threading.Event) -> Generator[None]:
    """Look after `servers`, by their addresses, as long as the block lasts; then `ended` is set.

    Within `starting` nobody else starts or stops them.
    """
    thread = threading.Thread(target=_watch, args=(servers, starting, ended), name="embedded servers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _watch(servers: Mapping[str, Server], starting: Starting, ended: threading.Event) -> None:
    while not ended.wait(_LOOK_SECONDS):
        for address, server in servers.items():
            if not server.listens():
                _revive(address, server, starting, ended)


def _revive(address: str, server: Server, starting: Starting, ended: threading.Event) -> None:
    name = type(server).__name__.removeprefix("Embedded")
    try:
        with starting():
            if server.listens():
                return  # somebody else was faster
            elsewhere = server.ensure_running() != address
    except (ConfigurationError, OSError) as error:
        if ended.is_set():
            return  # nobody waits for it any more
        logger.error("embedded server does not start", server=name, error=str(error))  # noqa: TRY400 -- tried again
        return
    except Exception:  # whatever it is, the other server is to be looked after all the same
        logger.exception("embedded server does not start", server=name)
        return
    if elsewhere:
        logger.error("embedded server has lost its port to another program: restart what uses it", server=name)
    else:
        logger.warning("embedded server started again", server=name)
