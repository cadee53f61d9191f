"""Comparing two scans: known pairs, invariants, the API and the page."""

from __future__ import annotations

import collections
import itertools
import random
import re
import sys
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.async_api import ViewportSize, expect

from riskscan.risk_matching import Changes, compare_risks
from riskscan.schemas import Risk
from tests.support.ai import Ai
from tests.support.application import Server
from tests.support.browser import (
    accessibility_violations,
    horizontal_overflow,
    launch_browser,
    register,
    visit,
)
from tests.support.client import Person, assert_error, form, sign_up, text_of

# (earlier, later) wordings of the same risk, in one category
SAME = [
    # equal after normalization
    ("Budget may run out", "Budget may run out"),
    ("Budget may run out", "  BUDGET may\trun out. "),
    ("Follow-up is late", "Follow up – is late!"),
    ("The “core” team's plan is late", 'the "core" team’s plan is late'),
    ("Ｂｕｄｇｅｔ is tight", "Budget is tight"),
    ("Café lease is not renewed", "Cafe\u0301 lease is not renewed"),
    ("Straße is closed", "STRASSE is closed"),
    ("Costs rise by 10 %", "Costs rise by 10%"),
    ("The permit isn't renewed", "The permit is not renewed"),
    ("We cannot deliver", "We can't deliver"),
    ("Budget\u200bis tight", "Budget is tight"),
    ("`deploy` may fail", "deploy may fail"),
    ("Co\u00adordination is weak", "Coordination is weak"),
    ("Le budget n’est pas approuvé", "Le budget n'est pas approuvé !"),
    ("İzin gecikebilir", "izin gecikebilir"),
    ("⚠\ufe0f Permit is late", "⚠ Permit is late"),
    ("Бюджет не утверждён", "БЮДЖЕТ НЕ УТВЕРЖДЁН."),
    ("ថវិកាមានកម្រិត", "ថវិកាមានកម្រិត។"),
    ("ថវិកាមានកម្រិត", "ថវិកា\u200bមាន\u200bកម្រិត"),
    ("ថវិកាមានកម្រិត", "ថវិកា មានកម្រិត"),
    ("ថវិកាកើនឡើង ១០%", "ថវិកាកើនឡើង10 %"),
    ("งบประมาณจำกัด", "งบประมาณ จำกัด"),
    ("预算 不足", "预算不足。"),
    ("", " "),
    # equal significant words
    ("Budget may run out", "The budget might run out"),
    ("The delivery is delayed", "Delivery was delayed"),
    ("Delivery of meters is late", "Deliveries of the meter are late"),
    ("There is a risk of data loss", "Risk of data loss"),
    ("Supplier has not confirmed the date", "The suppliers have not confirmed the date"),
    # a few words added in one place
    (
        "The delivery date has not been confirmed by the factory",
        "The delivery date has still not been confirmed by the factory",
    ),
    (
        "Key staff of the billing team may leave in spring",
        "Key staff of the billing team may leave the project in spring",
    ),
    (
        "The move to new system halls may take until June",
        "The move to a new system of halls may take until June",
    ),
    (
        "Two weeks are planned for the whole test of all four interfaces",
        "Two weeks are planned for the test of all four interfaces",
    ),
    ("អ្នកផ្គត់ផ្គង់មិនបានបញ្ជាក់កាលបរិច្ឆេទដឹកជញ្ជូន", "អ្នកផ្គត់ផ្គង់មិនទាន់បានបញ្ជាក់កាលបរិច្ឆេទដឹកជញ្ជូន"),
    ("គម្រោងអាចយឺតយ៉ាវដោយសារភ្លៀងធ្លាក់", "គម្រោងនឹងអាចយឺតយ៉ាវដោយសារភ្លៀងធ្លាក់"),
]
# pairs, written as {earlier|later}
DIFFERENT = [
    # numbers and symbols
    "Budget is {10|90} %",
    "Budget is 10 {%|€}",
    "Margin is {-|}5 %",
    "Version {1.5|15} is unsupported",
    "A delay of {3-5|3.5} days is likely",
    "Invoices not paid within {14|30} days bear interest",
    "ថវិកាកើនឡើង {១០|៩០}%",
    "{Two|Ten} engineers know the billing scripts of the old system",
    "Twenty{| one} of the staff of the billing team may leave in spring",
    "មានមនុស្ស{ប្រាំ|ប្រាំមួយ}នាក់ដឹងពីប្រព័ន្ធទូទាត់ប្រាក់ចាស់របស់ក្រុមហ៊ុន",
    # negation and restriction
    "Budget is{| not} approved",
    "The budget of the second phase has{| not} been approved by the board",
    "The budget of the second phase has{| never} been approved by the board",
    "The renewal of the operating permit {is|isn't} approved by the city",
    "{S|Only s}taff of the billing team know the scripts of the system",
    "Data of the old system are moved {with|without} a tested backup",
    "Le budget de la deuxième phase {|n'}est {|pas }approuvé par le conseil",
    "Das Budget der zweiten Phase ist vom Vorstand {|nicht }genehmigt",
    "ថវិកា{|មិន}ត្រូវបានអនុម័តដោយក្រុមប្រឹក្សាភិបាលរបស់ក្រុមហ៊ុន",
    "គម្រោង{មាន|គ្មាន}ផែនការបម្រុងទុកសម្រាប់ការដឹកជញ្ជូនទំនិញ",
    "预算{已经|尚未}得到公司董事会的正式批准",
    # a word replaced
    "The {supplier|customer} has not confirmed the delivery date of the meters",
    "Supplier {A|B} may deliver the meters of the new hall too late",
    "{Contract|Contact} data may be lost in the move to the new system",
    "The {employer|employee} pays all costs of the move to the new site",
    "Costs of the second phase may {in|de}crease in spring",
    "Payment {to|from} the supplier is late",
    "The test starts {before|after} the delivery",
    "Delivery is {late|delayed}",
    "{អ្នកផ្គត់ផ្គង់|អតិថិជន}អាចយឺតក្នុងការដឹកជញ្ជូន",
    "ដំណាក់កាល {ក|ខ} អាចយឺត",
    # words reordered
    "The {supplier|customer} depends on the {customer|supplier}",
    # too many words added, or in two places
    "{|Payment to the }supplier is late",
    "Budget {|for the move of the servers }is tight",
    "Two weeks are planned for the test of all four interfaces{ to the old system|}",
    "The key staff of the {|old }billing team of the meters may leave in {|early }spring",
    "ថវិកា{|សម្រាប់គម្រោង}",
    # symbols only
    "{🔥|💧}",
    "{?|!}",
    "{✓|✗} approved",
]


