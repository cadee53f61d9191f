"""Findings and their reviews: get, put, delete, many at once; ownership, scopes and what survives."""

from __future__ import annotations

import datetime
import io
import json
import uuid
from typing import Any

import pytest

from riskscan.database import DATABASE
from riskscan.schemas import MAX_REVIEWS
from tests.support.ai import RISKS, Ai
from tests.support.application import Server
from tests.support.client import (
    PASSWORD,
    Person,
    Reply,
    assert_error,
    bearer,
    create_token,
    form,
    registered_person,
    sign_up,
)

CONFIRMED = {
    "state": "confirmed",
    "comment": "Ask the bank.\nThen the board.",
    "owner": "Dara Sok",
    "likelihood": 4,
    "impact": 5,
    "response": "transfer",
    "due": "2026-12-31",
}
DISMISSED = {"state": "dismissed", "reason": "not_a_risk", "comment": "A heading."}
EMPTY = dict.fromkeys(("reason", "comment", "owner", "likelihood", "impact", "response", "due"))


def review_path(scan: dict[str, Any], number: int = 1) -> str:
    return f"/api/scans/{scan['scan_id']}/findings/{number}/review"


async def put_review(person: Person, scan: dict[str, Any], number: int = 1, /, **fields: Any) -> Reply:
    return await person.request("PUT", review_path(scan, number), json=fields or DISMISSED)


async def list_findings(person: Person, scan: dict[str, Any]) -> list[Any]:
    reply = await person.get(f"/api/scans/{scan['scan_id']}/findings")
    assert reply.status == 200, reply.body
    assert reply.json.keys() == {"findings"}
    found: list[Any] = reply.json["findings"]
    return found


async def list_states(person: Person, scan: dict[str, Any]) -> list[str | None]:
    return [finding["review"] and finding["review"]["state"] for finding in await list_findings(person, scan)]


async def open_counts(person: Person, *scans: dict[str, Any]) -> list[int]:
    """Return the open counts of scans; check that lists and scans agree on them."""
    listed = {
        scan["scan_id"]: scan["open_count"]
        for scan in (await person.get("/api/scans?limit=100")).json["scans"]
    }
    counts = [(await person.get(f"/api/scans/{scan['scan_id']}")).json["open_count"] for scan in scans]
    assert counts == [listed[scan["scan_id"]] for scan in scans]
    return counts


def answer_with(ai: Ai, *sentences: str) -> None:
    ai.findings = {
        "data": [
            {"risk": f"Risk {number}", "category": "Legal", "context": sentence}
            for number, sentence in enumerate(sentences, 1)
        ],
        "source": "model",
    }


async def test_findings_are_numbered_and_open_at_first(alice: Person) -> None:
    scan = await alice.scan(text="tight budget")
    unknown = {"place": None, "why": None, "review": None}
    assert await list_findings(alice, scan) == [
        {"number": number, **risk, **unknown} for number, risk in enumerate(RISKS, 1)
    ]


async def test_scan_without_findings_has_none_to_review(alice: Person, ai: Ai) -> None:
    ai.findings = {"data": [], "source": "llm"}
    scan = await alice.scan(text="All is well.")
    assert (await list_findings(alice, scan), scan["open_count"]) == ([], 0)
    assert_error(await put_review(alice, scan), 404, "not_found")


async def test_place_and_reasons_are_shown_with_a_finding(alice: Person, ai: Ai) -> None:
    why = [
        {"text": "tight", "weight": 0.8, "start": 14},
        {"text": "stands in a risk section", "weight": -0.25, "start": None},
    ]
    ai.findings = {
        "data": [{**RISKS[0], "place": "p. 7 · 4.2 Payment", "score": 0.9, "why": why}, RISKS[1]],
        "source": "model",
    }
    scan = await alice.scan(text="tight budget")
    assert scan["data"] == RISKS
    first, second = await list_findings(alice, scan)
    assert (first["place"], first["why"]) == ("p. 7 · 4.2 Payment", why)
    assert (second["place"], second["why"]) == (None, None)


