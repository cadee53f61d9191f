"""The abusive part of `make soak`: 50 people work, alone and then beside a user who asks for too much.

MINUTES sets the duration of each half (10); ABUSE=1 runs this part alone, ABUSE=crowd,tokens only some of
`Abuser.abuses`. Two workers on PostgreSQL with the embedded AI service, without rate limits. Prints times,
memory and errors of both halves; exits with status 1 if the user harmed the people: if their 99th percentile
is more than three times as long, a worker takes 60 MB more, a request of theirs fails, or any status is 500.
Requires Linux.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import io
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import uvloop
from PIL import Image

from tests.support.application import SECRET
from tests.support.postgres import Postgres
from tests.support.program import FOR_LOAD, ROOT, Program

MINUTES = float(os.environ.get("MINUTES", "10"))
ABUSE = os.environ.get("ABUSE") or "1"
PEOPLE, WORKERS = 50, 2
PAUSE_SECONDS = 2.0  # mean time between two requests of a person, and between two rounds of each abuse
RESPONSE_TIMEOUT_SECONDS = 60
METRICS_TOKEN = "a-token-of-the-soak"
MAX_API_TOKENS = 100
MAX_SLOWDOWN, MAX_MEMORY_MB = 3, 60
MEGABYTE = 2**20
MAX_TEXT_BYTES = 2 * MEGABYTE  # MAX_TEXT_MB: a longer body is refused by its Content-Length
ANALYSED = {"nested JSON", "escaped form", "cue words"}  # a refusal would make the soak too easy
JSON, FORM = {"Content-Type": "application/json"}, {"Content-Type": "application/x-www-form-urlencoded"}

Replies = collections.Counter[tuple[str, int, str]]  # by action, status and error code; status 0: no response


class Client:
    """A user with an access token, who records each response."""

    def __init__(self, url: str, email: str) -> None:
        self.email = email
        self.replies: Replies = collections.Counter()
        self.seconds: dict[str, list[float]] = collections.defaultdict(list)
        self._session = aiohttp.ClientSession(
            url,
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=RESPONSE_TIMEOUT_SECONDS),
        )
        self.close = self._session.close

    async def register(self) -> None:
        account = {"email": self.email, "password": "correct horse"}
        async with self._session.post("/api/auth/register", json=account) as response:
            token = (await response.json())["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    async def send(self, action: str, method: str, path: str, **options: Any) -> Any:
        """Send a request; return the body, empty if there is no response."""
        status, body, began = 0, {}, time.monotonic()
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.request(method, path, **options) as response:
                body, status = await response.json(), response.status
        self.seconds[action].append(time.monotonic() - began)
        self.replies[action, status, body.get("error", "") if status else "cut"] += 1
        return body


# the people


async def work(person: Client, scan_id: str, until: float) -> None:
    """List and open scans, and scan a short text now and then."""
    while time.monotonic() < until:
        await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))
        action = random.choices(("list", "show", "scan"), (50, 35, 15))[0]
        if action == "list":
            await person.send("list", "GET", "/api/scans?limit=20")
        elif action == "show":
            await person.send("show", "GET", f"/api/scans/{scan_id}")
        else:
            scan_id = await scan_text(person) or scan_id


async def scan_text(person: Client) -> str:
    text = f"The budget of {person.email} is tight and may run out."
    scan: dict[str, str] = await person.send("scan", "POST", "/api/scan", json={"text": text})
    return scan.get("scan_id", "")


# the user who asks for too much


def nested_json(size: int) -> bytes:
    return b'{"text":"The pump may fail.","z":[%b[]]}' % (b"[]," * (size // 3 - 20))


def escaped_form(size: int) -> bytes:
    return b"text=The+pump+may+fail.+%b" % (b"%41" * (size // 3 - 20))


def slow_tiff() -> bytes:
    """Return three pages of noise, in which Tesseract looks for letters for long."""
    file = io.BytesIO()
    pages = [Image.effect_noise((1600, 1600), 100).convert("1") for _ in range(3)]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:], compression="group4")
    return file.getvalue()


class Abuser(Client):
    """Sends what costs the server the most, everything at the same time and again and again."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "abuser@example.com")
        self.url = url
        self.most_tokens = 0
        self.tiff = slow_tiff()

    def abuses(self) -> dict[str, tuple[int, Callable[[], Awaitable[object]]]]:
        """Return for each abuse how many requests are sent at once, and what sends one."""

        def scan(action: str, **options: Any) -> Callable[[], Awaitable[object]]:
            return lambda: self.send(action, "POST", "/api/scan", **options)

        nested, escaped = nested_json(MAX_TEXT_BYTES), escaped_form(MAX_TEXT_BYTES)
        large_nested, large_escaped = nested_json(10 * MEGABYTE), escaped_form(10 * MEGABYTE)
        return {
            "nested JSON": (10, scan("nested JSON", data=nested, headers=JSON)),
            "escaped form": (4, scan("escaped form", data=escaped, headers=FORM)),
            "10 MB JSON": (4, scan("10 MB JSON", data=large_nested, headers=JSON)),
            "10 MB form": (4, scan("10 MB form", data=large_escaped, headers=FORM)),
            "cue words": (32, scan("cue words", json={"text": "not, " * 20_000})),
            "slow TIFF": (8, self.send_tiff),
            "tokens": (1, self.create_tokens),
            "left export": (20, self.leave_export),
            "key twice": (10, scan("key twice", data=b'{"text":"a","text":"b"}', headers=JSON)),
            "value twice": (10, lambda: self.send("value twice", "GET", "/api/scans?limit=1&limit=2")),
            "crowd": (400, scan("crowd", json={"text": "The pump may fail."})),
        }

    async def repeat(self, at_once: int, send: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.gather(*(send() for _ in range(at_once)))
            await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))

    async def send_tiff(self) -> None:
        form = aiohttp.FormData()
        form.add_field("file", self.tiff, filename="slow.tif")
        await self.send("slow TIFF", "POST", "/api/scan", data=form)

    async def create_tokens(self) -> None:
        """Create 120 tokens at once, count those that exist, and delete them."""
        token = {"name": "soak", "scopes": ["read"]}
        sent = (self.send("create token", "POST", "/api/tokens", json=token) for _ in range(120))
        await asyncio.gather(*sent)
        tokens = (await self.send("list tokens", "GET", "/api/tokens")).get("tokens", [])
        self.most_tokens = max(self.most_tokens, len(tokens))
        for each in tokens:
            await self.send("delete token", "DELETE", f"/api/tokens/{each['id']}")

    async def leave_export(self) -> None:
        """Ask for an export and leave before its first byte."""
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", int(self.url.rpartition(":")[2]))
            head = f"GET /api/scans/export?format=csv HTTP/1.1\r\nHost: soak\r\n{self.authorization}\r\n\r\n"
            writer.write(head.encode())
            writer.close()

    @property
    def authorization(self) -> str:
        return f"Authorization: {self._session.headers['Authorization']}"


