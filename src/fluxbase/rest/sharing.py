"""Requests that ask the same costly question at the same time share an answer.

Counting half a million rows takes tens of milliseconds; fifty people who open the same page need it once. Whoever asks
while the question is being answered waits for the next answer, never for the one under way: each is read from a
snapshot that was taken after the request had arrived, as if it had asked alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

_MOST_LOOKS = 20
_LOOKS_IN_VAIN = 2  # one reads the sockets, the next runs what came in


@dataclass(slots=True)
class _Question[T]:
    """One that is asked: the task that gets its answer, and whoever waits for it."""

    task: "asyncio.Task[None]"
    waiters: "list[asyncio.Future[T]]" = field(default_factory=list["asyncio.Future[T]"])

    def tell(self, answer: T) -> None:
        for waiter in self._left():
            waiter.set_result(answer)

    def refuse(self, error: Exception) -> None:
        for waiter in self._left():
            waiter.set_exception(error)

    def let_go(self) -> None:
        for waiter in self._left():  # the task was cancelled, as all are when the loop ends
            waiter.cancel()

    def _left(self) -> "Iterator[asyncio.Future[T]]":
        return (waiter for waiter in self.waiters if not waiter.done())


async def _let_in(question: _Question[Any]) -> None:
    """Wait for requests that have arrived and are not read yet, as long as each look at the sockets brings some.

    With many at the door it is they who take the time; alone it costs two turns of the loop.
    """
    in_vain = 0
    for _ in range(_MOST_LOOKS):
        waiting = len(question.waiters)
        await asyncio.sleep(0)
        in_vain = 0 if len(question.waiters) > waiting else in_vain + 1
        if in_vain == _LOOKS_IN_VAIN:
            return


class Sharing[T]:
    """The questions of one process that are being answered, and those that wait their turn, by key."""

    def __init__(self) -> None:
        self._next: dict[Hashable, _Question[T]] = {}
        self._under_way: dict[Hashable, _Question[T]] = {}

    async def ask(self, key: Hashable, answer: Callable[[], Awaitable[T]]) -> T:
        """What `answer` returns, or raises, for everybody with this key who asked before it began.

        A key has to hold all that the answer depends on, above all who is asking.
        """
        question = self._next.get(key)
        if question is None:
            question = self._next[key] = _Question(asyncio.create_task(self._in_turn(key, answer)))
        # One future each: whoever goes away cancels their own, and shielding a common one costs twice as much.
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        question.waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            question.waiters.remove(waiter)
            if not question.waiters:
                self._give_up(key, question)
            raise

    def _give_up(self, key: Hashable, question: _Question[T]) -> None:
        """Nobody is left to hear the answer."""
        question.task.cancel()
        if self._next.get(key) is question:
            del self._next[key]

    async def _in_turn(self, key: Hashable, answer: Callable[[], Awaitable[T]]) -> None:
        while (before := self._under_way.get(key)) is not None:
            await asyncio.wait([before.task])
        await _let_in(self._next[key])
        own = self._under_way[key] = self._next.pop(key)
        try:
            own.tell(await answer())
        except Exception as error:  # noqa: BLE001 -- it is theirs who asked
            own.refuse(error)
        finally:
            own.let_go()
            if self._under_way.get(key) is own:
                del self._under_way[key]
