# ruff: noqa: E501
"""Plain text: wrapped lines, emails, tables of contents, pages."""

import subprocess
import sys
import textwrap

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.ai_service.documents import read
from tests.ai_service.drafts import read_contracts

SENTENCES = [
    "The pier was built of oak in 1911 and nobody has looked at the piles under water since the flood of that year.",
    "Mr. Prem asked the harbour office for a diver, but the Office has not answered and the season ends in October.",
    "If the piles are rotten, the Harbour must close the pier at once and the ferry has no other place to land.",
]


@pytest.mark.parametrize("name", ["a.txt", "a.md", ""])
@pytest.mark.parametrize("width", [40, 60, 72, 100])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_wrapped_lines_are_joined_at_any_width(name: str, width: int, line_end: str) -> None:
    text = "\n\n".join([textwrap.fill(" ".join(SENTENCES), width), "- " + textwrap.fill(SENTENCES[1], width)])
    assert read(name, text.replace("\n", line_end) + line_end).texts == [*SENTENCES, SENTENCES[1]]


# words that are marks, labels or titles where a line begins with them
IN_SENTENCES = [
    "The lessee shall (a) paint the hull, (b) insure it with Section 7.2 in mind; and (c) pay by June 30. The lessor pays no more.",
    "The harbour office answers within ten (10) days, or - if the quay is flooded - within 30 days of the flood of that year.",
    "Notices go to the Harbour Office, Attention: Ms. Prem, Telephone: (408) 555 0100, and to no one else in the town.",
    "EXCEPT AS SECTION 6.2 SAYS, THE HARBOUR GIVES NO WARRANTY OF ANY KIND; THE LESSEE TAKES THE BERTH AS IT LIES.",
    "The steps are as follows: 1. the diver looks at the piles, 2. the Office closes the pier, 3. nobody is left on it.",
]
PARAGRAPHS = st.lists(
    st.sampled_from(
        [
            " ".join(sentences[n : n + 3])
            for sentences in read_contracts().values()
            for n in range(len(sentences))
        ]
        + [f"{one} {other}" for one in SENTENCES for other in IN_SENTENCES]
    ),
    min_size=1,
    max_size=4,
)


@given(paragraphs=PARAGRAPHS, width=st.integers(50, 120), name=st.sampled_from(["a.txt", "a.md", ""]))
def test_a_sentence_reads_the_same_wherever_its_lines_break(
    paragraphs: list[str], width: int, name: str
) -> None:
    wrapped = "\n\n".join(textwrap.fill(text, width, break_long_words=False) for text in paragraphs)
    assert read(name, wrapped).texts == read(name, "\n\n".join(paragraphs)).texts


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_marks_and_labels_in_sentences_begin_no_item_at_any_width(name: str) -> None:
    paragraphs = [f"{one} {other}" for one in SENTENCES for other in IN_SENTENCES]
    unwrapped = read(name, "\n\n".join(paragraphs)).texts
    for width in range(50, 121):
        wrapped = "\n\n".join(textwrap.fill(text, width, break_long_words=False) for text in paragraphs)
        assert read(name, wrapped).texts == unwrapped, width


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_items_whose_lines_have_the_width_of_the_text_stay_items(name: str) -> None:
    above = textwrap.wrap(" ".join(SENTENCES), 70)
    width = max(map(len, above))
    items = ["(a) shuts the gate of the ", "(b) pays the ", "(c) greases the ", "(d) leaves with the "]
    ends = [width - 5, width - 5, width, width]
    lines = [item.ljust(end, "x") for item, end in zip(items, ends, strict=True)]
    text = "\n".join([*above, "", "The lessee, on each day:", *lines])
    assert read(name, text).texts[-4:] == [line[4:] for line in lines]


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
@pytest.mark.parametrize("marks", [("(a) ", "(b) ", "(c) "), ("- ", "- ", "- "), ("* ", "* ", "* ")])
def test_items_of_a_list_whose_lines_are_all_full_stay_items(name: str, marks: tuple[str, ...]) -> None:
    above = textwrap.wrap(" ".join(SENTENCES), 70)
    width = max(map(len, above))
    lines = [f"{mark}shuts the gate of the ".ljust(width - 1, "x") + ";" for mark in marks]
    read_items = read(
        name, "\n".join([*above, "The lessee does this on each day, and on feast days too:", *lines])
    )
    assert read_items.texts[-3:] == [line.removeprefix(mark) for line, mark in zip(lines, marks, strict=True)]


