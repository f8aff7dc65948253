"""What clients can make a server keep, and what they can make it send."""

import asyncio

from redis.exceptions import ConnectionError as RedisDown

from fluxbase.db import SERVICE
from fluxbase.realtime import tables as tables_module
from fluxbase.realtime.bus import Bus
from fluxbase.realtime.claims import Group
from fluxbase.realtime.events import Broadcast
from fluxbase.realtime.hub import Hub
from fluxbase.realtime.presence import MAX_PLACES
from fluxbase.realtime.protocol import Encoder
from fluxbase.realtime.tables import Tables

from .serving import PATIENCE

TRACK = {"type": "presence", "channel": "room"}


async def test_clients_cannot_fill_the_memory(site, http, ada, monkeypatch):
    async with site.client() as client:
        await client.join("room")
        long = await client.ask(**TRACK, payload={"event": "track", "key": "k" * 201})
        assert long["payload"]["code"] == "invalid_request"
        for number in range(MAX_PLACES):
            assert (await client.ask(**TRACK, payload={"event": "track", "key": str(number)}))["type"] == "ack"
        more = await client.ask(**TRACK, payload={"event": "track", "key": "one more"})
        assert f"at most {MAX_PLACES}" in more["payload"]["message"]
        assert (await client.ask(**TRACK, payload={"event": "track", "key": "1", "state": 2}))["type"] == "ack"
        assert (await client.ask(**TRACK, payload={"event": "untrack", "key": "0"}))["type"] == "ack"
        assert (await client.ask(**TRACK, payload={"event": "track", "key": "one more"}))["type"] == "ack"
    await asyncio.wait_for(_empty(site), PATIENCE)

    async with site.client() as client:
        for name in ("none", "n" * 64, "nö" * 40, "\ud800", "a\0b"):
            answer = await client.ask(type="subscribe", channel="c", config={"table": name})
            assert answer["payload"]["code"] == "table_not_live", name
        answer = await client.ask(type="subscribe", channel="private:\ud800")
        assert answer["payload"]["code"] == "invalid_message"
        assert len(site.realtime.tables) == 0
        await client.subscribe("notes")
        assert site.realtime.hub.topics() == ["table:public.notes"], "no channels in every query"
    monkeypatch.setattr(tables_module, "MOST_REMEMBERED", 2)
    tables = Tables(site.app.state.resources.database, ttl_seconds=60)
    for role in ("anon", "authenticated", "service_role"):
        assert await tables.find(role, "public", "notes") is not None
    assert len(tables) == 2

    # Nor send what is no JSON.
    headers = {"Authorization": f"Bearer {ada['access_token']}", "Content-Type": "application/json"}
    async with site.client() as client:
        await client.join("room", own=True)
        for number in ("NaN", "-Infinity", "1e999"):
            await client.socket.send(f'{{"type":"broadcast","channel":"room","event":"e","payload":[{number}]}}')
            assert (await client.take("error"))["payload"]["code"] == "invalid_message"
            await client.socket.send(
                f'{{"type":"presence","channel":"room","payload":{{"event":"track","state":{number}}}}}'
            )
            assert (await client.take("error"))["payload"]["code"] == "invalid_message"
            body = f'{{"channel":"room","event":"e","payload":{number}}}'
            answer = await http.post("/api/v1/realtime/broadcast", headers=headers, content=body)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_message"), number
        await client.nothing()


async def _empty(site):
    while site.realtime.presence.state("room").state:  # noqa: ASYNC110 -- a plain state, on purpose
        await asyncio.sleep(0.01)


async def test_who_is_no_longer_a_member_is_no_longer_shown(site, ada, owner):
    mine = ada["user"]["id"]
    await owner.execute(
        "INSERT INTO realtime.channel_members (channel, user_id) VALUES ('private:team', $1::text::uuid)", mine
    )
    async with site.client(ada["access_token"]) as member, site.client(site.service_token) as service:
        for client in (member, service):
            await client.join("private:team")
        await member.ask(type="presence", channel="private:team", payload={"event": "track", "key": "a"})
        assert (await service.take("presence"))["payload"]["joins"].keys() == {"a"}
        await owner.execute("DELETE FROM realtime.channel_members")
        await site.realtime.watch.expel_former_members()
        assert (await service.take("presence"))["payload"]["leaves"].keys() == {"a"}
        assert site.realtime.presence.state("private:team").state == {}

    # Who signs in on a socket is shown as who they are.
    async with site.client() as guest, site.client() as other:
        for client in (guest, other):
            await client.join("room")
        await guest.ask(**TRACK, payload={"event": "track", "key": "g", "state": {"n": 1}})
        assert (await other.take("presence"))["payload"]["joins"]["g"][0]["user_id"] is None
        await guest.subscribe("notes")
        assert (await guest.ask(type="access_token", token=ada["access_token"]))["type"] == "ack"
        assert (await other.take("presence"))["payload"]["joins"]["g"] == [{"state": {"n": 1}, "user_id": mine}]
        # Its subscription is theirs now, and ends with the socket.
        await owner.execute("INSERT INTO public.notes (owner, text) VALUES ($1::text::uuid, 'x')", mine)
        assert (await guest.change())["record"]["text"] == "x"
    async with asyncio.timeout(PATIENCE):
        while site.realtime.hub.subscriptions:  # noqa: ASYNC110 -- a plain number, on purpose
            await asyncio.sleep(0.01)
    assert site.realtime.hub.topics() == []


async def test_an_event_for_many_is_written_once_and_lets_others_work():
    hub, encode, told = Hub(), Encoder(), []

    class Member:
        group: Group = hub.groups.of(SERVICE)

        def deliver(self, event):
            told.append(encode(event))

    members = [Member() for _ in range(1_000)]
    for member in members:
        hub.join(member, "c")
    sending = asyncio.ensure_future(hub.send("c", Broadcast("c", "e", "1"), but=members[0]))
    await asyncio.sleep(0)
    assert 0 < len(told) < 999, "others had their turn"
    hub.leave(members[-1], "c")
    assert await sending == len(told) == 998, "who left meanwhile hears nothing"
    assert len({id(text) for text in told}) == 1
    assert encode(Broadcast("c", "e", "2")) != told[0]


class Pubsub:
    """A connection to Redis on which messages come, and later nothing does, not even pongs."""

    def __init__(self, messages):
        self.messages = messages
        self.pings = 0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_error):
        return None

    async def subscribe(self, _name):
        self.messages.insert(0, {"type": "subscribe"})

    async def ping(self):
        self.pings += 1

    async def get_message(self, **_named):
        return self.messages.pop(0) if self.messages else None


async def test_a_bus_survives_nonsense_and_notices_silence():
    heard, opened = [], []

    class Redis:
        async def initialize(self):
            return self

        def pubsub(self):
            pubsub = Pubsub([{"type": "message", "data": text} for text in ("{", "[]", "{}", '{"from": "x"}')])
            opened.append(pubsub)
            if len(opened) > 1:
                raise RedisDown
            return pubsub

    bus = Bus(Redis(), "name", lambda process, message: heard.append(process))
    await bus._listen_once()
    assert heard == ["x"]
    assert opened[0].pings == 2
    assert not bus.connected.is_set()
