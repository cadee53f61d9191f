"""Fixtures of the AI service's tests: a running service and a client session."""

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.ai_service.service import Service, running


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One service for the tests that leave it as it was."""
    with running() as started:
        yield started


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
