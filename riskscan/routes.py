"""The routes."""

from __future__ import annotations

from aiohttp import web

from .handlers import accounts, api_tokens, exports, health, scans
from .handlers.api_docs import docs, document
from .handlers.comparisons import show
from .template_filters import static_file

ROUTES = [
    web.get("/", accounts.home),
    web.post("/api/auth/register", accounts.register),
    web.post("/register", accounts.register),
    web.get("/register", accounts.register_page),
    web.post("/api/auth/login", accounts.login),
    web.post("/login", accounts.login),
    web.get("/login", accounts.login_page),
    web.post("/api/auth/logout", accounts.logout),
    web.post("/logout", accounts.logout),
    web.get("/api/auth/me", accounts.me),
    web.get("/account", accounts.account_page),
    web.post("/api/auth/password", accounts.change_password),
    web.post("/account/password", accounts.change_password),
    web.delete("/api/auth/me", accounts.delete),
    web.post("/account/delete", accounts.delete),  # a form can only POST
    web.get("/api/tokens", api_tokens.index),
    web.post("/api/tokens", api_tokens.create),
    web.post("/account/tokens", api_tokens.create),
    web.get("/account/tokens", accounts.account_page),  # the address that the new token was shown at
    web.delete("/api/tokens/{token_id}", api_tokens.delete),
    web.post("/account/tokens/{token_id}/delete", api_tokens.delete),
    web.post("/api/scan", scans.create),
    web.post("/scan", scans.create),
    web.get("/scan", scans.scan_page),
    web.get("/api/scans", scans.index),
    web.get("/scans", scans.index),
    web.get("/api/scans/export", exports.export_all),  # before {scan_id}
    web.get("/scans/export", exports.export_all),
    web.get("/api/stats", scans.stats),
    web.get("/scans/overview", scans.stats),
    web.get("/api/scans/{scan_id}", scans.show),
    web.get("/scans/{scan_id}", scans.show),
    web.get("/api/scans/{scan_id}/compare", show),
    web.get("/scans/{scan_id}/compare", show),
    web.delete("/api/scans/{scan_id}", scans.delete),
    web.post("/scans/{scan_id}/delete", scans.delete),
    web.get("/api/scans/{scan_id}/export", exports.export_scan),
    web.get("/scans/{scan_id}/export", exports.export_scan),
    web.get("/api/health", health.show),
    web.get("/api/health/live", health.live),
    web.get("/api/openapi.json", document),
    web.get("/api/docs", docs),
    web.get("/static/{name:.+}", static_file),
]
