"""What keeps running and what is ended: limits, slow clients, sessions, outages, restarts."""

import asyncio
import json
import logging

import asyncpg
import httpx
import jwt
from prometheus_client.parser import text_string_to_metric_families

from fluxbase.realtime.outbox import Outbox
from fluxbase.realtime.retention import RETENTION_SECONDS, Retention

from .conftest import sign_up
from .serving import PATIENCE, deaf, serving

SAY = "INSERT INTO public.notes (text) VALUES ($1)"
ADMIN = "/api/v1/admin/realtime"


async def test_limits_say_which_one_it_is(settings, addresses, notes):
    limits = {
        "realtime_max_connections": 3,
        "realtime_max_connections_per_user": 1,
        "realtime_max_connections_per_ip": 2,
    }
    async with serving(settings.model_copy(update=limits), addresses) as site:
        async with httpx.AsyncClient(base_url=site.url) as client:
            token = (await sign_up(client, "ada@example.com"))["access_token"]
        async with site.client(token) as first:
            await first.join("x")
            async with site.client(token) as second:
                assert await second.closed() == (
                    1013, "too many connections: realtime.max_connections_per_user is 1")  # fmt: skip
                assert second.waiting[0]["payload"]["code"] == "too_many_connections"
            async with site.client() as anonymous:
                await anonymous.join("x")
                assert (await anonymous.ask(type="access_token", token=token))["payload"][
                    "code"
                ] == "too_many_connections"
                async with site.client() as third:
                    assert (await third.closed())[1] == "too many connections: realtime.max_connections_per_ip is 2"
        async with site.client(token) as again:
            await again.join("x")  # those that left are not counted


async def test_a_client_that_never_reads_is_dropped_and_the_others_are_served(
    settings, addresses, notes, owner, caplog
):
    caplog.set_level(logging.INFO)
    few = settings.model_copy(update={"realtime_slow_client_threshold": 5})
    async with serving(few, addresses) as site, site.client(site.service_token) as service, deaf(site) as write:
        await service.subscribe("notes")
        await write(json.dumps({"type": "subscribe", "channel": "c", "config": {"table": "notes"}}))
        await until(lambda: site.realtime.hub.subscriptions == 2)
        for number in range(60):
            await owner.execute("INSERT INTO public.notes (text, secret) VALUES ($1, repeat('x', 300000))", str(number))
            assert (await service.change())["record"]["text"] == str(number)
        await until(lambda: len(site.realtime.registry) == 1)
        samples = (await scrape(site))["fluxbase_realtime_slow_clients"]
        assert samples == 1
        await service.nothing()
    assert "'reason': 'slow client'" in caplog.text
    assert "connection closed" in caplog.text


async def test_an_outbox_is_bounded_and_knows_since_when_it_is_slow():
    now, open_, sent = [0.0], asyncio.Event(), []

    async def send(message):
        await open_.wait()
        sent.append(message)

    outbox = Outbox(send, 3, lambda: now[0])
    for number in range(30):
        now[0] += 1
        assert outbox.put(str(number)), number
        await asyncio.sleep(0)
    assert outbox.slow_since == 4  # one is being sent, three wait
    assert [outbox.put("x") for _ in range(3)] == [True, False, False]
    assert len(outbox) == 30
    open_.set()
    await outbox.flush(5)
    assert (len(sent), outbox.slow_since) == (31, None)


async def test_a_deleted_session_closes_its_sockets_at_once(site, owner, ada, eve):
    async with (
        site.client(ada["access_token"]) as one,
        site.client(ada["access_token"]) as two,
        site.client(eve["access_token"]) as other,
    ):
        for client in (one, two, other):
            await client.join("x")
        await owner.execute("DELETE FROM auth.sessions WHERE user_id = $1::text::uuid", ada["user"]["id"])
        for client in (one, two):
            assert await client.closed() == (4401, "session ended")
        await other.nothing()
        await owner.execute("TRUNCATE auth.sessions CASCADE")
        assert await other.closed() == (4401, "session ended")
    async with site.client(ada["access_token"]) as late:
        assert await late.closed() == (4401, "session_ended")
    async with site.client("nonsense") as wrong:
        assert (await wrong.closed())[0] == 4401