def expand_variants(text: str) -> tuple[str, str]:
    """Expand `{earlier|later}` in a text; return the earlier and the later text."""
    return re.sub(r"{(.*?)\|(.*?)}", r"\1", text), re.sub(r"{(.*?)\|(.*?)}", r"\2", text)


def risk(wording: str, category: str = "Financial", context: str = "") -> Risk:
    return Risk(wording, category, context)


@pytest.mark.parametrize(("earlier", "later"), SAME)
def test_equivalent_wordings_match(earlier: str, later: str) -> None:
    before, after = risk(earlier), risk(later)
    assert compare_risks([before], [after]) == Changes([], [], [(before, after)])
    assert compare_risks([after], [before]) == Changes([], [], [(after, before)])


@pytest.mark.parametrize("text", DIFFERENT)
def test_different_wordings_are_new_and_gone(text: str) -> None:
    before, after = map(risk, expand_variants(text))
    assert compare_risks([before], [after]) == Changes([after], [before], [])
    assert compare_risks([after], [before]) == Changes([before], [after], [])


@pytest.mark.parametrize(
    ("earlier", "later", "agree"),
    [
        ("Financial", " FINANCIAL.", True),
        ("Ｌｅｇａｌ", "legal", True),
        ("ហិរញ្ញវត្ថុ", "ហិរញ្ញ\u200bវត្ថុ", True),
        ("Financial", "Finance", False),
        ("Legal", "Schedule", False),
        ("", "Legal", False),
    ],
)
def test_risks_match_only_within_a_category(earlier: str, later: str, agree: bool) -> None:
    found = compare_risks([risk("Budget may run out", earlier)], [risk("Budget may run out", later)])
    assert (len(found.same), len(found.new), len(found.gone)) == ((1, 0, 0) if agree else (0, 1, 1))


