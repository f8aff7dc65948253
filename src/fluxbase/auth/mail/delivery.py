"""Sending the mail that was asked for: each process sends, none sends what another one claimed.

A request is claimed when its turn has come, for longer than a server may take, and deleted when its mail is handed
over. Until then it is tried again, with longer and longer pauses, for an hour.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage

import structlog
from fastapi import FastAPI

from fluxbase.auth import one_time, repository
from fluxbase.auth.accounts import AccountHooks
from fluxbase.auth.mail import links, messages, smtp
from fluxbase.auth.mail.requests import CHANNEL
from fluxbase.auth.one_time import LIFETIMES, Purpose
from fluxbase.db import load
from fluxbase.db.listener import Listener
from fluxbase.repeating import beside, repeat
from fluxbase.resources import Resources
from fluxbase.settings import Settings

logger = structlog.get_logger(__name__)

_SQL = load(__package__ or "")

_CLAIM = timedelta(seconds=60)
_AT_ONCE = 4  # mails of one process: a slow server must not hold up the next ones
_GIVE_UP_AFTER = timedelta(hours=1)
_FIRST_PAUSE = timedelta(seconds=5)
_LOOK_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class MailRequest:
    """A row of auth.mail_requests that this process claimed."""

    id: int
    purpose: str
    email: str
    redirect_to: str | None
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Sender:
    """What sending needs."""

    resources: Resources
    settings: Settings
    hooks: AccountHooks

    async def send_due(self) -> int:
        """Send what is due now, a few at once; how many requests were taken.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError: The database is away. Claims that are open run out.
        """
        outcomes = await asyncio.gather(*(self._send_in_turn() for _ in range(_AT_ONCE)), return_exceptions=True)
        return sum(_count(outcome) for outcome in outcomes)

    async def _send_in_turn(self) -> int:
        taken = 0
        while (request := await self._claim()) is not None:
            await self._send(request)
            taken += 1
        return taken

    async def _claim(self) -> MailRequest | None:
        async with self.resources.database.transaction() as connection:
            row = await connection.fetchrow(_SQL["claim_mail_request"], self.resources.now(), _CLAIM)
        return MailRequest(**dict(row)) if row else None

    async def _send(self, request: MailRequest) -> None:
        try:
            message = await self._compose(request)
            if message is not None:
                await smtp.send(self.settings, message)
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with one mail, the others are to go out
            await self._put_off(request, error)
            return
        if message is not None:
            logger.info("mail sent", purpose=request.purpose, attempts=request.attempts)
        await self._drop(request)

    async def _compose(self, request: MailRequest) -> EmailMessage | None:
        """The mail with a fresh token; None when the address has no account that may have it."""
        async with self.resources.database.transaction() as connection:
            user = await repository.find_user_by_email(connection, request.email)
            if user is None or (request.purpose == "confirmation" and user.email_confirmed_at is not None):
                return None
            now = self.resources.now()
            if request.purpose == "exists":
                what, lifetime = links.base(self.settings), None
            elif request.purpose == Purpose.OTP:
                secret = self.resources.addresses.secret
                what, lifetime = await one_time.issue_code(connection, secret, user, now), LIFETIMES[Purpose.OTP]
            else:
                purpose = Purpose(request.purpose)
                token = await one_time.issue(connection, user, purpose, now)
                what = links.link(self.settings, self.hooks, purpose, token, request.redirect_to)
                lifetime = LIFETIMES[purpose]
        return messages.compose(
            request.purpose, sender=self.settings.smtp_from, recipient=user.email, what=what, lifetime=lifetime
        )

    async def _put_off(self, request: MailRequest, error: Exception) -> None:
        too_old = self.resources.now() - request.created_at > _GIVE_UP_AFTER
        fields = {"purpose": request.purpose, "attempts": request.attempts, "error": f"{type(error).__name__}: {error}"}
        if not isinstance(error, smtp.FAILURES):
            logger.error("mail failed", exc_info=error, **fields)
        if too_old or smtp.is_final(error):
            logger.error("mail given up", **fields)
            await self._drop(request)
            return
        pause = _FIRST_PAUSE * 2 ** min(request.attempts - 1, 6)
        logger.warning("mail not sent", retry_seconds=int(pause.total_seconds()), **fields)
        async with self.resources.database.transaction() as connection:
            await connection.execute(_SQL["delay_mail_request"], request.id, self.resources.now() + pause)

    async def _drop(self, request: MailRequest) -> None:
        async with self.resources.database.transaction() as connection:
            await connection.execute(_SQL["delete_mail_request"], request.id)

    async def run(self) -> None:
        """Send until cancelled; woken by each request, and every few seconds for those that were put off."""
        wake = asyncio.Event()
        listener = Listener(self.resources.addresses.runtime_dsn, CHANNEL, lambda _payload: wake.set())

        async def send_when_due() -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), _LOOK_EVERY_SECONDS)
            wake.clear()
            await self.send_due()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(repeat("hearing of mail", listener.run, every_seconds=_LOOK_EVERY_SECONDS))
            tasks.create_task(repeat("sending mail", send_when_due, every_seconds=0))


def _count(outcome: int | BaseException) -> int:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


@asynccontextmanager
async def mail_delivery(app: FastAPI) -> AsyncGenerator[None]:
    """Send mail beside the routes, where a server for it is configured."""
    state = app.state
    if state.settings.smtp_host is None:
        yield
        return
    hooks: AccountHooks = getattr(state, "account_hooks", AccountHooks())
    async with beside(Sender(state.resources, state.settings, hooks).run(), name="mail delivery"):
        yield
