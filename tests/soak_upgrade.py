"""`make soak PREVIOUS=revision`: an upgrade from a revision of git and back, while users scan and delete.

100 users share a PostgreSQL. In each quarter of MINUTES one other thing serves: the old version; the old one
beside the new one, which migrates the database and takes over every second user; the new one; and after a
rollback the old one again. Prints a table of results; exits with status 1 if a scan was lost or reappeared, a
total was wrong, or a response was not expected, such as 500.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from tests.soak import MINUTES, Reply, Results, User
from tests.support.ai import Ai
from tests.support.application import SECRET
from tests.support.postgres import Postgres
from tests.support.program import FOR_LOAD, ROOT, Program

USERS, WORKERS = 100, 2
PHASE_SECONDS = MINUTES * 60 / 4
JSON = "application/json"


class MovingUser(User):
    """A user whose requests go to one version, then to another."""

    connected_to = 0

    async def send(self, action: str, target: str, content_type: str = JSON, body: bytes = b"") -> Reply:
        if self.port != self.connected_to:
            self.disconnect()
            self.connected_to = self.port
        return await super().send(action, target, content_type, body)

    async def scan(self) -> None:
        reply = await self.send("scan", "POST /api/scan", body=b'{"text": "The budget is tight."}')
        if reply.status == 200:
            self.stored[reply.body["scan_id"]] = reply.body

    async def browse(self) -> None:
        for path in ("/api/scans?limit=20", "/api/scans?q=budget", "/api/stats"):
            await self.send(path, f"GET {path}")

    async def show(self) -> None:
        scan_id = self._random_scan_id()
        if scan_id:
            reply = await self.send("show", f"GET /api/scans/{scan_id}")
            # versions may differ in the fields that the contract does not have
            same = reply.status != 200 or reply.body["data"] == self.stored[scan_id]["data"]
            self._expect("show", same, reply)


def extract_previous(folder: Path) -> Path:
    """Extract the revision PREVIOUS; return its run.py."""
    archive = subprocess.run(
        ["git", "archive", os.environ["PREVIOUS"]], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder / "run.py"


async def run_phases(
    old_script: Path, data: Path, environ: dict[str, str], results: Results
) -> list[MovingUser]:
    """Serve by one version after the other; return the users."""

    async def start(script: Path) -> Program:
        return await asyncio.to_thread(Program, data, environ, script)

    async def stop(program: Program) -> None:
        status = await asyncio.to_thread(program.stop)
        if status or "Traceback" in program.log:
            results.violations.append(f"exit status {status}: {program.log[-2000:]}")
        program.close()

    old = await start(old_script)
    users = [MovingUser(number, old.port, results) for number in range(USERS)]
    for user in users:
        await user.register()
    until = time.monotonic() + 4 * PHASE_SECONDS
    load = asyncio.gather(*(user.run_actions(until) for user in users))
    await asyncio.sleep(PHASE_SECONDS)
    new = await start(ROOT / "run.py")
    for user in users[::2]:
        user.port = new.port
    await asyncio.sleep(PHASE_SECONDS)
    for user in users:
        user.port = new.port
    await stop(old)
    await asyncio.sleep(PHASE_SECONDS)
    old = await start(old_script)
    for user in users:
        user.port = old.port
    await stop(new)
    await load
    await stop(old)
    return users


async def find_lost(users: list[MovingUser], port: int) -> tuple[int, int]:
    """Return how many scans are missing from the lists, and how many deleted ones are in them."""
    lost = reappeared = 0
    for user in users:
        user.port = port
        listed = set(await user.list_all())
        lost += len(user.stored.keys() - user.deleted - user.maybe_deleted - listed)
        reappeared += len(user.deleted & listed)
        await user.browse()
        user.disconnect()
    return lost, reappeared


async def run_soak(postgres: Postgres, folder: Path, data: Path) -> bool:
    """Run the load and report; return whether every guarantee held."""
    results, ai = Results(), Ai()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(await ai.serve())
        environ = {
            "DATABASE_URL": postgres.create_database(),
            "JWT_SECRET": SECRET,
            "AI_SERVICE_URL": ai.url,
            "WORKERS": str(WORKERS),
            **FOR_LOAD,
        }
        users = await run_phases(extract_previous(folder), data, environ, results)
        final = await asyncio.to_thread(Program, data, environ)
        stack.callback(final.close)
        lost, reappeared = await find_lost(users, final.port)
    print(f"{len(results.seconds)} requests in {MINUTES:g} minutes, from {os.environ['PREVIOUS']} and back")
    for (action, status, code), count in sorted(results.replies.items()):
        print(f"{count:10}  {action} {status or ''} {code}")
    print(f"{sum(len(user.stored) for user in users)} scans were saved, {lost} lost, {reappeared} reappeared")
    for line in results.violations[:20]:
        print("FAILED", line)
    return not (lost or reappeared or results.violations)


def main() -> int:
    with contextlib.ExitStack() as stack:
        postgres = Postgres()
        stack.callback(postgres.remove)
        postgres.start()
        folder, data = (Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2))
        return 0 if uvloop.run(run_soak(postgres, folder, data)) else 1


if __name__ == "__main__":
    sys.exit(main())
