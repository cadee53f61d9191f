"""Password hashes: bcrypt in a few threads, so that it does not block the event loop."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt
from aiohttp import web

from ..concurrency import ConcurrencyLimit, FairSemaphore

T = TypeVar("T")
THREADS = 2
MAX_WAITING = 100  # some 20 s of work at cost 12, half of it for one client
WAIT_SECONDS = 60


def lower_thread_priority() -> None:
    # a log-in takes 0.4 s of CPU time; let quick requests go first
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def prehash(password: str) -> bytes:
    # bcrypt reads 72 bytes only; in a digest every character counts
    return base64.b64encode(hmac.digest(b"riskscan-password", password.encode(), hashlib.sha384))


def cost_of(password_hash: str) -> int:
    """Return the cost of a bcrypt hash: checking a password against it takes 2^cost rounds."""
    return int(password_hash[4:6])


def dummy_hash(cost: int) -> str:
    """Return a hash of this cost that no password matches."""
    return f"$2b${cost:02}${'.' * 53}"


def check_at_cost(password: str, password_hash: str, cost: int) -> bool:
    """Return whether the password matches, after the rounds of this cost, or of the hash if it has more."""
    prehashed = prehash(password)
    matches = bcrypt.checkpw(prehashed, password_hash.encode())
    for missing in range(cost_of(password_hash), cost):  # 2^c + 2^c + 2^(c + 1) + … + 2^(cost - 1) = 2^cost
        bcrypt.checkpw(prehashed, dummy_hash(missing).encode())
    return matches


def has_password(password_hash: str) -> bool:
    """Return whether any password matches; accounts of people whom a proxy has logged in have none."""
    return password_hash != dummy_hash(cost_of(password_hash))


class Passwords:
    """bcrypt at one cost, with its own threads."""

    def __init__(self, cost: int) -> None:
        self._cost = cost
        self._threads = ThreadPoolExecutor(THREADS, "bcrypt", initializer=lower_thread_priority)
        self._queue = ConcurrencyLimit(MAX_WAITING, "password checks")
        self._slots = FairSemaphore(THREADS, THREADS, "password checks")

    async def hash(self, password: str, client: str) -> str:
        """Return a bcrypt hash. Raises 503 `overloaded` if too many wait, in total or of this client."""
        return await self._run(
            client, lambda: bcrypt.hashpw(prehash(password), bcrypt.gensalt(self._cost)).decode()
        )

    async def verify(self, password: str, password_hash: str | None, client: str) -> bool:
        """Return whether the password matches; without a hash it takes as long and returns False.

        Only a hash of a higher cost, from before the cost was lowered, takes longer. Raises as `hash` does.
        """
        checked = password_hash or dummy_hash(self._cost)
        matches = await self._run(client, lambda: check_at_cost(password, checked, self._cost))
        return matches and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether the hash was made at another cost than the present one."""
        return cost_of(password_hash) != self._cost

    async def _run(self, client: str, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        with self._queue.slot(client):
            async with self._slots.slot(client, loop.time() + WAIT_SECONDS):
                return await loop.run_in_executor(self._threads, work)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


PASSWORDS = web.AppKey("PASSWORDS", Passwords)
