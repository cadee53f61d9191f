"""`make bench`: a load test that compares RiskScan with a bare aiohttp handler.

It takes half a minute; `make bench WORKERS=2` uses two workers. The load generator, the database and
the servers share the machine: trust the CPU time per request and the ratios more than the throughput.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import multiprocessing
import os
import platform
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import uvloop
from aiohttp import web

from tests.support.application import SECRET
from tests.support.postgres import Postgres, database_name, free_port
from tests.support.program import Program, get, register_and_log_in

ROUNDS, SECONDS, CONNECTIONS, SCANS = 2, 3.0, 32, 10_000
INHERITED = ("WORKERS", "DATABASE_POOL_SIZE", "LOG_LEVEL")
RISK = {"risk": "The budget may run out", "category": "Financial", "context": "The budget is tight." * 3}
FINDINGS = json.dumps({"data": [RISK] * 8, "source": "model"})
SEED = f"""
INSERT INTO scans (id, user_id, filename, data, risk_count, categories, source, created_at)
SELECT gen_random_uuid(), users.id, 'plan.pdf', '{json.dumps([RISK] * 8)}', 8, '{{"Financial": 8}}', 'model',
    now() - n * interval '1 minute'
FROM users, generate_series(1, {SCANS}) n
"""
FORM = '--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nThe budget is tight.\r\n--x--\r\n'


class Load(NamedTuple):
    """The requests to repeat, and the server that gets them."""

    name: str
    port: int
    requests: list[bytes]
    server: psutil.Process


async def send_requests(load: Load, requests: Iterator[bytes], deadline: float, times: list[float]) -> None:
    """Send requests on one connection, one after another, until the deadline."""
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    while (started := time.perf_counter()) < deadline:
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert head.startswith(b"HTTP/1.1 200 "), head
        assert length
        await reader.readexactly(int(length[1]))
        times.append(time.perf_counter() - started)
    writer.close()


async def run_load(load: Load, times: list[float]) -> None:
    """Send requests on all connections for SECONDS; append each response time to `times`."""
    deadline, requests = time.perf_counter() + SECONDS, itertools.cycle(load.requests)
    await asyncio.gather(*(send_requests(load, requests, deadline, times) for _ in range(CONNECTIONS)))


def build_request(target: str, token: str = "", body: str = "") -> bytes:
    head = f"{target} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
    if body:
        head += f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n{body}".encode()


def serve_bare_handler(port: int) -> None:
    """Serve one fixed response: as the baseline, and as the AI service of RiskScan."""

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=FINDINGS, content_type="application/json")

    app = web.Application()
    app.add_routes([web.get("/", handler), web.post("/scan", handler)])
    web.run_app(app, port=port, access_log=None, print=None, loop=uvloop.new_event_loop())


def cpu_and_memory(server: psutil.Process) -> tuple[float, float]:
    """Return the CPU seconds of all processes of a server, and the memory of the largest in MB."""
    processes = [server, *server.children(recursive=True)]
    cpu = sum(sum(process.cpu_times()[:2]) for process in processes)
    return cpu, max(process.memory_info().rss for process in processes) / 2**20


def measure(loads: list[Load]) -> None:
    """Run the loads in turn and print the results."""
    times: dict[str, list[float]] = {load.name: [] for load in loads}
    cpu, memory = dict.fromkeys(times, 0.0), dict.fromkeys(times, 0.0)
    for _, load in itertools.product(range(ROUNDS), loads):
        before, _ = cpu_and_memory(load.server)
        uvloop.run(run_load(load, times[load.name]))
        after, memory[load.name] = cpu_and_memory(load.server)
        cpu[load.name] += after - before
    print(f"{'':24}{'a second':>10}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}{'MB':>6}{'of bare':>9}")
    for name, durations in times.items():
        quantiles = statistics.quantiles(durations, n=100)
        p50, p99 = quantiles[49], quantiles[98]
        ratio = len(durations) / len(times[loads[0].name])
        speed = f"{len(durations) / ROUNDS / SECONDS:10.0f}{p50 * 1000:9.1f}{p99 * 1000:9.1f}"
        print(f"{name:24}{speed}{cpu[name] / len(durations) * 1e6:9.0f}{memory[name]:6.0f}{ratio:9.2f}")


def main() -> None:
    postgres, bare_port, ai_port = Postgres(), free_port(), free_port()
    context = multiprocessing.get_context("spawn")
    servers = [
        context.Process(target=serve_bare_handler, args=(port,), daemon=True) for port in (bare_port, ai_port)
    ]
    with contextlib.ExitStack() as stack:
        stack.callback(postgres.remove)
        postgres.start()
        for server in servers:
            server.start()
        url = postgres.create_database()
        environ = {"DATABASE_URL": url, "JWT_SECRET": SECRET, "AI_SERVICE_URL": f"http://127.0.0.1:{ai_port}"}
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        unlimited = {"SCAN_LIMIT": "off", "AI_MAX_CONCURRENCY": "1000"}  # all load comes from one user
        program = Program(folder, {"LOG_LEVEL": "warning", **unlimited, **environ, **inherited})
        stack.callback(program.close)
        token = register_and_log_in(program.url)
        for statement in (SEED, "VACUUM ANALYZE"):
            postgres.execute(statement, database_name(url))
        scans = get(program.url, token, "/api/scans?limit=100")["scans"]
        scan_requests = [build_request(f"GET /api/scans/{scan['scan_id']}", token) for scan in scans]
        port, process = int(program.url.rpartition(":")[2]), psutil.Process(program.process.pid)
        machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
        print(f"{CONNECTIONS} connections, {machine}", inherited or "")
        measure(
            [
                Load("a bare handler", bare_port, [build_request("GET /")], psutil.Process(servers[0].pid)),
                Load(
                    "GET /api/scans?limit=20",
                    port,
                    [build_request("GET /api/scans?limit=20", token)],
                    process,
                ),
                Load("GET /api/scans/{id}", port, scan_requests, process),
                Load("POST /api/scan, a text", port, [build_request("POST /api/scan", token, FORM)], process),
            ]
        )


if __name__ == "__main__":
    main()
