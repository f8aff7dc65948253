"""Two users and a stranger, tried against each other's objects on every path."""

import asyncpg
import pytest

from fluxbase.db import ANONYMOUS, Claims

from .conftest import STORAGE

MINE = b"what alice wrote"


@pytest.fixture
async def secret(alice, private) -> str:
    assert (await alice.post(f"{private}/diary", content=MINE)).status_code == 201
    return f"{private}/diary"


@pytest.mark.parametrize("who", ["bob", "anybody"])
async def test_nobody_reaches_another_ones_object(alice, bob, anybody, private, secret, who):
    other = bob if who == "bob" else anybody
    etag = (await alice.head(secret)).headers["etag"]

    for method, headers in (
        ("GET", {}),
        ("HEAD", {}),
        ("GET", {"range": "bytes=0-1"}),
        ("GET", {"if-none-match": etag}),
        ("GET", {"if-match": etag}),
        ("HEAD", {"if-none-match": "*"}),
        ("DELETE", {}),
        ("DELETE", {"if-match": etag}),
    ):
        assert (await other.request(method, secret, headers=headers)).status_code == 404, (method, headers)
    assert (await other.get(f"{secret}?download=x")).status_code == 404
    assert (await other.post(f"{private}/sign/diary", json={"expires_in": 60})).status_code == 404

    for method in ("PUT", "POST"):
        for query in ("", "?upsert=true"):
            for headers in ({}, {"if-match": etag}, {"if-none-match": "*"}):
                answer = await other.request(method, secret + query, content=b"bob was here", headers=headers)
                # 404: a stranger does not even see the bucket.
                expected = (404,) if who == "anybody" else (403, 409, 412)
                assert answer.status_code in expected, (method, query, headers, answer.text)
    listed = await other.get(private, params={"prefix": "d"})
    assert listed.status_code == 404 if who == "anybody" else listed.json()["objects"] == []
    assert (await alice.get(secret)).content == MINE


async def test_a_stranger_is_told_to_sign_in(anybody, public):
    assert (await anybody.post(f"{public}/x", content=b"1")).status_code == 401
    assert (await anybody.post(f"{STORAGE}/buckets", json={"id": "mine"})).status_code == 401


async def test_a_public_bucket_is_read_by_all_and_written_by_owners(alice, bob, anybody, public):
    assert (await alice.post(f"{public}/logo", content=MINE)).status_code == 201
    for reader in (bob, anybody):
        answer = await reader.get(f"{public}/logo")
        assert (answer.status_code, answer.content) == (200, MINE)
        assert answer.headers["cache-control"] == "public, no-cache"
        assert [one["key"] for one in (await reader.get(public)).json()["objects"]] == ["logo"]
    assert (await bob.put(f"{public}/logo", content=b"x")).status_code == 403
    assert (await bob.delete(f"{public}/logo")).status_code == 403
    assert (await anybody.delete(f"{public}/logo")).status_code in (401, 403)
    assert (await alice.get(f"{public}/logo")).content == MINE


async def test_only_the_operator_makes_and_changes_buckets(alice, private, operator):
    assert (await alice.post(f"{STORAGE}/buckets", json={"id": "mine"})).status_code == 403
    assert (await alice.patch(f"{STORAGE}/buckets/private", json={"public": True})).status_code == 403
    assert (await alice.delete(f"{STORAGE}/buckets/private")).status_code == 403
    changed = await operator.patch(f"{STORAGE}/buckets/private", json={"max_file_size": 3})
    assert (changed.json()["max_file_size"], changed.json()["public"]) == (3, False)


async def test_users_store_only_where_the_operator_lets_them(alice, operator, resources, owner):
    """Whoever signs up is a user: a bucket takes nothing of theirs unless it says so, and keeps what it took."""
    made = await operator.post(f"{STORAGE}/buckets", json={"id": "site", "public": True})
    assert made.json()["user_uploads"] is False
    for method in ("POST", "PUT"):
        assert (await alice.request(method, f"{STORAGE}/site/index", content=MINE)).status_code == 403
    assert (await operator.put(f"{STORAGE}/site/index", content=b"ours")).status_code == 201
    assert (await alice.post(f"{STORAGE}/site/index", content=MINE)).status_code == 403

    opened = await operator.patch(f"{STORAGE}/buckets/site", json={"user_uploads": True})
    assert (opened.json()["user_uploads"], opened.json()["public"]) == (True, True)
    assert (await alice.put(f"{STORAGE}/site/hers", content=MINE)).status_code == 201
    assert (await operator.patch(f"{STORAGE}/buckets/site", json={"public": False})).json()["user_uploads"] is True

    await operator.patch(f"{STORAGE}/buckets/site", json={"user_uploads": False})
    assert (await alice.post(f"{STORAGE}/site/more", content=MINE)).status_code == 403
    assert (await alice.put(f"{STORAGE}/site/hers", content=b"new")).status_code == 200
    assert (await alice.get(f"{STORAGE}/site/hers")).content == b"new"
    assert (await alice.delete(f"{STORAGE}/site/hers")).status_code == 204


