"""FastAPI, and a way past it for what is asked most."""

from collections.abc import Callable, Sequence
from typing import Any, override

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from fluxbase.http.description import completed
from fluxbase.http.surround import Surround

type Shortcut = Callable[[Scope], ASGIApp | None]
"""Finds what answers a request without middlewares and router; None leaves it to them."""


class Application(FastAPI):
    """An application that `http.install` surrounds.

    Attributes:
        surround: Stands around every request, whichever way it takes.
        shortcut: The way past FastAPI: its middlewares and its router cost more than a small request of ours.
        envelope_prefixes: Paths that tell errors in an envelope.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.surround: Surround | None = None
        self.shortcut: Shortcut | None = None
        self.envelope_prefixes: Sequence[str] = ()

    @override
    def openapi(self) -> dict[str, Any]:
        """The description of all routes, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = completed(super().openapi(), self.envelope_prefixes)
        return self.openapi_schema

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        short = self.shortcut(scope) if self.shortcut and scope["type"] == "http" else None
        if short is None or self.surround is None:
            await super().__call__(scope, receive, send)
        else:
            scope["app"] = self
            await self.surround(short, scope, receive, send)


class Surrounded:
    """The surround as Starlette's middleware, for all that takes no shortcut."""

    def __init__(self, app: ASGIApp, surround: Surround) -> None:
        self._app = app
        self._surround = surround

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        await self._surround(self._app, scope, receive, send)
