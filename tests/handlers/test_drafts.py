"""Drafts of one document: which are offered for comparison, choosing two scans, and names of scans."""

from __future__ import annotations

import html
import re
import uuid
from typing import Any, Literal

import pytest
from playwright.async_api import FilePayload, Page, expect

from tests.support.ai import Ai
from tests.support.application import Server
from tests.support.browser import (
    accessibility_violations,
    horizontal_overflow,
    launch_browser,
    register,
    visit,
)
from tests.support.client import Person, assert_error, create_token, form, sign_up, text_of


def finding(sentence: str) -> dict[str, str]:
    return {"risk": sentence.rstrip("."), "category": "Legal", "context": sentence}


def findings(*sentences: str) -> dict[str, Any]:
    return {"data": [finding(sentence) for sentence in sentences], "source": "model"}


SENTENCES = [
    f"The supplier is not liable for {what}."
    for what in ("delay", "loss", "damage", "defects", "theft", "fire")
]


@pytest.fixture
async def ana(guest: Person) -> Person:
    """A client that is logged in by a session cookie."""
    await sign_up(guest)
    return guest


async def scan_page(person: Person, ai: Ai, *sentences: str, **document: Any) -> str:
    """Scan a document in which these sentences are found; return the path of its page."""
    ai.findings = findings(*sentences)
    reply = await person.post("/scan", data=form(**document))
    return str(reply.headers["Location"])


def section(page: str, heading: str) -> str:
    """Return the section of a page whose heading has this ID."""
    return page.partition(f'<section aria-labelledby="{heading}">')[2].partition("</section>")[0]


def links(text: str) -> list[tuple[str, str]]:
    """Return the address and the text of each link."""
    found = re.findall(r'<a [^>]*?href="([^"]*)"[^>]*>(.*?)</a>', text, re.DOTALL)
    return [(address, html.unescape(re.sub("<[^>]*>", "", content))) for address, content in found]


async def offered(person: Person, path: str) -> dict[str, list[str]]:
    """Return the names that the page of drafts offers, in its two sections."""
    page = text_of(await person.get(f"{path}/drafts"))
    return {
        heading: [name for address, name in links(section(page, heading)) if "/compare" in address]
        for heading in ("likely", "recent")
    }


async def test_likely_drafts_stand_before_recent_scans(ana: Person, ai: Ai) -> None:
    first = await scan_page(ana, ai, "One.", file=("Contract draft 1.docx.txt", b"1"))
    await scan_page(ana, ai, *SENTENCES[:2], file=("minutes.txt", b"2"))
    await scan_page(ana, ai, "Two.", file=("contract_final (2).txt", b"3"))
    second = await scan_page(ana, ai, *SENTENCES, file=("Contract Final.md", b"4"))
    assert await offered(ana, second) == {
        "likely": ["contract_final (2).txt", "minutes.txt"],
        "recent": ["Contract draft 1.docx.txt"],
    }
    assert (await offered(ana, first))["likely"] == []


@pytest.mark.parametrize(
    ("common", "other", "is_likely"),
    [(2, 6, True), (1, 6, False), (1, 3, False), (2, 7, False), (6, 18, True), (6, 19, False)],
)
async def test_a_third_of_the_sentences_of_both_makes_a_likely_draft(
    ana: Person, ai: Ai, common: int, other: int, is_likely: bool
) -> None:
    more = [f"The buyer pays item {number} in advance." for number in range(other - common)]
    await scan_page(ana, ai, *SENTENCES[:common], *more, file=("alpha.txt", b"1"))
    later = await scan_page(ana, ai, *SENTENCES, file=("beta.txt", b"2"))
    assert bool((await offered(ana, later))["likely"]) is is_likely
    page = text_of(await ana.get(f"{later}/drafts"))
    assert (f"{common} findings in common" in page) is is_likely
    assert ("Earlier version scanned on" in text_of(await ana.get(later))) is is_likely


async def test_the_same_sentence_in_other_typography_is_in_common(ana: Person, ai: Ai) -> None:
    await scan_page(
        ana, ai, "4.2 The supplier’s liability is “unlimited” – always.", file=("alpha.txt", b"1")
    )
    later = await scan_page(
        ana, ai, 'THE SUPPLIER\'S  liability is "unlimited" - always.', file=("b.txt", b"2")
    )
    assert (await offered(ana, later))["likely"] == ["alpha.txt"]
    changed = await scan_page(ana, ai, "The supplier's liability is not unlimited.", file=("c.txt", b"3"))
    assert (await offered(ana, changed))["likely"] == []


