"""GET /metrics in the Prometheus text format, and the Server-Timing header."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.ai import Ai
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


async def test_server_timing_reports_database_and_ai_time(alice: Person) -> None:
    reply = await alice.post("/api/scan", data=form(text="tight budget"))
    assert re.fullmatch(r"db;dur=\d+\.\d, ai;dur=\d+\.\d", reply.headers["Server-Timing"])
    assert re.fullmatch(r"db;dur=\d+\.\d", (await alice.get("/api/scans")).headers["Server-Timing"])
    assert "Server-Timing" not in (await alice.get("/api/health/live")).headers