def test_duplicates_are_paired_one_to_one_by_context() -> None:
    one, two, three = (risk("Budget may run out", context=text) for text in ("A.", "B.", "C."))
    assert compare_risks([one, two, three], [three, one]) == Changes([], [two], [(three, three), (one, one)])
    assert compare_risks([one], [two, one]) == Changes([two], [], [(one, one)])
    assert compare_risks([one, two], [three]) == Changes([], [two], [(one, three)])


def test_of_a_title_that_is_cut_the_whole_sentence_is_compared() -> None:
    sentence = "either party may end the contract at once if the other does not mend a breach within 30 days."
    start, middle = "Either party may end the contract at once…", "…the other does not mend a breach…"
    changed = sentence.replace("30", "45")
    for title in (start, middle):
        before, later = risk(title, context=f"(b) {sentence}"), risk(title, context=f"(b) {changed}")
        moved = risk(title, context=f"(c) {sentence}")
        assert compare_risks([before], [later]) == Changes([later], [before], [])
        assert compare_risks([before], [moved]) == Changes([], [], [(before, moved)])
    numbered = [risk(start, context=f"{number} {sentence.capitalize()}") for number in ("11.16", "11.17")]
    assert compare_risks(numbered[:1], numbered[1:]).same == [tuple(numbered)]
    another = [risk("A bad contract…", context=text) for text in (sentence, changed)]
    assert compare_risks(another[:1], another[1:]).same == [tuple(another)]


def test_exact_match_is_preferred_to_a_fuzzy_match() -> None:
    exact, near = risk("Budget may run out"), risk("The budget might run out")
    assert compare_risks([near, exact], [exact]) == Changes([], [near], [(exact, exact)])


def test_context_breaks_a_tie_and_an_unresolved_tie_does_not_match() -> None:
    text = "The delivery date has not been confirmed by the factory"
    before = risk(text, context="A.")
    first = risk(text.replace("has", "has still"), context="A.")
    second = risk(text.replace("factory", "new factory"), context="B.")
    third = risk(first.risk, context="C.")
    assert compare_risks([before], [first, second]) == Changes([second], [], [(before, first)])
    assert compare_risks([before], [second, third]) == Changes([second, third], [before], [])
    assert compare_risks([second, third], [before]) == Changes([before], [second, third], [])


TEXTS = [text for pair in [*SAME, *map(expand_variants, DIFFERENT)] for text in pair]
PIECES = [*TEXTS, "a", "not", "10", "", "\u200b"]
risks = st.lists(
    st.builds(
        Risk,
        risk=st.sampled_from(PIECES)
        | st.lists(st.sampled_from(PIECES), max_size=3).map(" ".join)
        | st.text(),
        category=st.sampled_from(["Legal", "LEGAL ", "Schedule", ""]),
        context=st.sampled_from(["", "A.", "B."]),
    ),
    max_size=12,
)


@given(risks, risks)
def test_comparison_is_complete_and_symmetric(old: list[Risk], new: list[Risk]) -> None:
    found = compare_risks(old, new)
    assert collections.Counter(new) == collections.Counter([*found.new, *(later for _, later in found.same)])
    assert collections.Counter(old) == collections.Counter([*found.gone, *(one for one, _ in found.same)])
    back = compare_risks(new, old)
    assert (back.new, back.gone) == (found.gone, found.new)
    assert collections.Counter((one, other) for other, one in back.same) == collections.Counter(found.same)


@given(risks)
def test_scan_matches_itself(whole: list[Risk]) -> None:
    assert compare_risks(whole, whole) == Changes([], [], [(one, one) for one in whole])


