# ruff: noqa: E501
"""Emails with their attachments."""

import io
import zipfile
from email.message import EmailMessage

import openpyxl
import pytest

from tests.ai_service.documents import archive, read


def message(text: str, subject: str = "Pump house") -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Ana Prem <ana@example.org>"
    made["To"] = "Bo Lind <bo@example.org>"
    made["Subject"] = subject
    made.set_content(text)
    return made


def workbook(sheet: str, text: str, is_hidden: bool = False) -> bytes:
    book = openpyxl.Workbook()
    book.create_sheet(sheet).append([text])
    book[sheet].sheet_state = "hidden" if is_hidden else "visible"
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_subject_is_a_heading_and_the_plain_text_is_read() -> None:
    made = message("The café is closed.\n\n-- \nAna, Late Risk Office\n", subject="Re: Fwd: Über die Pumpe")
    made.add_alternative("<p>The café is closed.</p><p>Late risk.</p>", subtype="html")
    reading = read("a.eml", made.as_bytes())
    assert [(unit.text, unit.place.headings) for unit in reading.units] == [
        ("The café is closed.", ("Über die Pumpe",))
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_message_that_was_saved_as_text_is_read(encoding: str) -> None:
    source = message("The pier is closed.").as_string()
    reading = read("a.eml", source.encode(encoding))
    assert [(unit.text, unit.place.headings) for unit in reading.units] == [
        ("The pier is closed.", ("Pump house",))
    ]


def test_html_is_read_where_the_plain_text_says_nothing() -> None:
    made = message("No HTML.")
    page = "<p>The pump that we bought in May is broken and nobody repairs it.</p><div>Get <a href='https://aka.ms/o0ukef'>Outlook for iOS</a></div><div><p>On Monday, 2 May 2026, Bo wrote:</p><blockquote>The pier is closed.</blockquote></div>"
    made.add_alternative(page, subtype="html")
    assert read("a.eml", made.as_bytes()).texts == [
        "The pump that we bought in May is broken and nobody repairs it.",
        "The pier is closed.",
    ]


def test_quoted_messages_are_read() -> None:
    made = message(
        "See below.\n\nOn Mon, 2 Nov 2026 at 09:14, Bo wrote:\n> The pump will not be shipped before May, and we\n> have paid it.\n"
    )
    assert read("a.eml", made.as_bytes()).texts == [
        "See below.",
        "The pump will not be shipped before May, and we have paid it.",
    ]


@pytest.mark.parametrize("charset", ["us-ascii", "iso-8859-1", "nonsense", "utf-8"])
def test_a_wrong_charset_does_no_harm(charset: str) -> None:
    head = f"Subject: Pump\nContent-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    assert read("a.eml", head + "The café is closed – “today”.\n").texts == ["The café is closed – “today”."]
    if charset == "iso-8859-1":
        assert read("a.eml", head.encode() + "The café is closed.\n".encode("latin-1")).texts == [
            "The café is closed."
        ]


def test_attachments_of_known_types_are_read_and_others_named() -> None:
    made = message("See the register.")
    made.add_attachment(
        b"ID,Risk\n1,The roof may leak\n", maintype="text", subtype="csv", filename="../register.csv"
    )
    made.add_attachment(b"PK", maintype="application", subtype="zip", filename="plans.zip")
    made.add_attachment(b"%PDF-1.7 no more", maintype="application", subtype="pdf", filename="plan.pdf")
    made.add_attachment(b"\x89PNG", maintype="image", subtype="png", cid="<logo>", disposition="inline")
    reading = read("a.eml", made.as_bytes())
    assert [(unit.text, unit.place.part) for unit in reading.units] == [
        ("See the register.", ""),
        ("The roof may leak", "Attachment register.csv"),
    ]
    assert reading.notes == [
        "“plan.pdf”: The attachment was not read. The PDF is damaged and could not be read.",
        "Attachments that were not read: “plans.zip”.",
    ]


def test_notes_on_an_attachment_name_it() -> None:
    file = workbook("Old", "The pier is rotten.", is_hidden=True)
    made = message("See the workbooks.")
    for name in ("north.xlsx", "south.xlsx"):
        made.add_attachment(file, maintype="application", subtype="octet-stream", filename=name)
    assert read("a.eml", made.as_bytes()).notes == [
        "“north.xlsx”: Hidden sheets were read too: “Old”.",
        "“south.xlsx”: Hidden sheets were read too: “Old”.",
    ]


def test_an_attachment_that_its_parser_fails_on_does_not_spoil_the_rest() -> None:
    parts = zipfile.ZipFile(io.BytesIO(workbook("Open", "The pier is rotten.")))
    damaged = {
        name: parts.read(name).replace(b'baseColWidth="8"', b'baseColWidth="x"') for name in parts.namelist()
    }
    made = message("The pump leaks.")
    made.add_attachment(archive(damaged), maintype="application", subtype="octet-stream", filename="a.xlsx")
    reading = read("a.eml", made.as_bytes())
    assert reading.texts == ["The pump leaks."]
    assert reading.notes == [
        "“a.xlsx”: The attachment was not read. The document is damaged and could not be read."
    ]


def test_attached_messages_are_read() -> None:
    outer = message("See the old letter.")
    inner = message("The old pump leaks badly.", subject="Old pump")
    inner.add_attachment("The pier is rotten.", filename="pier.txt")
    outer.add_attachment(inner)
    outer.add_attachment(
        message("The gate is stuck.").as_bytes(),
        maintype="application",
        subtype="octet-stream",
        filename="gate.eml",
    )
    assert [(unit.text, unit.place.part) for unit in read("a.eml", outer.as_bytes()).units] == [
        ("See the old letter.", ""),
        ("The old pump leaks badly.", "Attachment message 1"),
        ("The pier is rotten.", "Attachment message 1, Attachment pier.txt"),
        ("The gate is stuck.", "Attachment gate.eml"),
    ]


def test_messages_in_messages_are_read_to_a_bound() -> None:
    made = message("The pump number 0 leaks.")
    for number in range(1, 12):
        outer = message(f"The pump number {number} leaks.")
        outer.add_attachment(made)
        made = outer
    reading = read("a.eml", made.as_bytes())
    assert reading.texts[0] == "The pump number 11 leaks."
    assert 3 < len(reading.texts) < 9
    assert reading.notes == ["Attachments that were not read: “message 1”."]


@pytest.mark.parametrize(
    "text",
    [
        "Subject: " + "=?utf-8?q?a?= " * 50_000 + "\n\nThe pier is closed.\n",
        "Content-Type: text/plain; " + "a=b; " * 100_000 + "\n\nThe pier is closed.\n",
        "Subject: =?utf-8?q?=FF=?=\nContent-Type: ;;;/\nContent-Disposition: ===\n\nThe pier is closed.\n",
        "Content-Type: multipart/mixed; boundary=a\n\n" + "--a\n\nThe pier is closed.\n" * 3_000 + "--a--\n",
        "Content-Type: multipart/mixed; boundary=a\n\nThe pier is closed.\n",
    ],
)
def test_damaged_and_hostile_messages_are_read(text: str) -> None:
    assert set(read("a.eml", text).texts) <= {"The pier is closed."}
