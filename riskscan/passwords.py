"""Password hashes: bcrypt, off the event loop, a bounded number at a time."""

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

from .errors import unavailable

T = TypeVar("T")
THREADS = 2
MAX_WAITING = 100  # some 20 s of work at cost 12


def step_back() -> None:
    # a log-in takes 0.4 s of CPU time; requests that take none go first
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def digest(password: str) -> bytes:
    # bcrypt reads 72 bytes; a digest lets every character count
    return base64.b64encode(hmac.digest(b"riskscan-password", password.encode(), hashlib.sha384))


class Passwords:
    """bcrypt at one cost, in threads of its own."""

    def __init__(self, cost: int) -> None:
        self._cost = cost
        # a hash that no password has: an unknown address takes as long as a wrong password
        self._nobody = f"$2b${cost:02}$".encode() + b"." * 53
        self._threads = ThreadPoolExecutor(THREADS, "bcrypt", initializer=step_back)
        self._waiting = 0

    async def hashed(self, password: str) -> str:
        """Return the hash to keep. Raises 503 `overloaded` where too many wait already."""
        return await self._run(lambda: bcrypt.hashpw(digest(password), bcrypt.gensalt(self._cost)).decode())

    async def matches(self, password: str, kept_hash: str | None) -> bool:
        """Tell whether this is the password; takes as long for None as for a hash.

        Raises 503 `overloaded` where too many wait already.
        """
        kept = kept_hash.encode() if kept_hash is not None else self._nobody
        return await self._run(lambda: bcrypt.checkpw(digest(password), kept)) and kept_hash is not None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise unavailable("overloaded", "Too many people are signing in right now.", retry_seconds=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


PASSWORDS = web.AppKey("PASSWORDS", Passwords)
