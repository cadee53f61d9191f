# ruff: noqa: E501
"""Rich Text Format."""

import pytest

from riskscan.ai_service.errors import UnreadableDocument
from tests.ai_service.documents import read

HEAD = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Arial;}}{\info{\title Late risk}}"


def texts(body: str, head: str = HEAD) -> list[str]:
    return read("a.rtf", f"{head}{body}}}").texts


def test_paragraphs_items_and_headings_are_read() -> None:
    body = r"\pard\b Open points\b0\par\pard The pier is {\b very} old.\par{\listtext\'b7\tab}The lamp fails at night.\par 1.\tab The gate is stuck.\par"
    reading = read("a.rtf", f"{HEAD}{body}}}")
    assert [(unit.text, unit.kind, unit.place.headings) for unit in reading.units] == [
        ("The pier is very old.", "sentence", ("Open points",)),
        ("The lamp fails at night.", "item", ("Open points",)),
        ("The gate is stuck.", "item", ("Open points",)),
    ]


def test_characters_beyond_ascii_are_read() -> None:
    assert texts(r"The caf\'e9 isn\rquote t \u8220?open\u8221? \u-10179?\u-8704? for us.\par") == [
        "The café isn’t “open” 😀 for us."
    ]
    cyrillic = r"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 Arial;}}\f0 "
    assert texts(r"\'cc\'ee\'f1\'f2 \'e7\'e0\'ea\'f0\'fb\'f2.\par", cyrillic) == ["Мост закрыт."]


def test_tables_are_rows() -> None:
    row = r"\trowd\cellx100\cellx200\pard\intbl {}\cell {}\cell\row"
    body = (
        row.format("Risk", "Status")
        + row.format(r"The pump\line leaks.\par It is old.", "Open")
        + r"\pard The end is near.\par"
    )
    reading = read("a.rtf", f"{HEAD}{body}}}")
    assert [block.names for block in reading.blocks if block.kind == "row"] == [("Risk", "Status")]
    assert reading.texts == ["The pump leaks.", "It is old.", "The end is near."]


def test_links_footnotes_and_hidden_text() -> None:
    body = (
        r'The pier{\footnote\pard The {\i pier} is of 1911.} is closed, see {\field{\*\fldinst{HYPERLINK "https://example.org/late"}}{\fldrslt{the letter}}}.\par'
        r"{\v It is late.}{\deleted It is lost.}{\pict\pngblip 89504e47} The ferry sank.\par"
    )
    assert texts(body) == ["The pier is closed, see the letter.", "The ferry sank.", "The pier is of 1911."]


@pytest.mark.parametrize(
    "body",
    [
        r"The pier {\strike was {\b never} closed}may sink.",
        r"The pier \strike was closed\strike0 may sink.",
        r"The pier {\rtlch\fcs1 \ltrch\fcs0 \striked1\insrsid1 was closed }{\rtlch\fcs1 may sink.}",
        r"The pier \v was clos\'e9d \{\b now\}\plain may sink.",
        r"{\strike Was \strike0 The pier }may \strike\v never \v0 really \strike0 sink.",
    ],
)
def test_struck_out_and_hidden_text_is_left_out(body: str) -> None:
    assert texts(body + r"\par") == ["The pier may sink."]


def test_hidden_text_glues_no_paragraphs_and_changes_no_font() -> None:
    body = r"The pier may sink.\par \strike The lamp failed.\par The gate failed.\par\strike0 The ferry sank.\par"
    assert texts(body) == ["The pier may sink.", "The ferry sank."]
    cyrillic = r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial;}}\f0 "
    assert texts(r"\v Late \f1 \v0\'cc\'ee\'f1\'f2 \'e7\'e0\'ea\'f0\'fb\'f2.\par", cyrillic) == [
        "Мост закрыт."
    ]


def test_comments_follow_the_text() -> None:
    body = r"The pier{\*\atnauthor Ana}\chatn {\*\annotation{\*\atnref 1}\pard The {\i pier} may sink.} is closed.\par"
    assert texts(body) == ["The pier is closed.", "The pier may sink."]


def test_words_that_begin_like_binary_data_are_none() -> None:
    body = r"\binfsxn4\binsxn4 The pier is closed.{\pict\jpegblip\bin ffd8ffe0}\par The ferry sank.\par"
    assert texts(body) == ["The pier is closed.", "The ferry sank."]


@pytest.mark.parametrize(
    "body",
    [
        r"{\field{\*\fldinst{HYPERLINK " * 20_000,
        "{" * 100_000,
        "}" * 100_000,
        r"{\footnote a" * 5_000,
        r"\trowd a\cell " * 20_000,
        r"{\pict " + "0af " * 200_000 + "}",
        "{\\v " * 30_000,
    ],
)
def test_hostile_documents_are_read_in_little_time(body: str) -> None:
    texts(rf"The pier is closed.\par {body}")


def test_a_font_table_without_an_end_is_refused() -> None:
    with pytest.raises(UnreadableDocument):
        texts("", r"{\rtf1{\fonttbl" + r"\f1 a" * 20_000)


def test_a_break_inside_a_sentence_is_a_space_between_short_lines_it_is_not() -> None:
    assert texts(r"The pier may\line sink in winter.\par\pard Pier is old.\line Quay is older.\par") == [
        "The pier may sink in winter.",
        "Pier is old.",
        "Quay is older.",
    ]
