"""What no client means to send: an answer of 4xx each, never 5xx."""

import pytest

from .conftest import STORAGE

NESTED = '{"a": ' + "[" * 30_000 + "]" * 30_000 + "}"
ODD = [
    ("GET", "%00", {}, b"", 400),
    ("GET", "%ff", {}, b"", 404),
    ("GET", "private?prefix=%ff", {}, b"", 400),
    ("GET", "private?limit=x", {}, b"", 422),
    ("GET", "private/a?token=%00%ff", {}, b"", 403),
    ("GET", "buckets/%00", {}, b"", 400),
    ("PUT", "%00/a", {}, b"x", 400),
    ("PUT", "private/a", {"x-metadata": '{"a": "\\u0000"}'}, b"x", 400),
    ("PUT", "private/a", {"x-metadata": '{"a": NaN}'}, b"x", 400),
    ("PUT", "private/a", {"x-metadata": '{"a": "\\ud800"}'}, b"x", 400),
    ("PUT", "private/a", {"x-metadata": NESTED}, b"x", 400),
    ("PUT", "private/a", {"content-type": f'multipart/form-data; boundary="{"x" * 300}"'}, b"x", 400),
    ("PUT", "private/a", {"content-type": "multipart/form-data; boundary*=utf-8''%ff"}, b"x", 400),
    ("POST", "private/sign/a", {}, b"\xff", 400),
    ("POST", "private/sign/a", {}, b"[1]", 400),
    ("POST", "private/sign/a", {}, b" " * 100_000, 400),
]


async def test_odd_requests_are_refused(alice, private):
    answered = [
        (
            method,
            path,
            headers,
            (await alice.request(method, f"{STORAGE}/{path}", content=body, headers=headers)).status_code,
        )
        for method, path, headers, body, _ in ODD
    ]
    assert [status for *_, status in answered] == [status for *_, status in ODD]


@pytest.mark.parametrize("kind", [b"\xff\xfe", b"image/png\x00", b"a" * 5000])
async def test_a_type_that_is_none_is_found_out(alice, private, kind):
    answer = await alice.put(f"{private}/a.txt", content=b"hello", headers={b"content-type": kind})
    assert (answer.status_code, answer.json()["content_type"]) == (201, "text/plain")