def count_calls(old: list[Risk], new: list[Risk]) -> int:
    """Return how many functions a comparison calls, which does not depend on the machine as its time does."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        compare_risks(old, new)
    finally:
        sys.setprofile(None)
    return calls


def test_comparison_grows_linearly() -> None:
    words = " ".join(TEXTS).split()

    def calls(number: int) -> int:
        chance = random.Random(7)
        old, new = ([risk(" ".join(chance.choices(words, k=8))) for _ in range(number)] for _ in range(2))
        return count_calls(old, new)

    assert calls(4000) < 5 * calls(1000)


def test_fuzzy_matching_is_skipped_for_too_many_similar_risks() -> None:
    names = ["".join(letters) for letters in itertools.product("bcdfghjklmnp", repeat=3)][:1200]
    before = [risk(f"The delivery of new meters to site {name}") for name in names]
    after = [risk(f"The delivery of new meters to a site near {name}") for name in names]
    few = compare_risks(before[:100], [before[0], *after[1:100]])
    assert (len(few.same), few.new) == (100, [])
    many = compare_risks(before, [before[0], *after[1:]])
    assert (len(many.same), len(many.new)) == (1, 1199)


def finding(words: str, category: str = "Financial", context: str = "It is so.") -> dict[str, str]:
    return {"risk": words, "category": category, "context": context}


EARLIER = [
    finding("Budget may run out"),
    finding("Deadline is aggressive", "Schedule"),
    finding("10 % are missing"),
]
LATER = [finding("90 % are missing"), finding("The budget might run out", context="So it is.")]


NARROW: ViewportSize = {"width": 390, "height": 800}


async def scan_twice(person: Person, ai: Ai) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scan a file twice with different findings."""
    ai.findings = {"data": EARLIER, "source": "llm"}
    earlier = await person.scan(file=("plan.txt", b"one"))
    ai.findings = {"data": LATER, "source": "llm"}
    return earlier, await person.scan(file=("plan.txt", b"two"))


async def test_a_scan_is_compared_with_an_earlier_one(alice: Person, ai: Ai) -> None:
    earlier, later = await scan_twice(alice, ai)
    reply = await alice.get(f"/api/scans/{later['scan_id']}/compare?with={earlier['scan_id']}")
    assert (reply.status, reply.json) == (200, {"new": LATER[:1], "gone": EARLIER[1:], "same": LATER[1:]})
    assert reply.headers["Cache-Control"] == "no-store"
    back = await alice.get(f"/api/scans/{earlier['scan_id']}/compare?with={later['scan_id']}")
    assert back.json == {"new": EARLIER[1:], "gone": LATER[:1], "same": EARLIER[:1]}
    itself = await alice.get(f"/api/scans/{later['scan_id']}/compare?with={later['scan_id']}")
    assert itself.json == {"new": [], "gone": [], "same": LATER}


async def test_comparison_with_a_foreign_or_unknown_scan_is_a_404(
    alice: Person, bob: Person, guest: Person
) -> None:
    hers, his = (await alice.scan(text="one"))["scan_id"], (await bob.scan(text="one"))["scan_id"]
    nobodys = str(uuid.uuid4())
    for scan, other in ((his, hers), (hers, his), (nobodys, hers), (hers, nobodys), ("nope", hers)):
        reply = await alice.get(f"/api/scans/{scan}/compare?with={other}")
        assert_error(reply, 404, "not_found")
    assert_error(await guest.get(f"/api/scans/{hers}/compare?with={hers}"), 401, "not_authenticated")


@pytest.mark.parametrize(
    "query", ["", "?with=", "?with=1", "?with=%00", "?with=%ED%A0%80", f"?with={uuid.UUID(int=1).hex}"]
)
async def test_parameter_with_must_be_a_scan_id(alice: Person, query: str) -> None:
    scan = await alice.scan(text="one")
    reply = await alice.get(f"/api/scans/{scan['scan_id']}/compare{query}")
    assert_error(reply, 400, "invalid_request", **{"with": ...})


async def scan_and_get_links(person: Person, **fields: Any) -> tuple[str, list[str]]:
    """Scan; return the scan's id and the Link headers of the response."""
    reply = await person.post("/api/scan", data=form(**fields))
    return reply.json["scan_id"], reply.headers.getall("Link", [])


def link(scan_id: str, title: str) -> str:
    return f'</api/scans/{scan_id}>; rel="predecessor-version"; title="{title}"'


