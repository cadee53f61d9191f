"""Filters q, category, source, from and to, in the list and the stats; cursors with filters."""

from __future__ import annotations

import datetime
import hashlib
import uuid
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from riskscan import database
from riskscan.client.api import MAX_RETRY_AFTER_SECONDS
from riskscan.database import DATABASE, scan_queries
from riskscan.database.rows import utc_now
from riskscan.database.scans import insert_scan
from riskscan.request.filters import FILTER_FIELDS
from riskscan.schemas import Findings, Risk, Scan, Source
from tests.support.ai import Ai
from tests.support.application import Server
from tests.support.client import PASSWORD, Person, assert_error, text_of
from tests.support.database import short_timeouts

WHERE_USER = "WHERE users.id = :user_id AND token_version = :token_version"
ALL = ["empty.txt", "Supply contract.txt", "plan_v2.txt"]


async def save_scan(
    server: Server,
    person: Person,
    name: str,
    *risks: tuple[str, str],
    source: Source = "model",
    at: str | None = None,
) -> None:
    """Save a scan of a file with these risks, given as (risk, category), created at `at`."""
    created_at = datetime.datetime.fromisoformat(at) if at else utc_now()
    found = [Risk(risk, category, "so it says") for risk, category in risks]
    data = msgspec.Raw(msgspec.json.encode(found))
    scan = Scan(
        str(uuid.uuid4()), name, data, source, len(found), created_at, created_at, [], None, len(found)
    )
    await insert_scan(server.app[DATABASE], person.id, scan, Findings(found, "model"))


async def get_list(person: Person, **query: Any) -> Any:
    reply = await person.get(f"/api/scans?{urlencode(query)}")
    assert reply.status == 200, reply.body
    return reply.json


def filenames(page: Any) -> list[str]:
    return [scan["filename"] for scan in page["scans"]]


async def find_filenames(person: Person, **chosen: Any) -> list[str]:
    """Return the file names of the matching scans; check that statistics and both ways of paging agree."""
    whole = await get_list(person, **chosen)
    assert whole["total"] == len(whole["scans"])
    stats = (await person.get(f"/api/stats?{urlencode(chosen)}")).json
    assert stats["scans"] == whole["total"]
    by_offset: list[str] = []
    by_cursor: list[str] = []
    more: dict[str, str] = {}
    for number in range(max(1, whole["total"])):
        page = await get_list(person, **chosen, limit=1, offset=number)
        by_offset += filenames(page)
        walked = await get_list(person, **chosen, limit=1, **more)
        by_cursor += filenames(walked)
        assert page["total"] == walked["total"] == whole["total"]
        more = {"cursor": walked["next_cursor"]}
    assert more == {"cursor": None}
    assert by_offset == by_cursor == filenames(whole)
    return filenames(whole)


@pytest.fixture
async def alice_with_three_scans(server: Server, alice: Person, bob: Person) -> Person:
    """Alice with three scans; Bob has one scan that every filter matches."""
    everything = ("The Budget may run out late", "Financial"), ("x", "Legal"), ("x", "Schedule")
    await save_scan(server, bob, "plan_v2 contract empty.txt", *everything)
    await save_scan(
        server, alice, "plan_v2.txt", ("The budget may run out", "Financial"), ("Late", "Schedule")
    )
    await save_scan(server, alice, "Supply contract.txt", ("Budgetary limits", "LEGAL "), source="llm")
    await save_scan(server, alice, "empty.txt")
    return alice


