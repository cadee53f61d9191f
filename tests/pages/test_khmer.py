"""The pages in Khmer: nothing on them is in English but names, code, and what people and documents say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from tests.support.ai import Ai
from tests.support.client import PASSWORD, Person, Reply, form, sign_up, text_of

SQLITE_ONLY = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
KHMER = {"Accept-Language": "km"}
NAMES = {
    "Ana", "Assistant", "Ctrl", "Enter", "Excel", "GitHub", "Jira", "Lin", "Markdown", "OpenDocument",
    "PowerPoint", "Ref", "RiskScan", "Word", "email", "text",
}  # fmt: skip
VOID = {"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
READ = {"alt", "aria-label", "placeholder", "title", "data-done", "data-failed", "data-unsupported"}
SENTENCE = "ការប្រគល់អាចយឺត"  # what the scan and its findings are called here
END = "2026-12-31"


class Reader(HTMLParser):
    """Collects the words in Latin letters that a page marks as Khmer."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [("", "")]
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        language = values.get("lang", self.open[-1][1]) or ""
        if language == "km":
            for name in READ & values.keys():
                self.read(values[name] or "")
        if tag not in VOID:
            self.open.append((tag, language))

    def handle_endtag(self, tag: str) -> None:
        while len(self.open) > 1 and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag, language = self.open[-1]
        if language != "km" or tag in ("code", "kbd"):
            return
        for text in texts(json.loads(data)) if tag == "script" and data.strip() else [data]:
            self.read(text)

    def read(self, text: str) -> None:
        shown = re.sub(r"\{\w+\}|[\w.%+-]+@[\w.-]+", "", text)  # values of sentences, addresses
        words = re.findall(r"[A-Za-z]+", shown)
        self.words += [word for word in words if word not in NAMES and not word.isupper()]  # such as PDF


def texts(value: object) -> Iterator[str]:
    """Return the texts in a JSON value, without the names of objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


def assert_khmer(reply: Reply) -> str:
    page = text_of(reply)
    assert '<html lang="km">' in page
    reader = Reader()
    reader.feed(page)
    assert reader.words == []
    assert len(reader.open) == 1, "every element is closed, or the language of what follows is unknown"
    return page


async def scan_by_page(person: Person, ai: Ai) -> str:
    """Scan a text with two findings, of which one is reviewed; return the path of the scan."""
    data = [{"risk": f"{SENTENCE} {n}", "category": "Legal", "context": f"{SENTENCE} {n}។"} for n in "១២"]
    ai.findings = {"data": data, "source": "model", "notes": ["One page could not be read."]}
    scan = str((await person.post("/scan", data={"text": SENTENCE})).headers["Location"])
    review = {"state": "confirmed", "owner": "Ana", "likelihood": "4", "impact": "5", "response": "reduce"}
    review |= {"due": END, "comment": "Ask Dara."}
    reply = await person.post(f"{scan}/findings/1/review", data=review)
    assert reply.status == 303, reply.body
    return scan


def test_english_is_found() -> None:
    reader = Reader()
    reader.feed('<p lang="km" title="Title">ក Word<br>middle <b lang="">name</b> tail</p><p>Outside</p>')
    assert reader.words == ["Title", "middle", "tail"]


@SQLITE_ONLY
async def test_pages_for_everybody_are_in_khmer(guest: Person) -> None:
    guest.session.headers.update(KHMER)
    for path in ("/", "/login", "/login?next=/scans", "/register?next=/scans", "/nothing"):
        assert_khmer(await guest.get(path))
    for notice in ("password", "kept", "token", "scan", "scans", "share", "reviews", "account", "logout"):
        assert 'class="notice"' in assert_khmer(await guest.get(f"/login?done={notice}"))
    for path, data in (
        ("/login", {}),
        ("/login", {"username": "a", "password": "b"}),
        ("/register", {"email": "a", "password": "b"}),
        ("/scan", {"text": SENTENCE}),  # as after the end of a session
    ):
        assert_khmer(await guest.post(path, data=data))


@SQLITE_ONLY
async def test_pages_of_an_account_are_in_khmer(guest: Person) -> None:
    await sign_up(guest)
    guest.session.headers.update(KHMER)
    assert_khmer(await guest.get("/scan"))
    assert_khmer(await guest.post("/scan", data={"text": ""}))
    assert_khmer(await guest.get("/account"))
    for end in ("", "2999-12-31"):
        token = {"name": "nightly import", "scopes": "scan read", "expires_at": end}
        assert_khmer(await guest.post("/account/tokens", data=token))
    assert "visually-hidden" in assert_khmer(await guest.get("/account"))
    for path, data in (
        ("/account/tokens", {"name": "", "scopes": "", "expires_at": "x"}),
        ("/account/password", {"current_password": "x", "new_password": "y"}),
        ("/account/password", {"current_password": "wrong", "new_password": PASSWORD}),
        ("/account/delete", {"password": "wrong"}),
    ):
        assert_khmer(await guest.post(path, data=data))


@SQLITE_ONLY
async def test_pages_around_a_scan_are_in_khmer(guest: Person, ai: Ai) -> None:
    await sign_up(guest)
    guest.session.headers.update(KHMER)
    scan = await scan_by_page(guest, ai)
    assert_khmer(await guest.get("/account"))
    assert_khmer(await guest.get(f"/scans/delete?scan={scan.rpartition('/')[2]}"))
    assert_khmer(await guest.get(f"{scan}/mark"))
    assert_khmer(await guest.post(f"{scan}/mark", data=form(text="អត្ថបទផ្សេង")))
    assert_khmer(await guest.get(f"{scan}/shares"))
    assert_khmer(await guest.post(f"{scan}/shares", data={"expires_at": "2000-01-01"}))
    created = assert_khmer(await guest.post(f"{scan}/shares", data={"expires_at": ""}))
    assert_khmer(await guest.get(f"{scan}/shares"))
    link = re.search(r'<code id="link">https?://[^/]+(.*?)</code>', created)
    assert link
    assert_khmer(await guest.get(link[1]))


@SQLITE_ONLY
async def test_an_import_is_in_khmer(guest: Person, ai: Ai) -> None:
    await sign_up(guest)
    guest.session.headers.update(KHMER)
    await scan_by_page(guest, ai)
    assert_khmer(await guest.get("/reviews/import"))
    table = (await guest.get("/scans/export?format=csv&layout=register")).body.decode("utf-8-sig")
    changed = table.replace("Ana", "Lin")
    assert changed != table
    changed += "R-0b4e3c1a-7f6d-4c2b-01" + "," * (table.partition("\n")[0].count(",")) + "\r\n"
    preview = assert_khmer(await guest.post("/reviews/import", data=form(file=("r.csv", changed.encode()))))
    assert preview.count('<ul class="lines"') == 2
    assert_khmer(await guest.post("/reviews/import", data=form(file=("r.csv", table.encode()))))
    assert_khmer(await guest.post("/reviews/import", data=form(file=("r.csv", b"x"))))