async def test_drafts_of_other_users_are_not_offered(alice: Person, ana: Person, ai: Ai) -> None:
    ai.findings = findings(*SENTENCES)
    hers = await alice.scan(file=("contract.txt", b"1"))
    path = await scan_page(ana, ai, *SENTENCES, file=("contract.txt", b"1"))
    assert await offered(ana, path) == {"likely": [], "recent": []}
    assert (await ana.get(f"/scans/{hers['scan_id']}/drafts")).status == 404
    assert (await ana.get(f"/scans/{uuid.uuid4()}/drafts")).status == 404


async def test_of_two_drafts_the_earlier_one_is_the_base(ana: Person, ai: Ai) -> None:
    paths = [await scan_page(ana, ai, file=(f"contract {number}.txt", b"%d" % number)) for number in range(3)]
    ids = [path.rpartition("/")[2] for path in paths]
    page = section(text_of(await ana.get(f"{paths[1]}/drafts")), "likely")
    assert [address for address, _ in links(page)] == [
        f"{paths[2]}/compare?with={ids[1]}",
        f"{paths[1]}/compare?with={ids[0]}",
    ]


async def test_at_most_twenty_recent_scans_are_offered(ana: Person, ai: Ai) -> None:
    for number in range(22):
        await scan_page(ana, ai, file=(f"{'abcdefghijklmnopqrstuvwx'[number]}.txt", b"%d" % number))
    path = await scan_page(ana, ai, file=("zebra.txt", b"z"))
    assert await offered(ana, path) == {
        "likely": [],
        "recent": [f"{name}.txt" for name in "vutsrqponmlkjihgfedc"],
    }


async def test_scan_page_names_the_earlier_draft(ana: Person, ai: Ai) -> None:
    first = await scan_page(ana, ai, file=("Contract v1.txt", b"1"))
    second = await scan_page(ana, ai, file=("contract-final.txt", b"2"))
    third = await scan_page(ana, ai, file=("contract-final.txt", b"1"))
    ids = [path.rpartition("/")[2] for path in (first, second, third)]
    page = text_of(await ana.get(second))
    assert f'href="{second}/compare?with={ids[0]}"' in page
    assert "Contract v1.txt" in page
    compared = [address for address, _ in links(text_of(await ana.get(third))) if "/compare" in address]
    assert compared == [f"{third}/compare?with={ids[1]}", f"{third}/compare?with={ids[0]}"]
    assert "/compare" not in text_of(await ana.get(first))


async def test_link_header_follows_the_names_of_drafts(alice: Person) -> None:
    first = await alice.scan(file=("Contract v1.txt", b"1"))
    reply = await alice.post(
        "/api/scan", data=form(file=("contract final.md", b"2")), headers={"Idempotency-Key": "one"}
    )
    link = f'</api/scans/{first["scan_id"]}>; rel="predecessor-version"; title="same name"'
    assert reply.headers.getall("Link") == [link]
    again = await alice.post(
        "/api/scan", data=form(file=("contract final.md", b"2")), headers={"Idempotency-Key": "one"}
    )
    assert again.headers.getall("Link") == [link]


async def test_two_scans_chosen_in_the_history_are_compared(ana: Person, ai: Ai) -> None:
    earlier = (await scan_page(ana, ai, file=("a.txt", b"1"))).rpartition("/")[2]
    later = (await scan_page(ana, ai, file=("b.txt", b"2"))).rpartition("/")[2]
    page = text_of(await ana.get("/scans"))
    assert re.findall(r'name="scan" value="([^"]*)"', page) == [later, earlier]
    for chosen in ((earlier, later), (later, earlier)):
        reply = await ana.get(f"/scans/compare?scan={chosen[0]}&scan={chosen[1]}")
        assert (reply.status, reply.headers["Location"]) == (303, f"/scans/{later}/compare?with={earlier}")
    assert (await ana.get(f"/scans/compare?scan={earlier}&scan={uuid.uuid4()}")).status == 404


async def test_a_wrong_number_of_chosen_scans_is_an_error_on_the_page(ana: Person, ai: Ai) -> None:
    ids = [
        (await scan_page(ana, ai, file=(f"{name}.txt", name.encode()))).rpartition("/")[2] for name in "abc"
    ]
    for chosen in ([], ids[:1], ids, ids[:1] * 2, ["x", ids[0]], ["\0", ids[0]]):
        query = "&".join(["q=txt", "limit=3", *(f"scan={each}" for each in chosen)]).replace("\0", "%00")
        reply = await ana.get(f"/scans/compare?{query}")
        page = text_of(reply)
        assert (reply.status, "Choose exactly two scans." in page) == (400, True)
        checked = re.findall(r'name="scan" value="([^"]*)"[^>]* checked', page)
        assert set(checked) == set(chosen).intersection(ids)
        assert '<input type="hidden" name="q" value="txt">' in page
        assert page.count('name="scan"') == 3
    assert_error(await ana.get(f"/api/scans/compare?scan={ids[0]}"), 404, "not_found")