def test_labels_below_full_lines_begin_lines_of_their_own() -> None:
    lines = [
        "Mitigation: order a second set of piles from a forest in the north of us",
        "Status: open",
        "Risk: the crane may be needed at the other pier, as it was in April too",
        "Owner: Ana",
    ]
    text = textwrap.fill(" ".join(SENTENCES), 72)
    assert read("a.txt", "\n".join([text, *lines])).texts[-4:] == lines


def test_a_title_in_capitals_as_wide_as_the_text_stays_a_title() -> None:
    title = "RESPONSIBILITIES OF THE HARBOUR ADMINISTRATION FOR NAVIGATION"
    text = f"{title}\n{textwrap.fill(' '.join(SENTENCES), len(title))}\n\n{'Rest of the Year'}\n{'-' * len(title)}\nNone.\n"
    assert [block.kind for block in read("a.txt", text).blocks] == [
        "heading",
        "paragraph",
        "heading",
        "paragraph",
    ]


def test_lines_of_unequal_length_are_joined_by_their_words_alone() -> None:
    text = (
        "The lessee leaves the berth and hands\nover the key to the harbour office, which is\nclosed on Sundays.\n\n"
        "Pier: north of the ferry landing\nOwner: Ana Prem, harbour office\n"
    )
    assert read("a.txt", text).texts[-2:] == [
        "Pier: north of the ferry landing",
        "Owner: Ana Prem, harbour office",
    ]


@pytest.mark.parametrize("width", [50, 60, 70])
def test_a_sentence_torn_by_a_page_goes_on_below_a_short_line(width: int) -> None:
    end = SENTENCES[0].index(" piles")
    halves = SENTENCES[0][:end], SENTENCES[0][end:].strip()
    text = "\n\n".join(textwrap.fill(half, width) for half in halves)
    assert read("a.txt", text).texts == [SENTENCES[0]]


def test_no_sentence_goes_on_below_a_remark_or_code() -> None:
    lines = [
        "pumpctl no longer floods the cellar when the river is high. [bug introduced in release 2.8]",
        "gatectl waits for the ferry, and shows how long it has waited already when called with --wait",
        "start_pump(cellar, river) is called no more",
    ]
    text = "\n\n".join([*lines, *(textwrap.fill(sentence, 50) for sentence in SENTENCES)])
    assert read("a.txt", text).texts == [*lines, *SENTENCES]


@pytest.mark.parametrize("width", [60, 72])
def test_double_spaced_text_is_joined(width: int) -> None:
    text = textwrap.fill(" ".join(SENTENCES), width).replace("\n", "\n\n")
    assert read("a.txt", text).texts == SENTENCES


def test_short_lines_below_each_other_stay_apart() -> None:
    text = "Place: harbour office\nPresent: Ana Prem and Bo Lind\nApologies: Chanda Vell\n\nThe pier is closed for now.\n"
    assert read("a.txt", text).texts == [*text.split("\n")[:3], "The pier is closed for now."]


def test_a_paragraph_in_capitals_is_one_text_and_no_headings() -> None:
    text = (
        "THE HARBOUR IS NOT LIABLE FOR ANY DAMAGE TO A BOAT THAT\nLIES AT THE PIER, NOR FOR THE LOSS OF ITS CARGO.\n\n"
        "OPEN POINTS\n\nThe pier is closed for now.\n"
    )
    assert read("a.txt", text).texts == [
        "THE HARBOUR IS NOT LIABLE FOR ANY DAMAGE TO A BOAT THAT LIES AT THE PIER, NOR FOR THE LOSS OF ITS CARGO.",
        "The pier is closed for now.",
    ]