async def test_users_move_nothing_between_buckets(alice, private, operator, resources, owner):
    """Not by SQL either: an object would come into a bucket that takes none, or none of its size."""
    await operator.post(f"{STORAGE}/buckets", json={"id": "site", "public": True})
    await alice.post(f"{private}/a", content=MINE)
    user = await owner.fetchval("SELECT owner_id FROM storage.objects")
    async with resources.database.transaction(Claims("authenticated", sub=str(user))) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE storage.objects SET bucket_id = 'site'")
    async with resources.database.transaction() as connection:
        assert await connection.execute("UPDATE storage.objects SET bucket_id = 'site'") == "UPDATE 1"


async def test_nobody_points_a_row_at_anothers_bytes(alice, bob, private, secret, resources, owner):
    """With SQL of their own, as PostgREST or our REST give it to those who expose the schema."""
    row = await owner.fetchrow("SELECT blob_key, owner_id FROM storage.objects")
    await bob.post(f"{private}/mine", content=b"bob's")
    bobs = await owner.fetchval("SELECT owner_id FROM storage.objects WHERE name = 'mine'")
    claims = Claims("authenticated", sub=str(bobs))
    columns = "(bucket_id, name, size, mime_type, etag, blob_key)"
    for statement in (
        f"INSERT INTO storage.objects {columns} VALUES ('private', 'x', 1, 'a/b', '', $1)",
        "UPDATE storage.objects SET blob_key = $1",
        "UPDATE storage.objects SET etag = $1",
        "UPDATE storage.objects SET mime_type = $1",
        "UPDATE storage.objects SET size = length($1)",
    ):
        async with resources.database.transaction(claims) as connection:
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UniqueViolationError)):
                await connection.execute(statement, row["blob_key"])
    for claims_of in (claims, ANONYMOUS):
        async with resources.database.transaction(claims_of) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch("SELECT * FROM storage.blobs")
    async with resources.database.transaction(claims) as connection:
        assert await connection.execute("DELETE FROM storage.objects WHERE name = 'diary'") == "DELETE 0"
        assert await connection.execute("UPDATE storage.objects SET name = 'renamed' WHERE name = 'mine'") == "UPDATE 1"
    assert (await bob.get(f"{private}/renamed")).content == b"bob's"


async def test_no_address_leads_out_of_a_bucket(alice, private):
    for path in [
        "%2e%2e/etc/passwd",
        "a/%2e%2e/%2e%2e/x",
        "%2Fetc/passwd",
        "a%2F%2Fb",
        "a%00b",
        "%ff%fe",
        "a%0d%0ab",
        "x" * 1100,
        "a/",
        "%2e",
        "%ed%a0%80",
    ]:
        for method in ("POST", "PUT", "GET", "HEAD", "DELETE"):
            answer = await alice.request(method, f"{private}/{path}", content=b"x" if method[0] == "P" else None)
            # A line break matches no route at all.
            assert answer.status_code == (404 if path == "a%0d%0ab" else 400), (method, answer.text)
        assert (await alice.post(f"{private}/sign/{path}", json={"expires_in": 1})).status_code in (400, 404)


async def test_names_stay_what_they_are(alice, private):
    names = {
        "%2e%2e": "%252e%252e",
        "é": "%C3%A9",
        "e\u0301": "e%CC%81",
        "a b": "a%20b",
        "a?b#c": "a%3Fb%23c",
        "\\..\\x": "%5C..%5Cx",
    }
    for name, path in names.items():
        assert (await alice.post(f"{private}/{path}", content=name.encode())).json()["key"] == name
    for name, path in names.items():
        assert (await alice.get(f"{private}/{path}")).content == name.encode()
    assert {one["key"] for one in (await alice.get(private)).json()["objects"]} == set(names)
