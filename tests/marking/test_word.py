"""Marked Word documents: comments on the sentences, and everything else as it was."""

from __future__ import annotations

import io
import zipfile

import docx
import pytest

from riskscan.ai_service.errors import UnreadableDocument
from riskscan.ai_service.reading.blocks import Block
from riskscan.ai_service.reading.word import read_blocks
from riskscan.marking.placing import Mark
from riskscan.marking.word import mark_word
from tests.ai_service.documents import archive, body, word
from tests.support.application import SAMPLES


def mark(data: bytes, *sentences: str) -> tuple[bytes, list[int]]:
    return mark_word(
        data, [Mark(number, text, 0, f"Note {number}") for number, text in enumerate(sentences, 1)]
    )


def commented(data: bytes) -> dict[str, str]:
    """Return the text that each comment stands on, by the comment's text, as python-docx reads them."""
    document = docx.Document(io.BytesIO(data))
    notes = {comment.comment_id: comment.text for comment in document.comments}
    open_ranges: dict[int, list[str]] = {}
    found: dict[str, str] = {}
    for node in document.element.iter():
        name = str(node.tag).rpartition("}")[2]
        if name == "commentRangeStart":
            open_ranges[int(node.get(f"{{{node.nsmap['w']}}}id"))] = []
        elif name == "commentRangeEnd":
            number = int(node.get(f"{{{node.nsmap['w']}}}id"))
            found[notes[number]] = "".join(open_ranges.pop(number))
        elif name == "t":
            for texts in open_ranges.values():
                texts.append(node.text or "")
    assert open_ranges == {}
    return found


def without_comments(data: bytes) -> list[Block]:
    return [block for block in read_blocks(data, []) if block.kind != "comment"]


def paragraph(*runs: str) -> str:
    return (
        "<w:p>"
        + "".join(f'<w:r><w:rPr><w:b/></w:rPr><w:t xml:space="preserve">{run}</w:t></w:r>' for run in runs)
        + "</w:p>"
    )


def test_comment_stands_on_exactly_the_sentence() -> None:
    data = word(body(paragraph("First one. The bud", "get is ti", "ght. Last one.")))
    marked, placed = mark(data, "The budget is tight.")
    assert placed == [1]
    assert commented(marked) == {"Note 1": "The budget is tight"}
    assert without_comments(marked) == without_comments(data)
    runs = docx.Document(io.BytesIO(marked)).paragraphs[0].runs
    assert all(run.bold for run in runs if run.text)


def test_sentences_in_one_run_and_inside_each_other_are_commented() -> None:
    data = word(body(paragraph("A is late. B is late. C is late.")))
    marked, placed = mark(data, "C is late.", "A is late.", "A is late.", "B is late.")
    assert placed == [1, 2, 3, 4]
    assert commented(marked) == {
        "Note 1": "C is late", "Note 2": "A is late", "Note 3": "A is late", "Note 4": "B is late",
    }  # fmt: skip
    assert [comment.text for comment in docx.Document(io.BytesIO(marked)).comments] == [
        "Note 2", "Note 3", "Note 4", "Note 1",
    ]  # fmt: skip


def test_tables_links_and_tracked_changes_are_commented_and_stay() -> None:
    data = word(
        body(
            "<w:tbl><w:tr><w:tc>" + paragraph("The server may fail.") + "</w:tc></w:tr></w:tbl>"
            '<w:p><w:r><w:t xml:space="preserve">It is </w:t></w:r>'
            '<w:del w:id="7" w:author="A"><w:r><w:delText>not </w:delText></w:r></w:del>'
            '<w:ins w:id="8" w:author="A"><w:r><w:t xml:space="preserve">very late. And </w:t></w:r></w:ins>'
            '<w:hyperlink w:anchor="x"><w:r><w:t>costs may rise.</w:t></w:r></w:hyperlink></w:p>'
        )
    )
    marked, placed = mark(data, "The server may fail.", "It is very late.", "And costs may rise.")
    assert placed == [1, 2, 3]
    assert commented(marked) == {
        "Note 1": "The server may fail", "Note 2": "It is very late", "Note 3": "And costs may rise",
    }  # fmt: skip
    xml = zipfile.ZipFile(io.BytesIO(marked)).read("word/document.xml")
    assert xml.count(b"<w:delText>not </w:delText>") == 1
    assert without_comments(marked) == without_comments(data)


