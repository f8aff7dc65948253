"""Broadcasts and presence: to the members of a channel, over all processes, and to nobody else."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisDown

from fluxbase.realtime import presence as presence_module
from fluxbase.realtime.bus import bus_name
from fluxbase.realtime.presence import LOST_AFTER_SECONDS, Presence
from fluxbase.resources import Addresses

from .serving import PATIENCE, serving

BROADCAST = "/api/v1/realtime/broadcast"


@pytest.fixture
async def sites(settings, addresses):
    """Two server processes, as far as the database and Redis can tell."""
    async with serving(settings, addresses) as one, serving(settings, addresses) as other:
        for site in (one, other):
            await asyncio.wait_for(site.realtime.bus.connected.wait(), 10)
        yield one, other


async def test_a_broadcast_reaches_members_in_every_process(sites):
    one, other = sites
    async with one.client() as sender, one.client() as near, other.client() as far, other.client() as outside:
        for client in (sender, near, far):
            await client.join("lobby")
        await outside.join("another room")
        assert (await sender.ask(type="broadcast", channel="lobby", event="hi", payload={"n": [1, None]}))[
            "type"
        ] == "ack"
        for client in (near, far):
            message = await client.take("broadcast")
            assert message == {"type": "broadcast", "channel": "lobby", "event": "hi", "payload": {"n": [1, None]}}
        await sender.nothing()
        await sender.join("lobby", own=True)
        await sender.ask(type="broadcast", channel="lobby", event="echo")
        assert (await sender.take("broadcast"))["event"] == "echo"
        assert (await far.take("broadcast"))["event"] == "echo"
        refused = await outside.ask(type="broadcast", channel="lobby", event="from outside")
        assert refused["payload"]["code"] == "not_subscribed"
        assert (await near.take("broadcast"))["event"] == "echo"
        await near.ask(type="unsubscribe", channel="lobby")
        await sender.ask(type="broadcast", channel="lobby", event="last")
        await far.take("broadcast")
        for client in (near, outside):
            await client.nothing()


async def test_names_say_who_may_enter(site, http, ada, eve, owner):
    mine = ada["user"]["id"]
    await owner.execute(
        "INSERT INTO realtime.channel_members (channel, user_id) VALUES ('private:team', $1::text::uuid)", mine
    )
    async with (
        site.client(ada["access_token"]) as a,
        site.client(eve["access_token"]) as e,
        site.client() as anonymous,
        site.client(site.service_token) as service,
    ):
        for channel in (f"user:{mine}", f"user:{mine}:inbox", "private:team"):
            await a.join(channel)
            await service.join(channel)
            for client in (e, anonymous):
                answer = await client.ask(type="subscribe", channel=channel)
                assert answer["payload"]["code"] == "channel_refused", channel
                answer = await client.ask(type="broadcast", channel=channel, event="x")
                assert answer["payload"]["code"] == "not_subscribed"
                answer = await client.ask(type="presence", channel=channel, payload={"event": "track"})
                assert answer["payload"]["code"] == "not_subscribed"
            headers = {"Authorization": f"Bearer {eve['access_token']}"}
            answer = await http.post(BROADCAST, headers=headers, json={"channel": channel, "event": "x"})
            assert (answer.status_code, answer.json()["error"]) == (403, "channel_refused")
        for client in (a, service):
            assert (await client.ask(type="subscribe", channel="internal:x"))["payload"]["code"] == "channel_refused"
            assert (await client.ask(type="subscribe", channel="a\nb"))["payload"]["code"] == "invalid_message"

        # Members are looked at again: who is no longer one hears no more.
        await owner.execute("UPDATE realtime.channel_members SET may_send = false")
        assert (await a.ask(type="broadcast", channel="private:team", event="x"))["payload"][
            "code"
        ] == "channel_refused"
        await owner.execute("DELETE FROM realtime.channel_members")
        await site.realtime.watch.expel_former_members()
        assert (await a.take("error"))["channel"] == "private:team"
        await service.ask(type="broadcast", channel="private:team", event="secret")
        for client in (a, e, anonymous):
            await client.nothing()


async def test_by_http_and_by_sql(site, http, ada, owner):
    async with site.client(ada["access_token"]) as a:
        await a.join("news")
        headers = {"Authorization": f"Bearer {ada['access_token']}"}
        answer = await http.post(BROADCAST, headers=headers, json={"channel": "news", "event": "e", "payload": 1})
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
        assert (await a.take("broadcast"))["payload"] == 1
        assert (await http.post(BROADCAST, json={"channel": "news", "event": "e"})).status_code == 401
        assert (await http.post(BROADCAST, headers=headers, json={"event": "e"})).status_code == 422
        transaction = owner.transaction()
        await transaction.start()
        await owner.execute("SELECT realtime.send('news', 'never', '1')")
        await transaction.rollback()
        await owner.execute("SELECT realtime.send('news', 'paid', jsonb_build_object('text', repeat('x', 9000)))")
        message = await a.take("broadcast")
        assert (message["event"], len(message["payload"]["text"])) == ("paid", 9000)
        for number in ("12345678901234567890.10", "1" + "0" * 5000, "0." + "0" * 400 + "1"):
            await owner.execute("SELECT realtime.send('news', 'number', $1::text::jsonb)", number)
            assert (await asyncio.wait_for(a.socket.recv(), PATIENCE)).endswith(f'"payload":{number}}}')
        await a.nothing()


async def test_presence_is_one_over_all_processes(sites, owner):
    one, other = sites
    async with one.client() as near, other.client() as far:
        for client in (near, far):
            await client.join("room")
        await near.ask(type="presence", channel="room", payload={"event": "track", "key": "n", "state": {"at": 1}})
        there = {"n": [{"state": {"at": 1}, "user_id": None}]}
        for client in (near, far):
            assert (await client.take("presence"))["payload"] == {"event": "diff", "joins": there, "leaves": {}}
        async with other.client() as late:
            await late.join("room")
            assert (await late.take("presence"))["payload"] == {"event": "sync", "state": there}
            await late.ask(type="presence", channel="room", payload={"event": "track", "key": "l"})
            assert "l" in (await near.take("presence"))["payload"]["joins"]
        assert "l" in (await near.take("presence"))["payload"]["leaves"]  # its socket closed
        await near.ask(type="presence", channel="room", payload={"event": "track", "key": "n", "state": 2})
        await far.take("presence")
        await far.take("presence")
        changed = (await far.take("presence"))["payload"]
        assert (changed["joins"]["n"][0]["state"], changed["leaves"]["n"][0]["state"]) == (2, {"at": 1})
        await near.ask(type="presence", channel="room", payload={"event": "untrack"})
        assert (await far.take("presence"))["payload"]["joins"] == {}


async def test_a_process_that_ends_takes_its_people_along(sites, settings, addresses):
    one, _ = sites
    async with serving(settings, addresses) as third:
        await asyncio.wait_for(third.realtime.bus.connected.wait(), 10)
        async with one.client() as near, third.client() as theirs:
            await near.join("room")
            await theirs.join("room")
            await theirs.ask(type="presence", channel="room", payload={"event": "track", "key": "t"})
            assert "t" in (await near.take("presence"))["payload"]["joins"]
            await third.realtime.bus.publish({"kind": "presence_end"})
            assert "t" in (await near.take("presence"))["payload"]["leaves"]


async def test_a_silent_process_is_dropped_and_a_missed_message_heals():
    now = [0.0]
    ours, theirs = Presence("o", lambda: now[0]), Presence("t", lambda: now[0])
    assert ours.hear_beat("t", 0), "a process that is new is asked"
    ours.hear_whole("t", 0, [])
    lost = theirs.track("room", "k", "1", "{}").message
    change = theirs.track("room", "k2", "2", "{}").message
    assert lost["version"] == 1
    assert ours.hear_change("t", change["version"], change["joins"], change["leaves"]) is None, "one was missed: ask"
    whole = theirs.whole()
    (diff,) = ours.hear_whole("t", whole["version"], whole["entries"])
    assert set(diff.joins) == {"k", "k2"}
    assert not ours.hear_beat("t", whole["version"])
    now[0] = LOST_AFTER_SECONDS + 1
    ours.forgive()
    assert ours.drop_silent() == []
    now[0] *= 3
    (diff,) = ours.drop_silent()
    assert set(diff.leaves) == {"k", "k2"}
    assert ours.state("room").state == {}


async def test_without_redis_a_broadcast_reaches_its_own_process(site, monkeypatch):
    async with site.client() as sender, site.client() as near:
        for client in (sender, near):
            await client.join("lobby")

        async def down(*_args):
            raise RedisDown("away")

        monkeypatch.setattr(site.app.state.resources.redis, "publish", down)
        answer = await sender.ask(type="broadcast", channel="lobby", event="hi")
        assert answer["payload"]["code"] == "other_processes_not_reached"
        assert (await near.take("broadcast"))["event"] == "hi"


def test_beats_come_often_enough():
    assert presence_module.BEAT_SECONDS * 3 <= LOST_AFTER_SECONDS <= 20


def test_two_databases_on_one_redis_do_not_hear_each_other():
    one, same, other = (Addresses(None, f"postgresql://{host}/{name}", "redis://r", "x" * 40)
                        for host, name in (("a", "one"), ("b:5432", "one"), ("a", "other")))  # fmt: skip
    assert bus_name(one) == bus_name(same) != bus_name(other)