async def test_scan_response_links_to_similar_earlier_scans(alice: Person, bob: Person) -> None:
    first, none = await scan_and_get_links(alice, file=("plan.txt", b"one"))
    assert none == []
    second, links = await scan_and_get_links(alice, file=("plan.txt", b"two"))
    assert links == [link(first, "same name")]
    third, links = await scan_and_get_links(alice, file=("plan.txt", b"one"))
    assert links == [link(second, "same name"), link(first, "same bytes")]
    fourth, links = await scan_and_get_links(alice, file=("plan.txt", b"one"))
    assert links == [link(third, "same bytes")]
    _, links = await scan_and_get_links(alice, text="one")
    assert links == [link(fourth, "same bytes")]
    assert (await scan_and_get_links(alice, text="another"))[1] == []
    assert (await scan_and_get_links(bob, file=("plan.txt", b"one")))[1] == []
    assert "Link" not in (await alice.get(f"/api/scans/{fourth}")).headers


async def test_scan_page_links_to_comparisons_with_earlier_scans(guest: Person, ai: Ai) -> None:
    await sign_up(guest)
    pages = []
    for content in (b"one", b"two", b"one", b"one"):
        sent = await guest.post("/scan", data=form(file=("plan.txt", content)))
        pages.append(sent.headers["Location"])
    ids = [page.rpartition("/")[2] for page in pages]
    first, second, third, fourth = [text_of(await guest.get(page)) for page in pages]
    assert "/compare" not in first
    assert f'href="{pages[1]}/compare?with={ids[0]}"' in second
    assert ("Earlier version scanned on" in second, "Identical to the file" in second) == (True, False)
    assert f'href="{pages[2]}/compare?with={ids[1]}"' in third
    assert f'href="{pages[2]}/compare?with={ids[0]}"' in third
    assert ("Earlier version scanned on" in third, "Identical to the file" in third) == (True, True)
    assert fourth.count("/compare?with=") == 1
    assert f'href="{pages[3]}/compare?with={ids[2]}"' in fourth
    reply = await guest.get(f"{pages[3]}/compare")
    assert (reply.status, "Choose the scan to compare with." in text_of(reply)) == (400, True)
    assert (await guest.get(f"{pages[3]}/compare?with={uuid.uuid4()}")).status == 404


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scripted", [True, False])
async def test_comparison_page_shows_new_gone_and_same_risks(server: Server, ai: Ai, scripted: bool) -> None:
    nasty = "<script>alert(1)</script>"
    scans = [
        [*EARLIER, finding("ថវិកាមានកម្រិត", "ហិរញ្ញវត្ថុ", "ថវិកាមានកម្រិត។")],
        [*LATER, finding("ថវិកាមានកម្រិត", "ហិរញ្ញវត្ថុ"), finding(nasty, nasty, nasty)],
    ]
    options = {"java_script_enabled": scripted, "bypass_csp": scripted}  # to inject axe-core
    async with launch_browser() as browser, visit(browser, server.url, viewport=NARROW, **options) as visitor:
        page = await register(visitor)
        for number, findings in enumerate(scans):
            ai.findings = {"data": findings, "source": "llm"}
            reply = await page.context.request.post(
                f"{server.url}/scan",
                multipart={"file": {"name": "plan.txt", "mimeType": "text/plain", "buffer": b"%d" % number}},
            )
        await page.goto(reply.url)
        found = await accessibility_violations(page) if scripted else []
        await page.get_by_role("link", name="see what changed").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Changes since")
        new, gone, same = (
            page.get_by_role("region", name=name).get_by_role("article")
            for name in ("New", "No longer found", "Unchanged")
        )
        for group in (new, gone, same):
            await expect(group).to_have_count(2)
        await expect(new.last).to_contain_text(nasty)
        await expect(same.first).to_contain_text("Before: Budget may run out")
        assert found + (await accessibility_violations(page) if scripted else []) == []
        assert await horizontal_overflow(page) <= 0
        await page.get_by_role("link", name="Swap scans").click()
        await expect(gone.last).to_contain_text(nasty)