def test_codes_of_fields_hidden_and_deleted_text_are_no_part_of_a_sentence() -> None:
    field = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    data = word(
        body(
            '<w:p><w:r><w:t xml:space="preserve">See </w:t></w:r>' + field.format("begin")
            + "<w:r><w:t>REF late</w:t></w:r>" + field.format("separate")
            + '<w:r><w:t xml:space="preserve">clause 4</w:t></w:r>' + field.format("end")
            + "<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r>"
            '<w:r><w:t xml:space="preserve"> of it.</w:t></w:r></w:p>'
        )
    )  # fmt: skip
    marked, placed = mark(data, "See clause 4 of it.")
    assert placed == [1]
    assert without_comments(marked) == without_comments(data)


def test_findings_that_are_not_found_are_listed_in_the_first_comment() -> None:
    data = word(body(paragraph("The budget is tight.")))
    marked, placed = mark(data, "The moon may fall.", "The budget is tight.")
    assert placed == [2]
    first, second = docx.Document(io.BytesIO(marked)).comments
    assert first.text.splitlines()[0] == "RiskScan · findings that were not found in the text: 1"
    assert "Note 1" in first.text
    assert "“The moon may fall.”" in first.text
    assert (second.text, second.author, second.initials) == ("Note 2", "RiskScan", "RS")


def test_earlier_comments_stay_and_numbers_go_on() -> None:
    document = docx.Document()
    run = document.add_paragraph("The budget is tight.").runs[0]
    document.add_comment(run, "Really?", author="Ana")
    file = io.BytesIO()
    document.save(file)
    marked, _ = mark(file.getvalue(), "The budget is tight.")
    comments = list(docx.Document(io.BytesIO(marked)).comments)
    assert [(comment.author, comment.text) for comment in comments] == [
        ("Ana", "Really?"),
        ("RiskScan", "Note 1"),
    ]
    assert len({comment.comment_id for comment in comments}) == 2


def test_all_other_parts_stay_byte_by_byte() -> None:
    data = (SAMPLES / "charter.docx").read_bytes()
    texts = [block.texts[0] for block in read_blocks(data, []) if block.kind == "paragraph"]
    marked, placed = mark(data, *texts[-1:])
    assert placed == [1]
    before, after = (zipfile.ZipFile(io.BytesIO(file)) for file in (data, marked))
    changed = {name for name in before.namelist() if before.read(name) != after.read(name)}
    assert changed <= {"word/document.xml", "[Content_Types].xml", "word/_rels/document.xml.rels"}
    assert set(after.namelist()) - set(before.namelist()) == {"word/riskscan-comments.xml"}
    assert without_comments(marked) == without_comments(data)


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    data = word(body(paragraph("The budget is tight.")))
    marked, _ = mark_word(data, [Mark(1, "The budget is tight.", 0, "a\x00b\x0b\ud800<w:t>&amp;")])
    (comment,) = docx.Document(io.BytesIO(marked)).comments
    assert comment.text == "a\ufffdb\ufffd\ufffd<w:t>&amp;"


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 no archive",
        archive({"word/document.xml": "<x/>"}),
        word("<w:document"),
        word(body("")),
        word(body(paragraph("&bomb;"), before='<!DOCTYPE x [<!ENTITY bomb "The budget is tight.">]>')),
    ],
)
def test_damaged_document_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        mark(data, "The budget is tight.")
