"""GET /metrics in the Prometheus text format, and the Server-Timing header."""

from __future__ import annotations

import asyncio
import platform
import re
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from riskscan import __version__, metrics
from riskscan.database import DATABASE
from riskscan.settings import Rate
from riskscan.shared_metrics import read_resident_bytes
from tests.support.ai import Ai
from tests.support.application import MakeSettings, Server, serve
from tests.support.client import Person, assert_error, form

TOKEN = "a-token-of-the-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

Samples = dict[tuple[str, tuple[str, ...]], float]


def parse_samples(text: str) -> Samples:
    """Return the samples by name and label values; labels in alphabetical order."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def select(samples: Samples, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of this name by their label values."""
    return {labels: value for (each, labels), value in samples.items() if each == name}


async def test_metrics_are_disabled_without_a_token(guest: Person) -> None:
    assert_error(await guest.get("/metrics"), 404, "not_found")


@pytest.mark.settings(metrics_token=TOKEN)
class TestMetrics:
    @pytest.mark.parametrize("token", ["", "wrong", "a-token-of-the-test", "\xe1"])
    async def test_metrics_require_the_metrics_token(self, guest: Person, alice: Person, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        assert_error(await guest.get("/metrics", headers=headers), 401, "not_authenticated")
        assert_error(await alice.get("/metrics"), 401, "not_authenticated")

    async def test_requests_and_ai_calls_are_counted(self, people: Callable[[], Person], ai: Ai) -> None:
        alice, guest = people(), people()
        await alice.register("alice@example.com")
        for _ in range(3):
            await alice.scan(text="tight budget")
        ai.respond_with(500)
        assert_error(await alice.post("/api/scan", data=form(text="more")), 502, "ai_service_error")
        await alice.request("PROPFIND", "/api/scans")
        await alice.get("/api/nope/a-secret")
        reply = await guest.get("/metrics", headers=BEARER)
        assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = reply.body.decode()
        assert "secret" not in text
        assert "PROPFIND" not in text
        assert alice.id not in text
        found = parse_samples(text)
        assert found["riskscan_requests_total", ("POST", "/api/scan", "200")] == 3
        assert found["riskscan_requests_total", ("POST", "/api/scan", "502")] == 1
        assert found["riskscan_requests_total", ("OTHER", "(no route)", "405")] == 1
        assert found["riskscan_requests_total", ("GET", "(no route)", "404")] == 1
        assert found["riskscan_request_seconds_count", ("POST", "/api/scan")] == 4
        assert found["riskscan_ai_calls_total", ("ok",)] == 3
        assert found["riskscan_ai_calls_total", ("ai_service_error",)] == 1
        assert found["riskscan_ai_call_seconds_count", ()] == 4
        assert found["riskscan_under_way", ("requests",)] == 1
        assert found["riskscan_under_way", ("scans",)] == 0
        assert found["riskscan_database_connections", ("used",)] == 0
        assert found["riskscan_database_connections", ("most",)] > 0

    @pytest.mark.settings(login_limit=Rate(2, 60), scan_limit=Rate(1, 60), max_scans_in_flight=1)
    async def test_errors_and_refusals_and_audit_entries_are_counted(
        self, alice: Person, bob: Person, ai: Ai
    ) -> None:
        release = ai.hold_responses()
        first = asyncio.create_task(alice.scan(text="tight budget"))
        await ai.arrived.wait()
        assert_error(await bob.post("/api/scan", data=form(text="x")), 503, "overloaded")
        release.set()
        await first
        assert_error(await alice.post("/api/scan", data=form(text="x")), 429, "rate_limited")
        wrong = {"email": alice.email, "password": "wrong horse"}
        for status in (401, 401, 429, 429):
            assert (await bob.post("/api/auth/login", json=wrong)).status == status
        found = parse_samples((await alice.get("/metrics", headers=BEARER)).body.decode())
        assert select(found, "riskscan_errors_total") == {
            ("overloaded",): 1,
            ("rate_limited",): 3,
            ("invalid_credentials",): 2,
        }
        assert select(found, "riskscan_refusals_total") == {
            ("scans in flight",): 1,
            ("scan",): 1,
            ("login",): 2,
        }
        assert select(found, "riskscan_audit_entries_total") == {("registered",): 2, ("log-in-failed",): 2}

    async def test_a_refused_document_is_no_failure_of_the_ai_service(self, alice: Person, ai: Ai) -> None:
        ai.respond_with(422, {"detail": "No readable text found."})
        assert_error(await alice.post("/api/scan", data=form(text="x")), 422, "ai_service_error")
        found = parse_samples((await alice.get("/metrics", headers=BEARER)).body.decode())
        assert select(found, "riskscan_ai_calls_total") == {("refused",): 1}

    async def test_the_state_of_the_host_and_its_version_are_shown(
        self, server: Server, guest: Person
    ) -> None:
        db = server.app[DATABASE]
        for write_error, writable in (("", 1), ("SQLITE_FULL", 0)):
            db.write_error = write_error
            found = parse_samples((await guest.get("/metrics", headers=BEARER)).body.decode())
            assert found["riskscan_database_writable", ()] == writable
        assert found["riskscan_build_info", (platform.python_version(), __version__)] == 1
        disks = {("temporary",), *({("database",)} if db.sqlite else ())}
        free = select(found, "riskscan_free_disk_bytes")
        assert free.keys() == disks
        assert min(free.values()) > 0
        assert found["riskscan_resident_memory_bytes", ("web",)] > 10_000_000


async def test_a_database_that_can_write_again_is_so_without_a_health_check(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "CHECK_SECONDS", 0)
    async with serve(make_settings(metrics_token=TOKEN)) as server:
        db = server.app[DATABASE]
        db.write_error = "SQLITE_FULL"
        async with asyncio.timeout(60):
            while db.write_error:  # noqa: ASYNC110  # nothing says so but the gauge
                await asyncio.sleep(0)


def test_memory_of_child_processes_counts_too() -> None:
    own = read_resident_bytes()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        size = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1]) * resource.getpagesize()
        assert 0 < own < own + size // 2 < read_resident_bytes()


async def test_server_timing_reports_database_and_ai_time(alice: Person) -> None:
    reply = await alice.post("/api/scan", data=form(text="tight budget"))
    assert re.fullmatch(r"db;dur=\d+\.\d, ai;dur=\d+\.\d", reply.headers["Server-Timing"])
    assert re.fullmatch(r"db;dur=\d+\.\d", (await alice.get("/api/scans")).headers["Server-Timing"])
    assert "Server-Timing" not in (await alice.get("/api/health/live")).headers
