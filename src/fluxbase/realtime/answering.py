"""What a client of Fluxbase's own protocol asks, and what it is answered."""

import json
import time
from typing import assert_never

import structlog

from fluxbase.auth.callers import Caller, caller_of_token
from fluxbase.errors import InvalidRequestError, PermissionDeniedError
from fluxbase.http.problem import problem_of
from fluxbase.realtime import protocol
from fluxbase.realtime.connection import Connection
from fluxbase.realtime.presence import state_text
from fluxbase.realtime.protocol import (
    Envelope,
    Heartbeat,
    Renew,
    SendBroadcast,
    Subscribe,
    Track,
    Unsubscribe,
    Untrack,
)
from fluxbase.realtime.service import Realtime

logger = structlog.get_logger(__name__)

MESSAGES_PER_SECOND, MESSAGES_AT_ONCE = 100.0, 200.0
MAX_STATE_CHARACTERS = 4_000
_TOO_FAST = "too many messages"


class Answering:
    """Does what the messages of one connection ask for, one after another."""

    def __init__(self, realtime: Realtime, connection: Connection) -> None:
        self._realtime = realtime
        self._connection = connection
        self._own: set[str] = set()
        self._tokens, self._filled_at = MESSAGES_AT_ONCE, time.monotonic()

    async def answer(self, text: str | None) -> None:
        """Answer one message; errors are answers too."""
        if not self._is_in_time():
            self._connection.send(
                protocol.error("rate_limit_exceeded", f"More than {MESSAGES_PER_SECOND:.0f} a second.")
            )
            self._connection.close(1008, _TOO_FAST)
            return
        envelope: Envelope | None = None
        try:
            envelope = protocol.parse(text or "")
            await self._do(envelope)
        except Exception as error:  # the connection must outlive any one message; unexpected ones are logged
            problem = problem_of(error)
            if problem.unexpected:
                logger.exception("message failed")
            self._connection.send(
                protocol.error(problem.code, problem.message, _ref(envelope, text), _channel(envelope))
            )

    def _is_in_time(self) -> bool:
        now = time.monotonic()
        self._tokens = min(MESSAGES_AT_ONCE, self._tokens + (now - self._filled_at) * MESSAGES_PER_SECOND) - 1
        self._filled_at = now
        return self._tokens >= 0

    async def _do(self, envelope: Envelope) -> None:
        match envelope.request:
            case Subscribe() as request:
                await self._subscribe(request, envelope.ref)
            case Unsubscribe(channel, subscription):
                await self._unsubscribe(channel, subscription, envelope.ref)
            case SendBroadcast() as request:
                await self._broadcast(request, envelope.ref)
            case Track() as request:
                await self._track(request, envelope.ref)
            case Untrack(channel, key):
                change = self._realtime.presence.untrack(self._connection.id, channel, key)
                await self._realtime.publish_change(change)
                self._connection.send(protocol.ack(envelope.ref, channel))
            case Renew(token):
                await self._renew(token, envelope.ref)
            case Heartbeat():
                self._connection.send(
                    protocol.HEARTBEAT
                    if envelope.ref is None
                    else json.dumps({"type": "heartbeat", "ref": envelope.ref})
                )
            case _:
                assert_never(envelope.request)

    async def _subscribe(self, request: Subscribe, ref: str | int | None) -> None:
        subscribing, channel = self._realtime.subscribing, request.channel
        payload: dict[str, str] = {}
        if request.table is not None:
            payload["subscription_id"] = (await subscribing.subscribe(self._connection, channel, request.table)).id
        else:
            await subscribing.join(self._connection, channel)
        if request.own:
            self._own.add(channel)
        self._connection.send(protocol.ack(ref, channel, payload))
        state = self._realtime.presence.state(channel)
        if state.state:
            self._connection.deliver(state)

    async def _unsubscribe(self, channel: str, subscription: str | None, ref: str | int | None) -> None:
        if subscription is not None:
            self._realtime.subscribing.end(self._connection, channel, subscription)
        else:
            self._realtime.subscribing.require_member(self._connection, channel)
            self._own.discard(channel)
            await self._realtime.leave(self._connection, channel)
        self._connection.send(protocol.ack(ref, channel))

    async def _broadcast(self, request: SendBroadcast, ref: str | int | None) -> None:
        await self._may_send(request.channel)
        but = None if request.channel in self._own else self._connection
        await self._realtime.broadcast(request.channel, request.event, request.payload, but=but)
        self._connection.send(protocol.ack(ref, request.channel))

    async def _track(self, request: Track, ref: str | int | None) -> None:
        await self._may_send(request.channel)
        connection = self._connection
        state = state_text(request.state, connection.user)
        if len(state) > MAX_STATE_CHARACTERS:
            raise InvalidRequestError(f"A state has at most {MAX_STATE_CHARACTERS} characters of JSON.")
        key = request.key or connection.user or connection.id
        change = self._realtime.presence.track(request.channel, key, connection.id, state)
        await self._realtime.publish_change(change)
        connection.send(protocol.ack(ref, request.channel, {"key": key}))

    async def _may_send(self, channel: str) -> None:
        self._connection.caller.require("realtime:write")
        self._realtime.subscribing.require_member(self._connection, channel)
        await self._realtime.subscribing.check(self._connection.caller, channel, to_send=True)
        self._realtime.subscribing.require_member(self._connection, channel)  # still, after having waited

    async def _renew(self, token: str, ref: str | int | None) -> None:
        before = self._connection.caller
        caller = caller_of_token(self._realtime.secret, token)
        if before.user_id is not None and before.user_id != caller.user_id:
            raise PermissionDeniedError("The token is another user's: open another connection for them.")
        await self._realtime.assure(caller)
        await self._realtime.admission.become(self._connection, _user(caller))
        self._connection.caller = caller
        self._realtime.hub.change_group(self._connection, self._realtime.hub.groups.of(caller.claims))
        await self._realtime.watch.expel_refused(self._connection)
        await self._realtime.publish_change(
            self._realtime.presence.identify(self._connection.id, self._connection.user)
        )
        self._connection.send(protocol.ack(ref))


def _user(caller: Caller) -> str | None:
    return str(caller.user_id) if caller.user_id is not None else None


def _channel(envelope: Envelope | None) -> str | None:
    return getattr(envelope.request, "channel", None) if envelope is not None else None


def _ref(envelope: Envelope | None, text: str | None) -> str | int | None:
    """The reference of a message, of one that could not be understood too."""
    if envelope is not None:
        return envelope.ref
    try:
        return protocol.ref_of(json.loads(text or ""))
    except (ValueError, RecursionError):
        return None