CASES: list[tuple[dict[str, str], list[str]]] = [
    ({"q": "budget"}, ["Supply contract.txt", "plan_v2.txt"]),
    ({"q": "BUDGETA"}, ["Supply contract.txt"]),
    ({"q": "udget"}, []),
    ({"q": "out budget"}, ["plan_v2.txt"]),
    ({"q": "budget empty"}, []),
    ({"q": "plan v2"}, ["plan_v2.txt"]),
    ({"q": "contract.txt"}, ["Supply contract.txt"]),
    ({"q": "financial"}, []),
    ({"q": "=legal"}, []),
    ({"q": "says"}, ["Supply contract.txt", "plan_v2.txt"]),
    ({"q": '"budget may"'}, ["plan_v2.txt"]),
    ({"q": '"budget may run ou"'}, []),
    ({"q": '"may budget"'}, []),
    ({"q": "“it SAYS” bud"}, ["Supply contract.txt", "plan_v2.txt"]),
    ({"q": '"out late"'}, []),  # the end of one title and the beginning of the next
    ({"q": '"late so"'}, []),
    ({"q": '"supply contract" budg "so it"'}, ["Supply contract.txt"]),
    ({"q": '"late" "'}, ["plan_v2.txt"]),
    ({"q": 'so "it sa'}, ["Supply contract.txt", "plan_v2.txt"]),
    ({"q": '"" late'}, ["plan_v2.txt"]),
    ({"q": '"legal"'}, []),
    ({"q": "b' | 'late' & !\\ \" % _ :* <-> ("}, ["plan_v2.txt"]),
    ({"category": "financial"}, ["plan_v2.txt"]),
    ({"category": "Legal"}, ["Supply contract.txt"]),
    ({"category": "Leg"}, []),
    ({"category": "%"}, []),
    ({"source": "llm"}, ["Supply contract.txt"]),
    ({"source": "model"}, ["empty.txt", "plan_v2.txt"]),
    ({"q": "budget", "source": "model", "category": "schedule"}, ["plan_v2.txt"]),
    ({"q": "budget", "source": "model", "category": "legal"}, []),
    (dict.fromkeys(FILTER_FIELDS, ""), ALL),
    ({"category": " "}, ALL),
    ({"q": "\u200b budget\u00ad"}, ["Supply contract.txt", "plan_v2.txt"]),
]  # fmt: skip


async def test_filters_return_the_matching_scans(alice_with_three_scans: Person) -> None:
    for chosen, expected in CASES:
        assert await find_filenames(alice_with_three_scans, **chosen) == expected, chosen


SCRIPTS = {
    "កិច្ចសន្យា.txt": "ការផ្គត់ផ្គង់អាចយឺតយ៉ាវ",
    "Straße.txt": "Große Verspätung im Café",
    "İstanbul.txt": "IŞIK gecikebilir",
    "契約書.txt": "納期が遅れるかもしれない",
    "สัญญา.txt": "การส่งมอบอาจล่าช้า",
    "عقد.txt": "قد يتأخر الترخيص",
    "договор.txt": "Поставка может ЗАДЕРЖАТЬСЯ",
    "हिन्दी.txt": "आपूर्ति में देरी",
}


SOUGHT = [
    ("ផ្គង់", "កិច្ចសន្យា.txt"),
    ("អាចយឺត", "កិច្ចសន្យា.txt"),
    ("ផ្គត់\u200bផ្គង់", "កិច្ចសន្យា.txt"),
    ("សន្យា", "កិច្ចសន្យា.txt"),
    ("STRASSE große", "Straße.txt"),
    ("cafe\u0301 VERSPÄT", "Straße.txt"),
    ("istanbul", "İstanbul.txt"),
    ("İSTANBUL ışık", "İstanbul.txt"),
    ("遅れる", "契約書.txt"),
    ("書", "契約書.txt"),
    ("ล่าช้า", "สัญญา.txt"),
    ("الترخيص", "عقد.txt"),
    ("задержат", "договор.txt"),
    ("आपूर्", "हिन्दी.txt"),
    ("ﬁnanz", None),
    ("納品", None),
    ("យឺតអាច", None),
]


async def test_search_works_in_every_script(server: Server, alice: Person) -> None:
    for filename, risk in SCRIPTS.items():
        await save_scan(server, alice, filename, (risk, "Other"))
    for q, name in SOUGHT:
        assert await find_filenames(alice, q=q) == ([name] if name else []), q


