"""What the share sheet of a phone sends to POST /share, as the manifest says, and the manifest itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from riskscan.file_types import EXTENSIONS
from riskscan.handlers.static_files import FILES
from riskscan.settings import Rate
from tests.support.ai import Ai
from tests.support.client import PASSWORD, Person, form, sign_up, text_of

# Chromium starts the navigation itself, without a page that would be its initiator
BY_PHONE = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Origin": "null"}
CONTRACT = ("contract.txt", b"The budget is tight.", "text/plain")


@pytest.fixture(scope="module")
def manifest() -> Any:
    return json.loads(FILES["manifest.webmanifest"].read())


async def test_a_shared_file_is_scanned(guest: Person, ai: Ai) -> None:
    await sign_up(guest)
    sent = form(title="Contract", file=CONTRACT)
    reply = await guest.post("/share", data=sent, headers=BY_PHONE)
    assert reply.status == 303
    assert ai.calls[0].parts["file"].body == CONTRACT[1]
    assert ">contract.txt</h1>" in text_of(await guest.get(reply.headers["Location"]))


async def test_a_shared_text_is_shown_before_it_is_sent(guest: Person, ai: Ai) -> None:
    await sign_up(guest)
    sent = form(title="Clause 4", text="The <budget> is tight.", url="https://example.org/4")
    page = text_of(await guest.post("/share", data=sent, headers=BY_PHONE))
    assert "\nClause 4\nThe &lt;budget&gt; is tight.\nhttps://example.org/4</textarea>" in page
    assert ai.calls == []
    assert (await guest.get("/share")).status == 200  # where a reload by address leads


@pytest.mark.settings(scan_limit=Rate(1, 3600))
async def test_a_shared_text_does_not_count_as_a_scan_before_it_is_sent(guest: Person) -> None:
    await sign_up(guest)
    for _ in range(2):
        assert (await guest.post("/share", data=form(text="A clause"), headers=BY_PHONE)).status == 200
    assert (await guest.post("/scan", data=form(text="A clause"))).status == 303
    assert (await guest.post("/scan", data=form(text="A clause"))).status == 429


async def test_a_title_that_is_the_text_is_shown_once(guest: Person) -> None:
    await sign_up(guest)
    page = text_of(
        await guest.post("/share", data=form(title="A clause", text="A clause "), headers=BY_PHONE)
    )
    assert "\nA clause</textarea>" in page


@pytest.mark.parametrize("sent", [{}, {"title": " "}, {"file": ("movie.mov", b"x")}])
async def test_unusable_shares_are_refused_on_the_scan_page(guest: Person, sent: dict[str, Any]) -> None:
    await sign_up(guest)
    reply = await guest.post("/share", data=form(note="", **sent), headers=BY_PHONE)
    assert reply.status == 400
    assert "Find risks</button>" in text_of(reply)


async def test_a_shared_text_is_carried_through_the_log_in(guest: Person) -> None:
    await sign_up(guest)
    guest.session.cookie_jar.clear()
    sent = form(title="Clause 4", text="The budget is tight.")
    reply = await guest.post("/share", data=sent, headers=BY_PHONE)
    assert reply.status == 401
    assert '<textarea name="text" hidden>\nClause 4\nThe budget is tight.</textarea>' in text_of(reply)
    fields = {"username": guest.email, "password": PASSWORD, "text": "Clause 4\nThe budget is tight."}
    page = text_of(await guest.post("/login?next=/scan", data=form(**fields)))
    assert "\nClause 4\nThe budget is tight.</textarea>" in page


async def test_a_shared_file_is_asked_for_again_after_the_log_in(guest: Person) -> None:
    reply = await guest.post("/share", data=form(file=CONTRACT), headers=BY_PHONE)
    assert reply.status == 303
    page = text_of(await guest.get(reply.headers["Location"]))
    assert "The file you shared wasn't kept. Log in, then share it again." in page


async def test_another_site_cannot_share(guest: Person, ai: Ai) -> None:
    await sign_up(guest)
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site, "Origin": "https://evil.example"}
        assert (await guest.post("/share", data=form(file=CONTRACT), headers=headers)).status == 403
    assert ai.calls == []


def test_the_manifest_takes_the_files_that_can_be_scanned(manifest: Any) -> None:
    target = manifest["share_target"]
    assert (target["action"], target["method"], target["enctype"]) == (
        "/share",
        "POST",
        "multipart/form-data",
    )
    [files] = target["params"].pop("files")
    assert files["name"] == "file"
    assert [kind for kind in files["accept"] if kind.startswith(".")] == list(EXTENSIONS)
    assert target["params"] == {"title": "title", "text": "text", "url": "url"}


async def test_the_manifest_and_its_icons_are_served(guest: Person, manifest: Any) -> None:
    page = text_of(await guest.get("/login"))
    address = page.partition('<link rel="manifest" href="')[2].partition('"')[0]
    assert (await guest.get(address)).headers["Content-Type"] == "application/manifest+json"
    for icon in manifest["icons"]:
        reply = await guest.get(f"/static/{icon['src']}")
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith(icon["type"])
