"""`make soak`: users scan, list and delete while the AI service, the database and the workers fail.

MINUTES sets the duration (10). 300 users share two workers on PostgreSQL. The AI service refuses, hangs,
drips and returns garbage; the database restarts twice, once after a crash; a worker is killed every minute.
Prints a table of the results; exits with 1 if a guarantee was violated. Requires Linux.
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
from tests.support.postgres import Postgres
from tests.support.program import ROOT, Program
from tests.support.tcp_proxy import Proxy

MINUTES = float(os.environ.get("MINUTES", "10"))
PEOPLE, WORKERS = 300, 2
PAUSE_SECONDS = 2.0  # mean time between two requests of a user
AI_TIMEOUT = 5
NO_ANSWER_SECONDS = 60
KILL_SECONDS = min(60.0, MINUTES * 60 / 4)
CUT_SECONDS = 4 * PAUSE_SECONDS + 2  # after a kill, while a closed connection is expected
MEMORY_FROM = min(2.0, MINUTES / 4)  # warm-up, in minutes
LIMIT_BLOCKED_MS = 100
LIMIT_GROWTH = 0.1  # allowed growth of memory after the warm-up
# 429 is forwarded from the AI service
EXPECTED = {
    (200, ""), (201, ""), (429, "ai_service_error"),
    (502, "ai_service_error"), (502, "ai_service_invalid_response"),
    (503, "ai_service_error"), (503, "ai_service_unavailable"), (503, "database_unavailable"),
    (503, "overloaded"),
}  # fmt: skip
LOST, TWICE, FOREIGN = "scans lost", "scans there twice", "scans of another user"
BACK, REFUSED = "deleted scans back", "refused scans kept"
STORED = "SELECT email, scans.id::text, data->0->>'context' FROM scans JOIN users ON users.id = user_id"


class Answer(NamedTuple):
    """A response; status 0 means that the connection was closed before one."""

    status: int
    body: Any

    @property
    def code(self) -> str:
        return self.body.get("error", "") if self.status else "cut"


class Results:
    """Results over all users."""

    def __init__(self) -> None:
        self.answers: collections.Counter[tuple[str, int, str]] = collections.Counter()
        self.seconds: list[float] = []
        self.wrong: list[str] = []  # descriptions of violated guarantees
        self.killed_at = -CUT_SECONDS
        self.kills = self.restarts = 0
        self.memory: list[tuple[float, float]] = []  # minutes, megabytes

    def count(self, action: str, answer: Answer, seconds: float) -> None:
        self.answers[action, answer.status, answer.code] += 1
        self.seconds.append(seconds)
        if not answer.status and time.monotonic() - self.killed_at > CUT_SECONDS:
            self.wrong.append(f"{action}: cut, and no worker was killed")
        elif answer.status and (answer.status, answer.code) not in EXPECTED:
            self.wrong.append(f"{action}: {answer.status} {answer.body}")


class User:
    """A user with a connection, who records every response for the final check."""

    def __init__(self, number: int, port: int, figures: Results) -> None:
        self.email, self.port, self.figures = f"{number}@example.com", port, figures
        self.token = ""
        self.scans = 0
        self.kept: dict[str, Any] = {}  # stored scans by id
        self.gone: set[str] = set()  # deleted
        self.unsure: set[str] = set()  # delete sent, outcome unknown
        self.refused: set[str] = set()  # texts of refused scans, which must not be stored
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(
        self, action: str, target: str, kind: str = "application/json", body: bytes = b""
    ) -> Answer:
        began = time.monotonic()
        head = f"{target} HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {self.token}\r\n"
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        answer = Answer(0, {})
        try:
            async with asyncio.timeout(NO_ANSWER_SECONDS):
                answer = await self._exchange(head.encode() + body)
        except TimeoutError:
            self.figures.wrong.append(f"{action}: no answer in {NO_ANSWER_SECONDS} s")
        except (OSError, EOFError):
            pass
        if not answer.status:
            self.disconnect()
        self.figures.count(action, answer, time.monotonic() - began)
        return answer

    async def _exchange(self, request: bytes) -> Answer:
        if self._connection is None:
            self._connection = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self._connection
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        if "\r\nconnection: close" in head:
            self.disconnect()
        return Answer(int(head.split()[1]), body)

    def disconnect(self) -> None:
        if self._connection:
            self._connection[1].close()
            self._connection = None

    async def register(self) -> None:
        account = json.dumps({"email": self.email, "password": "correct horse"}).encode()
        answer = await self.send("register", "POST /api/auth/register", body=account)
        self.token = answer.body["access_token"]

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
        answer = await self.send("scan", "POST /api/scan", "multipart/form-data; boundary=x", body)
        if answer.status == 200:
            self.kept[answer.body["scan_id"]] = answer.body
            self._check("scan", answer.body["data"][0]["context"] == text, answer)
        elif answer.code.startswith("ai_") or answer.code == "overloaded":
            self.refused.add(text)

    async def browse(self) -> None:
        await self.send("list", "GET /api/scans?limit=20")

    async def show(self) -> None:
        scan_id = self._random_scan_id()
        if scan_id:
            answer = await self.send("show", f"GET /api/scans/{scan_id}")
            self._check("show", answer.status != 200 or answer.body == self.kept[scan_id], answer)

    async def delete(self) -> None:
        scan_id = self._random_scan_id()
        if not scan_id:
            return
        self.unsure.add(scan_id)
        answer = await self.send("delete", f"DELETE /api/scans/{scan_id}")
        if answer.status == 200:
            self.unsure.remove(scan_id)
            self.gone.add(scan_id)

    def _random_scan_id(self) -> str | None:
        there = self.kept.keys() - self.gone - self.unsure
        return random.choice(list(there)) if there else None

    def _check(self, action: str, holds: bool, answer: Answer) -> None:
        if not holds:
            self.figures.wrong.append(f"{action}: another answer than that of the scan: {answer.body}")

    async def list_all(self) -> list[str]:
        """Return the ids of all scans in the list, and check its total."""
        self.disconnect()  # the connection may be closed by now
        found: list[str] = []
        cursor = ""
        while True:
            answer = await self.send("list at the end", f"GET /api/scans?limit=100{cursor}")
            if answer.status != 200:
                self.figures.wrong.append(f"the list at the end: {answer}")
                return found
            found += [scan["scan_id"] for scan in answer.body["scans"]]
            if answer.body["next_cursor"] is None:
                break
            cursor = f"&cursor={answer.body['next_cursor']}"
        if answer.body["total"] != len(found):
            self.figures.wrong.append(f"a list of {len(found)} scans has the total {answer.body['total']}")
        return found


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
                    self.drip,
                    self.reset,
                    self.truncate,
                    self.return_error,
                    self.send_garbage,
                ]
            )
            broken = await fault(request)
            if broken is not None:
                return broken
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

    async def drip(self, request: web.Request) -> web.StreamResponse:
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


async def kill_workers(program: Program, figures: Results) -> None:
    """Kill the younger worker periodically; the oldest keeps running, to measure memory growth."""
    while True:
        await asyncio.sleep(KILL_SECONDS)
        workers = program.workers()
        if len(workers) == WORKERS:
            figures.killed_at = time.monotonic()
            workers[-1].kill()
            figures.kills += 1


async def restart_database(postgres: Postgres, figures: Results) -> None:
    for signum in (signal.SIGINT, signal.SIGQUIT):  # a clean shutdown, then a crash
        await asyncio.sleep(MINUTES * 60 / 3)
        await asyncio.to_thread(postgres.stop, signum)
        await asyncio.sleep(random.uniform(0, 5))
        await asyncio.to_thread(postgres.start)
        figures.restarts += 1


async def refuse_ai_connections(proxy: Proxy) -> None:
    """Refuse connections to the AI service for a second at random times."""
    while True:
        await asyncio.sleep(random.uniform(5, 25))
        await proxy.refuse()
        await asyncio.sleep(1)
        await proxy.heal()


async def sample_memory(worker: psutil.Process, figures: Results) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(min(5.0, MINUTES))
        minutes = (time.monotonic() - began) / 60
        figures.memory.append((minutes, worker.memory_info().rss / 2**20))


async def run_users(program: Program, postgres: Postgres, proxy: Proxy, figures: Results) -> list[User]:
    port = int(program.url.rpartition(":")[2])
    users = [User(number, port, figures) for number in range(PEOPLE)]
    for user in users:
        await user.register()
    until = time.monotonic() + MINUTES * 60
    oldest = program.workers()[0]
    troubles = [
        asyncio.create_task(trouble)
        for trouble in (
            kill_workers(program, figures),
            restart_database(postgres, figures),
            refuse_ai_connections(proxy),
            sample_memory(oldest, figures),
        )
    ]
    await asyncio.gather(*(user.run_actions(until) for user in users))
    for trouble in troubles:
        trouble.cancel()
    ended = await asyncio.gather(*troubles, return_exceptions=True)
    figures.wrong += [repr(end) for end in ended if isinstance(end, Exception)]
    return users


async def count_data_faults(
    users: list[User], rows: list[tuple[str, str, str]], figures: Results
) -> dict[str, int]:
    """Compare the users' records with the API's lists and the database; return a count per fault."""
    found = collections.Counter(dict.fromkeys((LOST, TWICE, FOREIGN, BACK, REFUSED), 0))
    texts = collections.Counter(text for _, _, text in rows)
    found[TWICE] += sum(count - 1 for count in texts.values())
    found[FOREIGN] += sum(text.split()[0] != email for email, _, text in rows)
    for user in users:
        listed = await user.list_all()
        stored = {scan_id for email, scan_id, _ in rows if email == user.email}
        found[TWICE] += len(listed) - len(set(listed))
        found[FOREIGN] += len(set(listed) - stored)
        found[LOST] += len(user.kept.keys() - user.gone - user.unsure - set(listed))
        found[BACK] += len(user.gone & set(listed))
        found[REFUSED] += sum(text in texts for text in user.refused)
    return dict(found)


def memory_growth(memory: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the memory in MB at MEMORY_FROM and at the end, by linear regression over the samples."""
    minutes, megabytes = zip(*(pair for pair in memory if pair[0] >= MEMORY_FROM), strict=True)
    slope, base = statistics.linear_regression(minutes, megabytes)
    return base + slope * minutes[0], base + slope * minutes[-1]