async def test_category_filter_accepts_any_script_and_character(server: Server, alice: Person) -> None:
    kinds = ["Größe & Ziel", "ច្បាប់", "R&D 'x' \\ %", "İş", "a" * 300, "new\nline", "=", ""]
    for number, kind in enumerate(kinds):
        await save_scan(server, alice, f"{number}.txt", ("r", kind), ("r", kind), ("s", "Common"))
    for number, kind in enumerate(kinds[:4]):
        assert await find_filenames(alice, category=kind.upper()) == [f"{number}.txt"]
    assert await find_filenames(alice, category="new line") == ["5.txt"]
    assert await find_filenames(alice, category="a" * 100) == ["4.txt"]
    assert await find_filenames(alice, category="=") == ["6.txt"]
    assert len(await find_filenames(alice, category="common")) == len(kinds)


DAYS = ["2026-10-31T23:59:59.999999Z", "2026-11-01T00:00:00Z", "2026-11-02T12:00:00Z", "2026-11-03T00:00:00Z"]


SPANS = [
    ({"from": "2026-11-01"}, "321"),
    ({"to": "2026-11-01"}, "10"),
    ({"from": "2026-11-01", "to": "2026-11-02"}, "21"),
    ({"from": "2026-11-02", "to": "2026-11-02"}, "2"),
    ({"from": "2026-11-02T12:00:00Z"}, "32"),
    ({"to": "2026-11-02T12:00:00Z"}, "210"),
    ({"to": "2026-11-02T19:00:00+07:00"}, "210"),
    ({"to": "2026-11-02T18:59:59.999999+07:00"}, "10"),
    ({"from": "2026-11-01T00:00:00.000001Z", "to": "2026-11-02T23:59:59Z"}, "2"),
    ({"from": "2026-11-02T12:00:00Z", "to": "2026-11-02T12:00:00Z"}, "2"),
    ({"from": "2027-01-01"}, ""),
    ({"from": "0001-01-01", "to": "9998-12-31"}, "3210"),
]


async def test_date_and_time_bounds_are_inclusive(server: Server, alice: Person) -> None:
    for number, at in enumerate(DAYS):
        await save_scan(server, alice, str(number), at=at)
    for chosen, expected in SPANS:
        assert await find_filenames(alice, **chosen) == list(expected), chosen


async def test_unencoded_plus_in_a_time_offset_is_accepted(server: Server, alice: Person) -> None:
    await save_scan(server, alice, "a.txt", at="2026-11-01T00:00:00Z")
    reply = await alice.get("/api/scans?from=2026-11-01T07:00:00+07:00&to=2026-11-01")
    assert reply.json["total"] == 1


REFUSED = [
    ("source=both", "source"),
    ("source=LLM", "source"),
    ("source=%00", "source"),
    ("from=yesterday", "from"),
    ("from=2026-02-30", "from"),
    ("from=2026-11-01T00:00:00", "from"),
    ("from=20261101", "from"),
    ("from=%D9%A2026-11-01", "from"),
    ("from=0001-01-01T00:00:00%2B14:00", "from"),
    ("to=2026-11-01T24:00:00Z", "to"),
    ("to=9999-12-31", "to"),
    ("to=1793491200", "to"),
    ("from=2026-11-02&to=2026-11-01", "from"),
    ("from=2026-11-01T00:00:00.000001Z&to=2026-11-01T00:00:00Z", "from"),
    ("q=%E2%80%A6", "q"),
    ("q=!%20%25", "q"),
    ("q=" + "x" * 201, "q"),
    ("q=%00", "q"),
    ("category=" + "x" * 201, "category"),
    ("category=a%00b", "category"),
    ("sha256=" + "a" * 63, "sha256"),
    ("sha256=" + "g" * 64, "sha256"),
]


