"""The alert rules and the dashboard in deploy/; test_supervisor.py compares them with what is exposed."""

from __future__ import annotations

import re

from tests.support.monitoring import find_metrics, list_described_metrics, read_alerts, read_dashboard


def test_every_expression_parses_and_names_described_metrics() -> None:
    names = {re.sub("_(bucket|sum|count)$", "", name) for name in find_metrics()}
    assert len(names) > 10
    assert names - list_described_metrics() == set()


def test_every_alert_says_what_is_wrong_where() -> None:
    alerts = read_alerts()
    assert len({rule["alert"] for rule in alerts}) == len(alerts)
    for rule in alerts:
        assert rule["alert"].startswith("RiskScan")
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert "$labels.instance" in rule["annotations"]["summary"]
        # an aggregation keeps only the labels that it names
        if re.search(r"\b(sum|min|max)\b(?!_)", rule["expr"]):
            assert "by (instance" in rule["expr"]


def test_dashboard_asks_for_its_data_source_and_draws_no_panel_over_another() -> None:
    dashboard = read_dashboard()
    (wanted,) = dashboard["__inputs"]
    source = {"type": "prometheus", "uid": f"${{{wanted['name']}}}"}
    assert (wanted["type"], wanted["pluginId"]) == ("datasource", "prometheus")
    (variable,) = dashboard["templating"]["list"]
    assert (variable["name"], variable["datasource"]) == ("instance", source)
    panels, cells = dashboard["panels"], set[tuple[int, int]]()
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert [panel["datasource"], *(target["datasource"] for target in panel["targets"])] == [source] * (
            1 + len(panel["targets"])
        )
        assert all('instance=~"$instance"' in target["expr"] for target in panel["targets"])
        x, y, width, height = (panel["gridPos"][name] for name in "xywh")
        assert x + width <= 24
        covered = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        assert not covered & cells
        cells |= covered