def test_the_numbers_of_clauses_are_removed_and_numbers_in_sentences_kept() -> None:
    text = (
        "1.1\nThe lessee pays the rent in advance.\n\n(a) The lessor may raise it at any time.\n\nArticle 5\n"
        "The lessor may end the lease.\n\nSection 5.2 applies to boats as well.\n\n3.5 million dollars are missing.\n\n"
        "The lessee pays the costs that are named in\nSection 7 of this lease and in no other.\n"
    )
    assert read("a.txt", text).texts == [
        "The lessee pays the rent in advance.",
        "The lessor may raise it at any time.",
        "The lessor may end the lease.",
        "Section 5.2 applies to boats as well.",
        "3.5 million dollars are missing.",
        "The lessee pays the costs that are named in Section 7 of this lease and in no other.",
    ]


@pytest.mark.parametrize("width", range(44, 100, 7))
def test_numbers_in_brackets_at_the_start_of_a_wrapped_line_are_in_the_sentence(width: int) -> None:
    sentences = [
        "The lessee leaves the berth within thirty (30) days, or within ten (10) days in winter, whichever is later.",
        "The lessor may refuse a boat that (i) leaks or (ii) has no insurance and may sell it after ninety (90) days.",
    ]
    text = "\n\n".join(textwrap.fill(sentence, width) for sentence in sentences)
    assert read("a.txt", text).texts == sentences


def test_numbers_in_brackets_below_the_end_of_a_clause_are_those_of_items() -> None:
    text = (
        "The lessee, who has the key of the harbour gate, shall at all times:\n(a) close the gate behind every boat and\n"
        "(b) report each leak of the pumps to the office, and\n(c) pay for the water that the boat takes on; or\n(d) leave the berth.\n"
    )
    assert len(read("a.txt", text).texts) == 5


@pytest.mark.parametrize("leader", [" ........ ", "........", " . . . . . ", " …… ", "\t", "      "])
def test_entries_of_a_table_of_contents_are_left_out(leader: str) -> None:
    entries = [
        "Failure of the old pumps",
        "Late invoices and unpaid bills",
        "1.2 Loss of the gate",
        "Sign-off and penalties",
    ]
    contents = "\n".join(f"{entry}{leader}{page}" for page, entry in enumerate(entries, 9))
    assert read("a.txt", f"Contents\n\n{contents}\n\nThe depot opens at seven.\n").texts == [
        "The depot opens at seven."
    ]


def test_page_numbers_and_form_feeds_do_not_cut_a_sentence() -> None:
    text = (
        "The depot has no fire doors and the city\n\n- 3 -\n\fwill close it in May if none are built.\n\n"
        "It has no lift either, and nobody knows\n\n4\n\n\fhow the pumps are to be moved.\nPage 5 of 9\n\fThe rent is paid.\n"
    )
    assert read("a.txt", text).texts == [
        "The depot has no fire doors and the city will close it in May if none are built.",
        "It has no lift either, and nobody knows how the pumps are to be moved.",
        "The rent is paid.",
    ]


def test_a_sentence_goes_on_below_empty_lines() -> None:
    text = "The lessee takes all precautions to prevent others from using\n\n\n\nthe pier in any way.\n\na) He pays for it.\n"
    assert read("a.txt", text).texts == [
        "The lessee takes all precautions to prevent others from using the pier in any way.",
        "He pays for it.",
    ]


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        ("They sign the agree-\nment with the sup-\nplier.", "They sign the agreement with the supplier."),
        (
            "It is a long-\nterm loan for the well-\nknown pier.",
            "It is a long-term loan for the well-known pier.",
        ),
        (
            "They send an e-\nmail about the off-\nshore pier.",
            "They send an e-mail about the off-shore pier.",
        ),
        ("The X-\nray of the pier is lost.", "The X-ray of the pier is lost."),
        ("They have short-\nand long-term loans.", "They have short- and long-term loans."),
        ("They have short- and long-term\nloans.", "They have short- and long-term loans."),
        ("Der Vertrag der Hafen-\nbehörde ist alt.", "Der Vertrag der Hafen-behörde ist alt."),
    ],
)
def test_common_words_that_a_line_divides_become_whole(lines: str, joined: str) -> None:
    assert read("a.txt", lines).texts == [joined]