async def test_scans_of_the_same_bytes_are_found_by_their_digest(alice: Person, bob: Person) -> None:
    data = b"Tight budget \xe2\x80\xa6"
    digest = hashlib.sha256(data).hexdigest()
    for person in (bob, alice):
        await person.scan(file=("a.txt", data))
    await alice.scan(file=("b.txt", b"Tight budget"))
    await alice.scan(text=data.decode())
    assert await find_filenames(alice, sha256=digest.upper()) == [None, "a.txt"]
    assert await find_filenames(alice, sha256=digest, q="txt") == ["a.txt"]
    assert await find_filenames(alice, sha256=hashlib.sha256(b"").hexdigest()) == []


async def test_a_bad_filter_is_refused(alice: Person) -> None:
    for query, field in REFUSED:
        for path in ("/api/scans", "/api/stats"):
            assert_error(await alice.get(f"{path}?{query}"), 400, "invalid_request", **{field: ...})


@pytest.mark.parametrize(
    ("value", "accepted_by"),
    [
        ("%FF", ["category"]),
        ("%ED%A0%80", ["category"]),
        ("%F4%90%80%80", ["category"]),
        ("%", ["category"]),
        ("%EF%BF%BF", ["category"]),
        ("a%00", []),
        ("'%20OR%201=1--", ["q", "category"]),
    ],
)
async def test_unusual_filter_value_is_text_or_refused(
    alice: Person, value: str, accepted_by: list[str]
) -> None:
    await alice.scan(text="tight budget")
    for field in FILTER_FIELDS:
        reply = await alice.get(f"/api/scans?{field}={value}")
        if field in accepted_by:
            assert (reply.status, reply.json["total"]) == (200, 0)
        else:
            assert_error(reply, 400, "invalid_request", **{field: ...})


async def test_cursor_is_valid_only_with_its_filter(alice_with_three_scans: Person) -> None:
    cursor = (await get_list(alice_with_three_scans, q="budget", limit=1))["next_cursor"]
    for chosen in ({}, {"q": "budge"}, {"q": "budget", "source": "model"}):
        reply = await alice_with_three_scans.get(f"/api/scans?{urlencode({**chosen, 'cursor': cursor})}")
        assert_error(reply, 400, "invalid_request", cursor=...)
    assert filenames(await get_list(alice_with_three_scans, q="Budget!", cursor=cursor)) == ["plan_v2.txt"]
    plain = (await get_list(alice_with_three_scans, limit=1))["next_cursor"]
    reply = await alice_with_three_scans.get(f"/api/scans?{urlencode({'q': 'budget', 'cursor': plain})}")
    assert_error(reply, 400, "invalid_request", cursor=...)


async def test_filtered_paging_neither_skips_nor_repeats(server: Server, alice: Person) -> None:
    for number in range(6):
        await save_scan(server, alice, f"{number} {'odd' if number % 2 else 'even'}.txt")
    first = await get_list(alice, q="odd", limit=1)
    await save_scan(server, alice, "7 odd.txt")
    rest = await get_list(alice, q="odd", cursor=first["next_cursor"])
    assert (filenames(first), first["total"]) == (["5 odd.txt"], 3)
    assert (filenames(rest), rest["total"]) == (["3 odd.txt", "1 odd.txt"], 4)


