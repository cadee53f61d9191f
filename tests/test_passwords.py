"""Password hashes: bounded work off the loop, and the same time for an address that nobody has."""

from __future__ import annotations

import asyncio
import time

import pytest

from riskscan import passwords
from riskscan.errors import ApiError
from riskscan.passwords import Passwords


async def test_an_unknown_address_takes_as_long_as_a_wrong_password() -> None:
    slow = Passwords(10)
    kept = await slow.hashed("correct horse")

    async def seconds(kept_hash: str | None) -> float:
        spent = []
        for _ in range(5):
            began = time.perf_counter()
            assert not await slow.matches("wrong horse", kept_hash)
            spent.append(time.perf_counter() - began)
        return min(spent)

    wrong, unknown = await seconds(kept), await seconds(None)
    slow.close()
    assert 0.5 < unknown / wrong < 2


async def test_nobody_has_the_hash_of_an_unknown_address() -> None:
    cheap = Passwords(4)
    assert not await cheap.matches("", None)
    cheap.close()


async def test_the_loop_goes_on_while_passwords_are_hashed() -> None:
    slow = Passwords(10)
    work = asyncio.gather(*(slow.hashed("correct horse") for _ in range(4)))
    turns = 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    slow.close()
    assert turns > 100


async def test_too_many_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MAX_WAITING", 3)
    cheap = Passwords(4)
    found = await asyncio.gather(*(cheap.hashed("x") for _ in range(5)), return_exceptions=True)
    refused = [one for one in found if isinstance(one, ApiError)]
    assert [(one.status, one.code) for one in refused] == [(503, "overloaded")] * 2
    assert await cheap.matches("x", str(found[0]))
    cheap.close()