async def abuse(url: str, seconds: float) -> None:
    """Be the user for so long; print what he got as JSON. Runs in a process of its own."""
    os.nice(10)  # his computer is elsewhere: it takes no CPU time from the server
    user = Abuser(url)
    await user.register()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            abuses = user.abuses()
            chosen = abuses if ABUSE == "1" else ABUSE.split(",")
            await asyncio.gather(*(user.repeat(*abuses[name]) for name in chosen))
    await user.close()
    replies = [[*key, count] for key, count in user.replies.items()]
    cpu = time.process_time() / seconds
    print(json.dumps({"replies": replies, "tokens": user.most_tokens, "cpu": cpu}))


# measuring


class Half:
    """What one half of the soak measured."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = collections.defaultdict(list)
        self.people: Replies = collections.Counter()
        self.abuser: Replies = collections.Counter()
        self.most_tokens = 0
        self.abuser_cpu = 0.0  # of the abuser's client, as a share of one core
        self.memory_before = self.memory_peak = 0.0  # of the largest worker, in MB
        self.errors: dict[str, int] = {}  # responses by status, from 499
        self.tracebacks = 0

    def quantile(self, percent: int, action: str | None = None) -> float:
        """Return a percentile of the people's response times, in milliseconds."""
        chosen = [self.seconds[action]] if action else self.seconds.values()
        times = [seconds for each in chosen for seconds in each]
        return statistics.quantiles(times, n=100, method="inclusive")[percent - 1] * 1000


async def run_half(url: str, program: Program, *, with_abuser: bool) -> Half:
    half = Half()
    people = [Client(url, f"{number}@example.com") for number in range(PEOPLE)]
    scan_ids = []
    for person in people:
        await person.register()
        scan_ids.append(await scan_text(person))
        person.seconds.clear()
        person.replies.clear()
    workers = program.workers()
    half.memory_before = max(worker.memory_info().rss / MEGABYTE for worker in workers)
    for worker in workers:
        reset_peak_memory(worker)
    abuser = start_abuser(url) if with_abuser else None
    until = time.monotonic() + MINUTES * 60
    await asyncio.gather(
        *(work(person, scan_id, until) for person, scan_id in zip(people, scan_ids, strict=True))
    )
    half.memory_peak = max(peak_memory(worker) for worker in workers)
    if abuser:
        report = json.loads((await asyncio.to_thread(abuser.communicate))[0])
        half.most_tokens, half.abuser_cpu = report["tokens"], report["cpu"]
        half.abuser.update({(action, status, code): n for action, status, code, n in report["replies"]})
    half.errors = await count_errors(url)
    half.tracebacks = program.log.count("Traceback")
    for person in people:
        await person.close()
        half.people += person.replies
        for action, seconds in person.seconds.items():
            half.seconds[action] += seconds
    return half