async def test_a_revoked_service_key_closes_its_sockets_at_once(site, owner, http):
    headers = {"Authorization": f"Bearer {site.service_token}"}
    keys = "/api/v1/admin/service-keys"

    async def made() -> dict:
        body = {"name": "sockets", "scopes": ["realtime:read"]}
        return (await http.post(keys, headers=headers, json=body)).json()

    revoked, other, ending = await made(), await made(), await made()
    async with (
        site.client(revoked["key"]) as one,
        site.client(other["key"]) as two,
        site.client(ending["key"]) as three,
    ):
        for client in (one, two, three):
            await client.join("x")
        await http.post(f"{keys}/{revoked['id']}/revoke", headers=headers)
        assert await one.closed() == (4401, "service key changed or ended")
        await owner.execute("UPDATE auth.service_keys SET enabled = false WHERE id = $1::text::uuid", ending["id"])
        assert await three.closed() == (4401, "service key changed or ended")
        await two.nothing()
        await owner.execute("DELETE FROM auth.service_keys")
        assert await two.closed() == (4401, "service key changed or ended")


async def test_a_token_is_renewed_or_ends(site, ada, eve, monkeypatch):
    async with site.client(ada["access_token"]) as one, site.client(ada["access_token"]) as two:
        await one.join("x")
        await two.subscribe("notes")
        answer = await two.ask(type="access_token", token=eve["access_token"])
        assert answer["payload"]["code"] == "permission_denied"
        assert (await two.ask(type="access_token", token="none"))["payload"]["code"] == "invalid_token"
        (old,) = {connection.expires_at for connection in site.realtime.registry}
        claims = jwt.decode(ada["access_token"], options={"verify_signature": False})
        lasting = jwt.encode(claims | {"exp": claims["exp"] + 3600}, site.addresses.secret, "HS256")
        assert (await two.ask(type="access_token", payload={"access_token": lasting}))["type"] == "ack"
        site.realtime.watch.close_expired(old)
        assert await one.closed() == (4401, "access token expired")
        await two.nothing()


async def test_a_cookie_counts_from_our_own_origin_only(site, http, ada):
    http.cookies.clear()
    await http.post("/api/v1/auth/signin", json={"email": "ada@example.com", "password": "correct horse battery"})
    cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
    assert cookie
    for origin, code in (("https://evil.example", 4403), ("http://testserver", None), (site.url, None)):
        async with site.client(headers={"Cookie": cookie, "Origin": origin}) as client:
            if code is None:
                await client.join(f"user:{ada['user']['id']}")
            else:
                assert (await client.closed())[0] == code


async def test_keys_need_the_scopes(site, http, owner):
    headers = {"Authorization": f"Bearer {site.service_token}"}
    keys = {}
    for scope in ("tables:read", "realtime:read"):
        answer = await http.post("/api/v1/admin/service-keys", headers=headers, json={"name": scope, "scopes": [scope]})
        assert answer.status_code == 201, answer.text
        keys[scope] = {"X-Service-Key": answer.json()["key"]}
    async with site.client(headers=keys["tables:read"]) as client:
        assert (await client.closed())[0] == 4403
    async with site.client(headers=keys["realtime:read"]) as client:
        await client.subscribe("notes")
        answer = await client.ask(type="broadcast", channel="changes", event="x")
        assert "realtime:write" in answer["payload"]["message"]
    assert (await http.post(f"{ADMIN}/restart", headers=keys["realtime:read"])).status_code == 403


async def test_nothing_is_lost_when_backends_are_killed_under_load(site, owner, addresses):
    writer = await asyncpg.connect(addresses.owner_dsn)
    async with site.client(site.service_token) as service:
        await service.subscribe("notes")

        async def write():
            for number in range(300):
                await writer.execute(SAY, str(number))
                await asyncio.sleep(0.002)

        async def kill():
            killed = 0
            for _ in range(6):
                await asyncio.sleep(0.1)
                killed += await owner.fetchval(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND usename = 'fluxbase_runtime'"
                )
            return killed

        _, killed = await asyncio.gather(write(), kill())
        assert killed >= 6
        assert [(await service.change())["record"]["text"] for _ in range(300)] == [str(n) for n in range(300)]
        await service.nothing()
    await writer.close()


