"""Password hashing: bounded, off the event loop, and equally slow for unknown emails."""

from __future__ import annotations

import asyncio

import bcrypt
import pytest

from riskscan.auth import passwords
from riskscan.auth.passwords import Passwords
from riskscan.errors import ApiError


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rounds of each check of a password, which its time is proportional to."""
    counted: list[int] = []
    checkpw = bcrypt.checkpw

    def check(password: bytes, password_hash: bytes) -> bool:
        assert (password_hash[:4], len(password_hash)) == (b"$2b$", 60)
        counted.append(2 ** int(password_hash[4:6]))
        return checkpw(password, password_hash)

    monkeypatch.setattr(bcrypt, "checkpw", check)
    return counted


async def count_rounds(passwords: Passwords, password_hash: str | None, rounds: list[int]) -> int:
    """Return the rounds that a wrong password takes."""
    rounds.clear()
    assert not await passwords.verify("wrong horse", password_hash, "ana")
    return sum(rounds)


@pytest.mark.parametrize("stored", [4, 5, 6, 7])
@pytest.mark.parametrize("cost", [5, 6])
async def test_unknown_email_takes_as_long_as_a_wrong_password(
    rounds: list[int], cost: int, stored: int
) -> None:
    """A hash from before the cost was raised is no faster; one of a higher cost takes its own time."""
    earlier, passwords = Passwords(stored), Passwords(cost)
    password_hash = await earlier.hash("correct horse", "ana")
    assert await count_rounds(passwords, password_hash, rounds) == 2 ** max(cost, stored)
    assert await count_rounds(passwords, None, rounds) == 2**cost
    assert await passwords.verify("correct horse", password_hash, "ana")
    assert passwords.is_outdated(password_hash) == (cost != stored)
    earlier.close()
    passwords.close()


async def test_no_password_matches_an_unknown_email() -> None:
    cheap = Passwords(4)
    assert not await cheap.verify("", None, "ana")
    cheap.close()


async def test_hashing_does_not_block_the_event_loop() -> None:
    slow = Passwords(10)
    work = asyncio.gather(*(slow.hash("correct horse", "ana") for _ in range(4)))
    turns = 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    slow.close()
    assert turns > 10  # a blocked loop has one turn for each of the tasks


async def test_too_many_concurrent_hashes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MAX_WAITING", 4)
    slow = Passwords(10)  # none is done before all have asked
    clients = ("ana", "ana", "ana", "ben", "ben", "cy")  # one client gets at most half
    found = await asyncio.gather(*(slow.hash("x", client) for client in clients), return_exceptions=True)
    refused = [one for one in found if isinstance(one, ApiError)]
    assert [(one.status, one.code) for one in refused] == [(503, "overloaded")] * 2
    assert isinstance(found[2], ApiError)
    assert await slow.verify("x", str(found[0]), "ana")
    slow.close()


async def test_one_client_does_not_starve_another() -> None:
    slow = Passwords(8)
    ended: list[str] = []

    async def work(client: str) -> None:
        await slow.hash("correct horse", client)
        ended.append(client)

    await asyncio.gather(*(work("ana") for _ in range(20)), work("ben"))
    slow.close()
    assert ended.index("ben") < 6