@pytest.mark.parametrize("fields", [CONFIRMED, DISMISSED, {"state": "confirmed"}], ids=lambda f: str(len(f)))
async def test_review_is_returned_and_stored(alice: Person, fields: dict[str, Any]) -> None:
    scan = await alice.scan(text="tight budget")
    reply = await put_review(alice, scan, 2, **fields)
    assert reply.status == 200
    review = reply.json["review"]
    assert review == {
        **EMPTY, **fields, "scan_id": scan["scan_id"], "updated_at": review["updated_at"],
    }  # fmt: skip
    updated_at = datetime.datetime.fromisoformat(review["updated_at"])
    assert datetime.timedelta(0) <= datetime.datetime.now(datetime.UTC) - updated_at
    assert review["updated_at"].endswith("Z")
    first, second = await list_findings(alice, scan)
    assert second == reply.json
    assert first["review"] is None
    assert await open_counts(alice, scan) == [1]


async def test_review_replaces_the_one_before(alice: Person) -> None:
    scan = await alice.scan(text="tight budget")
    await put_review(alice, scan, **CONFIRMED)
    await put_review(alice, scan, **DISMISSED)
    review = (await list_findings(alice, scan))[0]["review"]
    kept = {name: review[name] for name in (*EMPTY, "state")}
    assert kept == {**EMPTY, **DISMISSED}
    assert await open_counts(alice, scan) == [1]


@pytest.mark.parametrize("value", ["", None, "  "])
async def test_empty_fields_of_a_review_count_as_missing(alice: Person, value: str | None) -> None:
    scan = await alice.scan(text="tight budget")
    empty = dict.fromkeys(("comment", "owner", "due"), value)
    if value != "  ":
        empty |= dict.fromkeys(("reason", "likelihood", "impact", "response"), value)
    reply = await put_review(alice, scan, state="confirmed", **empty)
    assert reply.status == 200, reply.body
    assert reply.json["review"].items() >= EMPTY.items()


async def test_review_can_be_sent_as_a_form(alice: Person) -> None:
    scan = await alice.scan(text="tight budget")
    sent = {**CONFIRMED, "comment": "Ask the bank.\r\nThen the board.", "likelihood": "4", "impact": "5"}
    reply = await alice.request("PUT", review_path(scan), data=sent)
    assert reply.status == 200, reply.body
    assert reply.json["review"].items() >= CONFIRMED.items()


@pytest.mark.parametrize(
    "fields",
    [
        {"state": None}, {"state": ""}, {"state": "open"}, {"state": "Confirmed"}, {"state": 1},
        {"state": []},
        {"comment": "x" * 501}, {"comment": "nul\x00"}, {"comment": "bell\x07"}, {"comment": "\x1b"},
        {"comment": "\ud800"}, {"comment": 7}, {"comment": ["a"]},
        {"owner": "x" * 101}, {"owner": "two\nlines"}, {"owner": "\u202eevil"}, {"owner": "Dara\n"},
        {"owner": 7},
        {"likelihood": 0}, {"likelihood": 6}, {"likelihood": "0"}, {"likelihood": "high"},
        {"likelihood": 2.5},
        {"likelihood": True}, {"likelihood": "٣"}, {"likelihood": [1]}, {"likelihood": -1},
        {"impact": 10**30}, {"impact": "1.0"}, {"impact": {}},
        {"response": "ignore"}, {"response": 1}, {"response": {}},
        {"due": "31.12.2026"}, {"due": "2026-02-30"}, {"due": "2026-12-31T00:00:00Z"}, {"due": 20261231},
        {"due": "soon"}, {"due": "2026-12-31\x00"},
        {"reason": "not_a_risk"}, {"reason": "other"},
        {"owner": "x" * 101, "likelihood": 7, "due": "soon"},
    ],
    ids=ascii,
)  # fmt: skip
async def test_invalid_fields_of_a_review_are_named(alice: Person, fields: dict[str, Any]) -> None:
    scan = await alice.scan(text="tight budget")
    reply = await put_review(alice, scan, **{"state": "confirmed", **fields})
    assert_error(reply, 400, "invalid_request", **dict.fromkeys(fields, ...))
    assert await open_counts(alice, scan) == [2]


