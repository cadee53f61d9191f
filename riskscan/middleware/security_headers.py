"""The headers that every response carries."""

from __future__ import annotations

from aiohttp import hdrs, web
from multidict import CIMultiDict, istr

from ..errors import REQUEST_ID, X_REQUEST_ID
from ..rate_limits import USAGE
from ..request.forwarded import is_https
from ..server_timing import SERVER_TIMING

SECURITY_HEADERS = {
    "Server": "RiskScan",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NO_PAGE_POLICY = "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
CONTENT_SECURITY_POLICY = istr("Content-Security-Policy")
OTHER_HEADERS = CIMultiDict({**SECURITY_HEADERS, CONTENT_SECURITY_POLICY: NO_PAGE_POLICY})
PAGE_HEADERS = CIMultiDict({**SECURITY_HEADERS, CONTENT_SECURITY_POLICY: PAGE_POLICY})
SERVER_TIMING_HEADER = istr("Server-Timing")
HSTS = "max-age=31536000"


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers of every response (`on_response_prepare`)."""
    headers = response.headers
    headers[X_REQUEST_ID] = request[REQUEST_ID]
    is_page = headers.get(hdrs.CONTENT_TYPE, "").startswith("text/html")
    own_policy = headers.get(CONTENT_SECURITY_POLICY)  # of a document of the user's, which is stricter
    headers.update(PAGE_HEADERS if is_page else OTHER_HEADERS)
    if own_policy:
        headers[CONTENT_SECURITY_POLICY] = own_policy
    if hdrs.CACHE_CONTROL not in headers:
        headers[hdrs.CACHE_CONTROL] = cache_control(request, response)
    if timings := SERVER_TIMING.get(None):  # W3C Server Timing, in milliseconds
        headers[SERVER_TIMING_HEADER] = ", ".join(
            [f"{name};dur={seconds * 1000:.1f}" for name, seconds in timings.items()]
        )
    if usage := request.get(USAGE):
        headers.update(usage.headers)
    if is_https(request):
        headers[hdrs.STRICT_TRANSPORT_SECURITY] = HSTS


def cache_control(request: web.Request, response: web.StreamResponse) -> str:
    """Return the Cache-Control of a response: only static files may be stored."""
    if not request.path.startswith("/static/") or response.status >= 400:
        return "no-store"
    # the version in the URL changes with the content (assets.asset_url)
    return "public, max-age=31536000, immutable" if "v" in request.query else "no-cache"
