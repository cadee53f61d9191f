"""The place of a finding, in words for people."""

import email.message
import io

import docx
import pytest
from openpyxl import Workbook

from riskscan.ai_service.places import describe_place
from riskscan.ai_service.reading.blocks import Place
from tests.ai_service.documents import read


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place(), ""),
        (Place(paragraph=3), ""),
        (Place(page=7, headings=("Contract", "4.2 Payment")), "p. 7 · 4.2 Payment"),
        (Place(page=7, headings=("4 Payment:",), number="4.2(a)"), "p. 7 · 4.2(a) Payment"),
        (Place(headings=("Section 4  Payment",), number="4.2"), "4.2 Payment"),
        (Place(headings=("1 Payment",), number="10.2"), "1 Payment · 10.2"),
        (Place(headings=("(c) Payment",), number="(c)(ii)"), "(c)(ii) Payment"),
        (Place(headings=("Payment",), number="4.2"), "Payment · 4.2"),
        (Place(headings=("Payment",), number="3"), "Payment · no. 3"),
        (Place(number="4.2"), "4.2"),
        (Place(part="Sheet Risks", table=2, row=14, headings=("Risks",)), "Sheet Risks · row 14"),
        (Place(table=2, row=14, headings=("Risks", "Open")), "Open · table 2, row 14"),
        (Place(slide=3, headings=("Slide 3",), part="Notes"), "slide 3 · Notes"),
        (Place(part="Attachment plan.pdf", page=2), "Attachment plan.pdf · p. 2"),
        (Place(page=2, part="Comment"), "p. 2 · Comment"),
        (Place(headings=("Payment", "You must not:")), "Payment"),
        (Place(headings=("Payment", "The fees are as follows"), number="3"), "Payment · no. 3"),
        (Place(page=2, headings=("BETWEEN",)), "p. 2"),
        (Place(headings=("Your duties",)), "Your duties"),
        (Place(headings=("Where we stand",)), "Where we stand"),
        (Place(headings=("long " * 50,)), "long " * 16 + "long…"),
        (Place(part="x" * 300), "x" * 196 + "…"),
    ],
)
def test_a_place_is_said_as_people_say_it(place: Place, text: str) -> None:
    assert describe_place(place) == text


def test_alike_sentences_are_listed_by_their_places() -> None:
    place = Place(page=7, headings=("4.2 Payment",))
    others = [Place(page=9), Place(page=9), Place(page=12), Place(table=1, row=14), Place(headings=("Rent",))]
    assert describe_place(place, others) == (
        "p. 7 · 4.2 Payment · and 5 alike: p. 9, p. 12, table 1, row 14, Rent"
    )
    assert describe_place(Place(), [Place(), Place()]) == "and 2 alike"
    many = describe_place(place, [Place(page=page) for page in range(100, 900)])
    assert many.startswith("p. 7 · 4.2 Payment · and 800 alike: p. 100, p. 101, ")
    assert many.endswith(", …")
    assert 190 < len(many) <= 200
    long = describe_place(Place(part="x" * 300), [Place(page=9)])
    assert len(long) <= 200
    assert long.endswith("… · and 1 alike")


def describe(name: str, data: bytes | str) -> list[tuple[str, str]]:
    return [(unit.text, describe_place(unit.place)) for unit in read(name, data).units]


def test_numbers_of_clauses_and_headings_are_in_the_place() -> None:
    text = (
        "1. Rent\n\nThe rent is due in May.\n\n1.1 The rent rises each year.\n\n"
        "(a) It never falls again.\n\n2. Repairs\n\n2.1 The Lessee repairs the roof. It is old.\n\n"
        "Article 7. The Lessee pays all fines."
    )
    assert describe("lease.txt", text) == [
        ("The rent is due in May.", "1 Rent"),
        ("The rent rises each year.", "1.1 Rent"),
        ("It never falls again.", "1.1(a) Rent"),
        ("The Lessee repairs the roof.", "2.1 Repairs"),
        ("It is old.", "2.1 Repairs"),
        ("The Lessee pays all fines.", "2 Repairs · Article 7"),
    ]


@pytest.mark.parametrize(
    ("marks", "numbers"),
    [
        ("4.2 (a) (i) (ii) (b) (i) (c)", "4.2 4.2(a) 4.2(a)(i) 4.2(a)(ii) 4.2(b) 4.2(b)(i) 4.2(c)"),
        ("2.1 (a) (i) (A) (B) (ii)", "2.1 2.1(a) 2.1(a)(i) 2.1(a)(i)(A) 2.1(a)(i)(B) 2.1(a)(ii)"),
        # the letters of the alphabet, and a list that begins anew
        ("4.3 (g) (h) (i) (j) (1) (2) (a)", "4.3 4.3(g) 4.3(h) 4.3(i) 4.3(j) 4.3(j)(1) 4.3(j)(2) 4.3(a)"),
        # items between them were not told
        ("5.1 (a) (d) (i) 6.1 (ii) (c)", "5.1 5.1(a) 5.1(d) 5.1(d)(i) 6.1 6.1(ii) 6.1(c)"),
    ],
)
def test_lists_in_lists_of_a_clause_keep_the_letters_of_each_level(marks: str, numbers: str) -> None:
    texts = describe("lease.txt", "\n\n".join(f"{mark} The tenant pays." for mark in marks.split()))
    assert [place for _, place in texts] == numbers.split()


def test_a_number_of_a_page_is_no_heading() -> None:
    numbers = ["Page -4-", "Page ii of 32", "CONFIDENTIAL Page 4 of 6", "17 April 2024 Version3 Page 1 of 2"]
    text = "Rent\n\n" + "".join(
        f"The rent rises by {number} euros.\n\n{page}\n\n" for number, page in enumerate(numbers)
    )
    assert {place for _, place in describe("lease.txt", text + "The end is near.")} == {"Rent"}
    about = "The owner sees Page 4 of 6"
    assert describe("lease.txt", f"Rent\n\n{about}\n\nHe is old.")[0] == (about, "Rent")


def test_the_number_of_a_clause_inside_a_paragraph_is_that_of_its_sentences() -> None:
    text = "The rent is due in May. 4.2 The rent rises each year. It never falls. The fee is 3.5 million."
    assert describe("lease.txt", text) == [
        ("The rent is due in May.", ""),
        ("4.2 The rent rises each year.", "4.2"),
        ("It never falls.", "4.2"),
        ("The fee is 3.5 million.", "4.2"),
    ]


def test_tables_sheets_and_attachments_are_named() -> None:
    made = docx.Document()
    made.add_heading("Open risks", 1)
    table = made.add_table(2, 2)
    for cell, text in zip(table._cells, ["ID", "Risk", "1", "The pier may sink"], strict=True):
        cell.text = text
    file = io.BytesIO()
    made.save(file)
    assert describe("register.docx", file.getvalue()) == [
        ("The pier may sink", "Open risks · table 1, row 2")
    ]
    csv = "ID,Risk\n1,The pier may sink\n"
    assert describe("register.csv", csv) == [("The pier may sink", "row 2")]
    book = Workbook()
    book.active.title = "Risks"
    for row in (["ID", "Risk"], ["1", "The pier may sink"]):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    assert describe("register.xlsx", file.getvalue()) == [("The pier may sink", "Sheet Risks · row 2")]
    message = email.message.EmailMessage()
    message["Subject"] = "Pier"
    message.set_content("The pier is rotten.")
    message.add_attachment(csv, filename="register.csv")
    assert describe("a.eml", message.as_bytes()) == [
        ("The pier is rotten.", "Pier"),
        ("The pier may sink", "Attachment register.csv · row 2"),
    ]
