"""Links by which anyone can read a scan until they end."""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Callable

import pytest

from riskscan.database import DATABASE
from riskscan.database.rows import utc_now
from riskscan.handlers.shares import MAX_SHARES
from tests.support.application import Server
from tests.support.client import Person, assert_error, sign_up, text_of


async def share(person: Person, scan_id: str, **fields: str) -> str:
    """Create a link; return its path."""
    reply = await person.post(f"/api/scans/{scan_id}/shares", json=fields)
    assert reply.status == 201, reply.body
    url: str = reply.json["url"]
    return url.removeprefix(person.url)


async def test_a_link_shows_the_findings_and_reviews_to_anyone(alice: Person, guest: Person) -> None:
    scan = await alice.scan(text="The budget is tight.")
    review = {"state": "confirmed", "owner": "Sok <b>", "likelihood": 4, "comment": "Ask <i>Dara</i>"}
    await alice.request("PUT", f"/api/scans/{scan['scan_id']}/findings/1/review", json=review)
    reply = await guest.get(await share(alice, scan["scan_id"]))
    page = text_of(reply)
    assert reply.status == 200
    for text in (
        "The budget is tight.",
        "Confirmed",
        "Likelihood: Likely",
        "Sok &lt;b&gt;",
        "Ask &lt;i&gt;Dara",
    ):
        assert text in page
    assert "1 not reviewed yet" in page
    (footer_form,) = re.findall("<form[^>]*>", page)
    assert ' action="/language"' in footer_form  # without the address, which proxies would log
    assert reply.headers["X-Robots-Tag"] == "noindex, nofollow, noarchive"
    assert "no-store" in reply.headers["Cache-Control"]
    assert reply.headers["Referrer-Policy"] == "same-origin"


async def test_only_a_digest_of_the_address_is_stored(alice: Person, server: Server) -> None:
    scan = await alice.scan(text="x")
    token = (await share(alice, scan["scan_id"])).rpartition("/")[2]
    (row,) = await server.app[DATABASE].fetch_all("SELECT * FROM shares")
    assert token not in " ".join(map(str, dict(row).values()))
    listed = (await alice.get(f"/api/scans/{scan['scan_id']}/shares")).json["shares"]
    assert [set(item) for item in listed] == [{"id", "created_at", "expires_at"}]


async def test_a_link_expires(alice: Person, guest: Person, server: Server) -> None:
    scan = await alice.scan(text="x")
    path = await share(alice, scan["scan_id"])
    now = utc_now() - datetime.timedelta(seconds=1)
    await server.app[DATABASE].execute("UPDATE shares SET expires_at = :now", {"now": now})
    assert (await guest.get(path)).status == 404
    assert (await alice.get(f"/api/scans/{scan['scan_id']}/shares")).json == {"shares": []}


async def test_a_link_can_be_revoked_by_its_owner_only(alice: Person, bob: Person, guest: Person) -> None:
    scan = await alice.scan(text="x")
    path = await share(alice, scan["scan_id"])
    (listed,) = (await alice.get(f"/api/scans/{scan['scan_id']}/shares")).json["shares"]
    link = f"/api/scans/{scan['scan_id']}/shares/{listed['id']}"
    assert_error(await bob.delete(link), 404, "not_found")
    assert (await guest.get(path)).status == 200
    assert (await alice.delete(link)).json == {"message": "Link deleted"}
    assert_error(await alice.delete(link), 404, "not_found")
    assert (await guest.get(path)).status == 404


async def test_a_link_leads_nowhere_once_the_scan_or_the_account_is_gone(
    alice: Person, bob: Person, guest: Person, server: Server
) -> None:
    for person in (alice, bob):
        scan = await person.scan(text="x")
        path = await share(person, scan["scan_id"])
        if person is alice:
            await person.delete(f"/api/scans/{scan['scan_id']}")
        else:
            await server.app[DATABASE].execute("DELETE FROM users WHERE id = :id", {"id": person.id})
        assert (await guest.get(path)).status == 404


async def test_links_to_scans_of_others_are_refused(alice: Person, bob: Person) -> None:
    scan = await alice.scan(text="x")
    for scan_id in (scan["scan_id"], str(uuid.uuid4())):
        assert_error(await bob.post(f"/api/scans/{scan_id}/shares", json={}), 404, "not_found")
        assert_error(await bob.get(f"/api/scans/{scan_id}/shares"), 404, "not_found")


@pytest.mark.parametrize(
    ("end", "problem"), [("2020-01-01", "future"), ("soon", "date"), ("2999-01-01", "year")]
)
async def test_the_end_is_in_the_future_and_within_a_year(alice: Person, end: str, problem: str) -> None:
    scan = await alice.scan(text="x")
    reply = await alice.post(f"/api/scans/{scan['scan_id']}/shares", json={"expires_at": end})
    assert_error(reply, 400, "invalid_request", expires_at="")
    assert problem in reply.json["fields"]["expires_at"]


async def test_a_scan_has_a_limited_number_of_links(alice: Person) -> None:
    scan = await alice.scan(text="x")
    for _ in range(MAX_SHARES):
        await share(alice, scan["scan_id"])
    reply = await alice.post(f"/api/scans/{scan['scan_id']}/shares", json={})
    assert_error(reply, 409, "too_many_shares")


async def test_an_api_token_shares_nothing(alice: Person, people: Callable[[], Person]) -> None:
    scan = await alice.scan(text="x")
    token = (await alice.post("/api/tokens", json={"name": "t"})).json["token"]
    headers = {"Authorization": f"Bearer {token}"}
    path = f"/api/scans/{scan['scan_id']}/shares"
    assert_error(await people().post(path, json={}, headers=headers), 403, "forbidden")
    assert_error(await people().get(path, headers=headers), 403, "forbidden")


async def test_links_are_made_and_deleted_on_their_page(guest: Person, people: Callable[[], Person]) -> None:
    await sign_up(guest)
    await guest.post("/scan", data={"text": "The budget is tight."})
    (scan,) = (await guest.get("/api/scans")).json["scans"]
    page = f"/scans/{scan['scan_id']}/shares"
    shown = text_of(await guest.get(page))
    assert "Create link" in shown
    assert "<title>Share The budget is tight." in shown  # as the scan is called elsewhere
    reply = await guest.post(page, data={"expires_at": ""})
    address = text_of(reply).partition('<code id="link">')[2].partition("<")[0]
    assert (await people().get(address.removeprefix(guest.url))).status == 200
    wrong = await guest.post(page, data={"expires_at": "2020-01-01"})
    again = text_of(wrong)
    assert wrong.status == 400
    assert 'value="2020-01-01"' in again
    assert "Must be in the future." in again.partition('id="expires_at-error"')[2]
    assert f'action="{page}/' in again  # the list of links stays
    share_id = text_of(await guest.get(page)).partition(f"{page}/")[2].partition("/delete")[0]
    reply = await guest.post(f"{page}/{share_id}/delete")
    assert (reply.status, reply.headers["Location"]) == (303, f"{page}?done=share")
    assert "It no longer works." in text_of(await guest.get(f"{page}?done=share"))
    assert (await people().get(address.removeprefix(guest.url))).status == 404
