"""Signed addresses: for anybody who has them, as long as their signer could see the object."""

from datetime import timedelta

import pytest

from fluxbase.storage import signing

from ..serving import client_for
from .conftest import STORAGE


@pytest.fixture
async def signed(alice, private) -> str:
    await alice.post(f"{private}/a/b c.txt", content=b"0123456789")
    answer = await alice.post(f"{private}/sign/a/b c.txt", json={"expires_in": 60})
    assert answer.status_code == 200, answer.text
    url = answer.json()["signed_url"]
    assert url.startswith("http://testserver/api/v1/storage/private/a/b%20c.txt?token=")
    return url


async def test_a_signed_address_needs_no_credentials(anybody, signed):
    assert (await anybody.get(signed)).content == b"0123456789"
    assert (await anybody.get(signed, headers={"range": "bytes=1-2"})).content == b"12"
    assert (await anybody.head(signed)).headers["content-length"] == "10"


async def test_it_is_for_reading_one_object(anybody, alice, private, signed):
    token = signed.partition("token=")[2]
    await alice.post(f"{private}/other", content=b"x")
    assert (await anybody.get(f"{private}/other", params={"token": token})).json()["error"] == "invalid_signature"
    elsewhere = await anybody.get(f"{STORAGE}/elsewhere/a/b c.txt", params={"token": token})
    assert (elsewhere.status_code, elsewhere.json()["error"]) == (403, "invalid_signature"), "of the same name"
    assert (await anybody.put(signed, content=b"x")).status_code in (401, 404)
    assert (await anybody.delete(signed)).status_code == 404
    for broken in ("", "x", token[:40] + "AA" + token[42:], token[:-8], "é"):
        answer = await anybody.get(f"{private}/a/b c.txt", params={"token": broken})
        assert (answer.status_code, answer.json()["error"]) == (403, "invalid_signature"), broken


async def test_it_tells_nobody_who_signed(signed, owner):
    token = signed.partition("token=")[2]
    for secret in (await owner.fetchrow("SELECT id::text, user_id::text FROM auth.sessions")).values():
        assert secret not in token


async def test_it_expires(app, anybody, alice, private, signed, resources):
    answer = await alice.post(f"{private}/sign/a/b c.txt", json={"expires_in": 1})
    token = answer.json()["signed_url"].partition("token=")[2]
    secret, later = resources.addresses.secret, resources.now() + timedelta(seconds=2)
    with pytest.raises(signing.SignatureExpiredError):
        signing.redeem(secret, token, "private", "a/b c.txt", now=later)
    assert (await anybody.get(answer.json()["signed_url"])).status_code == 200


async def test_a_lifetime_that_cannot_be_is_400(alice, private):
    await alice.post(f"{private}/a", content=b"x")
    for expires_in in [0, -1, 604801, "60", 1.5, True, None]:
        answer = await alice.post(f"{private}/sign/a", json={"expires_in": expires_in})
        assert answer.status_code == 400, expires_in


async def test_it_dies_with_the_signers_session(anybody, owner, signed):
    await owner.execute("DELETE FROM auth.sessions")
    assert (await anybody.get(signed)).status_code == 401


async def test_it_dies_with_the_signers_rights(anybody, owner, signed):
    await owner.execute("UPDATE storage.objects SET owner_id = NULL")
    assert (await anybody.get(signed)).status_code == 404


async def test_it_dies_with_the_object_and_follows_its_content(alice, anybody, private, signed):
    await alice.put(f"{private}/a/b c.txt", content=b"new")
    assert (await anybody.get(signed)).content == b"new"
    await alice.delete(f"{private}/a/b c.txt")
    assert (await anybody.get(signed)).status_code == 404


async def test_keys_need_scopes_and_their_addresses_die_with_them(app, operator, anybody, alice, private):
    await alice.post(f"{private}/a", content=b"x")

    async def key_with(*scopes: str) -> dict:
        answer = await operator.post("/api/v1/admin/service-keys", json={"name": "k", "scopes": list(scopes)})
        assert answer.status_code == 201, answer.text
        return answer.json()

    reads, writes = await key_with("storage:read"), await key_with("storage:write")
    async with client_for(app, headers={"X-Service-Key": reads["key"]}) as reader:
        assert (await reader.get(f"{private}/a")).content == b"x"
        assert [one["key"] for one in (await reader.get(private)).json()["objects"]] == ["a"]
        for method, path in (
            ("PUT", f"{private}/a"),
            ("DELETE", f"{private}/a"),
            ("DELETE", f"{STORAGE}/buckets/private"),
        ):
            assert (await reader.request(method, path)).status_code == 403
        url = (await reader.post(f"{private}/sign/a", json={"expires_in": 60})).json()["signed_url"]
    async with client_for(app, headers={"X-Service-Key": writes["key"]}) as writer:
        assert (await writer.get(f"{private}/a")).status_code == 403
        assert (await writer.post(f"{private}/b", content=b"y")).json()["owner_id"] is None

    assert (await anybody.get(url)).content == b"x"
    revoked = await operator.post(f"/api/v1/admin/service-keys/{reads['id']}/revoke", json={"reason": "lost"})
    assert revoked.status_code == 200, revoked.text
    assert (await anybody.get(url)).status_code == 401