def test_characters_that_nobody_sees_are_removed() -> None:
    text = "The har\xadbour\u200b is\xa0closed and the pier too.\n\nIt is a well-\nknown and rotten pier.\n"
    assert read("a.txt", text).texts == [
        "The harbour is closed and the pier too.",
        "It is a well-known and rotten pier.",
    ]


def test_items_with_any_bullet_are_items() -> None:
    marks = ["•\t", "- ", "* ", "▪ ", "– ", "→ ", "☐ ", "✅ ", "🔴 ", "⚠️ ", "\uf0b7\t", "» ", "‣ "]
    reading = read(
        "a.txt", "".join(f"{mark}The pier number {n} is rotten.\n" for n, mark in enumerate(marks))
    )
    assert [(unit.text, unit.kind) for unit in reading.units] == [
        (f"The pier number {n} is rotten.", "item") for n in range(len(marks))
    ]


@pytest.mark.parametrize("name", ["a.txt", ""])
def test_headers_quotations_and_signatures_of_an_email_are_no_sentences(name: str) -> None:
    text = (
        "From: Ana Prem <ana@example.org>\nSent: Monday, 2 November\nTo: Bo Lind; Chanda\n Vell\nSubject: Re: AW: Pump house risks\n\n"
        "Bo, please see below.\n\n-- \nAna Prem, Harbour Failure Office\nNo liability is taken\n\n"
        "On Mon, 2 Nov 2026 at 09:14, Bo Lind <bo@example.org>\nwrote:\n"
        "> The pump maker told us that the second pump will not be\n> shipped before May, and nobody else could\n> Deliver one.\n>\n"
        ">> The Electrician finished the lights and the\n>> neighbours are happy.\n"
        ">\n> Am 1. Nov. 2026 um 10:00 schrieb Chanda Vell:\n>\n>>> The old pump leaks.\n\n"
        "-----Original Message-----\nFrom: Dara\nDate: 1 May\nSubject: Rent\n\nThe rent was never paid.\n"
    )
    reading = read(name, text)
    assert reading.texts == [
        "Bo, please see below.",
        "The pump maker told us that the second pump will not be shipped before May, and nobody else could Deliver one.",
        "The Electrician finished the lights and the neighbours are happy.",
        "The old pump leaks.",
        "The rent was never paid.",
    ]
    assert reading.units[0].place.headings == ("Pump house risks",)
    assert reading.units[-1].place.headings == ("Rent",)


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "Sent from my Samsung Galaxy smartphone.",
        "Sent from my mobile phone, please excuse typos.",
        "Sent from my T-Mobile 4G LTE Device",
        "Sent from Outlook for Android",
        "Sent from Mail for Windows 10",
        "Sent via BlackBerry by AT&T",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Inviato da iPhone",
        "Verstuurd vanaf mijn iPhone",
    ],
)
def test_signatures_of_phones_are_left_out(line: str) -> None:
    quoted = f"The pump leaks.\n\n{line}\n\n> The pier is closed.\n>\n> {line}\n"
    reading = read("a.txt", quoted)
    assert reading.texts == ["The pump leaks.", "The pier is closed."]
    assert not any(block.kind == "heading" for block in reading.blocks)