async def test_longest_values_of_a_review_are_stored(alice: Person) -> None:
    scan = await alice.scan(text="tight budget")
    longest = {"state": "confirmed", "comment": "ខ" * 499 + "\t", "owner": "😀" * 100, "due": "9999-12-31"}
    reply = await put_review(alice, scan, **{**longest, "comment": "ខ" * 500})
    assert reply.status == 200, reply.body
    assert reply.json["review"].items() >= {**longest, "comment": "ខ" * 500}.items()


@pytest.mark.parametrize("reason", [None, "", "other", 1])
async def test_dismissed_finding_needs_a_reason(alice: Person, reason: Any) -> None:
    scan = await alice.scan(text="tight budget")
    reply = await put_review(alice, scan, state="dismissed", reason=reason)
    assert_error(reply, 400, "invalid_request", reason=...)


@pytest.mark.parametrize("reason", ["not_a_risk", "already_handled", "accepted", "duplicate"])
async def test_each_reason_is_accepted(alice: Person, reason: str) -> None:
    scan = await alice.scan(text="tight budget")
    reply = await put_review(alice, scan, state="dismissed", reason=reason)
    assert reply.json["review"]["reason"] == reason


@pytest.mark.parametrize("name", ["owner", "likelihood", "impact", "response", "due"])
async def test_dismissed_finding_has_no_plan(alice: Person, name: str) -> None:
    scan = await alice.scan(text="tight budget")
    reply = await put_review(alice, scan, **{**DISMISSED, name: CONFIRMED[name]})
    assert_error(reply, 400, "invalid_request", **{name: ...})
    reply = await put_review(alice, scan, state="dismissed", **{name: CONFIRMED[name]})
    assert_error(reply, 400, "invalid_request", **{name: ..., "reason": ...})


async def test_removed_review_leaves_the_finding_open(alice: Person) -> None:
    scan = await alice.scan(text="tight budget")
    await put_review(alice, scan)
    reply = await alice.delete(review_path(scan))
    assert (reply.status, reply.json) == (200, {"message": "Review removed"})
    assert await list_states(alice, scan) == [None, None]
    assert await open_counts(alice, scan) == [2]
    assert_error(await alice.delete(review_path(scan)), 404, "not_found")


@pytest.mark.parametrize("number", ["0", "3", "999999", "1000000", "01", "-1", "x", "%D9%A1", "1.0", ""])
async def test_unknown_number_is_not_found(alice: Person, number: str) -> None:
    scan = await alice.scan(text="tight budget")
    path = f"/api/scans/{scan['scan_id']}/findings/{number}/review"
    assert_error(await alice.request("PUT", path, json=DISMISSED), 404, "not_found")
    assert_error(await alice.delete(path), 404, "not_found")


async def test_scan_of_another_user_cannot_be_reviewed(alice: Person, bob: Person) -> None:
    scan = await alice.scan(text="tight budget")
    await put_review(alice, scan, **CONFIRMED)
    assert_error(await bob.get(f"/api/scans/{scan['scan_id']}/findings"), 404, "not_found")
    assert_error(await put_review(bob, scan), 404, "not_found")
    assert_error(await bob.delete(review_path(scan)), 404, "not_found")
    item = {"scan_id": scan["scan_id"], "number": 1, **DISMISSED}
    assert_error(await bob.post("/api/reviews", json=[item]), 404, "not_found")
    path = f"/api/scans/{scan['scan_id']}"
    assert_error(await bob.request("PATCH", path, json={"title": "mine"}), 404, "not_found")
    assert await list_states(alice, scan) == ["confirmed", None]
    assert (await alice.get(path)).json["title"] is None


async def test_reviews_of_users_with_the_same_sentences_are_separate(alice: Person, bob: Person) -> None:
    hers, his = await alice.scan(text="tight budget"), await bob.scan(text="tight budget")
    await put_review(alice, hers, **CONFIRMED)
    assert (await list_states(bob, his), await open_counts(bob, his)) == ([None, None], [2])
    await put_review(bob, his, **DISMISSED)
    assert await list_states(alice, hers) == ["confirmed", None]
    assert (await bob.delete("/api/reviews")).json == {"message": "Reviews removed: 1"}
    assert await list_states(alice, hers) == ["confirmed", None]
    assert await open_counts(alice, hers) == [1]


