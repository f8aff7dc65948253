import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from aiosmtpd.smtp import SMTP
from fastapi import FastAPI

from fluxbase.auth.accounts import AccountHooks
from fluxbase.auth.mail.delivery import Sender
from fluxbase.resources import Resources


@dataclass
class Mailbox:
    """A real SMTP server on the loopback; `answers` are what it says to the next mails instead of taking them."""

    mails: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def text(self) -> str:
        """The last mail's."""
        return self.mails[-1].get_content().replace("\r\n", "\n")

    @property
    def link(self) -> str:
        return re.search(r"^  (\S+)$", self.text, re.MULTILINE)[1]

    @property
    def token(self) -> str:
        return re.search(r"token=([\w-]+)", self.link)[1]

    @property
    def code(self) -> str:
        return re.search(r"^  (\d{6})$", self.text, re.MULTILINE)[1]


class Handler:
    """What aiosmtpd calls; it reads every attribute of its handler, so this is not the mailbox itself."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box

    async def handle_DATA(self, _server: SMTP, _session: object, envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        if self._box.answers:
            return self._box.answers.pop(0)
        message = message_from_bytes(envelope.content, policy=default)
        assert envelope.rcpt_tos == [message["To"]]
        self._box.mails.append(message)
        return "250 OK"


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box, loop = Mailbox(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(box), loop=loop, hostname="localhost"), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box


@pytest.fixture
def mailing(app: FastAPI, mailbox: Mailbox) -> FastAPI:
    """The application, configured to send to the mailbox, with limits out of the way."""
    app.state.settings = app.state.settings.model_copy(
        update={
            "smtp_host": "127.0.0.1",
            "smtp_port": mailbox.port,
            "smtp_tls": "none",
            "smtp_from": "Fluxbase <fluxbase@example.com>",
            "signin_attempts_per_minute": 1000,
            "redirect_urls": ("https://app.example.com/back",),
        }
    )
    return app


@pytest.fixture
def deliver(mailing: FastAPI, resources: Resources) -> Callable[[], Awaitable[int]]:
    """Send what is due, as each process does beside its routes."""

    async def send() -> int:
        hooks = getattr(mailing.state, "account_hooks", AccountHooks())
        return await Sender(resources, mailing.state.settings, hooks).send_due()

    return send
