"""Stores what the analyser finds in the sample contract: `python -m tests.ai_service.sample`."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

from riskscan.handlers.start import CONTRACT, RESULT
from tests.ai_service.service import Service, run_service, scan


async def scan_contract(http: aiohttp.ClientSession, service: Service) -> Any:
    status, answer = await scan(http, service, text=CONTRACT.read_text(encoding="utf-8"))
    assert status == 200, answer
    return answer


async def main() -> None:
    with run_service(AI_ENCODER="on") as service:
        async with aiohttp.ClientSession() as http:
            answer = await scan_contract(http, service)
    RESULT.write_text(json.dumps(answer, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
