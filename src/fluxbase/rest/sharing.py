"""Requests that ask the same costly question at the same time share an answer.

Counting half a million rows takes tens of milliseconds; fifty people who open the same page need it once. Whoever asks
while the question is being answered waits for the next answer, never for the one under way: each is read from a
snapshot that was taken after the request had arrived, as if it had asked alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass


@dataclass(slots=True)
class _Question[T]:
    """One that is asked: whoever waits for its answer, and the task that gets it."""

    task: "asyncio.Task[T]"
    waiting: int = 0


class Sharing[T]:
    """The questions of one process that are being answered, and those that wait their turn, by key."""

    def __init__(self) -> None:
        self._next: dict[Hashable, _Question[T]] = {}
        self._under_way: dict[Hashable, asyncio.Task[T]] = {}

    async def ask(self, key: Hashable, answer: Callable[[], Awaitable[T]]) -> T:
        """What `answer` returns, or raises, for everybody with this key who asked before it began.

        A key has to hold all that the answer depends on, above all who is asking.
        """
        question = self._next.get(key)
        if question is None:
            question = self._next[key] = _Question(asyncio.create_task(self._in_turn(key, answer)))
        question.waiting += 1
        try:
            return await asyncio.shield(question.task)
        finally:
            question.waiting -= 1
            if not question.waiting and not question.task.done():
                self._give_up(key, question)

    def _give_up(self, key: Hashable, question: _Question[T]) -> None:
        """Nobody is left to hear the answer."""
        question.task.cancel()
        if self._next.get(key) is question:
            del self._next[key]

    async def _in_turn(self, key: Hashable, answer: Callable[[], Awaitable[T]]) -> T:
        while (before := self._under_way.get(key)) is not None:
            await asyncio.wait([before])
        own = self._under_way[key] = self._next.pop(key).task
        try:
            return await answer()
        finally:
            if self._under_way.get(key) is own:
                del self._under_way[key]
