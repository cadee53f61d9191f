"""Deleting many scans at once: all of them or none, over the API and after a question on the page."""

from __future__ import annotations

import asyncio
import html
import re
import uuid

import pytest

from riskscan.schemas import MAX_DELETED
from tests.support.ai import Ai
from tests.support.client import Person, assert_error, bearer, create_token, form, sign_up, text_of


async def scan_many(person: Person, number: int) -> list[str]:
    return [(await person.scan(file=(f"plan {n}.txt", b"x")))["scan_id"] for n in range(number)]


async def list_ids(person: Person) -> list[str]:
    return [scan["scan_id"] for scan in (await person.get("/api/scans?limit=100")).json["scans"]]


async def test_chosen_scans_are_deleted_together(alice: Person) -> None:
    ids = await scan_many(alice, 4)
    reply = await alice.post("/api/scans/delete", json={"scans": [ids[0], ids[2], ids[2]]})
    assert (reply.status, reply.json) == (200, {"message": "Scans deleted: 2"})
    assert await list_ids(alice) == [ids[3], ids[1]]
    assert (await alice.get("/api/scans")).json["total"] == 2
    assert (await alice.post("/api/scans/delete", data={"scans": f"{ids[1]} {ids[3]}"})).status == 200
    assert await list_ids(alice) == []


async def test_nothing_is_deleted_unless_all_scans_are_the_users(alice: Person, bob: Person) -> None:
    ids, (foreign,) = await scan_many(alice, 2), await scan_many(bob, 1)
    for other in (foreign, str(uuid.uuid4())):
        detail = assert_error(
            await alice.post("/api/scans/delete", json={"scans": [*ids, other]}), 404, "not_found"
        )
        assert detail.startswith("Nothing was deleted")
    assert await list_ids(alice) == ids[::-1]
    assert await list_ids(bob) == [foreign]


async def test_of_two_deletions_that_overlap_one_deletes_all(alice: Person) -> None:
    ids = await scan_many(alice, 3)
    replies = await asyncio.gather(
        alice.post("/api/scans/delete", json={"scans": ids[:2]}),
        alice.post("/api/scans/delete", json={"scans": ids[1:]}),
    )
    assert sorted(reply.status for reply in replies) == [200, 404]
    kept = ids[2] if replies[0].status == 200 else ids[0]
    assert await list_ids(alice) == [kept]


async def test_as_many_scans_can_be_deleted_as_a_page_lists(alice: Person, ai: Ai) -> None:
    ai.findings = {"data": [], "source": "model"}
    ids = await scan_many(alice, MAX_DELETED)
    wrong = [
        [],
        "",
        [*ids, str(uuid.uuid4())],
        "x",
        ["x"],
        [None],
        [ids[0].upper()],
        {"a": ids[0]},
        7,
        None,
        [ids],
    ]
    for value in wrong:
        reply = await alice.post("/api/scans/delete", json={"scans": value})
        assert_error(reply, 400, "invalid_request", scans=...)
    assert_error(await alice.post("/api/scans/delete", json={}), 400, "invalid_request", scans=...)
    assert (await alice.post("/api/scans/delete", json={"scans": ids})).status == 200
    assert await list_ids(alice) == []


async def test_an_api_token_cannot_delete_many_scans(alice: Person, guest: Person) -> None:
    (scan_id,) = await scan_many(alice, 1)
    headers = bearer((await create_token(alice, scopes=["scan", "read", "review"]))["token"])
    reply = await guest.post("/api/scans/delete", json={"scans": [scan_id]}, headers=headers)
    assert_error(reply, 403, "forbidden")
    reply = await guest.post("/api/scans/delete", json={"scans": [scan_id]})
    assert_error(reply, 401, "not_authenticated")
    assert await list_ids(alice) == [scan_id]


async def test_page_names_the_scans_and_asks_before_it_deletes_them(guest: Person, bob: Person) -> None:
    await sign_up(guest)
    for name in ("one <b>.txt", "two.txt", "three.txt"):
        await guest.post("/scan", data=form(file=(name, b"x")))
    three, two, one = await list_ids(guest)
    listed = text_of(await guest.get("/scans?q=txt&sort=name"))
    assert 'formaction="/scans/delete"' in listed
    query = "q=txt&sort=name"
    page = html.unescape(text_of(await guest.get(f"/scans/delete?scan={one}&scan={two}&{query}")))
    assert re.findall(r"<li[^>]*>(.*?)</li>", page.partition("<main")[2]) == ["two.txt", "one <b>.txt"]
    (action,) = re.findall(r'<form method="post" action="([^"]*)"', page.partition("<main")[2])
    (value,) = re.findall(r'name="scans" value="([^"]*)"', page)
    assert (action, value) == (f"/scans/delete?{query}", f"{two} {one}")
    assert await list_ids(guest) == [three, two, one]
    reply = await guest.post(action, data={"scans": value})
    assert (reply.status, reply.headers["Location"]) == (303, f"/scans?{query}&done=scans")
    assert "Scans deleted." in text_of(await guest.get(reply.headers["Location"]))
    assert await list_ids(guest) == [three]
    (foreign,) = await scan_many(bob, 1)
    for missing in (one, foreign):
        assert (await guest.get(f"/scans/delete?scan={three}&scan={missing}")).status == 404
    reply = await guest.post("/scans/delete", data={"scans": three})
    assert reply.headers["Location"] == "/scans?done=scan"


@pytest.mark.parametrize("chosen", [[], ["x"], [str(uuid.uuid4()) for _ in range(MAX_DELETED + 1)]])
async def test_a_wrong_choice_of_scans_is_an_error_on_the_page(guest: Person, chosen: list[str]) -> None:
    await sign_up(guest)
    await guest.post("/scan", data=form(file=("plan.txt", b"x")))
    reply = await guest.get("/scans/delete?q=plan&" + "&".join(f"scan={each}" for each in chosen))
    page = text_of(reply)
    assert (reply.status, "Choose 1 to 100 scans to delete." in page) == (400, True)
    assert '<input type="hidden" name="q" value="plan">' in page