def print_report(
    users: list[User], faults: dict[str, int], folder: Path, program: Program, figures: Results
) -> bool:
    """Print the results; return whether every guarantee held."""
    cuts = statistics.quantiles(figures.seconds, n=100)
    print(f"{len(figures.seconds)} requests in {MINUTES:g} minutes: half were answered in", end=" ")
    print(f"{cuts[49] * 1000:.0f} ms, 99 % in {cuts[98]:.1f} s, all in {max(figures.seconds):.1f} s")
    print(f"{figures.kills} workers were killed, the database was restarted {figures.restarts} times\n")
    by_answer: collections.Counter[tuple[int, str]] = collections.Counter()
    for (_, status, code), times in figures.answers.items():
        by_answer[status, code] += times
    for (status, code), times in sorted(by_answer.items()):
        print(f"{times:10}  {status or ''} {code}")
    before, after = memory_growth(figures.memory)
    steps = [line.split() for file in folder.glob("[0-9]*") for line in file.read_text().splitlines()]
    blocked, step = max((float(milliseconds), name) for milliseconds, name in steps)
    scans, deleted = sum(len(user.kept) for user in users), sum(len(user.gone) for user in users)
    print(f"\n{scans} scans were answered 200, and {deleted} of them deleted\n")
    well = True
    rows: list[tuple[str, float, float]] = [
        *((name, number, 0) for name, number in faults.items()),
        ("workers that just died", program.log.count("starting another") - figures.kills, 0),
        ("status 500", sum(times for (status, _), times in by_answer.items() if status == 500), 0),
        ("traces in the log", program.log.count("Traceback"), 0),
        ("other broken promises", len(figures.wrong), 0),
        ("growth of memory, MB", round(after - before, 1), round(before * LIMIT_GROWTH, 1)),
        ("loop blocked, ms", round(blocked), LIMIT_BLOCKED_MS),
    ]
    for name, number, limit in rows:
        well = well and number <= limit
        print(f"{name:24}{number:10}  at most {limit:<8} {'' if number <= limit else 'BROKEN'}")
    print(f"\nthe step that blocked the loop the longest: {step}")
    print(
        f"memory of the oldest worker: {before:.1f} MB at minute {MEMORY_FROM:g}, {after:.1f} MB at the end"
    )
    for line in figures.wrong[:20]:
        print("BROKEN", line)
    if not well:
        print("".join(line for line in program.lines if " riskscan.errors: " not in line)[-10_000:])
    return well


