"""Per-process limits on concurrent work and its memory, shared among users; the count of active requests."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterator

from aiohttp import web

from .errors import ApiError, unavailable


class ConcurrencyLimit:
    """At most `limit` slots in this process, and at most half of them per user."""

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._by_user: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def slot(self, user_id: str) -> Iterator[None]:
        """Hold a slot. Raises 503 `overloaded` if none is free."""
        if self.active >= self._limit or self._by_user[user_id] >= half(self._limit):
            raise overloaded(self._name)
        self._by_user[user_id] += 1
        try:
            yield
        finally:
            decrement(self._by_user, user_id)

    @property
    def active(self) -> int:
        return self._by_user.total()


class FairSemaphore:
    """A semaphore with at most `share` slots per user.

    With `alone_seconds` a user gets all slots once no other user has got one for that time. A released slot
    goes to the waiting user who holds the fewest; of several, to the one who got a slot the longest ago or
    never.
    """

    def __init__(self, limit: int, share: int, name: str = "", alone_seconds: float = math.inf) -> None:
        self._free = limit
        self._share = share
        self._name = name  # of the limit, where users are refused at a deadline
        self._alone_seconds = alone_seconds
        self._latest_user: str | None = None
        # a time of the loop; without `alone_seconds`, users always share
        self._shared_until = math.inf if alone_seconds == math.inf else 0.0
        self._held: collections.Counter[str] = collections.Counter()
        self._waiting: dict[asyncio.Future[None], str] = {}  # the user of each waiter, in order of arrival
        self._acquired = 0
        # the number of each user's last slot: of users who hold one, and of all while somebody waits
        self._last_slot: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def slot(self, user_id: str, deadline: float | None) -> AsyncIterator[None]:
        """Wait for a slot and hold it. Raises 503 `overloaded` at a deadline (a time of the loop)."""
        if self._free and self._may_acquire(user_id):
            self._acquire(user_id)
        else:
            await self._wait(user_id, deadline)
        try:
            yield
        finally:
            self._release(user_id)

    @property
    def active(self) -> int:
        return self._held.total()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def _wait(self, user_id: str, deadline: float | None) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = user_id
        try:
            async with asyncio.timeout_at(deadline):
                await waiter
        except (TimeoutError, asyncio.CancelledError) as exc:
            if self._waiting.pop(waiter, None) is None:  # it got its slot at the same moment
                self._release(user_id)
            if isinstance(exc, TimeoutError):
                raise overloaded(self._name) from None
            raise

    def _may_acquire(self, user_id: str) -> bool:
        return self._held[user_id] < self._share or asyncio.get_running_loop().time() >= self._shared_until

    def _acquire(self, user_id: str) -> None:
        if self._latest_user not in (None, user_id):
            self._shared_until = asyncio.get_running_loop().time() + self._alone_seconds
        self._latest_user = user_id
        self._free -= 1
        self._held[user_id] += 1
        self._acquired += 1
        self._last_slot[user_id] = self._acquired

    def _release(self, user_id: str) -> None:
        self._free += 1
        decrement(self._held, user_id)
        while self._free and (eligible := self._eligible()):
            waiter = min(eligible, key=self._rank)
            self._acquire(self._waiting.pop(waiter))
            waiter.set_result(None)
        if not self._waiting:
            for user in self._last_slot.keys() - self._held.keys():
                del self._last_slot[user]

    def _eligible(self) -> list[asyncio.Future[None]]:
        return [
            waiter
            for waiter, user in self._waiting.items()
            if self._may_acquire(user) and not waiter.cancelled()
        ]

    def _rank(self, waiter: asyncio.Future[None]) -> tuple[int, int]:
        user = self._waiting[waiter]
        return self._held[user], self._last_slot.get(user, 0)


def half(limit: int) -> int:
    return max(1, limit // 2)


def decrement(counter: collections.Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]


def overloaded(limit: str = "") -> ApiError:
    """503: too much to do at once, for the limit of this name."""
    return unavailable("overloaded", "The server is busy. Try again shortly.", retry_seconds=10, limit=limit)


SCANS_IN_FLIGHT = web.AppKey("SCANS_IN_FLIGHT", ConcurrencyLimit)  # scans, uploads included
AI_CALLS = web.AppKey("AI_CALLS", FairSemaphore)
DATABASE_TURNS = web.AppKey("DATABASE_TURNS", FairSemaphore)  # for requests that users send in crowds


class MemoryBudget:
    """Limits the bytes of documents in memory at the same time.

    While several users have documents, all but one document of a user get at most half of the memory.
    """

    MAX_BYTES = 256 * 1024 * 1024

    def __init__(self, refuse: Callable[[], Exception] = overloaded) -> None:
        self._refuse = refuse
        self._used: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def reserve(self, user: str) -> Iterator[Callable[[int], None]]:
        """Yield a function that reserves bytes or raises 503 `overloaded`; all are released at the end."""
        reserved = 0

        def allocate(size: int) -> None:
            nonlocal reserved
            used, total = self._used[user], self._used.total()
            must_share = reserved < used < total  # with other documents of the user, and with other users
            too_many = must_share and used + size > self.MAX_BYTES // 2
            if too_many or total + size > self.MAX_BYTES:
                raise self._refuse()
            self._used[user] += size
            reserved += size

        try:
            yield allocate
        finally:
            self._used[user] -= reserved
            if not self._used[user]:
                del self._used[user]


class UploadMemory:
    """The bytes of memory for uploaded files; those for which none is left go to a temporary file."""

    def __init__(self, max_bytes: int) -> None:
        self.free = max_bytes

    @contextlib.contextmanager
    def reserve(self, size: int | None) -> Iterator[int]:
        """Reserve memory for a body of this size, None if it is not known; yield it, or 0 if less is left."""
        reserved = size if size is not None and size <= self.free else 0
        self.free -= reserved
        try:
            yield reserved
        finally:
            self.free += reserved


DECODING = web.AppKey("DECODING", asyncio.Lock)  # one long body at a time, so that others run in between
TEXT_MEMORY = web.AppKey("TEXT_MEMORY", MemoryBudget)  # of scans; without their files
UPLOAD_MEMORY = web.AppKey("UPLOAD_MEMORY", UploadMemory)


class ActiveRequests:
    """A context manager around each request; once it drains, new requests are refused."""

    def __init__(self) -> None:
        self.requests = 0
        self._draining = False
        self._drained = asyncio.Event()

    def __enter__(self) -> None:
        """Count a request. Raises 503 `shutting_down` once draining has started."""
        if self._draining:
            raise unavailable(
                "shutting_down", "The server is restarting. Try again in a moment.", retry_seconds=2
            )
        self.requests += 1

    def __exit__(self, *_: object) -> None:
        self.requests -= 1
        if self._draining and not self.requests:
            self._drained.set()

    async def drain(self) -> None:
        """Refuse new requests; return when those in progress have finished."""
        self._draining = True
        if self.requests:
            await self._drained.wait()


ACTIVE_REQUESTS = web.AppKey("ACTIVE_REQUESTS", ActiveRequests)
