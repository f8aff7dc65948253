"""Objects: stored, read, listed, replaced, deleted."""

import hashlib

import pytest

from fluxbase.storage import clean

from .conftest import STORAGE, blobs_in

FORM, END = "multipart/form-data; boundary=b", b"--b--\r\n"
HELLO = {"file": ("hello.txt", b"hello", "text/plain")}


def part(name: str, content: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n" % (name.encode(), content)


async def test_what_is_uploaded_is_what_is_read(alice, private):
    stored = await alice.post(f"{private}/notes/hello.txt", files=HELLO)
    assert stored.status_code == 201, stored.text
    body = stored.json()
    assert {name: body[name] for name in ("key", "bucket", "size", "content_type")} == {
        "key": "notes/hello.txt",
        "bucket": "private",
        "size": 5,
        "content_type": "text/plain",
    }

    read = await alice.get(f"{private}/notes/hello.txt")
    assert (read.status_code, read.content) == (200, b"hello")
    assert read.headers["etag"] == stored.headers["etag"] == f'"{hashlib.sha256(b"hello").hexdigest()}"'
    assert read.headers["content-length"] == "5"

    head = await alice.head(f"{private}/notes/hello.txt")
    assert (head.status_code, head.content) == (200, b"")
    assert {name: head.headers[name] for name in ("etag", "content-length", "content-type")} == {
        name: read.headers[name] for name in ("etag", "content-length", "content-type")
    }


async def test_a_body_without_a_form_is_an_object_too(alice, private):
    stored = await alice.post(
        f"{private}/raw.json", content=b"{}", headers={"content-type": "application/json", "x-metadata": '{"a": 1}'}
    )
    assert (stored.status_code, stored.json()["content_type"]) == (201, "application/json")
    assert stored.json()["metadata"] == {"a": 1}
    assert (await alice.get(f"{private}/raw.json")).content == b"{}"


@pytest.mark.parametrize("order", ["before", "after"])
async def test_a_form_may_carry_metadata(alice, private, order):
    parts = [("metadata", (None, b'{"camera": "old"}')), ("file", ("a", b"x" * 200_000))]
    answer = await alice.post(f"{private}/photo", files=parts if order == "before" else parts[::-1])
    assert answer.json()["metadata"] == {"camera": "old"}
    assert answer.json()["size"] == 200_000


async def test_an_empty_object_is_an_object(alice, private):
    assert (await alice.post(f"{private}/empty", files={"file": ("empty", b"")})).json()["size"] == 0
    read = await alice.get(f"{private}/empty")
    assert (read.status_code, read.content) == (200, b"")


async def test_post_makes_and_put_replaces(alice, private, folder, resources, app):
    first = await alice.put(f"{private}/a", files=HELLO)
    again = await alice.post(f"{private}/a", files=HELLO)
    other = await alice.put(f"{private}/a", content=b"other")
    upserted = await alice.post(f"{private}/a?upsert=true", content=b"third")

    assert [answer.status_code for answer in (first, again, other, upserted)] == [201, 409, 200, 200]
    assert again.json()["error"] == "object_exists"
    assert first.json()["id"] == upserted.json()["id"]
    assert (await alice.get(f"{private}/a")).content == b"third"
    await clean(resources.database, lambda: app.state.blobs, grace_seconds=0)
    assert [path.read_bytes() for path in blobs_in(folder)] == [b"third"]


async def test_a_list_is_by_name_in_pages_below_a_prefix(alice, private):
    for name in ("b/2", "a", "b/1", "b/3", "c", "b%25"):
        assert (await alice.post(f"{private}/{name}", content=b"x")).status_code == 201

    everything = (await alice.get(private)).json()
    assert [one["key"] for one in everything["objects"]] == ["a", "b%", "b/1", "b/2", "b/3", "c"]
    assert everything["next_offset"] is None

    page = (await alice.get(private, params={"prefix": "b/", "limit": 2})).json()
    assert [one["key"] for one in page["objects"]] == ["b/1", "b/2"]
    rest = (await alice.get(private, params={"prefix": "b/", "limit": 2, "offset": page["next_offset"]})).json()
    assert [one["key"] for one in rest["objects"]] == ["b/3"]
    assert rest["next_offset"] is None


async def test_a_page_that_cannot_be_is_400(alice, private):
    for query in ["limit=0", "limit=1001", "offset=-1", "offset=99999999999", "prefix=%00"]:
        assert (await alice.get(f"{private}?{query}")).status_code == 400, query


async def test_a_deleted_object_is_gone_and_its_bytes_follow(alice, private, folder, app, resources):
    await alice.post(f"{private}/a", files=HELLO)
    assert (await alice.delete(f"{private}/a")).status_code == 204
    assert (await alice.get(f"{private}/a")).status_code == 404
    assert (await alice.delete(f"{private}/a")).status_code == 404
    assert len(blobs_in(folder)) == 1, "whoever reads it now still gets it"
    await clean(resources.database, lambda: app.state.blobs, grace_seconds=0)
    assert list(folder.iterdir()) == []


async def test_what_is_not_there_is_404(alice, private):
    for method, path in (("GET", f"{private}/nothing"), ("HEAD", f"{private}/nothing"), ("GET", f"{STORAGE}/nowhere")):
        assert (await alice.request(method, path)).status_code == 404
    assert (await alice.post(f"{STORAGE}/nowhere/a", files=HELLO)).json()["error"] == "bucket_not_found"


async def test_a_form_that_is_wrong_stores_nothing(alice, private, folder, app, resources):
    for content, kind in [
        (part("x", b"x") + END, FORM),
        (part("file", b"x"), FORM),
        (b"rubbish", FORM),
        (b"", "multipart/form-data"),
        (part("file", b"x") + part("file", b"y") + END, FORM),
        (part("file", b"x") + part("metadata", b"[1]") + END, FORM),
    ]:
        answer = await alice.post(f"{private}/a", content=content, headers={"content-type": kind})
        assert answer.status_code == 400, (content, answer.text)
        assert (await alice.get(f"{private}/a")).status_code == 404
    await clean(resources.database, lambda: app.state.blobs, grace_seconds=0)
    assert not folder.exists() or blobs_in(folder) == []
