"""GET and HEAD: ranges, conditions, and headers that keep what was uploaded from running here."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxbase.storage.blobs import BlobStore
from fluxbase.storage.ranges import ByteRange

CONTENT = bytes(range(256)) * 4


@pytest.fixture
async def address(alice, private) -> str:
    assert (await alice.post(f"{private}/a", content=CONTENT)).status_code == 201
    return f"{private}/a"


async def test_a_range_is_a_slice(alice, address):
    for header, start, end in [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=1000-", 1000, 1024),
        ("bytes=-24", 1000, 1024),
        ("bytes=1000-9999", 1000, 1024),
        ("bytes=-9999", 0, 1024),
    ]:
        answer = await alice.get(address, headers={"range": header})
        assert (answer.status_code, answer.content) == (206, CONTENT[start:end])
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/1024"
        assert answer.headers["content-length"] == str(end - start)


async def test_a_range_behind_the_end_is_416(alice, address):
    answer = await alice.get(address, headers={"range": "bytes=1024-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */1024")
    assert answer.json()["error"] == "range_not_satisfiable"


async def test_other_ranges_are_everything(alice, address):
    for header in ["bytes=0-1,5-6", "bytes=9-1", "lines=1-2"]:
        answer = await alice.get(address, headers={"range": header})
        assert (answer.status_code, answer.content) == (200, CONTENT)
        assert "content-range" not in answer.headers


async def test_conditions(alice, address):
    etag = (await alice.head(address)).headers["etag"]

    async def ask(method="GET", **headers):
        answer = await alice.request(method, address, headers={k.replace("_", "-"): v for k, v in headers.items()})
        return answer.status_code, len(answer.content)

    assert await ask(if_none_match=etag) == (304, 0)
    assert await ask("HEAD", if_none_match=f'"x", W/{etag}') == (304, 0)
    assert await ask(if_none_match='"x"') == (200, 1024)
    assert await ask(if_match=etag) == (200, 1024)
    assert (await ask(if_match='"x"'))[0] == 412
    assert await ask(range="bytes=0-9", if_range=etag) == (206, 10)
    assert await ask(range="bytes=0-9", if_range='"x"') == (200, 1024)
    assert await ask(range="bytes=0-9", if_range="Wed, 25 Nov 2026 18:00:00 GMT") == (200, 1024)
    assert await ask("HEAD", range="bytes=0-9") == (200, 0)


async def test_writes_may_be_conditional(alice, private):
    made = await alice.put(f"{private}/c", content=b"1", headers={"if-none-match": "*"})
    again = await alice.put(f"{private}/c", content=b"2", headers={"if-none-match": "*"})
    changed = await alice.put(f"{private}/c", content=b"3", headers={"if-match": made.headers["etag"]})
    late = await alice.put(f"{private}/c", content=b"4", headers={"if-match": made.headers["etag"]})
    nothing = await alice.put(f"{private}/d", content=b"5", headers={"if-match": "*"})
    kept = await alice.delete(f"{private}/c", headers={"if-match": made.headers["etag"]})

    assert [answer.status_code for answer in (made, again, changed, late, nothing, kept)] == [
        201,
        412,
        200,
        412,
        412,
        412,
    ]
    assert (await alice.get(f"{private}/c")).content == b"3"


async def test_what_was_uploaded_does_not_run_here(alice, private):
    for kind, how in [
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/xhtml+xml", "attachment"),
        ("text/javascript", "attachment"),
        ("application/pdf", "attachment"),
        ("image/png", "inline"),
        ("text/plain", "inline"),
        ("video/mp4", "inline"),
    ]:
        await alice.put(f"{private}/pages/x", content=b"<script>alert(1)</script>", headers={"content-type": kind})
        headers = (await alice.get(f"{private}/pages/x")).headers
        assert headers["content-disposition"] == f"{how}; filename*=UTF-8''x"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert headers["cache-control"] == "private, no-cache"
        assert headers.get_list("content-security-policy") == ["default-src 'none'; sandbox"]


async def test_a_download_has_the_name_that_was_asked_for(alice, private):
    await alice.put(f"{private}/x", content=b"1", headers={"content-type": "image/png"})
    answer = await alice.get(f"{private}/x", params={"download": 'q"\r\nSet-Cookie: a=b ü.png'})
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''q%22%0D%0ASet-Cookie%3A%20a%3Db%20%C3%BC.png"
    )
    assert "set-cookie" not in answer.headers


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_any_part_of_a_blob_is_that_slice(folder, data):
    from fluxbase.storage.blobs import LocalStore

    folder.mkdir(exist_ok=True)
    blobs = BlobStore(LocalStore(folder), folder)
    content = data.draw(st.binary(max_size=2000))
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    key = f"x/{data.draw(st.uuids())}"

    async def chunks():
        for position in range(0, len(content), 97):
            yield content[position : position + 97]

    await blobs.write(key, chunks())
    assert b"".join([chunk async for chunk in await blobs.read(key, ByteRange(start, end))]) == content[start:end]
