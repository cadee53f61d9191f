"""`make soak`: users scan, list and delete while the AI service, the database and the workers fail.

MINUTES sets the duration (10). 300 users share two workers on PostgreSQL. The AI service refuses, hangs,
trickles and returns garbage; the database restarts twice, once after a crash; a worker is killed every
minute. Prints a table of results; exits with status 1 if a guarantee was violated. Requires Linux.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import uvloop
from aiohttp import web

from tests.support.ai import Ai
from tests.support.application import SECRET
from tests.support.postgres import Postgres, database_name
from tests.support.program import FOR_LOAD, ROOT, Program
from tests.support.tcp_proxy import Proxy

MINUTES = float(os.environ.get("MINUTES", "10"))
USERS, WORKERS = 300, 2
PAUSE_SECONDS = 2.0  # mean time between two requests of a user
AI_TIMEOUT = 5
RESPONSE_TIMEOUT_SECONDS = 60
KILL_INTERVAL_SECONDS = min(60.0, MINUTES * 60 / 4)
CUT_GRACE_SECONDS = 4 * PAUSE_SECONDS + 2  # after a kill, while a closed connection is expected
WARM_UP_MINUTES = min(2.0, MINUTES / 4)
MAX_BLOCKED_MS = 100
MAX_MEMORY_GROWTH = 0.1  # after the warm-up, as a fraction
# 429 is forwarded from the AI service
EXPECTED = {
    (200, ""), (201, ""), (429, "ai_service_error"),
    (502, "ai_service_error"), (502, "ai_service_invalid_response"),
    (503, "ai_service_error"), (503, "ai_service_unavailable"), (503, "database_unavailable"),
    (503, "overloaded"),
}  # fmt: skip
LOST_SCANS, DUPLICATES, FOREIGN_SCANS = "lost scans", "duplicate scans", "scans of other users"
REAPPEARED, FAILED_BUT_STORED = "reappeared deleted scans", "stored failed scans"
STORED_SCANS_SQL = (
    "SELECT email, scans.id::text, data->0->>'context' FROM scans JOIN users ON users.id = user_id"
)


class Reply(NamedTuple):
    """A response; status 0 if the connection was closed without one."""

    status: int
    body: Any

    @property
    def code(self) -> str:
        return self.body.get("error", "") if self.status else "cut"


class Results:
    """Results over all users."""

    def __init__(self) -> None:
        self.replies: collections.Counter[tuple[str, int, str]] = collections.Counter()
        self.seconds: list[float] = []
        self.violations: list[str] = []
        self.killed_at = -CUT_GRACE_SECONDS
        self.kills = self.restarts = 0
        self.memory: list[tuple[float, float]] = []  # minutes, megabytes

    def count(self, action: str, reply: Reply, seconds: float) -> None:
        self.replies[action, reply.status, reply.code] += 1
        self.seconds.append(seconds)
        if not reply.status and time.monotonic() - self.killed_at > CUT_GRACE_SECONDS:
            self.violations.append(f"{action}: connection closed, but no worker was killed")
        elif reply.status and (reply.status, reply.code) not in EXPECTED:
            self.violations.append(f"{action}: {reply.status} {reply.body}")


class User:
    """A user with a connection, who records every response for the final check."""

    def __init__(self, number: int, port: int, results: Results) -> None:
        self.email, self.port, self.results = f"{number}@example.com", port, results
        self.token = ""
        self.scans = 0
        self.stored: dict[str, Any] = {}  # by id
        self.deleted: set[str] = set()  # ids
        self.maybe_deleted: set[str] = set()  # ids of DELETE requests without a response
        self.failed_texts: set[str] = set()  # texts of failed scans, which must not be stored
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(
        self, action: str, target: str, content_type: str = "application/json", body: bytes = b""
    ) -> Reply:
        started = time.monotonic()
        head = f"{target} HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {self.token}\r\n"
        head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        reply = Reply(0, {})
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
                reply = await self._exchange(head.encode() + body)
        except TimeoutError:
            self.results.violations.append(f"{action}: no response within {RESPONSE_TIMEOUT_SECONDS} s")
        except (OSError, EOFError):
            pass
        if not reply.status:
            self.disconnect()
        self.results.count(action, reply, time.monotonic() - started)
        return reply

    async def _exchange(self, request: bytes) -> Reply:
        if self._connection is None:
            self._connection = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self._connection
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        if "\r\nconnection: close" in head:
            self.disconnect()
        return Reply(int(head.split()[1]), body)

    def disconnect(self) -> None:
        if self._connection:
            self._connection[1].close()
            self._connection = None

    async def register(self) -> None:
        account = json.dumps({"email": self.email, "password": "correct horse"}).encode()
        reply = await self.send("register", "POST /api/auth/register", body=account)
        self.token = reply.body["access_token"]

    async def run_actions(self, until: float) -> None:
        actions = [self.scan, self.browse, self.show, self.delete]
        while time.monotonic() < until:
            await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))
            await random.choices(actions, (50, 25, 10, 15))[0]()

    async def scan(self) -> None:
        self.scans += 1
        text = f"{self.email} {self.scans}"
        parts = f'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n{text}\r\n'
        if random.random() < 0.1:  # large enough to be buffered in a temporary file
            parts += '--x\r\nContent-Disposition: form-data; name="file"; filename="plan.txt"\r\n\r\n'
            parts += "The budget is tight.\n" * 5000 + "\r\n"
        body = f"{parts}--x--\r\n".encode()
        reply = await self.send("scan", "POST /api/scan", "multipart/form-data; boundary=x", body)
        if reply.status == 200:
            self.stored[reply.body["scan_id"]] = reply.body
            self._expect("scan", reply.body["data"][0]["context"] == text, reply)
        elif reply.code.startswith("ai_") or reply.code == "overloaded":
            self.failed_texts.add(text)

    async def browse(self) -> None:
        await self.send("list", "GET /api/scans?limit=20")

    async def show(self) -> None:
        scan_id = self._random_scan_id()
        if scan_id:
            reply = await self.send("show", f"GET /api/scans/{scan_id}")
            self._expect("show", reply.status != 200 or reply.body == self.stored[scan_id], reply)

    async def delete(self) -> None:
        scan_id = self._random_scan_id()
        if not scan_id:
            return
        self.maybe_deleted.add(scan_id)
        reply = await self.send("delete", f"DELETE /api/scans/{scan_id}")
        if reply.status == 200:
            self.maybe_deleted.remove(scan_id)
            self.deleted.add(scan_id)

    def _random_scan_id(self) -> str | None:
        available = self.stored.keys() - self.deleted - self.maybe_deleted
        return random.choice(list(available)) if available else None

    def _expect(self, action: str, holds: bool, reply: Reply) -> None:
        if not holds:
            self.results.violations.append(f"{action}: the response differs from the scan: {reply.body}")

    async def list_all(self) -> list[str]:
        """Return the ids of all scans in the list, and check its total."""
        self.disconnect()  # the server may have closed the idle connection
        scan_ids: list[str] = []
        cursor = ""
        while True:
            reply = await self.send("final list", f"GET /api/scans?limit=100{cursor}")
            if reply.status != 200:
                self.results.violations.append(f"final list: {reply}")
                return scan_ids
            scan_ids += [scan["scan_id"] for scan in reply.body["scans"]]
            if reply.body["next_cursor"] is None:
                break
            cursor = f"&cursor={reply.body['next_cursor']}"
        if reply.body["total"] != len(scan_ids):
            self.results.violations.append(
                f"a list of {len(scan_ids)} scans has the total {reply.body['total']}"
            )
        return scan_ids


class FaultyAi(Ai):
    """An AI service that fails one call in five; otherwise its finding quotes the submitted text."""

    async def return_findings(self, request: web.Request) -> web.StreamResponse:
        text = self.calls.pop().parts["text"].body.decode()
        if random.random() < 0.8:
            await asyncio.sleep(random.uniform(0.01, 0.3))
        else:
            fault = random.choice(
                [
                    self.slow,
                    self.hang,
                    self.trickle,
                    self.reset,
                    self.truncate,
                    self.return_error,
                    self.send_garbage,
                ]
            )
            faulty_response = await fault(request)
            if faulty_response is not None:
                return faulty_response
        risk = {"risk": "The budget may run out", "category": "Financial"}
        return web.json_response(
            {
                "data": [{**risk, "context": text}, *[{**risk, "context": "tight " * 20}] * 4],
                "source": "model",
            }
        )

    async def slow(self, request: web.Request) -> None:
        await asyncio.sleep(random.uniform(1, AI_TIMEOUT - 1))

    async def hang(self, request: web.Request) -> None:
        await asyncio.sleep(10 * AI_TIMEOUT)

    async def trickle(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.5)

    async def reset(self, request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()

    async def truncate(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"data": [')
        await self.reset(request)
        return response

    async def return_error(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"detail": "no"}, status=random.choice((429, 500, 502, 503, 504)))

    async def send_garbage(self, request: web.Request) -> web.StreamResponse:
        bodies = (
            b"",
            b"<html>",
            b"null",
            b'{"data": [{}], "source": "model"}',
            b'{"data": [], "source": "x"}',
        )
        return web.Response(body=random.choice(bodies), content_type="application/json")


async def kill_workers(program: Program, results: Results) -> None:
    """Kill the younger worker periodically; the oldest keeps running, to measure memory growth."""
    while True:
        await asyncio.sleep(KILL_INTERVAL_SECONDS)
        workers = program.workers()
        if len(workers) == WORKERS:
            results.killed_at = time.monotonic()
            workers[-1].kill()
            results.kills += 1


async def restart_database(postgres: Postgres, results: Results) -> None:
    for signum in (signal.SIGINT, signal.SIGQUIT):  # a clean shutdown, then a crash
        await asyncio.sleep(MINUTES * 60 / 3)
        await asyncio.to_thread(postgres.stop, signum)
        await asyncio.sleep(random.uniform(0, 5))
        await asyncio.to_thread(postgres.start)
        results.restarts += 1


async def refuse_ai_connections(proxy: Proxy) -> None:
    """Refuse connections to the AI service for a second at random times."""
    while True:
        await asyncio.sleep(random.uniform(5, 25))
        await proxy.refuse()
        await asyncio.sleep(1)
        await proxy.heal()


async def sample_memory(worker: psutil.Process, results: Results) -> None:
    started = time.monotonic()
    while True:
        await asyncio.sleep(min(5.0, MINUTES))
        minutes = (time.monotonic() - started) / 60
        results.memory.append((minutes, worker.memory_info().rss / 2**20))


async def run_users(program: Program, postgres: Postgres, proxy: Proxy, results: Results) -> list[User]:
    port = int(program.url.rpartition(":")[2])
    users = [User(number, port, results) for number in range(USERS)]
    for user in users:
        await user.register()
    until = time.monotonic() + MINUTES * 60
    oldest = program.workers()[0]
    tasks = [
        asyncio.create_task(background)
        for background in (
            kill_workers(program, results),
            restart_database(postgres, results),
            refuse_ai_connections(proxy),
            sample_memory(oldest, results),
        )
    ]
    await asyncio.gather(*(user.run_actions(until) for user in users))
    for task in tasks:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    results.violations += [repr(outcome) for outcome in outcomes if isinstance(outcome, Exception)]
    return users


async def count_data_faults(
    users: list[User], rows: list[tuple[str, str, str]], results: Results
) -> dict[str, int]:
    """Compare the users' records with the API's lists and the database; return a count per fault."""
    counts = collections.Counter(
        dict.fromkeys((LOST_SCANS, DUPLICATES, FOREIGN_SCANS, REAPPEARED, FAILED_BUT_STORED), 0)
    )
    texts = collections.Counter(text for _, _, text in rows)
    counts[DUPLICATES] += sum(count - 1 for count in texts.values())
    counts[FOREIGN_SCANS] += sum(text.split()[0] != email for email, _, text in rows)
    for user in users:
        listed = await user.list_all()
        stored = {scan_id for email, scan_id, _ in rows if email == user.email}
        counts[DUPLICATES] += len(listed) - len(set(listed))
        counts[FOREIGN_SCANS] += len(set(listed) - stored)
        counts[LOST_SCANS] += len(user.stored.keys() - user.deleted - user.maybe_deleted - set(listed))
        counts[REAPPEARED] += len(user.deleted & set(listed))
        counts[FAILED_BUT_STORED] += sum(text in texts for text in user.failed_texts)
    return dict(counts)


def memory_growth(memory: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the memory in MB at WARM_UP_MINUTES and at the end, by linear regression over the samples."""
    minutes, megabytes = zip(*(pair for pair in memory if pair[0] >= WARM_UP_MINUTES), strict=True)
    slope, base = statistics.linear_regression(minutes, megabytes)
    return base + slope * minutes[0], base + slope * minutes[-1]