async def test_comparison_shows_reviews_with_new_and_open_findings_first(ana: Person, ai: Ai) -> None:
    one, two, three, four = SENTENCES[:4]
    earlier = await scan_page(ana, ai, one, "The fee is USD 10.", four, file=("a 1.txt", b"1"))
    for number, state in ((1, "dismissed"), (2, "confirmed"), (3, "dismissed")):
        reason = {"reason": "already_handled", "comment": "Insured <b>"} if state == "dismissed" else {}
        reply = await ana.post(f"{earlier}/findings/{number}/review", data={"state": state, **reason})
        assert reply.status == 303
    other = await scan_page(ana, ai, two, file=("other.txt", b"2"))
    await ana.post(f"{other}/findings/1/review", data={"state": "confirmed"})
    changed = {**finding("The fee is USD 10."), "context": "The fee is USD 90."}
    ai.findings = {"data": [*findings(two, three, one)["data"], changed], "source": "model"}
    later = str((await ana.post("/scan", data=form(file=("a 2.txt", b"3")))).headers["Location"])
    page = text_of(await ana.get(f"{later}/compare?with={earlier.rpartition('/')[2]}"))
    new, gone, same = (section(page, f"group-{number}") for number in (1, 2, 3))
    assert new.index(three) < new.index(two)
    assert "2 risks, 1 open" in new
    assert (new.count("<b>Open</b>"), new.count("<b>Confirmed</b>")) == (1, 1)
    assert re.search(
        r"<b>Confirmed</b> in <a href=\"[^\"]*#finding-1\"><bdi[^>]*>other.txt</bdi></a>, carried over", new
    )
    assert "<b>Dismissed</b> – Already handled ·" in gone
    assert same.index("USD 90") < same.index(one)
    assert "<b>Open</b> – the sentence is not the one that was confirmed before" in same
    assert "<b>Dismissed</b> – Already handled in the earlier draft, carried over" in same
    assert "Insured &lt;b&gt;" in same
    back = text_of(await ana.get(f"{earlier}/compare?with={later.rpartition('/')[2]}"))
    assert "<b>Dismissed</b> – Already handled ·" in section(back, "group-3")


async def test_a_pasted_text_is_called_by_its_first_words(ana: Person, ai: Ai) -> None:
    text = "This Service Agreement is made between <b>Mekong Loom</b> Co., Ltd. and the Lessor on 6 January."
    path = await scan_page(ana, ai, *SENTENCES[:2], text=text)
    name = "This Service Agreement is made between <b>Mekong Loom</b>…"
    shown = html.escape(name)
    page = text_of(await ana.get(path))
    assert f"<title>{shown} · RiskScan</title>" in page
    assert f">{shown}</h1>" in page
    assert f">{shown}</a></h2>" in text_of(await ana.get("/scans"))
    other = await scan_page(ana, ai, *SENTENCES[:2], text="Another text.")
    page = text_of(await ana.get(f"{other}/compare?with={path.rpartition('/')[2]}"))
    assert "<title>Changes in Another text. · RiskScan</title>" in page
    assert f">{shown}</bdi>" in page
    assert (await offered(ana, other))["likely"] == [name]
    exported = await ana.get(f"{other}/export?format=csv")
    assert 'filename="riskscan-Another text-' in exported.headers["Content-Disposition"]


async def test_a_scan_is_renamed_on_its_page(ana: Person, ai: Ai) -> None:
    path = await scan_page(ana, ai, *SENTENCES[:1], file=("contract.txt", b"1"))
    assert f'<form method="post" action="{path}/title">' in text_of(await ana.get(path))
    reply = await ana.post(f"{path}/title", data={"title": "  Lease <Street 430> "})
    assert (reply.status, reply.headers["Location"]) == (303, path)
    page = text_of(await ana.get(path))
    assert "<title>Lease &lt;Street 430&gt; · RiskScan</title>" in page
    assert "Lease &lt;Street 430&gt;</h1>" in page
    assert 'File: <bdi lang="">contract.txt</bdi>' in page
    history = text_of(await ana.get("/scans"))
    assert ">Lease &lt;Street 430&gt;</a></h2>" in history
    assert '<bdi lang="">contract.txt</bdi> ·' in history
    exported = await ana.get(f"{path}/export?format=csv")
    assert 'filename="riskscan-Lease _Street 430_-' in exported.headers["Content-Disposition"]
    assert ",contract.txt," in exported.body.decode()
    await ana.post(f"{path}/title", data={"title": " "})
    page = text_of(await ana.get(path))
    assert ("contract.txt</h1>" in page, "File:" in page) == (True, False)