async def run_soak(postgres: Postgres, folder: Path, figures: Results) -> bool:
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
            "ACCESS_TOKEN_EXPIRE_MINUTES": "1000",
            "WORKERS": str(WORKERS),
            "BCRYPT_COST": "4",
            "LOGIN_LIMIT": "off",
            "REGISTER_LIMIT": "off",
            "SCAN_LIMIT": "off",
            "LOG_LEVEL": "warning",
            "WATCH_FOLDER": str(folder),
        }
        program = await asyncio.to_thread(
            Program, folder, environ, ROOT / "tests" / "support" / "loop_monitor.py"
        )
        stack.callback(program.close)
        users = await run_users(program, postgres, proxy, figures)
        rows = postgres.execute(STORED, url.rpartition("/")[2].partition("?")[0])
        faults = await count_data_faults(users, rows, figures)
        for user in users:
            user.disconnect()
        faults["exit status"] = await asyncio.to_thread(program.stop)
        return print_report(users, faults, folder, program, figures)


def main() -> int:
    with contextlib.ExitStack() as stack:
        postgres = Postgres()
        stack.callback(postgres.remove)
        postgres.start()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return 0 if uvloop.run(run_soak(postgres, folder, Results())) else 1


if __name__ == "__main__":
    sys.exit(main())