async def test_scans_are_sorted_by_name_or_by_open_findings(
    server: Server, alice: Person, bob: Person
) -> None:
    await save_scan(server, bob, "a.txt")
    for name, number in (("delta.txt", 1), ("Alpha.txt", 3), ("beta.txt", 2), ("charlie.txt", 3)):
        await save_scan(server, alice, name, *[(f"{name} may be late", "Legal")] * number)
    scan = (await get_list(alice, q="alpha"))["scans"][0]
    review = {"state": "confirmed"}
    path = f"/api/scans/{scan['scan_id']}"
    assert (await alice.request("PUT", f"{path}/findings/1/review", json=review)).status == 200
    await alice.request("PATCH", f"/api/scans/{scan['scan_id']}", json={"title": "cable"})
    by_name = ["beta.txt", "Alpha.txt", "charlie.txt", "delta.txt"]
    by_open = ["charlie.txt", "beta.txt", "delta.txt", "Alpha.txt"]
    for sort, expected in (("name", by_name), ("open", by_open)):
        whole = await get_list(alice, sort=sort)
        assert (filenames(whole), whole["total"], whole["next_cursor"]) == (expected, 4, None)
        pages = [await get_list(alice, sort=sort, limit=1, offset=number) for number in range(5)]
        assert [filenames(page) for page in pages] == [*([name] for name in expected), []]
        assert {(page["total"], page["next_cursor"]) for page in pages} == {(4, None)}
        few = await get_list(alice, sort=sort, q="may l", category="legal", limit=2, offset=2)
        assert (filenames(few), few["total"]) == (expected[2:], 4)
    by_date = await get_list(alice, limit=2)
    assert by_date == await get_list(alice, limit=2, sort="date") == await get_list(alice, limit=2, sort="")
    assert by_date["next_cursor"]


async def test_names_in_any_script_are_sorted_without_regard_to_case(server: Server, alice: Person) -> None:
    names = ["Été", "Жук", "zoo", "ខ្មែរ", "état", "Apple", "İzmir", "ΣΑΣ", "банк", "σας", "Éva", "ក្រសួង"]
    for name in names:
        await save_scan(server, alice, name)
    expected = ["Apple", "İzmir", "zoo", "état", "Été", "Éva", "σας", "ΣΑΣ", "банк", "Жук", "ក្រសួង", "ខ្មែរ"]
    assert filenames(await get_list(alice, sort="name")) == expected


async def test_a_sort_that_is_unknown_or_does_not_go_with_a_cursor_is_refused(alice: Person) -> None:
    await alice.scan(text="tight budget")
    await alice.scan(text="tight budget")
    cursor = (await get_list(alice, limit=1))["next_cursor"]
    for query, field in (
        ("sort=size", "sort"),
        ("sort=%00", "sort"),
        ("sort=NAME", "sort"),
        (f"sort=name&cursor={cursor}", "cursor"),
    ):
        assert_error(await alice.get(f"/api/scans?{query}"), 400, "invalid_request", **{field: ...})
    assert (await alice.get(f"/api/scans?sort=date&cursor={cursor}")).status == 200


async def test_a_quotation_of_no_words_is_refused(alice: Person) -> None:
    for query in ('""', "“ … ”", '"'):
        reply = await alice.get(f"/api/scans?{urlencode({'q': query})}")
        assert_error(reply, 400, "invalid_request", q="Enter at least one letter or number.")


async def test_khmer_is_found_in_any_order_of_typing(server: Server, alice: Person) -> None:
    sentences = "ក្រុមហ៊ុនត្រូវបង់ប្រាក់", "ធម៌ ស្ត្រី"
    await save_scan(server, alice, "ក្រុម.txt", *((sentence, "Legal") for sentence in sentences))
    # each with the vowel, the subscript or the sign where another one belongs
    for query in ("កុ្រមហុ៊ន", "កុ្រម txt", "ស្រ្តី", '"ហុ៊នត្រូវ"', '"កុ្រមហុ៊ន"', '"ធម៌ ស្រី្ត"'):
        assert await find_filenames(alice, q=query) == ["ក្រុម.txt"], query
    assert await find_filenames(alice, q='"មហ៊ុនក្រុ"') == []


async def test_scan_is_found_until_it_is_deleted(alice: Person, ai: Ai) -> None:
    scan = await alice.scan(file=("plan.txt", b"x"))
    assert await find_filenames(alice, q="aggress plan") == ["plan.txt"]
    await alice.delete(f"/api/scans/{scan['scan_id']}")
    assert await find_filenames(alice, q="aggress") == []