async def test_a_search_finds_titles_and_first_words(alice: Person, ai: Ai) -> None:
    ai.findings = findings(*SENTENCES[:1])
    file = await alice.scan(file=("contract.txt", b"1"))
    text = await alice.scan(text="Shophouse lease of Street 430.")

    async def found(words: str) -> list[str]:
        scans = (await alice.get(f"/api/scans?q={words}")).json["scans"]
        return [scan["scan_id"] for scan in scans]

    assert await found("shophouse") == [text["scan_id"]]
    assert await found("warehouse") == []
    reply = await alice.request(
        "PATCH", f"/api/scans/{file['scan_id']}", json={"title": "Warehouse and shophouse"}
    )
    assert (reply.status, reply.json) == (200, {**file, "title": "Warehouse and shophouse"})
    assert await found("ware") == [file["scan_id"]]
    assert await found("shophouse") == [text["scan_id"], file["scan_id"]]
    assert await found("contract%20liable%20ware") == [file["scan_id"]]
    assert (await alice.get("/api/scans?category=legal")).json["total"] == 2
    await alice.request("PATCH", f"/api/scans/{file['scan_id']}", json={"title": None})
    assert await found("warehouse") == []
    assert await found("contract") == [file["scan_id"]]


async def test_only_the_owner_renames_a_scan(alice: Person, bob: Person) -> None:
    scan = await alice.scan(text="one")
    path = f"/api/scans/{scan['scan_id']}"
    assert_error(await bob.request("PATCH", path, json={"title": "x"}), 404, "not_found")
    assert_error(
        await alice.request("PATCH", path, json={"title": "x" * 201}), 400, "invalid_request", title=""
    )
    assert_error(await alice.request("PATCH", path, json={"title": "a\nb"}), 400, "invalid_request", title="")
    reader = {"Authorization": f"Bearer {(await create_token(alice, scopes=['read']))['token']}"}
    assert_error(await bob.request("PATCH", path, json={"title": "x"}, headers=reader), 403, "forbidden")
    assert (await alice.get(path)).json["title"] is None


async def upload(page: Page, server: Server, ai: Ai, name: str, *sentences: str) -> str:
    """Scan a file in the session of the browser; return the address of its page."""
    ai.findings = findings(*sentences)
    file: FilePayload = {"name": name, "mimeType": "text/plain", "buffer": name.encode()}
    reply = await page.context.request.post(f"{server.url}/scan", multipart={"file": file})
    return reply.url


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scripted", [True, False])
async def test_rename_choose_and_compare_in_the_browser(server: Server, ai: Ai, scripted: bool) -> None:
    options: dict[str, Any] = {"java_script_enabled": scripted, "bypass_csp": scripted}
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark") if scripted else ()
    problems: list[str] = []

    async def check(page: Page) -> None:
        for scheme in schemes:
            await page.emulate_media(color_scheme=scheme)
            problems.extend(await accessibility_violations(page))
        assert await horizontal_overflow(page) <= 0

    narrow = {"width": 390, "height": 800}
    async with launch_browser() as browser, visit(browser, server.url, viewport=narrow, **options) as visitor:
        page = await register(visitor)
        await upload(page, server, ai, "contract 1.txt", *SENTENCES[:3])
        address = await upload(page, server, ai, "contract 2 final.txt", *SENTENCES[1:5])
        await page.goto(address)
        await page.get_by_text("More", exact=True).click()
        await page.get_by_text("Rename").click()
        await check(page)
        await page.get_by_label("Title").fill("Supply of meters")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Supply of meters")
        await expect(page.get_by_text("File: contract 2 final.txt")).to_be_visible()
        await page.get_by_text("More", exact=True).click()
        await page.get_by_role("link", name="Compare with …").click()
        await check(page)
        await page.get_by_role("region", name="Likely drafts").get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Changes since")
        await expect(page.get_by_role("region", name="New").get_by_role("article")).to_have_count(2)
        await check(page)
        await page.get_by_role("link", name="History").click()
        await page.get_by_role("checkbox", name="Supply of meters").check()
        await page.get_by_role("button", name="Compare").click()
        await expect(page.get_by_role("alert")).to_have_text("Choose exactly two scans.")
        await expect(page.get_by_role("checkbox", name="Supply of meters")).to_be_checked()
        await check(page)
        await page.get_by_role("checkbox", name="contract 1.txt").check()
        await page.get_by_role("button", name="Compare").click()
        await expect(page.get_by_role("region", name="No longer found").get_by_role("article")).to_have_count(
            1
        )
    assert problems == []