def print_report(
    users: list[User], faults: dict[str, int], folder: Path, program: Program, results: Results
) -> bool:
    """Print the results; return whether every guarantee held."""
    quantiles = statistics.quantiles(results.seconds, n=100)
    p50, p99 = quantiles[49], quantiles[98]
    print(f"{len(results.seconds)} requests in {MINUTES:g} minutes:", end=" ")
    print(f"p50 {p50 * 1000:.0f} ms, p99 {p99:.1f} s, maximum {max(results.seconds):.1f} s")
    print(f"{results.kills} workers were killed, the database was restarted {results.restarts} times\n")
    by_status: collections.Counter[tuple[int, str]] = collections.Counter()
    for (_, status, code), count in results.replies.items():
        by_status[status, code] += count
    for (status, code), count in sorted(by_status.items()):
        print(f"{count:10}  {status or ''} {code}")
    before, after = memory_growth(results.memory)
    steps = [line.split() for file in folder.glob("[0-9]*") for line in file.read_text().splitlines()]
    blocked, step = max(((float(milliseconds), name) for milliseconds, name in steps), default=(0.0, "none"))
    scans, deleted = sum(len(user.stored) for user in users), sum(len(user.deleted) for user in users)
    print(f"\n{scans} scans were saved, {deleted} of them deleted\n")
    passed = True
    rows: list[tuple[str, float, float]] = [
        *((name, number, 0) for name, number in faults.items()),
        ("crashed workers", program.log.count("starting another") - results.kills, 0),
        ("status 500", sum(count for (status, _), count in by_status.items() if status == 500), 0),
        ("tracebacks in the log", program.log.count("Traceback"), 0),
        ("other violations", len(results.violations), 0),
        ("memory growth, MB", round(after - before, 1), round(before * MAX_MEMORY_GROWTH, 1)),
        ("event loop blocked, ms", round(blocked), MAX_BLOCKED_MS),
    ]
    for name, number, limit in rows:
        passed = passed and number <= limit
        print(f"{name:26}{number:10}  at most {limit:<8} {'' if number <= limit else 'FAILED'}")
    print(f"\nlongest step on the event loop: {step}")
    print(f"memory of the oldest worker: {before:.1f} MB at minute {WARM_UP_MINUTES:g},", end=" ")
    print(f"{after:.1f} MB at the end")
    for line in results.violations[:20]:
        print("FAILED", line)
    if not passed:
        print(
            "".join(line for line in program.log.splitlines(True) if " riskscan.errors: " not in line)[
                -10_000:
            ]
        )
    return passed


