"""What deploy/alerts.yml and deploy/grafana-dashboard.json ask of Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OF_PROMETHEUS = {"up"}  # its own metric: whether the last scrape succeeded


def read_dashboard() -> dict[str, Any]:
    dashboard: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    return dashboard


def read_alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def list_expressions() -> Iterator[str]:
    """Yield the expressions of all alerts and panels, with a duration where Grafana has its own variable."""
    yield from (rule["expr"] for rule in read_alerts())
    for panel in read_dashboard()["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "5m")


def find_metrics() -> set[str]:
    """Return the metrics of RiskScan in all expressions. Raises ValueError for one that does not parse."""
    found: set[str] = set()

    def add(node: promql_parser.Expr) -> None:
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        if isinstance(selector, promql_parser.VectorSelector):
            found.add(selector.name or "")

    for text in list_expressions():
        promql_parser.walk(promql_parser.parse(text), add)
    return found - OF_PROMETHEUS


def list_described_metrics() -> set[str]:
    """Return the metrics in the table of docs/deploying.md."""
    return set(re.findall(r"^\| `(riskscan_\w+)` ", (ROOT / "docs/deploying.md").read_text(), re.MULTILINE))