# the same sentences elsewhere


async def test_same_sentence_in_the_next_draft_arrives_reviewed(alice: Person, ai: Ai) -> None:
    first = await alice.scan(file=("draft 1.txt", b"tight budget"))
    await put_review(alice, first, 1, **CONFIRMED)
    answer_with(
        ai,
        "the  BUDGET is tight",
        "The budget is not tight.",
        "(a) The deadline is aggressive!",
        "The budget is tight.",
    )
    second = await alice.scan(file=("final.docx", b"PK\x03\x04"))
    assert (second["risk_count"], second["open_count"]) == (4, 2)
    assert await list_states(alice, second) == ["confirmed", None, None, "confirmed"]
    review = (await list_findings(alice, second))[0]["review"]
    assert review == (await list_findings(alice, first))[0]["review"]
    assert review["scan_id"] == first["scan_id"]
    await put_review(alice, second, 3, **DISMISSED)
    assert await list_states(alice, first) == ["confirmed", "dismissed"]
    assert await open_counts(alice, first, second) == [0, 1]
    await alice.delete(review_path(second, 4))
    assert await open_counts(alice, first, second) == [1, 3]


async def test_scan_returned_again_by_its_key_has_its_present_open_count(alice: Person) -> None:
    headers = {"Idempotency-Key": "draft-1"}
    scan = (await alice.post("/api/scan", data=form(text="tight budget"), headers=headers)).json
    await put_review(alice, scan)
    again = await alice.post("/api/scan", data=form(text="tight budget"), headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json == {**scan, "open_count": 1}


async def test_sentence_twice_in_a_scan_has_one_review(alice: Person, ai: Ai) -> None:
    answer_with(ai, "Costs may rise.", "Costs may rise!", "Costs may fall.")
    scan = await alice.scan(text="costs")
    await put_review(alice, scan, 2)
    assert await list_states(alice, scan) == ["dismissed", "dismissed", None]
    assert await open_counts(alice, scan) == [1]
    await alice.delete(review_path(scan, 1))
    assert await open_counts(alice, scan) == [3]


async def test_review_survives_the_deletion_of_its_scan(alice: Person) -> None:
    first = await alice.scan(text="tight budget")
    await put_review(alice, first, **DISMISSED)
    await alice.delete(f"/api/scans/{first['scan_id']}")
    second = await alice.scan(text="tight budget again")
    assert second["open_count"] == 1
    review = (await list_findings(alice, second))[0]["review"]
    assert (review["state"], review["scan_id"]) == ("dismissed", first["scan_id"])


async def test_nothing_of_a_deleted_account_stays(server: Server, alice: Person, bob: Person) -> None:
    for person in (alice, bob):
        await put_review(person, await person.scan(text="tight budget"))
    assert (await alice.delete("/api/auth/me", json={"password": PASSWORD})).status == 200
    for table in ("scans", "reviews", "fingerprints"):
        rows = await server.app[DATABASE].fetch_all(f"SELECT user_id FROM {table}")
        assert {str(row["user_id"]) for row in rows} == {bob.id}
    async with registered_person(server, alice.email) as again:
        assert await list_states(again, await again.scan(text="tight budget")) == [None, None]


async def test_all_reviews_can_be_removed(alice: Person) -> None:
    scans = [await alice.scan(text=f"draft {number}") for number in range(2)]
    assert (await alice.delete("/api/reviews")).json == {"message": "Reviews removed: 0"}
    for number in (1, 2):
        await put_review(alice, scans[0], number)
    assert await open_counts(alice, *scans) == [0, 0]
    assert (await alice.delete("/api/reviews")).json == {"message": "Reviews removed: 2"}
    assert await open_counts(alice, *scans) == [2, 2]


SET_DETAILS = "UPDATE scans SET details = '[]', reviewed_count = 0 WHERE id = :id"
FORGET_FINGERPRINTS = "DELETE FROM fingerprints WHERE scan_id = :id"


async def forget_details(server: Server, scan: dict[str, Any]) -> None:
    """Make a scan one that the version before has stored."""
    for sql in (SET_DETAILS, FORGET_FINGERPRINTS):
        await server.app[DATABASE].execute(sql, {"id": scan["scan_id"]})


@pytest.mark.parametrize("seen_by", ["findings", "put", "list"])
async def test_scan_of_an_earlier_version_is_reviewed_from_its_first_sight(
    server: Server, alice: Person, seen_by: str
) -> None:
    old, new = await alice.scan(text="draft 1"), await alice.scan(text="draft 2")
    await forget_details(server, old)
    await put_review(alice, new, 1)
    assert await open_counts(alice, old, new) == [2, 1]
    if seen_by == "findings":
        assert await list_states(alice, old) == ["dismissed", None]
    elif seen_by == "put":
        assert (await put_review(alice, old, 1)).status == 200
    else:
        item = {"scan_id": old["scan_id"], "number": 1, **DISMISSED}
        assert (await alice.post("/api/reviews", json=[item])).status == 200
    assert await open_counts(alice, old, new) == [1, 1]
    await put_review(alice, old, 2)
    assert await open_counts(alice, old, new) == [0, 0]


# many at once


async def test_many_findings_are_reviewed_at_once(alice: Person, ai: Ai) -> None:
    answer_with(ai, *(f"Cost number {number} may rise." for number in range(600)))
    scans = [await alice.scan(text="first")]
    answer_with(ai, *(f"Risk number {number} may come." for number in range(600)))
    scans.append(await alice.scan(text="second"))
    items = [
        {"scan_id": scan["scan_id"], "number": number, **(CONFIRMED if number % 2 else DISMISSED)}
        for scan in scans
        for number in range(1, MAX_REVIEWS // 2 + 1)
    ]
    reply = await alice.post("/api/reviews", json=items)
    assert (reply.status, reply.json) == (200, {"message": f"Reviews saved: {MAX_REVIEWS}"})
    assert await open_counts(alice, *scans) == [100, 100]
    findings = await list_findings(alice, scans[1])
    assert findings[498]["review"].items() >= CONFIRMED.items()
    assert findings[499]["review"].items() >= DISMISSED.items()
    assert findings[500]["review"] is None


async def test_last_review_of_a_sentence_in_a_list_is_stored(alice: Person, ai: Ai) -> None:
    answer_with(ai, "Costs may rise.", "COSTS MAY RISE")
    scan = await alice.scan(text="costs")
    items = [{"scan_id": scan["scan_id"], "number": number} for number in (1, 2)]
    reply = await alice.post("/api/reviews", json=[{**items[0], **DISMISSED}, {**items[1], **CONFIRMED}])
    assert reply.status == 200, reply.body
    assert await list_states(alice, scan) == ["confirmed", "confirmed"]
    assert await open_counts(alice, scan) == [0]


WRONG_ITEMS: list[tuple[int, str, dict[str, Any], set[str]]] = [
    (404, "not_found", {"scan_id": str(uuid.UUID(int=0))}, set()),
    (404, "not_found", {"number": 3}, set()),
    (404, "not_found", {"number": 10**30}, set()),
    (400, "invalid_request", {"scan_id": "x"}, {"scan_id"}),
    (400, "invalid_request", {"scan_id": None}, {"scan_id"}),
    (400, "invalid_request", {"scan_id": 7}, {"scan_id"}),
    (400, "invalid_request", {"number": 0}, {"number"}),
    (400, "invalid_request", {"number": "1"}, {"number"}),
    (400, "invalid_request", {"number": True}, {"number"}),
    (400, "invalid_request", {"number": None}, {"number"}),
    (400, "invalid_request", {"reason": None}, {"reason"}),
    (400, "invalid_request", {"owner": "Dara"}, {"owner"}),
    (400, "invalid_request", {"state": "open"}, {"state"}),
]


@pytest.mark.parametrize(("status", "code", "wrong", "fields"), WRONG_ITEMS, ids=repr)
async def test_of_a_list_with_a_wrong_item_nothing_is_stored(
    alice: Person, status: int, code: str, wrong: dict[str, Any], fields: set[str]
) -> None:
    scan = await alice.scan(text="tight budget")
    items = [{"scan_id": scan["scan_id"], "number": number, **DISMISSED} for number in (1, 2)]
    reply = await alice.post("/api/reviews", json=[items[0], {**items[1], **wrong}])
    detail = assert_error(reply, status, code, **dict.fromkeys(fields, ...))
    assert detail.startswith("Review 2 of 2: ")
    assert await list_states(alice, scan) == [None, None]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"{}", b"[]", b"[1]", b"[[]]", b'[{"number": "\\ud800"}]', b"[" * 100_000]
)
async def test_body_that_is_no_list_of_reviews_is_refused(alice: Person, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert_error(await alice.post("/api/reviews", data=body, headers=headers), 400, "invalid_request")


async def test_too_many_reviews_at_once_are_refused(alice: Person) -> None:
    scan = await alice.scan(text="tight budget")
    items = [{"scan_id": scan["scan_id"], "number": 1, **DISMISSED}] * (MAX_REVIEWS + 1)
    assert_error(await alice.post("/api/reviews", json=items), 400, "invalid_request")
    long = io.BytesIO(json.dumps([{**items[0], "comment": "x" * 3 * 2**20}]).encode())
    reply = await alice.post("/api/reviews", data=long, headers={"Content-Type": "application/json"})
    assert_error(reply, 413, "payload_too_large")
    form_body = await alice.post("/api/reviews", data={"scan_id": scan["scan_id"], "number": "1"})
    assert_error(form_body, 400, "invalid_request")
    assert await open_counts(alice, scan) == [2]


# who may


async def test_token_reads_and_reviews_with_its_scopes_only(alice: Person, guest: Person) -> None:
    scan = await alice.scan(text="tight budget")
    reads, reviews, scans = [
        bearer((await create_token(alice, scopes=scope))["token"]) for scope in ("read", "review", "scan")
    ]
    findings, path = f"/api/scans/{scan['scan_id']}/findings", review_path(scan)
    title = {"json": {"title": "Contract"}}
    many = {"json": [{"scan_id": scan["scan_id"], "number": 2, **DISMISSED}]}
    assert (await guest.get(findings, headers=reads)).status == 200
    for headers in (reviews, scans):
        assert_error(await guest.get(findings, headers=headers), 403, "forbidden")
    for headers in (reads, scans):
        for method, target, options in (
            ("PUT", path, {"json": DISMISSED}),
            ("DELETE", path, {}),
            ("POST", "/api/reviews", many),
            ("PATCH", f"/api/scans/{scan['scan_id']}", title),
        ):
            reply = await guest.request(method, target, headers=headers, **options)
            assert_error(reply, 403, "forbidden")
    assert (await guest.request("PUT", path, headers=reviews, json=DISMISSED)).status == 200
    assert (await guest.post("/api/reviews", headers=reviews, **many)).status == 200
    renamed = await guest.request("PATCH", f"/api/scans/{scan['scan_id']}", headers=reviews, **title)
    assert (renamed.status, renamed.json["open_count"]) == (200, 0)
    assert (await guest.delete(path, headers=reviews)).status == 200
    for headers in (reads, reviews, scans):  # what cannot be undone is for the user alone
        assert_error(await guest.delete("/api/reviews", headers=headers), 403, "forbidden")
    assert await list_states(alice, scan) == [None, "dismissed"]


async def test_guest_may_neither_read_nor_review(alice: Person, guest: Person) -> None:
    scan = await alice.scan(text="tight budget")
    assert_error(await guest.get(f"/api/scans/{scan['scan_id']}/findings"), 401, "not_authenticated")
    assert_error(await put_review(guest, scan), 401, "not_authenticated")
    assert_error(await guest.delete(review_path(scan)), 401, "not_authenticated")
    assert_error(await guest.post("/api/reviews", json=[]), 401, "not_authenticated")
    assert_error(await guest.delete("/api/reviews"), 401, "not_authenticated")
    path = f"/api/scans/{scan['scan_id']}"
    assert_error(await guest.request("PATCH", path, json={"title": "x"}), 401, "not_authenticated")


async def test_session_reviews_from_this_site_only(guest: Person) -> None:
    await sign_up(guest)
    scan = await guest.scan(text="tight budget")
    assert (await put_review(guest, scan)).status == 200
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    path = review_path(scan)
    for method, target, body in (
        ("PUT", path, CONFIRMED),
        ("DELETE", path, None),
        ("POST", "/api/reviews", [{"scan_id": scan["scan_id"], "number": 1, **CONFIRMED}]),
        ("DELETE", "/api/reviews", None),
        ("PATCH", f"/api/scans/{scan['scan_id']}", {"title": "x"}),
    ):
        reply = await guest.request(method, target, json=body, headers=elsewhere)
        assert_error(reply, 403, "cross_origin_request")
    page = path.removeprefix("/api")
    for target in (page, f"{page}/delete", f"/scans/{scan['scan_id']}/title", "/account/reviews/delete"):
        assert (await guest.post(target, data=CONFIRMED, headers=elsewhere)).status == 403
    assert await list_states(guest, scan) == ["dismissed", None]


# pages, which are forms without JavaScript


async def test_forms_review_and_lead_back_to_the_finding(guest: Person) -> None:
    await sign_up(guest)
    scan = await guest.scan(text="tight budget")
    page = review_path(scan, 2).removeprefix("/api")
    back = f"/scans/{scan['scan_id']}?at=2#finding-2"  # `at` keeps it where it was on the page
    reply = await guest.post(page, data={**CONFIRMED, "reason": ""})
    assert (reply.status, reply.headers["Location"]) == (303, back)
    assert await list_states(guest, scan) == [None, "confirmed"]
    assert (await guest.post(page, data={"state": "dismissed"})).status == 400
    reply = await guest.post(f"{page}/delete")
    assert (reply.status, reply.headers["Location"]) == (303, back)
    assert await list_states(guest, scan) == [None, None]


async def test_form_renames_a_scan(guest: Person) -> None:
    await sign_up(guest)
    scan = await guest.scan(text="tight budget")
    reply = await guest.post(f"/scans/{scan['scan_id']}/title", data={"title": "Contract, draft 2"})
    assert (reply.status, reply.headers["Location"]) == (303, f"/scans/{scan['scan_id']}")
    assert (await guest.get(f"/api/scans/{scan['scan_id']}")).json["title"] == "Contract, draft 2"


# titles


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Contract, draft 2", "Contract, draft 2"), ("  ថវិកា ២០២៦ ", "ថវិកា ២០២៦"), ("😀" * 200, "😀" * 200),
        (" " * 300 + "x", "x"), ("", None), (" ", None), (None, None),
    ],
    ids=ascii,
)  # fmt: skip
async def test_scan_is_renamed(alice: Person, sent: str | None, kept: str | None) -> None:
    scan = await alice.scan(file=("plan.txt", b"tight budget"))
    path = f"/api/scans/{scan['scan_id']}"
    await alice.request("PATCH", path, json={"title": "before"})
    reply = await alice.request("PATCH", path, json={"title": sent})
    assert (reply.status, reply.json) == (200, {**scan, "title": kept})
    assert (await alice.get(path)).json == reply.json


@pytest.mark.parametrize(
    "body",
    [
        {}, {"title": "x" * 201}, {"title": "two\nlines"}, {"title": "nul\x00"}, {"title": "\x85"},
        {"title": "\u202eevil"}, {"title": "\ud800"}, {"title": 7}, {"title": ["x"]}, {"title": False},
    ],
    ids=ascii,
)  # fmt: skip
async def test_invalid_title_is_refused(alice: Person, body: dict[str, Any]) -> None:
    scan = await alice.scan(text="tight budget")
    path = f"/api/scans/{scan['scan_id']}"
    await alice.request("PATCH", path, json={"title": "before"})
    assert_error(await alice.request("PATCH", path, json=body), 400, "invalid_request", title=...)
    assert (await alice.get(path)).json["title"] == "before"


async def test_unknown_scan_is_not_renamed(alice: Person) -> None:
    reply = await alice.request("PATCH", f"/api/scans/{uuid.uuid4()}", json={"title": "x"})
    assert_error(reply, 404, "not_found")
