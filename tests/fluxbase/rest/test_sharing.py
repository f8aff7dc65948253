import asyncio

import pytest

from fluxbase.rest.sharing import Sharing


class _Answers:
    """Answers numbers from one on, each when it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.go = asyncio.Semaphore(0)

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        try:
            await self.go.acquire()
        finally:
            self.ended += 1
        return number


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_asks_while_an_answer_is_made_gets_the_next_one_together() -> None:
    sharing, answers = Sharing[int](), _Answers()
    first = asyncio.create_task(sharing.ask("key", answers))
    await _settle()
    later = [asyncio.create_task(sharing.ask("key", answers)) for _ in range(5)]
    await _settle()
    assert answers.begun == 1
    answers.go.release()
    await _settle()
    assert (first.done(), answers.begun) == (True, 2)
    latest = asyncio.create_task(sharing.ask("key", answers))
    answers.go.release()
    assert await asyncio.gather(*later) == [2] * 5
    answers.go.release()
    assert await latest == 3


async def test_other_keys_wait_for_nobody() -> None:
    sharing, answers = Sharing[int](), _Answers()
    both = [asyncio.create_task(sharing.ask(key, answers)) for key in ("one", "other")]
    await _settle()
    assert answers.begun == 2
    answers.go.release()
    answers.go.release()
    assert sorted(await asyncio.gather(*both)) == [1, 2]


async def test_who_leaves_takes_the_answer_from_nobody() -> None:
    sharing, answers = Sharing[int](), _Answers()
    asked = [asyncio.create_task(sharing.ask("key", answers)) for _ in range(2)]
    await _settle()
    asked[0].cancel()
    answers.go.release()
    assert await asked[1] == 1


async def test_what_nobody_waits_for_is_cancelled() -> None:
    sharing, answers = Sharing[int](), _Answers()
    begun = asyncio.create_task(sharing.ask("key", answers))
    await _settle()
    waiting = asyncio.create_task(sharing.ask("key", answers))
    await _settle()
    waiting.cancel()
    begun.cancel()
    await _settle()
    assert (answers.begun, answers.ended) == (1, 1)
    answers.go.release()
    assert await sharing.ask("key", answers) == 2


async def test_an_error_is_told_to_all_and_not_kept() -> None:
    sharing = Sharing[int]()
    errors = iter([ValueError("once")])

    async def fail_once() -> int:
        await asyncio.sleep(0)
        for error in errors:
            raise error
        return 1

    told = await asyncio.gather(*(sharing.ask("key", fail_once) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [ValueError] * 3
    assert await sharing.ask("key", fail_once) == 1


async def test_the_waiting_answer_begins_although_the_one_before_it_failed() -> None:
    sharing, answers = Sharing[int](), _Answers()

    async def fail() -> int:
        await answers()
        raise ValueError("gone")

    failing = asyncio.create_task(sharing.ask("key", fail))
    await _settle()
    waiting = asyncio.create_task(sharing.ask("key", answers))
    answers.go.release()
    answers.go.release()
    with pytest.raises(ValueError, match="gone"):
        await failing
    assert await waiting == 2


async def _asked_in_turn(sharing: Sharing[int], askers: int) -> list[int]:
    """Each asks one turn of the loop later than the one before; which answer each of them got."""
    answers = 0

    async def answer() -> int:
        nonlocal answers
        answers += 1
        return answers

    async def ask(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await sharing.ask("q", answer)

    return await asyncio.gather(*(ask(turns) for turns in range(askers)))


async def test_who_is_at_the_door_is_let_in() -> None:
    assert await _asked_in_turn(Sharing(), 10) == [1] * 10


async def test_nobody_waits_for_ever_for_those_who_come() -> None:
    got = await _asked_in_turn(Sharing(), 60)
    assert got[0] == 1
    assert got[-1] > 1