async def test_very_large_scan_is_stored_and_found(server: Server, alice: Person) -> None:
    risks = [(f"risk{n:05} " + "ក្រ" * 40 + "𠀀" * 90, f"kind {n}") for n in range(6000)]
    await save_scan(server, alice, "long.txt", *risks)
    assert await find_filenames(alice, category="kind 0") == ["long.txt"]


async def test_stats_cover_the_filtered_scans(server: Server, alice: Person, bob: Person) -> None:
    await save_scan(server, bob, "bob.txt", ("r", "Legal"), at="2026-11-01T00:00:00Z")
    first = ("a", "Legal"), ("b", "legal"), ("c", "Budget")
    await save_scan(server, alice, "one.txt", *first, at="2026-10-31T23:59:59Z")
    await save_scan(server, alice, "two.txt", ("a", "Budget"), ("b", "Budget"), at="2026-11-01T00:00:00Z")
    await save_scan(server, alice, "none.txt", at="2026-11-02T10:00:00.5Z", source="llm")
    assert (await alice.get("/api/stats")).json == {
        "scans": 3,
        "risks": 5,
        "newest": "2026-11-02T10:00:00.500000Z",
        "by_category": [
            {"category": "Budget", "risks": 3},
            {"category": "Legal", "risks": 1},
            {"category": "legal", "risks": 1},
        ],
        "over_time": [
            {"month": "2026-10", "categories": {"Budget": 1, "Legal": 1, "legal": 1}},
            {"month": "2026-11", "categories": {"Budget": 2}},
        ],
    }
    assert (await alice.get("/api/stats?category=LEGAL")).json == {
        "scans": 1,
        "risks": 2,
        "newest": "2026-10-31T23:59:59Z",
        "by_category": [{"category": "Legal", "risks": 1}, {"category": "legal", "risks": 1}],
        "over_time": [{"month": "2026-10", "categories": {"Legal": 1, "legal": 1}}],
    }
    nothing: dict[str, Any] = {"scans": 0, "risks": 0, "newest": None, "by_category": [], "over_time": []}
    assert (await alice.get("/api/stats?q=bob")).json == nothing
    late = (await alice.get("/api/stats?from=2026-11-02&source=llm")).json
    assert late["over_time"] == [{"month": "2026-11", "categories": {}}]


async def test_revoked_token_is_a_401_even_without_matches(guest: Person, alice: Person) -> None:
    old = alice.session.headers["Authorization"]
    change = {"current_password": PASSWORD, "new_password": "another one"}
    assert (await alice.post("/api/auth/password", json=change)).status == 200
    for path in ("/api/stats", "/api/scans?q=nothing"):
        assert_error(await alice.get(path, headers={"Authorization": old}), 401, "not_authenticated")
        assert_error(await guest.get(path), 401, "not_authenticated")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_search_that_takes_too_long_asks_for_a_shorter_period(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FILTER_SCANS_POSTGRESQL", "STATS_POSTGRESQL"):
        sql = getattr(scan_queries, name).replace(WHERE_USER, f"{WHERE_USER} AND pg_sleep(60) IS NOT NULL")
        monkeypatch.setattr(scan_queries, name, sql)
    with short_timeouts():
        for path in ("/api/scans?q=budget", "/api/scans?sort=name", "/api/stats?q=budget"):
            reply = await alice.get(path)
            assert assert_error(reply, 503, "overloaded").endswith("Choose a shorter period.")
            assert int(reply.headers["Retry-After"]) > MAX_RETRY_AFTER_SECONDS  # of the command line
        page = await alice.get("/scans?q=budget", headers={"Accept-Language": "km"})
        assert (page.status, "សូមជ្រើសរើសរយៈពេលខ្លីជាងនេះ" in text_of(page)) == (503, True)
    assert (await alice.get("/api/scans")).status == 200
    monkeypatch.setattr(database, "STATEMENT_SECONDS", 1e-6)  # the database has not answered by then
    assert_error(await alice.get("/api/scans?q=budget"), 503, "database_unavailable")