async def run_soak(postgres: Postgres, folder: Path, results: Results) -> bool:
    """Start everything, run the load and report; return whether every guarantee held."""
    ai = FaultyAi()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(await ai.serve())
        proxy = await stack.enter_async_context(Proxy(ai.port))
        url = postgres.create_database()
        environ = {
            "DATABASE_URL": url,
            "JWT_SECRET": SECRET,
            "AI_SERVICE_URL": f"http://127.0.0.1:{proxy.port}",
            "AI_SERVICE_TIMEOUT": str(AI_TIMEOUT),
            "WORKERS": str(WORKERS),
            **FOR_LOAD,
            "LOOP_MONITOR_FOLDER": str(folder),
        }
        program = await asyncio.to_thread(
            Program, folder, environ, ROOT / "tests" / "support" / "loop_monitor.py"
        )
        stack.callback(program.close)
        users = await run_users(program, postgres, proxy, results)
        rows = postgres.execute(STORED_SCANS_SQL, database_name(url))
        faults = await count_data_faults(users, rows, results)
        for user in users:
            user.disconnect()
        faults["exit status"] = await asyncio.to_thread(program.stop)
        return print_report(users, faults, folder, program, results)


def main() -> int:
    with contextlib.ExitStack() as stack:
        postgres = Postgres()
        stack.callback(postgres.remove)
        postgres.start()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return 0 if uvloop.run(run_soak(postgres, folder, Results())) else 1


if __name__ == "__main__":
    sys.exit(main())
