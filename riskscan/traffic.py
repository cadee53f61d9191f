"""How many requests are being answered, and whether new ones still are."""

from __future__ import annotations

import asyncio

from aiohttp import web

from .errors import unavailable


class ActiveRequests:
    """A context manager around each request; once it drains, new ones are refused."""

    def __init__(self) -> None:
        self.requests = 0
        self._draining = False
        self._quiet = asyncio.Event()

    def __enter__(self) -> None:
        """Count a request in. Raises 503 `shutting_down` while this process ends."""
        if self._draining:
            raise unavailable(
                "shutting_down", "The service is restarting. Try again in a moment.", retry_seconds=2
            )
        self.requests += 1

    def __exit__(self, *_: object) -> None:
        self.requests -= 1
        if self._draining and not self.requests:
            self._quiet.set()

    async def drain(self) -> None:
        """Refuse new requests from now on; return when the last one under way is answered."""
        self._draining = True
        if self.requests:
            await self._quiet.wait()


ACTIVE_REQUESTS = web.AppKey("TRAFFIC", ActiveRequests)
