"""The fair semaphore in front of the AI service."""

from __future__ import annotations

import asyncio
import contextlib
import math

import pytest

from riskscan.concurrency import FairSemaphore, half
from riskscan.errors import ApiError

FAR_DEADLINE_SECONDS = 10.0


class Calls:
    """Calls that hold a slot until they are ended; `running` lists them in order of start."""

    def __init__(self, most: int, alone_seconds: float = math.inf) -> None:
        self.semaphore = FairSemaphore(most, half(most), alone_seconds=alone_seconds)
        self.running: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, user: str, name: str) -> None:
        """Request a slot, and wait until the call runs or waits."""
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._call(user, name))
        await self.settle()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await self.tasks[name]
        await self.settle()

    async def cancel(self, name: str) -> None:
        self.tasks[name].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.tasks[name]
        await self.settle()

    async def settle(self) -> None:
        """Wait until the calls that were ended or cancelled are gone, and each other one runs or waits."""
        while not self._is_settled():  # noqa: ASYNC110  # no event for the states of a semaphore
            await asyncio.sleep(0)

    def _is_settled(self) -> bool:
        tasks = {name: task for name, task in self.tasks.items() if not task.done()}
        leaving = [name for name, task in tasks.items() if self.ends[name].is_set() or task.cancelling()]
        return not leaving and len(self.running) + self.semaphore.waiting == len(tasks)

    async def _call(self, user: str, name: str) -> None:
        async with self.semaphore.slot(user, asyncio.get_running_loop().time() + FAR_DEADLINE_SECONDS):
            self.running.append(name)
            try:
                await self.ends[name].wait()
            finally:
                self.running.remove(name)


async def test_free_slot_goes_to_the_user_with_the_fewest_calls() -> None:
    calls = Calls(4)
    for name in ("a1", "a2", "a3", "b1", "b2", "c1", "b3"):
        await calls.start(name[0], name)
    assert calls.running == ["a1", "a2", "b1", "b2"]  # a3 exceeds half of the slots, c1 finds none free
    assert (calls.semaphore.active, calls.semaphore.waiting) == (4, 3)
    await calls.end("a1")
    assert calls.running == ["a2", "b1", "b2", "c1"]  # although a3 came before c1
    await calls.end("b1")
    assert calls.running == ["a2", "b2", "c1", "a3"]  # a3 came before b3
    for name in ("a2", "b2", "c1", "a3", "b3"):
        await calls.end(name)
    assert (calls.semaphore.active, calls.semaphore.waiting) == (0, 0)


async def test_single_user_gets_at_most_half_of_the_slots() -> None:
    calls = Calls(4)
    for name in ("a1", "a2", "a3"):
        await calls.start("a", name)
    assert calls.running == ["a1", "a2"]
    await calls.start("b", "b1")
    assert calls.running == ["a1", "a2", "b1"]
    await calls.end("a2")
    assert calls.running == ["a1", "b1", "a3"]


async def test_user_who_has_been_alone_gets_all_slots() -> None:
    calls = Calls(2, alone_seconds=3600)
    for name in ("a1", "a2", "a3"):
        await calls.start("alice", name)
    assert calls.running == ["a1", "a2"]
    await calls.start("bob", "b1")
    await calls.end("a1")
    assert calls.running == ["a2", "b1"]
    await calls.end("b1")
    assert calls.running == ["a2"]  # bob may come back, and finds a free slot
    await calls.end("a2")
    assert calls.running == ["a3"]
    await calls.end("a3")


async def test_user_who_is_alone_again_gets_all_slots_at_the_next_release() -> None:
    calls = Calls(3, alone_seconds=3600)
    await calls.start("bob", "b1")
    for name in ("a1", "a2", "a3"):
        await calls.start("alice", name)
    assert calls.running == ["b1", "a1"]
    calls.semaphore._shared_until = 0.0  # the hour has passed
    await calls.end("b1")
    assert calls.running == ["a1", "a2", "a3"]
    for name in ("a1", "a2", "a3"):
        await calls.end(name)


async def test_users_with_as_many_slots_take_turns() -> None:
    calls = Calls(1)
    for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
        await calls.start(name[0], name)
    served = []
    while calls.running:
        served += calls.running
        await calls.end(calls.running[0])
    assert served == ["a1", "b1", "c1", "a2", "b2", "a3"]


async def test_users_who_return_keep_their_turn() -> None:
    calls = Calls(1)
    for name in ("a1", "b1", "b2", "c1", "c2"):
        await calls.start(name[0], name)
    served = []
    while calls.running:
        served += calls.running
        await calls.end(served[-1])
        if served[-1] == "a1":  # a sends the next call once the last has ended
            await calls.start("a", "a2")
        elif served[-1] == "a2":
            await calls.start("a", "a3")
    assert served == ["a1", "b1", "c1", "a2", "b2", "c2", "a3"]


async def test_cancelled_waiter_leaves_the_queue() -> None:
    calls = Calls(1)
    await calls.start("a", "a1")
    await calls.start("b", "b1")
    await calls.start("c", "c1")
    await calls.cancel("b1")
    await calls.end("a1")
    assert calls.running == ["c1"]
    await calls.cancel("c1")
    assert (calls.semaphore.active, calls.semaphore.waiting) == (0, 0)


@pytest.mark.parametrize("rounds", [0, 1])
async def test_waiter_cancelled_when_granted_passes_the_slot_on(rounds: int) -> None:
    calls = Calls(1)
    for name in ("a1", "b1", "c1"):
        await calls.start(name[0], name)
    calls.ends["a1"].set()
    for _ in range(rounds):  # after one round a1 has passed its slot to b1, which has not run yet
        await asyncio.sleep(0)
    calls.tasks["b1"].cancel()
    await calls.settle()
    assert calls.running == ["c1"]


async def test_slot_not_free_by_the_deadline_is_a_503() -> None:
    calls = Calls(1)
    await calls.start("a", "a1")
    with pytest.raises(ApiError) as refused:
        async with calls.semaphore.slot("b", asyncio.get_running_loop().time() + 0.01):
            pass
    assert (refused.value.status, refused.value.code) == (503, "overloaded")
    assert calls.semaphore.waiting == 0