async def test_a_connection_that_was_closed_without_a_word_is_replaced(site, owner):
    """As asyncpg does when the server ends it in the middle of an answer: its termination listeners hear nothing."""
    async with site.client(site.service_token) as service:
        await service.subscribe("notes")
        await until(lambda: site.realtime.reader.listening)
        before = site.realtime.reader._doorbell.connection
        before._abort()
        await owner.execute(SAY, "after")
        assert (await service.change())["record"]["text"] == "after"
        await until(lambda: site.realtime.reader._doorbell.connection not in (None, before))


async def test_a_restart_keeps_the_sockets_and_misses_nothing(site, http, owner):
    async with site.client(site.service_token) as service:
        await service.subscribe("notes")
        headers = {"Authorization": f"Bearer {site.service_token}"}
        await until(lambda: site.realtime.reader.listening)
        before = site.realtime.reader._doorbell.connection.get_server_pid()
        told = []
        for number in range(5):
            await owner.execute(SAY, str(number))
            answer = await http.post(f"{ADMIN}/restart", headers=headers)
            assert (answer.status_code, answer.json()) == (200, {"status": "restarted"})
            told.append((await service.change())["record"]["text"])
        assert told == ["0", "1", "2", "3", "4"]
        await until(lambda: site.realtime.reader.listening)
        assert site.realtime.reader._doorbell.connection.get_server_pid() != before
        assert (await http.post(f"{ADMIN}/restart")).status_code == 401

    # A process that was away for too long says so.
    async with site.client(site.service_token) as service:
        await service.subscribe("notes")
        site.realtime.reader._read_at -= RETENTION_SECONDS + 1
        await owner.execute(SAY, "x")
        assert (await service.take("bulk"))["payload"] == {"schema": "public", "table": "notes", "reason": "gap"}
        await service.change()


async def test_tables_go_live_and_stop(site, http, owner, ada):
    headers = {"Authorization": f"Bearer {site.service_token}"}
    tables = f"{ADMIN}/tables"
    await owner.execute('CREATE TABLE public."Odd one" (id int); GRANT SELECT ON public."Odd one" TO service_role')
    assert (await http.get(tables, headers=headers)).json() == [
        {"schema": "public", "table": "notes", "events": ["INSERT", "UPDATE", "DELETE"]}
    ]
    async with site.client(site.service_token) as service:
        refused = await service.ask(type="subscribe", channel="c", config={"table": "Odd one"})
        assert refused["payload"]["code"] == "table_not_live"
        assert (await http.post(tables, headers=headers, json={"table": "x" * 64})).status_code == 404
        new = {"schema": "public", "table": "Odd one", "events": ["insert"]}
        answer = await http.post(tables, headers=headers, json=new)
        assert (answer.status_code, answer.json()) == (201, new | {"events": ["INSERT"]})
        names = await owner.fetch("SELECT tgname FROM pg_trigger WHERE tgrelid = 'public.\"Odd one\"'::regclass")
        assert [row["tgname"] for row in names] == ["fluxbase_realtime_insert"]
        await service.subscribe("Odd one")
        await owner.execute('INSERT INTO public."Odd one" VALUES (1)')
        assert (await service.change())["record"] == {"id": 1}
        one = f"{tables}/public/Odd one"
        assert (await http.patch(one, headers=headers, json={"events": ["DELETE"]})).json()["events"] == ["DELETE"]
        assert (await http.get(one, headers=headers)).json()["events"] == ["DELETE"]
        await owner.execute('INSERT INTO public."Odd one" VALUES (2)')
        await owner.execute('DELETE FROM public."Odd one" WHERE id = 2')
        assert (await service.change())["type"] == "DELETE"
    assert (await http.delete(one, headers=headers)).status_code == 204
    assert (await http.get(one, headers=headers)).status_code == 404
    for body, status in (
        ({"table": "none"}, 404),
        ({"schema": "auth", "table": "sessions"}, 403),
        ({"schema": "realtime", "table": "changes"}, 403),
        ({"schema": "pg_catalog", "table": "pg_class"}, 403),
        ({"table": "notes", "events": ["SELECT"]}, 400),
        ({"table": "notes", "events": []}, 422),
        ({}, 422),
    ):
        assert (await http.post(tables, headers=headers, json=body)).status_code == status, body
    for who in ({}, {"Authorization": f"Bearer {ada['access_token']}"}):
        assert (await http.get(tables, headers=who)).status_code in (401, 403)


