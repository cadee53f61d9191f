"""The HTML pages over HTTP: redirects, messages, escaping and headers."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pytest
from markupsafe import Markup, escape

from riskscan.ai_service.categories import CATEGORIES
from riskscan.assets import STATIC, asset_url, read_asset
from riskscan.auth.sessions import COOKIE
from riskscan.charts import (
    MAX_BARS,
    MAX_SERIES,
    TONES,
    Overview,
    assign_tones,
    build_overview,
    chart_bars,
    list_ticks,
)
from riskscan.database.rows import utc_now
from riskscan.file_types import EXTENSIONS, FILE_TYPES
from riskscan.handlers import scans
from riskscan.languages import detect_language
from riskscan.schemas import MAX_PASSWORD, MIN_PASSWORD, CategoryRisks, MonthRisks, Stats
from riskscan.template_filters import escape_output
from tests.support.ai import FINDINGS, NOTES, RISKS, Ai
from tests.support.application import MakeSettings, serve
from tests.support.client import PASSWORD, Person, Reply, form, sign_up, text_of

PROTECTED = ["/scan", "/scans", "/scans?offset=20", f"/scans/{'0' * 8}-0000-4000-8000-{'0' * 12}", "/account"]
FORMS = ["/login", "/register", "/logout", "/scan", "/account/password", "/account/delete", "/scans/x/delete"]
FORMS += ["/scans/delete", "/account/tokens", "/account/tokens/x/delete", "/account/reviews/delete"]


@pytest.fixture
async def ana(guest: Person) -> Person:
    """A client that is logged in by a session cookie."""
    await sign_up(guest)
    return guest


def assert_field_error(reply: Reply, status: int, field: str, message: str) -> str:
    """Check that the form is shown again with an error at the focused field; return the page."""
    page = text_of(reply)
    assert reply.status == status
    tag = re.search(rf'<(?:input|textarea|select)[^>]*\bid="{field}"[^>]*>', page, re.DOTALL)
    assert tag
    assert 'aria-invalid="true"' in tag[0]
    assert "autofocus" in tag[0]
    description = re.search(r'aria-describedby="([^"]*)"', tag[0])
    assert description
    assert f"{field}-error" in description[1].split()
    assert message in page[page.index(f'id="{field}-error"') :].partition("</p>")[0]
    assert PASSWORD not in page
    return page


async def test_root_is_the_start_page_or_redirects_to_scan(guest: Person) -> None:
    assert (await guest.get("/")).status == 200
    await sign_up(guest)
    reply = await guest.get("/")
    assert (reply.status, reply.headers["Location"]) == (303, "/scan")


@pytest.mark.parametrize("path", PROTECTED)
async def test_login_returns_to_the_protected_page(guest: Person, path: str) -> None:
    await sign_up(guest)
    await guest.post("/logout")
    reply = await guest.get(path)
    assert (reply.status, reply.headers["Location"]) == (303, f"/login?next={quote(path, safe='')}")
    page = text_of(await guest.get(reply.headers["Location"]))
    action = html.unescape(page.partition('<form method="post" action="')[2].partition('"')[0])
    assert f'href="/register?next={quote(path)}"' in page
    wrong = await guest.post(action, data={"username": guest.email, "password": "not it"})
    assert f'action="{action}"' in html.unescape(text_of(wrong))
    right = await guest.post(action, data={"username": guest.email, "password": PASSWORD})
    assert (right.status, right.headers["Location"]) == (303, path)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example",
        "javascript:alert(1)", "/\t/evil.example", "/\r\nX-Evil: 1", " //evil.example", "evil", "",
        "/..//evil.example", "/.//evil.example", "/scan/../..//evil.example", "/%2e%2E//evil.example",
        "/.%2e/\\evil.example", "/..\\evil.example", "/evil/..", "/..?evil",
    ],
)  # fmt: skip
async def test_next_accepts_only_local_paths(guest: Person, target: str) -> None:
    reply = await guest.post(
        f"/register?next={quote(target, safe='')}", data={"email": "ana@example.com", "password": PASSWORD}
    )
    assert (reply.status, reply.headers["Location"]) == (303, "/scan")
    assert "evil" not in text_of(await guest.get("/scan"))
    await guest.post("/logout")
    page = text_of(await guest.get(f"/login?next={quote(target, safe='')}"))
    assert "evil" not in page.partition("<footer")[0]  # which returns to this very address


async def test_login_page_redirects_a_logged_in_user(ana: Person) -> None:
    assert (await ana.get("/login?next=/scans")).headers["Location"] == "/scans"


async def test_registration_error_is_shown_at_its_field(guest: Person) -> None:
    bad = await guest.post("/register", data={"email": "<b>ana@", "password": PASSWORD})
    assert 'value="&lt;b&gt;ana@"' in assert_field_error(bad, 400, "email", "valid email address")
    short = await guest.post("/register", data={"email": "ana@example.com", "password": "short"})
    page = assert_field_error(short, 400, "password", "6 to 128 characters")
    assert 'value="ana@example.com"' in page
    assert "short" not in page.partition("<form method")[2].partition("</form>")[0].replace(
        "A short phrase", ""
    )
    both = await guest.post("/register", data={"email": "ana", "password": "short"})
    page = assert_field_error(both, 400, "email", "valid email address")
    assert "A password has 6 to 128 characters." in page.partition('id="password-error"')[2]
    assert page.count(" autofocus") == 1
    await sign_up(guest)
    taken = await guest.post("/register", data={"email": "ANA@example.com", "password": PASSWORD})
    assert_field_error(taken, 409, "email", "already")


async def test_failed_login_shows_the_error_and_keeps_the_email(ana: Person) -> None:
    await ana.post("/logout")
    reply = await ana.post("/login", data={"username": "ana@example.com", "password": "wrong one"})
    page = text_of(reply)
    assert reply.status == 401
    assert 'role="alert"' in page
    assert "Wrong email or password." in page
    assert 'value="ana@example.com"' in page
    assert "wrong one" not in page
    assert re.search(r'id="password"[^>]*aria-describedby="alert"[^>]*autofocus', page)
    empty = await ana.post("/login", data={"username": "ana@example.com", "password": ""})
    assert_field_error(empty, 400, "password", "Enter your password.")
    nothing = assert_field_error(await ana.post("/login", data={}), 400, "username", "Enter your email.")
    assert 'id="password-error"' in nothing


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "Forgotten? Ask whoever runs this server."),
        ("Write to <it@bank.example>.", "Write to &lt;it@bank"),
    ],
)
async def test_login_page_says_whom_to_ask_about_a_password(
    make_settings: MakeSettings, text: str, shown: str
) -> None:
    async with serve(make_settings(password_help=text)) as server:
        person = Person(server)
        assert shown in text_of(await person.get("/login"))
        await person.session.close()


async def test_login_replaces_the_session_and_logout_revokes_it(ana: Person) -> None:
    first = next(iter(ana.session.cookie_jar)).value
    reply = await ana.post("/login", data={"username": ana.email, "password": PASSWORD})
    cookie = reply.cookies[COOKIE]
    assert cookie.value != first
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Lax", "")
    assert (await ana.get("/scan")).status == 200
    reply = await ana.post("/logout")
    assert (reply.status, reply.headers["Location"]) == (303, "/login?done=logout")
    assert "You've been logged out." in html.unescape(text_of(await ana.get("/login?done=logout")))
    for revoked in (first, cookie.value):
        assert (await ana.get("/scan", cookies={COOKIE: revoked})).status == 303


async def test_only_the_host_prefixed_session_cookie_is_accepted_behind_https(guest: Person) -> None:
    https = {"X-Forwarded-Proto": "https"}
    cookie = (await sign_up(guest, headers=https)).cookies[f"__Host-{COOKIE}"]
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
    guest.session.cookie_jar.clear()
    good, planted = {f"__Host-{COOKIE}": cookie.value}, {COOKIE: cookie.value}
    assert (await guest.get("/scan", cookies=good, headers=https)).status == 200
    assert (await guest.get("/scan", cookies=planted, headers=https)).status == 303
    deleted = (await guest.post("/logout", cookies=good, headers=https)).cookies[f"__Host-{COOKIE}"]
    assert (deleted.value, deleted["max-age"], deleted["secure"], deleted["path"]) == ("", "0", True, "/")
    assert (await guest.get("/scan", cookies=good, headers=https)).status == 303


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
async def test_cross_site_form_post_is_refused(ana: Person, path: str, headers: dict[str, str]) -> None:
    reply = await ana.post(path, data={"email": "eve@example.com", "password": PASSWORD}, headers=headers)
    assert reply.status == 403
    assert "This request was sent by another site." in text_of(reply)
    assert "Set-Cookie" not in reply.headers
    assert (await ana.get("/scan")).status == 200


@pytest.mark.parametrize(
    "document", [{"text": "The budget is tight."}, {"file": ("plan.txt", b"The budget is tight.")}]
)
async def test_form_without_javascript_scans_a_text_or_a_file(
    ana: Person, ai: Ai, document: dict[str, Any]
) -> None:
    # browsers send empty fields too
    fields = {"text": "", "file": ("", b"", "application/octet-stream"), "force_llm": "true", **document}
    reply = await ana.post("/scan", data=form(**fields))
    assert reply.status == 303, reply.body
    page = text_of(await ana.get(reply.headers["Location"]))
    title = "plan.txt" if "file" in document else "The budget is tight."
    assert f"<title>{title} · RiskScan</title>" in page
    assert "Budget may run out" in page
    assert ai.calls[0].parts["force_llm"].body == b"true"


async def test_failed_scan_shows_the_error_and_keeps_the_form_values(ana: Person, ai: Ai) -> None:
    empty = await ana.post("/scan", data=form(text="  ", file=("", b"")))
    assert_field_error(empty, 400, "text", "Paste some text")
    file = await ana.post("/scan", data=form(text="tight", file=("plan.txt", b""), force_llm="true"))
    page = assert_field_error(file, 400, "file", "The file is empty.")
    assert re.search(r'name="force_llm"[^>]*checked', page)
    video = await ana.post(
        "/scan", data=form(text="\n <b>tight</b> budget", force_llm="true", file=("a.mp4", b"x"))
    )
    page = assert_field_error(video, 400, "file", "Use PDF, DOCX")
    assert ">\n\n &lt;b&gt;tight&lt;/b&gt; budget</textarea>" in page
    assert re.search(r'name="force_llm"[^>]*checked', page)
    ai.respond_with(500, {"detail": "The <i>model</i> fell over."})
    failed = await ana.post("/scan", data=form(text="tight budget"))
    page = text_of(failed)
    assert failed.status == 502
    assert "The &lt;i&gt;model&lt;/i&gt; fell over." in page
    assert failed.headers["X-Request-ID"] in page
    assert "tight budget</textarea>" in page


async def test_too_large_file_shows_the_limit_on_the_scan_page(make_settings: MakeSettings) -> None:
    async with serve(make_settings(max_upload_bytes=200_000)) as server:
        person = Person(server)
        await sign_up(person)
        reply = await person.post("/scan", data=form(file=("big.txt", b"x" * 300_000)))
        await person.session.close()
    assert reply.status == 413
    assert "Request too large; the limit is 195.312 KB." in text_of(reply)
    assert 'id="scan"' in text_of(reply)


async def test_only_urlencoded_text_has_a_limit_of_its_own_on_the_scan_page(
    make_settings: MakeSettings,
) -> None:
    async with serve(make_settings(max_text_bytes=100_000)) as server:
        person = Person(server)
        await sign_up(person)
        pasted = await person.post("/scan", data=form(text="x" * 100_001, file=("", b"")))
        reply = await person.post("/scan", data={"text": "x" * 100_001})
        await person.session.close()
    assert (pasted.status, reply.status) == (303, 413)
    assert "Text too large; the limit is 97.6562 KB. Send it as a file." in text_of(reply)
    assert 'id="scan"' in text_of(reply)


async def test_text_submitted_without_a_session_survives_login(ana: Person) -> None:
    await ana.post("/logout")
    reply = await ana.post(
        "/scan", data=form(text="A </textarea> long text", force_llm="true", file=("", b""))
    )
    page = text_of(reply)
    assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert 'action="/login?next=/scan"' in page
    wrong = form(text="A </textarea> long text", force_llm="true", username=ana.email, password="wrong one")
    reply = await ana.post("/login?next=/scan", data=wrong)
    for login_page in (page, text_of(reply)):
        assert '<textarea name="text" hidden>\nA &lt;/textarea&gt; long text</textarea>' in login_page
        assert '<input type="hidden" name="force_llm" value="true">' in login_page
    right = form(text="A </textarea> long text", force_llm="true", username=ana.email, password=PASSWORD)
    reply = await ana.post("/login?next=/scan", data=right)
    page = text_of(reply)
    assert reply.status == 200
    assert 'id="scan"' in page
    assert "A &lt;/textarea&gt; long text</textarea>" in page
    assert ana.email not in page
    assert (await ana.get("/scan")).status == 200


async def test_post_without_a_session_or_text_redirects_to_login(guest: Person) -> None:
    reply = await guest.post("/scan", data=form(file=("plan.txt", b"x" * 100_000)))
    assert (reply.status, reply.headers["Location"]) == (303, "/login?next=%2Fscan")
    reply = await guest.post("/account/password", data={})
    assert (reply.status, reply.headers["Location"]) == (303, "/login?next=%2Fscan")


async def test_scan_page_states_the_file_types_and_the_size_limit(ana: Person) -> None:
    page = text_of(await ana.get("/scan"))
    assert f'accept="{",".join(EXTENSIONS)}"' in page
    hint = page.partition('id="file-hint">')[2].partition("</p>")[0]
    names = {"images" if file_type.reader == "image" else file_type.name for file_type in FILE_TYPES}
    assert set(re.split(", | or | · ", hint)) >= names
    assert "up to 10&nbsp;MB" in hint
    assert "You can leave this page" in page


async def test_scan_page_and_server_refuse_a_file_type_with_the_same_message(ana: Person) -> None:
    message = text_of(await ana.get("/scan")).partition('data-unsupported="')[2].partition('"')[0]
    extensions = [ext for known in FILE_TYPES if known.reader != "image" for ext in known.extensions]
    assert all(extension[1:].upper() in message for extension in extensions)
    refused = await ana.post("/scan", data=form(file=("film.mp4", b"x")))
    assert_field_error(refused, 400, "file", message)


@pytest.mark.parametrize(
    "path", ["/login", "/register", "/scan", "/scans", "/account", "/nowhere", "/api/docs"]
)
async def test_pages_have_a_strict_csp_and_no_inline_code(
    ana: Person, people: Callable[[], Person], path: str
) -> None:
    reply = await (people() if path in ("/login", "/register") else ana).get(path)
    page = text_of(reply)
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for directive in (
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'none'",
        "script-src 'self';",
    ):
        assert directive in policy
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Referrer-Policy"] == "same-origin"
    assert reply.headers["Cache-Control"] == "no-store"
    # a block of data is no script
    assert all(" src=" in tag or "/json" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert not re.search(r"<style| style=|<[^>]* on[a-z]+=|javascript:", page)
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)


async def test_html_in_filenames_and_findings_is_escaped(ana: Person, ai: Ai) -> None:
    script = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}"
    ai.findings = {"data": [{"risk": script, "category": script, "context": script}], "source": "llm"}
    reply = await ana.post("/scan", data=form(file=(script.replace("/", "") + ".txt", b"x")))
    location = reply.headers["Location"]
    for path in (location, f"{location}?category={quote(script, safe='')}", "/scans"):
        page = text_of(await ana.get(path))
        assert "<script>" not in page
        assert "<img" not in page
        assert "{{ 7 * 7 }}" in page
    assert "<script>" not in text_of(await ana.get(f"{location}?category=%3Cscript%3E"))


async def test_result_page_shows_the_scan_and_filters_by_category(ana: Person, ai: Ai) -> None:
    ai.findings = {"data": [*RISKS, {**RISKS[0], "risk": "Costs may rise"}], "source": "llm"}
    location = (await ana.post("/scan", data=form(text="x"))).headers["Location"]
    page = text_of(await ana.get(location))
    assert "<b>3 risks</b>" in page
    assert "Language model" in page
    assert "Built-in analyser" not in page
    assert re.search(r'<time datetime="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" title="[-\d]+ [:\d]+ UTC">', page)
    assert (
        page.index("Budget may run out") < page.index("Deadline is aggressive") < page.index("Costs may rise")
    )
    assert '<blockquote dir="auto" lang="">The budget is tight.</blockquote>' in page
    assert re.search(
        r'tone-1">.*?Financial.*?<rect class="bar" width="100.0%".*?Schedule.*?width="50.0%"', page, re.S
    )
    filtered = text_of(await ana.get(f"{location}?category=Schedule"))
    assert "Deadline is aggressive" in filtered
    assert "Costs may rise" not in filtered
    assert 'category=Schedule" aria-current="true"' in filtered
    for unknown in ("?category=Nope", "?category=%ED%A0%80", "?q=nowhere", "?state=confirmed"):
        reply = await ana.get(location + unknown)
        assert reply.status == 200
        assert "No matching findings" in text_of(reply)
    for invalid in ("?category=%00", "?state=new", "?sort=up", "?view=list", "?sort=score&sort=document"):
        assert (await ana.get(location + invalid)).status == 400


async def test_result_page_explains_an_empty_result(ana: Person, ai: Ai) -> None:
    ai.findings = {"data": [], "source": "model"}
    location = (await ana.post("/scan", data=form(text="All is well."))).headers["Location"]
    page = text_of(await ana.get(location))
    assert "No risks found" in page
    assert "That doesn't mean there are none" in page


@pytest.mark.parametrize("risks", [RISKS, []])
async def test_result_page_shows_the_notes_above_the_findings(
    ana: Person, ai: Ai, risks: list[dict[str, str]]
) -> None:
    attack = "<script>alert(1)</script> & {{ 7 * 7 }}"
    ai.findings = {"data": risks, "source": "model", "notes": [*NOTES, attack, "ទំព័រ", "صفحة\u202e 3"]}
    location = (await ana.post("/scan", data=form(text="x"))).headers["Location"]
    page = text_of(await ana.get(location))
    section = page.partition('<section class="notes" aria-labelledby="notes-title">')[2].partition(
        "</section>"
    )[0]
    assert '<h2 id="notes-title">Notes</h2>' in section
    assert re.findall(r'<li dir="auto" lang="(.*?)">(.*?)</li>', section) == [
        ("", NOTES[0]),
        ("", NOTES[1]),
        ("", "&lt;script&gt;alert(1)&lt;/script&gt; &amp; {{ 7 * 7 }}"),
        ("km", "ទំព័រ"),
        ("ar", "صفحة\u202e 3"),
    ]
    assert page.index(NOTES[0]) < page.index("Budget may run out" if risks else "No risks found")
    assert NOTES[0] in text_of(await ana.get(f"{location}?category=Schedule"))


async def test_lists_and_comparisons_show_no_notes(ana: Person, ai: Ai) -> None:
    ai.findings = {**FINDINGS, "notes": NOTES}
    first, second = [(await ana.post("/scan", data=form(text=text))).headers["Location"] for text in "xy"]
    other = first.rpartition("/")[2]
    for path in ("/scans", "/scans/overview", f"{second}/compare?with={other}"):
        reply = await ana.get(path)
        assert (reply.status, NOTES[0] in text_of(reply)) == (200, False)


async def test_result_page_without_notes_has_no_section_for_them(ana: Person) -> None:
    location = (await ana.post("/scan", data=form(text="x"))).headers["Location"]
    assert "notes" not in text_of(await ana.get(location)).partition("<main")[2]


async def test_khmer_and_arabic_text_is_marked_with_its_language(ana: Person, ai: Ai) -> None:
    ai.findings = {
        "data": [
            {"risk": "ការផ្គត់ផ្គង់អាចយឺតយ៉ាវ", "category": "Schedule", "context": "«ការផ្គត់ផ្គង់»"},
            {"risk": "قد يتأخر الترخيص", "category": "قانوني", "context": "لم يصدر الترخيص بعد"},
        ],
        "source": "model",
    }
    location = (await ana.post("/scan", data=form(file=("កិច្ចសន្យា.txt", b"x")))).headers["Location"]
    page = text_of(await ana.get(location))
    assert '<h1 dir="auto" lang="km">កិច្ចសន្យា.txt</h1>' in page
    assert 'class="title" dir="auto" lang="km">ការផ្គត់ផ្គង់អាចយឺតយ៉ាវ</h3>' in page
    assert '<blockquote dir="auto" lang="ar">لم يصدر الترخيص بعد</blockquote>' in page
    assert '<bdi lang="ar">قانوني</bdi>' in page


async def test_history_is_paginated_by_offset_and_cursor(ana: Person) -> None:
    empty = text_of(await ana.get("/scans"))
    assert "No scans yet" in empty
    assert 'href="/scan"' in empty
    for number in range(3):
        await ana.post("/scan", data=form(file=(f"plan-{number}.txt", b"x")))
    first = text_of(await ana.get("/scans?limit=2"))
    assert first.index("plan-2.txt") < first.index("plan-1.txt")
    assert "plan-0.txt" not in first
    assert "1–2 of 3" in first
    assert 'rel="prev"' not in first
    assert '<a rel="next" href="/scans?offset=2&limit=2">' in html.unescape(first)
    second = text_of(await ana.get("/scans?offset=2&limit=2"))
    assert "plan-0.txt" in second
    assert '<a rel="prev" href="/scans?offset=0&limit=2">' in html.unescape(second)
    assert 'rel="next"' not in second
    cursor = (await ana.get("/api/scans?limit=2")).json["next_cursor"]
    assert "plan-0.txt" in text_of(await ana.get(f"/scans?limit=2&cursor={cursor}"))
    assert "No more scans" in text_of(await ana.get("/scans?offset=9"))
    assert "Financial" in first
    assert "Built-in analyser" in first.partition("<ol")[2]


async def test_only_the_owner_can_open_and_delete_a_scan(ana: Person, people: Callable[[], Person]) -> None:
    location = (await ana.post("/scan", data=form(text="x"))).headers["Location"]
    page = text_of(await ana.get(location))
    assert (
        f'<form method="post" action="{location}/delete">' in page.partition("<summary>Delete this scan")[2]
    )
    bob = people()
    await sign_up(bob, "bob@example.com")
    for reply in (await bob.get(location), await bob.post(f"{location}/delete")):
        assert reply.status == 404
        assert "It may have been deleted, or belong to another account." in text_of(reply)
    reply = await ana.post(f"{location}/delete")
    assert (reply.status, reply.headers["Location"]) == (303, "/scans?done=scan")
    assert "Scan deleted." in text_of(await ana.get("/scans?done=scan"))
    assert (await ana.get(location)).status == 404


async def test_account_page_changes_the_password(ana: Person, people: Callable[[], Person]) -> None:
    other = people()
    await other.post("/login", data={"username": ana.email, "password": PASSWORD})
    page = text_of(await ana.get("/account"))
    assert '<bdi lang="">ana@example.com</bdi>' in page
    wrong = await ana.post(
        "/account/password", data={"current_password": "not it", "new_password": "another one"}
    )
    assert_field_error(wrong, 400, "current_password", "Current password is wrong")
    short = await ana.post("/account/password", data={"current_password": PASSWORD, "new_password": "x"})
    assert_field_error(short, 400, "new_password", "6 to 128")
    reply = await ana.post(
        "/account/password", data={"current_password": PASSWORD, "new_password": "another one"}
    )
    assert (reply.status, reply.headers["Location"]) == (303, "/account?done=password")
    assert "Password changed." in text_of(await ana.get("/account?done=password"))
    assert (await other.get("/account")).status == 303


async def test_account_page_counts_and_removes_the_reviews(ana: Person) -> None:
    assert "No reviews yet." in text_of(await ana.get("/account"))
    scan = await ana.scan(text="tight budget")
    for number, count in ((1, "1 review kept."), (2, "2 reviews kept.")):
        await ana.post(f"/scans/{scan['scan_id']}/findings/{number}/review", data={"state": "confirmed"})
        assert count in text_of(await ana.get("/account"))
    wrong = await ana.post("/account/password", data={"current_password": "not it", "new_password": "x" * 8})
    assert "2 reviews kept." in text_of(wrong)
    assert '<form method="post" action="/account/reviews/delete">' in text_of(await ana.get("/account"))
    reply = await ana.post("/account/reviews/delete")
    assert (reply.status, reply.headers["Location"]) == (303, "/account?done=reviews")
    page = text_of(await ana.get("/account?done=reviews"))
    assert "All reviews have been removed." in page
    assert "No reviews yet." in page
    assert (await ana.get(f"/api/scans/{scan['scan_id']}")).json["open_count"] == 2


async def test_forms_state_the_length_of_a_password(guest: Person) -> None:
    length = f"{MIN_PASSWORD}–{MAX_PASSWORD} characters"
    assert length in text_of(await guest.get("/register"))
    await sign_up(guest)
    assert length in text_of(await guest.get("/account"))


async def test_account_page_deletes_the_account(ana: Person) -> None:
    wrong = await ana.post("/account/delete", data={"password": "not it"})
    assert '<details class="danger" open>' in assert_field_error(
        wrong, 400, "password", "Current password is wrong"
    )
    reply = await ana.post("/account/delete", data={"password": PASSWORD})
    assert (reply.status, reply.headers["Location"]) == (303, "/register?done=account")
    assert "have been deleted" in text_of(await ana.get("/register?done=account"))
    assert (await ana.post("/login", data={"username": ana.email, "password": PASSWORD})).status == 401


async def test_error_pages_show_a_message_and_the_request_id_from_500_on(
    ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise RuntimeError("secret inside")

    location = (await ana.post("/scan", data=form(text="x"))).headers["Location"]
    monkeypatch.setattr(scans, "find_scan_of_page", fail)
    cases = [
        (await ana.get("/nowhere"), 404, "This address does not exist."),
        (await ana.get("/logout"), 405, "Method not allowed"),
        (await ana.get("/static/"), 404, ""),
        (await ana.get("/scans?limit=0"), 400, "limit must be between 1 and 100."),
        (await ana.post("/account/password", data={"x": "y" * 70_000}), 413, "too large"),
        (await ana.get(location), 500, "Something went wrong on our side."),
        (await ana.post("/logout", headers={"Sec-Fetch-Site": "cross-site"}), 403, "sent by another site"),
    ]
    for reply, status, message in cases:
        page = text_of(reply)
        assert reply.status == status
        assert message in page
        assert "secret inside" not in page
        assert (f"<code>{reply.headers['X-Request-ID']}</code>" in page) == (status >= 500)


async def test_error_pages_keep_the_navigation(ana: Person, people: Callable[[], Person]) -> None:
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    for person, link, other in ((ana, "/account", "/login"), (people(), "/login", "/account")):
        for reply in (
            await person.get("/nowhere"),
            await person.get("/logout"),
            await person.get("/login?next=/scan&next=/scans"),
            await person.post("/logout", headers=cross_site),
        ):
            page = text_of(reply)
            assert reply.status >= 400
            assert f'<li><a href="{link}"' in page
            assert f'<li><a href="{other}"' not in page
            assert '<a class="button" href="/scan">New scan</a>' in page
            assert '<a class="button secondary" href="/scans">History</a>' in page


async def test_pages_respond_503_when_the_database_is_unavailable(make_settings: MakeSettings) -> None:
    async with serve(make_settings(database_url="postgresql://nobody@127.0.0.1:1/none")) as server:
        person = Person(server)
        reply = await person.get("/scans", cookies={COOKIE: "x" * 43})
        login = await person.post("/login", data={"username": "ana@example.com", "password": PASSWORD})
        await person.session.close()
    assert (reply.status, int(reply.headers["Retry-After"]) > 0) == (503, True)
    assert "Temporarily unavailable" in text_of(reply)
    assert reply.headers["X-Request-ID"] in text_of(reply)
    assert login.status == 503
    assert 'value="ana@example.com"' in text_of(login)
    assert login.headers["X-Request-ID"] in text_of(login)


async def test_only_versioned_assets_are_cached_as_immutable(guest: Person) -> None:
    page = text_of(await guest.get("/login"))
    for name in ("style.css", "app.js", "icon.svg"):
        url = asset_url(name)
        assert f'"{url}"' in page
        reply = await guest.get(url)
        assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert reply.body == read_asset(name)
    assert (await guest.get("/static/style.css")).headers["Cache-Control"] == "no-cache"
    assert (await guest.get("/static/nothing.css?v=1")).headers["Cache-Control"] == "no-store"


INVALID_STATIC_PATHS = [
    "", "vendor", "vendor/", "style.css/", "style.css%00", "../app.py", "..%2fapp.py", "%2e%2e/app.py",
    "..%5capp.py", "/etc/passwd", "%2fetc%2fpasswd", "./style.css", "vendor/../app.js", "%ff", "a" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("path", INVALID_STATIC_PATHS)
async def test_static_serves_only_exact_file_paths(guest: Person, path: str) -> None:
    reply = await guest.get(f"/static/{path}")
    assert reply.status == 404
    assert "This address does not exist." in text_of(reply)


@pytest.mark.parametrize(
    ("path", "autocomplete"),
    [
        ("/login", ["current-password"]),
        ("/register", ["new-password"]),
        ("/account", ["current-password", "new-password", "current-password"]),
    ],
)
async def test_password_fields_are_masked_and_allow_password_managers(
    guest: Person, path: str, autocomplete: list[str]
) -> None:
    if path == "/account":
        await sign_up(guest)
    page = text_of(await guest.get(path))
    fields = [tag for tag in re.findall(r"<input[^>]*>", page) if 'type="password"' in tag]
    assert [re.findall(r'autocomplete="([^"]*)"', tag) for tag in fields] == [
        [value] for value in autocomplete
    ]
    assert len(re.findall(r'name="[^"]*password"', page)) == len(fields)
    assert 'autocomplete="username"' in page
    assert "maxlength" not in page  # it would truncate a pasted password
    assert "onpaste" not in page


async def test_every_page_after_login_has_a_logout_button(ana: Person) -> None:
    scan = (await ana.post("/scan", data=form(text="The budget is tight."))).headers["Location"]
    for path in ("/scan", "/scans", "/account", scan):
        assert '<form method="post" action="/logout"' in text_of(await ana.get(path))


def test_vendored_files_include_their_licence() -> None:
    for folder in filter(Path.is_dir, (STATIC / "vendor").iterdir()):
        assert any("LICENSE" in path.name for path in folder.iterdir()), folder


def test_known_categories_have_fixed_colours_and_others_distinct_ones() -> None:
    assert assign_tones(["Financial", "budget "]) == {"Financial": 1, "budget ": 1}
    many = [f"kind {number}" for number in range(TONES)]
    assert len(set(assign_tones(many).values())) == TONES
    assert set(assign_tones([*many, "one more", ""]).values()) <= set(range(12))
    assert assign_tones(["", "Ünïcode"]) == assign_tones(["", "Ünïcode"])


def test_chart_groups_the_smallest_categories_in_the_last_row() -> None:
    risks = [f"kind {number}" for number in range(40) for _ in range(40 - number)]
    rows = chart_bars(risks)
    assert len(rows) == MAX_BARS
    assert (rows[0].category, rows[0].number) == ("kind 0", 40)
    assert (rows[-1].category, sum(row.number for row in rows)) == (None, len(risks))
    assert max(row.percent for row in rows) == 100
    assert chart_bars([]) == []


@pytest.mark.parametrize(
    ("text", "tag"),
    [("«ក»", "km"), ("عقد.pdf", "ar"), ("12. plan", ""), ("", ""), ("…", ""), ("สัญญา", "th"), ("契約", "")],
)
def test_language_is_detected_from_the_script(text: str, tag: str) -> None:
    assert detect_language(text) == tag


def test_static_files_reference_no_other_host() -> None:
    for path in [*STATIC.glob("*.css"), *STATIC.glob("*.js"), *STATIC.glob("*.svg"), *STATIC.glob("*.web*")]:
        source = re.sub(r"http://www\.w3\.org/\d{4}/svg", "", path.read_text())
        assert "http" not in source.lower().replace("xmlhttprequest", ""), path


async def test_history_keeps_its_filter_in_the_form_and_in_links(ana: Person, ai: Ai) -> None:
    assert '<form class="filter"' not in text_of(await ana.get("/scans"))
    for number in range(3):
        await ana.post("/scan", data=form(file=(f"plan-{number}.txt", b"x")))
    ai.findings = {"data": [], "source": "llm"}
    await ana.post("/scan", data=form(file=("other.txt", b"x")))
    page = html.unescape(text_of(await ana.get("/scans?q=plan+%26&category=FINANCIAL&source=model&limit=2")))
    assert "3 scans found" in page
    assert 'name="q" type="search" value="plan &"' in page
    assert '<option value="Financial" selected>Financial</option>' in page
    assert page.count("1 <bdi>Financial</bdi> of 2</p>") == 2
    assert '<details class="more" open>' in page
    assert '<details class="more">' in text_of(await ana.get("/scans?q=plan"))
    assert '<option value="model" selected>' in page
    query = "q=plan+%26&category=FINANCIAL&source=model"
    query = query.replace("+", "%20") if "%20" in page else query
    assert f'<a rel="next" href="/scans?offset=2&limit=2&{query}">' in page
    assert f'href="/scans/overview?{query}"' in page
    assert '<a href="/scans">Clear filters</a>' in page
    sorted_page = html.unescape(text_of(await ana.get(f"/scans?sort=name&limit=2&{query}")))
    assert f'<a rel="next" href="/scans?offset=2&limit=2&{query}&sort=name">Next →</a>' in sorted_page
    assert f'<a href="/scans?{query}&sort=name" aria-current="true">Name</a>' in sorted_page
    assert '<input type="hidden" name="sort" value="name">' in sorted_page
    assert f'"/scans/export?format=csv&{query}"' in sorted_page
    empty = text_of(await ana.get("/scans?q=zebra"))
    assert "No matching scans" in empty
    assert "No scans yet" not in empty
    beyond = html.unescape(text_of(await ana.get("/scans?q=plan&offset=9")))
    assert '<a href="/scans?offset=0&q=plan">' in beyond


async def test_history_offers_the_categories_of_the_analyser_and_of_the_listed_scans(
    ana: Person, ai: Ai
) -> None:
    kinds = ["legal ", "<Größe>", "", " ", "x" * 61, *(f"kind {number:02}" for number in range(40))]
    ai.findings = {
        "data": [{"risk": "r", "category": kind, "context": "c"} for kind in kinds],
        "source": "llm",
    }
    await ana.post("/scan", data=form(file=("plan.txt", b"x")))
    page = html.unescape(text_of(await ana.get("/scans?category=Elsewhere")))
    offered = re.findall(
        r'<option value="([^"]*)"', page.partition('id="category"')[2].partition("</select>")[0]
    )
    assert offered[:8] == ["", *CATEGORIES]
    assert offered[8:] == ["Elsewhere"]  # no scan is listed
    page = html.unescape(text_of(await ana.get("/scans?category=legal")))
    offered = re.findall(
        r'<option value="([^"]*)"', page.partition('id="category"')[2].partition("</select>")[0]
    )
    assert offered[:8] == ["", *CATEGORIES]
    assert offered[8] == "<Größe>"
    assert offered[-1] == "kind 28"
    assert '1 <bdi lang="">legal</bdi> of 45</p>' in page
    assert "1 risk" not in page.partition("<ol")[2]


async def test_invalid_filter_shows_the_error_and_keeps_the_values(ana: Person) -> None:
    for query, field, message in (
        ("q=%21&source=llm", "q", "at least one letter"),
        ("from=2026-11-02&to=2026-11-01", "from", "later than the end"),
        ("to=soon", "to", "Must be a date"),
        ("category=" + "x" * 201, "category", "at most 200"),
    ):
        for path in ("/scans", "/scans/overview"):
            page = assert_field_error(await ana.get(f"{path}?{query}"), 400, field, message)
            assert '<a href="/scans">Clear filters</a>' in page
    assert 'value="llm" selected' in text_of(await ana.get("/scans?q=%21&source=llm"))


async def test_overview_shows_the_statistics(ana: Person, ai: Ai) -> None:
    assert "No scans" in text_of(await ana.get("/scans/overview"))
    await ana.post("/scan", data=form(text="x"))
    ai.findings = {"data": [{"risk": "r", "category": "ច្បាប់<b>", "context": "c"}] * 3, "source": "model"}
    await ana.post("/scan", data=form(text="x"))
    page = text_of(await ana.get("/scans/overview"))
    assert "<b>5 risks</b> in 2 scans" in page
    assert '<bdi lang="km">ច្បាប់&lt;b&gt;</bdi></a> 3</li>' in page
    assert page.count('<path class="part') == 3
    month = f"{utc_now():%b %Y}"
    assert (page.count(f">{month}</text>"), page.count(f'<th scope="row">{month}</th>')) == (1, 1)
    assert re.findall(r'<text class="total" [^>]*>(\d+)</text>', page) == ["5"]
    assert re.findall(r'<text x="32" [^>]*>(\d+)</text>', page) == ["0", "2", "4", "6"]
    assert "style=" not in page
    assert 'href="/scans/overview?q=zebra"' not in page
    ai.findings = {"data": [], "source": "llm"}
    await ana.post("/scan", data=form(text="x"))
    assert "No risks in these scans" in text_of(await ana.get("/scans/overview?source=llm"))


def test_overview_spans_12_to_24_months_and_groups_small_categories() -> None:
    def overview(*months: tuple[str, dict[str, int]]) -> Overview:
        counts = sum((Counter(categories) for _, categories in months), Counter[str]())
        by_category = [CategoryRisks(name, number) for name, number in counts.most_common()]
        over_time = [MonthRisks(month, categories) for month, categories in months]
        return build_overview(Stats(len(months), counts.total(), None, by_category, over_time))

    one = overview(("2026-01", {"Legal": 3}))
    assert (one.months[0], one.months[-1], len(one.months)) == ("2025-02", "2026-01", 12)
    assert (one.max_risks, one.ticks) == (3, [0, 1, 2, 3])
    assert (one.series[0].path, one.totals[-1], one.is_dense) == ("M134 100h8v-100h-8z", 3, False)
    assert len(overview(("2024-12", {}), ("2026-01", {"a": 1})).months) == 14
    assert overview(("1999-12", {"a": 9}), ("2026-01", {"a": 1})).months[0] == "2024-02"
    many = overview(("2026-01", {f"kind {number}": 20 - number for number in range(20)}))
    assert len(many.series) == MAX_SERIES
    assert (many.series[-1].category, many.series[-1].numbers[-1]) == (None, sum(range(1, 14)))
    assert sum(sum(series.numbers) for series in many.series) == many.max_risks == 210
    assert many.ticks == [0, 100, 200, 300]
    assert many.series[1].path == f"M134 {100 - 2000 / 300:.4g}h8v-{1900 / 300:.4g}h-8z"
    assert overview(("2026-01", {"Legal": 1000})).is_dense
    for highest in (1, 2, 4, 5, 9, 99, 100, 101, 12_345_678):
        ticks = list_ticks(highest)
        assert (ticks[0], 2 <= len(ticks) <= 5, ticks[-2] < highest <= ticks[-1]) == (0, True, True), ticks


@pytest.mark.parametrize("value", ["<a href='x'>&\"", Markup("<b>"), 7, 0.5, True, None, ["<", Markup("<")]])
def test_values_are_escaped_as_jinja_escapes_them(value: object) -> None:
    assert escape_output(value) == escape(value)


def test_a_name_that_is_not_defined_is_an_error_in_every_output() -> None:
    with pytest.raises(jinja2.UndefinedError):
        escape_output(jinja2.StrictUndefined(name="missing"))
