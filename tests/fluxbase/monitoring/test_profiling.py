"""Profiles, read back as pprof reads them: by the wire format of protocol buffers, not by our encoder."""

import asyncio
import gzip
import threading
import time
from collections.abc import Iterator

import pytest

from ..serving import client_for

PROFILE, HEAP = "/debug/pprof/profile", "/debug/pprof/heap"
REPEATED_NUMBERS = (1, 2)


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field number and value of each field of a message."""
    at = 0

    def varint() -> int:
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while at < len(message):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        else:
            assert tag & 7 == 2, "neither a number nor a message"
            size = varint()
            assert at + size <= len(message), "cut short"
            yield tag >> 3, message[at : at + size]
            at += size


def every(message: bytes, number: int) -> list:
    return [value for found, value in fields(message) if found == number]


def read(content: bytes) -> tuple[list[tuple[str, str]], list[tuple[list[str], list[int]]], dict[int, int]]:
    """Kinds, samples as (function names, values), and the top-level numbers of a profile."""
    raw = gzip.decompress(content)
    texts = [text.decode() for text in every(raw, 6)]
    assert texts[0] == "", "the format wants the empty text first"
    names = {every(one, 1)[0]: texts[every(one, 2)[0]] for one in every(raw, 5)}
    locations = {every(one, 1)[0]: names[every(every(one, 4)[0], 1)[0]] for one in every(raw, 4)}
    kinds = [(texts[every(one, 1)[0]], texts[every(one, 2)[0]]) for one in every(raw, 1)]
    samples = [([locations[place] for place in every(one, 1)], every(one, 2)) for one in every(raw, 2)]
    return kinds, samples, {number: value for number, value in fields(raw) if isinstance(value, int)}


def busy_with_sums(stop: threading.Event) -> None:
    while not stop.is_set():
        sum(range(1000))


async def test_the_profile_finds_what_the_process_does(here):
    stop = threading.Event()
    thread = threading.Thread(target=busy_with_sums, args=(stop,))
    thread.start()
    try:
        answer = await here.get(PROFILE, params={"seconds": 0.4})
    finally:
        stop.set()
        thread.join()

    assert answer.status_code == 200, answer.text
    kinds, samples, numbers = read(answer.content)
    assert kinds == [("samples", "count"), ("cpu", "nanoseconds")]
    busy = [(stack, values) for stack, values in samples if "busy_with_sums" in stack]
    assert busy, "a thread that works all the time must be seen"
    for stack, (count, nanoseconds) in busy:
        assert nanoseconds == count * 10_000_000
        assert stack.index("busy_with_sums") < stack.index("Thread.run"), "innermost first"
    assert numbers[12] == 10_000_000
    assert numbers[10] == 400_000_000
    assert abs(numbers[9] / 1e9 - time.time()) < 60


async def test_the_heap_shows_what_was_allocated_and_kept(here):
    kept: list[bytearray] = []

    async def grow() -> None:
        while len(kept) < 20:
            await asyncio.sleep(0.01)
            kept.append(bytearray(100_000))

    answer, _ = await asyncio.gather(here.get(HEAP, params={"seconds": 0.6}), grow())
    kinds, samples, _ = read(answer.content)
    assert kinds == [("inuse_objects", "count"), ("inuse_space", "bytes")]
    ours = [values for stack, values in samples if "test_profiling.py" in stack[0]]
    assert max(size for _, size in ours) >= 1_000_000


async def test_one_at_a_time_and_not_for_ever(here):
    first = asyncio.create_task(here.get(PROFILE, params={"seconds": 0.3}))
    await asyncio.sleep(0.1)
    assert (await here.get(HEAP, params={"seconds": 0.1})).status_code == 409
    assert (await first).status_code == 200
    for seconds in ("0", "-1", "1000", "nan", "x"):
        assert (await here.get(PROFILE, params={"seconds": seconds})).status_code == 422


async def test_the_gate(whole):
    async with client_for(whole, peer=("10.0.0.5", 1)) as neighbour:
        assert (await neighbour.get(PROFILE)).status_code == 401
    async with client_for(whole, peer=("127.0.0.1", 1)) as proxied:
        assert (await proxied.get(PROFILE, headers={"X-Forwarded-For": "1.2.3.4"})).status_code == 401
    whole.state.settings = whole.state.settings.model_copy(update={"pprof_enabled": False})
    async with client_for(whole, peer=("127.0.0.1", 1)) as here:
        answer = await here.get(PROFILE)
        assert answer.status_code == 404
        assert "debug.pprof" in answer.json()["message"]


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**63 - 1])
def test_numbers_of_any_size(number):
    from fluxbase.monitoring.profiling.encoding import Profile, encode

    profile = Profile((("a", "b"),), [((("f", "x.py", number),), (number,))], 1, number, 1)
    _, ((stack, values),), numbers = read(encode(profile))
    assert (stack, values, numbers[9]) == (["f"], [number], number)
