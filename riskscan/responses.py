"""Build responses: JSON under /api, HTML elsewhere."""

from __future__ import annotations

import collections
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp_jinja2
import msgspec
from aiohttp import web

from .ai_client import offers_language_model
from .auth.authentication import ACCOUNT
from .auth.sessions import cookie_name
from .compression import compress_page
from .errors import REQUEST_ID, ApiError, Sentence
from .languages import choose_language, translate_error, translate_plain
from .metrics import METRICS
from .request.body import FORM_VALUES
from .request.fields import read_next_path
from .request.filters import FILTER_FIELDS
from .request.forwarded import request_origin
from .request.paths import is_api
from .schemas import Error
from .template_filters import ENVIRONMENTS

SCAN_PATH = "/scan"
SHARE_PATH = "/share"  # what a phone sends to the installed application
# the template that redisplays a form with its errors, by the path of its route
FORM_TEMPLATES = {
    "/login": "login.html",
    "/register": "register.html",
    SCAN_PATH: "upload.html",
    SHARE_PATH: "upload.html",
    "/scans": "scans.html",
    "/scans/overview": "scans.html",
    "/account/password": "account.html",
    "/account/delete": "account.html",
    "/account/tokens": "account.html",
    "/reviews/import": "import.html",
    "/scans/{scan_id}/shares": "shares.html",
    "/scans/{scan_id}/title": "scan.html",
    "/scans/{scan_id}/findings/{number}/review": "scan.html",
    "/scans/{scan_id}/mark": "mark.html",
}
PUBLIC_TEMPLATES = ("login.html", "register.html")
LOGIN_PATHS = ("/api/auth/login", "/login")
Loader = Callable[[web.Request], Awaitable[Mapping[str, Any]]]
# by template, what loads the data that the page shows beside its form, such as the list of API tokens
FORM_LOADERS = web.AppKey("FORM_LOADERS", dict[str, Loader])


def encode_sentence(value: Any) -> str:
    """Return a sentence as the plain string that msgspec encodes."""
    if isinstance(value, Sentence):
        return str(value)
    raise NotImplementedError(type(value))


json_encoder = msgspec.json.Encoder(enc_hook=encode_sentence)


def respond(
    request: web.Request,
    data: msgspec.Struct,
    *,
    status: int = 200,
    template: str = "",
    location: str = "",
    page_only: Mapping[str, Any] | None = None,
) -> web.Response:
    """Respond with JSON under /api; elsewhere with a page, or a redirect (303) where there is no `template`.

    `page_only` is what the template needs beside `data`.
    """
    if is_api(request):
        return json_response(data, status)
    if template:
        return render_page(request, template, {"data": data, **(page_only or {})})
    return redirect(location)


def redirect(location: str) -> web.Response:
    return web.Response(status=303, headers={"Location": location})


def json_response(
    data: msgspec.Struct, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    # the charset is for Windows PowerShell, which reads JSON as Latin-1 without it
    return web.Response(
        body=json_encoder.encode(data),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


def render_page(
    request: web.Request,
    template: str,
    context: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Render a page in its language; the template also knows the user, the form's values and its errors."""
    account, language = request.get(ACCOUNT), choose_language(request)
    if error := context.get("error"):
        error = translate_error(error, language)
    defaults = {
        "user": account.user if account else None,
        "logged_in": account is not None,
        "form_values": collections.defaultdict(str, request.get(FORM_VALUES, {})),
        "field_errors": collections.defaultdict(str, error.fields if error else {}),
        "first_error": next(iter(error.fields), "") if error else "",
        "path": request.path,
        # what answers a POST is shown once
        "here": request.raw_path if request.method in ("GET", "HEAD") else "",
        "query": request.query,
        "next": read_next_path(request),
        "origin": request_origin(request),
        "request_id": request[REQUEST_ID],
        "language_model": offers_language_model(request.app),
    }
    context = {**defaults, **context, "error": error}
    text = aiohttp_jinja2.render_string(template, request, context, app_key=ENVIRONMENTS[language])
    headers = {"Content-Language": language, "Vary": "Accept-Language, Cookie", **(headers or {})}
    response = web.Response(text=text, status=status, headers=headers, content_type="text/html")
    compress_page(request, response)
    return response


async def respond_error(request: web.Request, error: ApiError) -> web.Response:
    """Respond with JSON under /api; elsewhere with the log-in page, the form again, or the error page."""
    if metrics := request.app[METRICS]:
        metrics.count_error(error)
    if is_api(request):
        if cookie_name(request) in request.cookies:  # a script of a page, which shows the sentence
            error = translate_json_error(error, choose_language(request))
        description = error.detail if request.path in LOGIN_PATHS else None  # for OAuth2 clients
        body = Error(error.code, error.detail, error.fields, description)
        response = json_response(body, error.status, error.headers)
        # instead of waiting for the rest of the body, or for requests that another process has to handle
        if error.status in (408, 413) or error.code == "shutting_down":
            response.force_close()
        return response
    if error.code == "not_authenticated" and request.path not in LOGIN_PATHS:
        if request.get(FORM_VALUES, {}).get("text"):
            return render_page(request, "login.html", {"next": SCAN_PATH}, error.status, error.headers)
        if request.path == SHARE_PATH and request.method == "POST":
            return redirect(f"/login?next={quote(SCAN_PATH, safe='')}&done=not-shared")
        target = request.raw_path if request.method in ("GET", "HEAD") else SCAN_PATH
        return redirect(f"/login?next={quote(target, safe='')}")
    return await render_form(request, error) or render_error_page(request, error)


def translate_json_error(error: ApiError, language: str) -> ApiError:
    """Return the error in a language, which its header names; in English if it has no translation."""
    translated = translate_error(error, language, translate_plain)
    if translated.detail != error.detail:
        translated.headers["Content-Language"] = language
    return translated


async def render_form(request: web.Request, error: ApiError) -> web.Response | None:
    """Render the form that was sent with its errors; None if that is not possible."""
    is_form = request.method == "POST" or not error.fields.keys().isdisjoint(FILTER_FIELDS)
    resource = request.match_info.route.resource
    template = FORM_TEMPLATES.get(resource.canonical) if resource else None
    if not template or not is_form or error.status == 404 or error.code == "registration_closed":
        return None
    if template not in PUBLIC_TEMPLATES and ACCOUNT not in request:  # refused before authentication
        return None
    context: Mapping[str, Any] = {}
    if load := request.app[FORM_LOADERS].get(template):
        if error.status >= 500:  # loading would most likely fail too
            return None
        try:
            context = await load(request)
        except ApiError:
            return None
    return render_page(request, template, {**context, "error": error}, error.status, error.headers)


def render_error_page(request: web.Request, error: ApiError) -> web.Response:
    # the account may not be looked up yet, or not be found because the database is unavailable; the
    # navigation has only links, so that a session cookie is enough to show it
    logged_in = ACCOUNT in request or cookie_name(request) in request.cookies
    context = {"error": error, "logged_in": logged_in}
    return render_page(request, "error.html", context, error.status, error.headers)