def start_abuser(url: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.soak_abuse", url, str(MINUTES * 60)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def reset_peak_memory(worker: psutil.Process) -> None:
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5")  # proc(5)


def peak_memory(worker: psutil.Process) -> float:
    """Return the peak of a worker in MB; 0 if it is gone."""
    try:
        status = Path(f"/proc/{worker.pid}/status").read_text()
    except OSError:
        return 0.0
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(match[1]) / 1024 if match else 0.0


async def count_errors(url: str) -> dict[str, int]:
    """Return the number of responses of each status from 499 on, over all workers."""
    counts: collections.Counter[str] = collections.Counter()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {METRICS_TOKEN}"}) as session:
        response = await session.get(f"{url}/metrics")
        for status, count in re.findall(
            r'^riskscan_requests_total\{.*status="(499|5\d\d)"\} (\S+)$', await response.text(), re.MULTILINE
        ):
            counts[status] += int(float(count))
    return dict(sorted(counts.items()))


@contextlib.contextmanager
def run_program(postgres: Postgres, folder: Path) -> Iterator[Program]:
    """Run RiskScan on a new database."""
    environ = {
        "DATABASE_URL": postgres.create_database(),
        "JWT_SECRET": SECRET,
        "METRICS_TOKEN": METRICS_TOKEN,
        "WORKERS": str(WORKERS),
        **FOR_LOAD,
    }
    folder.mkdir()
    program = Program(folder, environ)
    try:
        yield program
    finally:
        program.close()


def print_report(alone: Half, beside: Half) -> bool:
    """Print the results of the people alone and beside the abuser; return whether every guarantee held."""
    print(f"{PEOPLE} people for {MINUTES:g} minutes, {WORKERS} workers, in ms and MB\n")
    print(f"{'':28}{'alone':>10}{'with abuser':>14}{'ratio':>8}")
    for action in (None, "list", "show", "scan"):
        for percent in (50, 99):
            first, second = alone.quantile(percent, action), beside.quantile(percent, action)
            print(f"p{percent} {action or 'all':24}{first:10.1f}{second:14.1f}{second / first:8.1f}")
    for name in ("memory_before", "memory_peak"):
        first, second = getattr(alone, name), getattr(beside, name)
        print(f"{name.replace('_', ' of a worker, '):28}{first:9.1f}{second:14.1f}")
    print(f"{'requests of the people':28}{alone.people.total():9}{beside.people.total():14}")
    print(f"{'responses by status':28}{alone.errors!s:>9}  {beside.errors}\n")
    print(f"CPU of the abuser's client: {beside.abuser_cpu:.0%} of a core")
    for (action, status, code), count in sorted(beside.abuser.items()):
        note = "  (not analysed)" if action in ANALYSED and status != 200 else ""
        print(f"{count:10}  abuser: {action}: {status or ''} {code}{note}")
    failed = {key: count for key, count in (alone.people + beside.people).items() if key[1] not in (200, 201)}
    for (action, status, code), count in sorted(failed.items()):
        print(f"{count:10}  people: {action}: {status or ''} {code}")
    rows: list[tuple[str, float, float]] = [
        ("p99 of the people, ratio", round(beside.quantile(99) / alone.quantile(99), 2), MAX_SLOWDOWN),
        ("more memory of a worker", round(beside.memory_peak - alone.memory_peak, 1), MAX_MEMORY_MB),
        ("status 500", alone.errors.get("500", 0) + beside.errors.get("500", 0), 0),
        ("tracebacks in the log", alone.tracebacks + beside.tracebacks, 0),
        ("failed requests of people", sum(failed.values()), 0),
        ("API tokens of one user", beside.most_tokens, MAX_API_TOKENS),
    ]
    print()
    for name, number, limit in rows:
        print(f"{name:28}{number:10}  at most {limit:<6}{'' if number <= limit else 'FAILED'}")
    return all(number <= limit for _, number, limit in rows)


def main() -> int:
    halves = []
    with contextlib.ExitStack() as stack:
        postgres = Postgres()
        stack.callback(postgres.remove)
        postgres.start()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for with_abuser in (False, True):
            with run_program(postgres, folder / str(with_abuser)) as program:
                halves.append(uvloop.run(run_half(program.url, program, with_abuser=with_abuser)))
    return 0 if print_report(*halves) else 1


if __name__ == "__main__":
    if len(sys.argv) == 3:
        uvloop.run(abuse(sys.argv[1], float(sys.argv[2])))
    else:
        sys.exit(main())
