"""Sizes and types: of the server, of a bucket, and memory that stays flat."""

import asyncio

import pytest

from fluxbase.storage import clean

from ..serving import client_for, make_app
from .conftest import STORAGE, blobs_in

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


async def pieces(size: int, piece: int = 64 * 1024):
    for _ in range(size // piece):
        yield b"x" * piece


@pytest.mark.parametrize("declared", [True, False])
async def test_a_buckets_limit_holds_while_content_comes(operator, alice, folder, app, resources, declared):
    await operator.post(f"{STORAGE}/buckets", json={"id": "small", "user_uploads": True, "max_file_size": 100_000})
    fits = await alice.post(f"{STORAGE}/small/a", content=b"x" * 100_000)
    body = b"x" * 131_072 if declared else pieces(131_072)
    answer = await alice.post(f"{STORAGE}/small/b", content=body)
    form = await alice.post(f"{STORAGE}/small/c", files={"file": b"x" * 100_001})

    assert fits.status_code == 201
    for refused in (answer, form):
        assert (refused.status_code, refused.json()["error"]) == (413, "payload_too_large")
        assert "100000" in refused.json()["message"]
    await clean(resources.database, lambda: app.state.blobs, grace_seconds=0)
    assert [path.stat().st_size for path in blobs_in(folder)] == [100_000]


async def test_the_servers_limit_holds_for_every_bucket(settings, resources, folder, alice, private):
    limited = make_app(
        settings.model_copy(update={"storage_local_path": folder, "storage_max_file_size": 300_000}), resources
    )
    async with client_for(limited, headers=alice.headers) as client:
        assert (await client.post(f"{private}/a", files={"file": b"x" * 300_000})).status_code == 201
        for body in (b"x" * 300_001, b"x" * 3_000_000):
            assert (await client.post(f"{private}/b", content=body)).status_code == 413
            assert (await client.post(f"{private}/b", files={"file": body})).status_code == 413


async def test_a_bucket_takes_its_types_by_label_and_by_bytes(operator, alice):
    await operator.post(
        f"{STORAGE}/buckets",
        json={"id": "images", "user_uploads": True, "allowed_mime_types": ["image/*", "text/csv"]},
    )

    async def put(content: bytes, kind: str | None) -> int:
        headers = {"content-type": kind} if kind else {}
        return (await alice.put(f"{STORAGE}/images/x", content=content, headers=headers)).status_code

    assert await put(PNG, "image/png") == 201
    assert await put(PNG, None) == 200
    assert await put(b"a,b", "text/csv") == 200
    for content, kind in (
        (PNG, "application/pdf"),
        (b"<html><script>", "image/png"),
        (b"MZ\0\0", "image/png"),
        (PNG, "image/jpeg"),
        (b"<html>", "text/csv"),
        (b"\0\1", None),
    ):
        assert await put(content, kind) == 415, (content, kind)


async def test_a_bucket_that_cannot_be_is_400(operator):
    for body in [
        {},
        {"id": 1},
        {"id": "A"},
        {"id": "buckets"},
        {"id": "x", "public": 1},
        {"id": "x", "user_uploads": None},
        {"id": "x", "max_file_size": 0},
        {"id": "x", "max_file_size": 2**63},
        {"id": "x", "allowed_mime_types": "image/*"},
        {"id": "x", "allowed_mime_types": ["é/x"]},
        {"id": "x", "colour": "red"},
        [],
        "x",
    ]:
        answer = await operator.post(f"{STORAGE}/buckets", json=body)
        assert answer.status_code == 400, body


async def test_buckets_have_a_life(operator, alice, private):
    again = await operator.post(f"{STORAGE}/buckets", json={"id": "private"})
    assert (again.status_code, again.json()["error"]) == (409, "bucket_exists")
    assert [one["id"] for one in (await alice.get(f"{STORAGE}/buckets")).json()] == ["private"]
    await alice.post(f"{private}/a", content=b"x")
    assert (await operator.delete(f"{STORAGE}/buckets/private")).json()["error"] == "bucket_not_empty"
    assert (await operator.delete(f"{STORAGE}/buckets/private?force=true")).status_code == 204
    assert (await operator.get(f"{STORAGE}/buckets/private")).status_code == 404
    assert (await operator.delete(f"{STORAGE}/buckets/private")).status_code == 404


async def test_writers_of_one_name_come_one_after_the_other(alice, private, app, folder, resources):
    answers = await asyncio.gather(
        *(alice.put(f"{private}/same", content=str(number).encode() * 50_000) for number in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 200, 201]
    content = (await alice.get(f"{private}/same")).content
    assert content in {str(number).encode() * 50_000 for number in range(6)}
    await clean(resources.database, lambda: app.state.blobs, grace_seconds=0)
    assert [path.read_bytes() for path in blobs_in(folder)] == [content]


async def test_of_makers_of_one_name_one_wins(alice, private):
    answers = await asyncio.gather(*(alice.post(f"{private}/same", content=b"x") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