@pytest.mark.parametrize(
    "line",
    [
        "Sent from the phone company, the bill is wrong.",
        "Sent via mail on Monday, the plans are late.",
        "Sent with the last device, the plans are late.",
        "Get Outlook for the harbour office first.",
        "Sent from my iPhone of work the plans for the new pier of the harbour never arrived.",
        "Von Samsung fehlt noch die Zusage für die Anzeigen.",
        "Sent using Outlook rules, mails of customers get lost.",
    ],
)
def test_sentences_that_begin_like_signatures_of_phones_are_read(line: str) -> None:
    assert read("a.txt", f"The pump leaks.\n\n{line}\n\nThe pier is closed.\n").texts[1] == line


def test_two_hyphens_above_a_long_text_are_no_signature() -> None:
    lines = "\n\n".join(f"The pier number {n} is rotten." for n in range(20))
    assert len(read("a.txt", f"The harbour is closed.\n\n--\n\n{lines}\n").texts) == 21


def test_a_page_of_html_in_a_text_file_is_read_as_html() -> None:
    assert read("a.txt", "<!DOCTYPE html>\n<html><body><p>The pier is\nclosed.</p></body></html>").texts == [
        "The pier is closed."
    ]


def test_an_escaped_bar_divides_no_cells() -> None:
    rows = [block.texts for block in read("a.txt", r"| 1 | The oven \| dryer line is late | Open |").blocks]
    assert rows == [["1", "The oven | dryer line is late", "Open"]]


def test_bold_words_in_a_text_file_lose_their_marks() -> None:
    assert read("a.txt", "The **pump** leaks.\n").texts == ["The pump leaks."]


def test_items_with_dashes_right_before_their_words_are_lines_of_their_own() -> None:
    lines = [
        "--find out what the orchard needs before winter",
        "--order the nets that nobody has ordered so far",
        "--ask the neighbours for their ladders",
    ]
    assert read("a.txt", "\n".join(lines)).texts == lines


def test_contents_with_ranges_of_pages_and_entries_of_two_lines_are_left_out() -> None:
    text = (
        "Contents\n\n1. The depot may burn and nobody pays for it ........ 12-14\n"
        "2. The trams may stand still in winter ........ A-3\n3. The bridge may not carry them ------------ 15\n"
        "4. No permit has been given for the depot, and what follows from that for all trams that\n"
        "    stand in the old depot ........ 31 – 33\n\nThe depot opens at seven.\n"
    )
    assert read("a.txt", text).texts == [
        "The depot opens at seven.",
    ]


def test_entries_with_khmer_numbers_are_left_out() -> None:
    assert read(
        "a.txt", "១. សេចក្តីផ្តើម ........ ១២\n២. ហានិភ័យ ........ ១៤\n\nThe depot opens at seven.\n"
    ).texts == ["The depot opens at seven."]


def test_a_sentence_before_a_line_to_fill_in_is_kept() -> None:
    text = "The tenant has paid nothing and signs this on the\nday of __________ 2026\n"
    assert read("a.txt", text).texts == ["The tenant has paid nothing and signs this on the"]


def test_pages_that_are_one_line_each_are_no_table_of_contents() -> None:
    page = " ".join(["The tenant of the mill keeps the weir free of branches and pays for repairs."] * 4)
    text = "\n\n\n".join(f"{page}     {number}" for number in range(1, 6))
    assert len(read("a.txt", text).texts) >= 20


def test_text_is_read_without_importing_what_other_formats_need() -> None:
    script = (
        "import sys; from riskscan.ai_service.reader import read_document\n"
        "read_document('a.txt', sys.stdin.buffer.read()); print(*sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], input=SENTENCES[0].encode(), capture_output=True, check=True
    )
    loaded = set(run.stdout.decode().split())
    reading = "riskscan.ai_service.reading."
    assert {name.removeprefix(reading) for name in loaded if name.startswith(reading)} == {
        "blocks", "documents", "encodings", "hyphens", "layout", "marks", "outline", "sentences", "text", "wrapping",
    }  # fmt: skip
    assert loaded.isdisjoint({"html", "zipfile", "lxml", "pypdfium2"})
