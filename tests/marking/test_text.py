"""Marked texts as a page: the text as it was, escaped, with marks and the notes beside it."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from lxml import html

from riskscan.ai_service.errors import UnreadableDocument
from riskscan.marking.placing import Mark
from riskscan.marking.text import POLICY, mark_text
from tests.support.application import SAMPLES

TIGHT = "The budget is tight."


def mark(name: str, data: bytes, *sentences: str) -> tuple[str, list[int]]:
    page, placed = mark_text(
        name, data, [Mark(number, text, 0, f"Note {number}") for number, text in enumerate(sentences, 1)]
    )
    return page.decode(), placed


def marked(page: str) -> list[str]:
    """Return what is marked, without the numbers of the notes."""
    root = html.fromstring(page)
    for node in root.xpath("//mark/sup"):
        node.drop_tree()
    return [node.text_content() for node in root.xpath("//mark")]


def body_of(page: str) -> str:
    root = html.fromstring(page)
    for node in root.xpath("//mark/sup"):
        node.drop_tree()
    return str(root.xpath("string(//main)"))


@pytest.mark.parametrize("name", ["", "plan.txt", "plan.md", "plan.csv"])
def test_source_is_shown_character_by_character(name: str) -> None:
    text = "# Plan\r\n\r\n- **The budget**\r\n  is tight.  <b>& more</b>\r\n"
    page, placed = mark(name, text.encode(), TIGHT)
    assert placed == [1]
    assert marked(page) == ["The budget**\n  is tight"]
    assert body_of(page).strip() == text.replace("\r\n", "\n").strip()


def test_hostile_text_name_and_note_are_escaped() -> None:
    script = "<script>alert(1)</script>"
    page, placed = mark_text(
        f'"{script}.txt', f"{script}\n{TIGHT} {script}".encode(), [Mark(1, TIGHT, 0, f"</li>{script}\"'")]
    )
    assert placed == [1]
    assert b"<script" not in page
    assert html.fromstring(page).xpath("//script") == []


def test_policy_of_the_page_allows_its_style_and_nothing_else() -> None:
    page, _ = mark("", TIGHT.encode(), TIGHT)
    (style,) = re.findall("<style>(.*)</style>", page)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert (f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{digest}'") == POLICY
    assert f'content="{POLICY}"' in page


def test_marks_and_notes_link_to_each_other() -> None:
    root = html.fromstring(mark("", f"A is late. {TIGHT}".encode(), "A is late.", TIGHT, TIGHT)[0])
    links = {link.get("href").removeprefix("#") for link in root.iter("a")}
    assert links == {f"{kind}-{number}" for kind in ("mark", "finding") for number in (1, 2, 3)}
    assert links <= {node.get("id") for node in root.iter()}


def test_findings_are_listed_with_their_sentences() -> None:
    page, placed = mark("", TIGHT.encode(), "The moon may fall.", TIGHT)
    assert placed == [2]
    assert "<h2>Not found in the text: 1</h2>" in page
    assert page.count("“The moon may fall.”") == page.count(f"“{TIGHT}”") == 1


def test_targets_of_links_in_markdown_are_no_part_of_a_sentence() -> None:
    text = '<a id="x"></a>The [budget](https://example.com/a(b)c "title") is <span class="y">tight</span>.'
    assert mark("a.md", text.encode(), TIGHT)[1] == [1]


@pytest.mark.parametrize("name", ["a.html", "a.eml", "a.rtf"])
def test_other_formats_are_shown_as_they_are_read(name: str) -> None:
    data = {
        "a.html": b"<h1>Plan</h1><table><tr><td>R1</td><td>The <b>budget</b> is tight.</td></tr></table>",
        "a.eml": b"Subject: Plan\nContent-Type: text/plain\n\nHello,\n\nThe budget is tight.\n",
        "a.rtf": rb"{\rtf1 Plan\par The budget is tight.\par}",
    }[name]
    page, placed = mark(name, data, TIGHT)
    assert placed == [1]
    assert marked(page) == ["The budget is tight"]


@pytest.mark.parametrize(
    ("name", "data", "heading"),
    [
        (
            "a.html",
            "<h1>Scope creep</h1><p>Long text.</p><ul><li>Scope creep</li></ul>",
            "<h2>Scope creep</h2>",
        ),
        ("a.md", "# Scope creep\n\nLong text.\n\n- Scope creep\n", "# Scope creep\n"),
    ],
)
def test_heading_with_the_same_words_is_not_marked(name: str, data: str, heading: str) -> None:
    page, placed = mark(name, data.encode(), "Scope creep")
    assert placed == [1]
    assert heading in page


def test_binary_file_is_refused() -> None:
    with pytest.raises(UnreadableDocument):
        mark("a.txt", bytes(range(256)) * 20, TIGHT)


def test_sentences_of_the_sample_are_marked() -> None:
    data = (SAMPLES / "charter.txt").read_bytes()
    lines = [line for line in data.decode().splitlines() if line.endswith(".")]
    page, placed = mark("charter.txt", data, *lines)
    assert placed == [*range(1, len(lines) + 1)]
    assert body_of(page).split() == data.decode().split()
