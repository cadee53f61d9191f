"""Fixtures of the AI service's tests: a running service and a client session."""

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.ai_service.service import Service, run_service


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service that the tests of a module share."""
    with run_service() as started:
        yield started


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