NONSENSE = ["", "x", "[]", "{}", '{"type": 1}', '{"type": "subscribe"}',
     '{"type": "subscribe", "channel": "c", "config": 1}',
     '{"type": "subscribe", "channel": "c", "config": {"table": "notes", "event": "SELECT"}}', "[" * 100_000,
     '{"type": "presence", "channel": "c", "payload": {"event": "dance"}}', '{"type": "access_token"}',
     '{"type": "subscribe", "channel": "c", "config": {"table": "nobody\\u0000"}}']  # fmt: skip


async def test_what_one_socket_may_do(site, ada, caplog):
    """Nonsense is answered and the socket lives; no token is logged; who is slow or talks too fast is closed."""
    async with site.client() as client:
        for message in NONSENSE:
            await client.socket.send(message)
            assert (await client.take("error"))["payload"]["code"] != "internal_error", message[:100]
        await client.join("still here")

    caplog.set_level(logging.INFO)
    async with site.client(ada["access_token"]) as client:
        await client.join("x")
    assert "WebSocket /realtime" in caplog.text
    assert ada["access_token"].rpartition(".")[2] not in caplog.text

    async with site.client() as client:
        await client.join("x")
        await until(lambda: len(site.realtime.registry) == 1)
        (connection,) = site.realtime.registry
        connection.outbox.slow_since = 100.0
        site.realtime.watch.close_slow(130.0)
        assert connection.closing is None
        site.realtime.watch.close_slow(130.1)
        assert await client.closed() == (1013, "slow client")

    async with site.client() as client:
        for _ in range(250):
            await client.socket.send('{"type":"heartbeat"}')
        assert (await client.closed())[0] == 1008


async def test_every_metric_moves_and_stats_agree(site, http, ada):
    assert await scrape(site) == dict.fromkeys(
        [
            f"fluxbase_realtime_{name}"
            for name in ("connections", "channels", "subscriptions", "messages", "slow_clients")
        ],
        0,
    )
    async with site.client() as client:
        await client.subscribe("notes")
        now = await scrape(site)
        assert now.pop("fluxbase_realtime_slow_clients") == 0  # test_a_client_that_never_reads… moves it
        assert set(now.values()) == {1}
        assert (await http.get("/api/v1/realtime/stats")).status_code == 401
        headers = {"Authorization": f"Bearer {ada['access_token']}"}
        stats = (await http.get("/api/v1/realtime/stats", headers=headers)).json()
        assert (stats["connections"], stats["channels"], stats["subscriptions"]) == (1, 1, 1)


async def test_old_changes_are_deleted_but_none_that_just_committed(resources, notes, owner, addresses):
    late = await asyncpg.connect(addresses.owner_dsn)
    open_ = late.transaction()
    await open_.start()
    await late.execute(SAY, "begun long ago")
    await owner.execute(SAY, "old")
    retention = Retention(resources.database)
    assert await retention.clean(0) == 0
    await open_.commit()
    await owner.execute(SAY, "new")
    assert await retention.clean(RETENTION_SECONDS) == 1
    left = await owner.fetch("SELECT record ->> 'text' AS text FROM realtime.changes ORDER BY id")
    assert [row["text"] for row in left] == ["begun long ago", "new"]
    assert await retention.clean(3 * RETENTION_SECONDS) == 2
    await late.close()


async def until(holds):
    """Wait until something is so; the test's own patience ends it when it never is."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 -- a plain number, on purpose
            await asyncio.sleep(0.01)


async def scrape(site):
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{site.url}/metrics")).text
    return {
        family.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if family.name.startswith("fluxbase_realtime") and not sample.name.endswith("_created")
    }
