# ruff: noqa: E501
"""OpenDocument text: what a reader sees of it once all changes are accepted."""

import pytest

from riskscan.ai_service.errors import UnreadableDocument
from riskscan.file_types import OPENDOCUMENT
from tests.ai_service.documents import Reading, archive, read

SPACES = {
    **{
        prefix: f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"
        for prefix, name in (
            ("office", "office"),
            ("text", "text"),
            ("table", "table"),
            ("style", "style"),
            ("draw", "drawing"),
        )
    },
    "dc": "http://purl.org/dc/elements/1.1/",
    "svg": "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0",
}
STYLES = """
<style:style style:name="P7" style:family="paragraph" style:parent-style-name="Title"/>
<style:style style:name="Secret" style:family="text"><style:text-properties text:display="none"/></style:style>
<style:style style:name="Struck" style:family="text"><style:text-properties style:text-line-through-style="solid"/></style:style>
<style:style style:name="Plain" style:family="text"><style:text-properties style:text-line-through-style="none"/></style:style>
<style:style style:name="Gone" style:family="paragraph"><style:text-properties style:text-line-through-style="solid"/></style:style>
<style:style style:name="Veiled" style:family="paragraph"><style:text-properties text:display="none"/></style:style>
<style:style style:name="Child" style:family="paragraph" style:parent-style-name="Veiled"/>
"""


def element(name: str, inner: str) -> str:
    spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in SPACES.items())
    return f'<?xml version="1.0"?><office:{name} {spaces}>{inner}</office:{name}>'


def document(inner: str, **parts: str) -> bytes:
    content = f"<office:automatic-styles>{STYLES}</office:automatic-styles><office:body><office:text>{inner}</office:text></office:body>"
    common = '<office:styles><style:style style:name="Title" style:family="paragraph"/></office:styles>'
    return archive(
        {
            "mimetype": OPENDOCUMENT.content_types[0],
            "content.xml": element("document-content", content),
            "styles.xml": element("document-styles", common + parts.pop("master", "")),
            **parts,
        }
    )


def read_text(inner: str, **parts: str) -> Reading:
    return read("plan.odt", document(inner, **parts))


def par(inner: str, style: str = "Standard") -> str:
    return f'<text:p text:style-name="{style}">{inner}</text:p>'


def table(*rows: list[str]) -> str:
    cells = (
        "".join(
            c if c.startswith("<table:") else f"<table:table-cell>{par(c)}</table:table-cell>" for c in row
        )
        for row in rows
    )
    return (
        "<table:table>"
        + "".join(f"<table:table-row>{row}</table:table-row>" for row in cells)
        + "</table:table>"
    )


def kinds(reading: Reading) -> list[tuple[str, str]]:
    return [(block.kind, " | ".join(block.texts)) for block in reading.blocks]


def test_headings_paragraphs_and_items_are_told_apart() -> None:
    inner = (
        par("Plan of the pier", "P7")
        + '<text:h text:outline-level="3">What may fail</text:h>'
        + par("The pier may sink.")
        + f"<text:list><text:list-item>{par('The roof may leak')}<text:list><text:list-item>{par('Over the oven')}"
        + "</text:list-item></text:list></text:list-item></text:list>"
    )
    assert [(block.kind, block.level, block.texts[0]) for block in read_text(inner).blocks] == [
        ("heading", 1, "Plan of the pier"),
        ("heading", 3, "What may fail"),
        ("paragraph", 0, "The pier may sink."),
        ("item", 0, "The roof may leak"),
        ("item", 0, "Over the oven"),
    ]


def test_spaces_tabs_and_line_breaks_do_not_glue_words() -> None:
    inner = par(
        'The<text:s text:c="900000000"/>pier<text:tab/>may<text:line-break/>sink <text:span>in a</text:span> storm.'
    )
    assert kinds(read_text(inner)) == [("paragraph", "The pier may sink in a storm.")]


def test_comments_and_notes_follow_their_paragraph() -> None:
    comment = f"<office:annotation><dc:creator>Ana</dc:creator><dc:date>2026</dc:date>{par('Nobody has asked the ferry.')}</office:annotation>"
    note = f'<text:note text:note-class="endnote"><text:note-citation>1</text:note-citation><text:note-body>{par("The survey is old.")}</text:note-body></text:note>'
    reading = read_text(par(f"The pier{comment} is closed{note}.") + par("The bakery opens."))
    assert [(block.kind, block.texts[0], block.place.part) for block in reading.blocks] == [
        ("paragraph", "The pier is closed.", ""),
        ("comment", "Nobody has asked the ferry.", "Comment"),
        ("footnote", "The survey is old.", "Endnote"),
        ("paragraph", "The bakery opens.", ""),
    ]


def test_deleted_and_hidden_text_and_lists_of_contents_are_left_out() -> None:
    inner = (
        f"<text:tracked-changes><text:changed-region><text:deletion>{par('Gone for good')}</text:deletion></text:changed-region></text:tracked-changes>"
        f"<text:table-of-content><text:index-body>{par('What may fail 7')}</text:index-body></text:table-of-content>"
        + par('The pier <text:span text:style-name="Secret">secretly </text:span>is closed.')
        + par("Nobody may read this.", "Child")
        + par('<text:hidden-paragraph text:is-hidden="true"/>Nor may they read this.')
        + f'<text:section text:display="none">{par("Nor this section.")}</text:section>'
        + f"<text:section>{par('But this one is shown.')}</text:section>"
    )
    assert read_text(inner).texts == ["The pier is closed.", "But this one is shown."]


def test_struck_out_text_is_left_out() -> None:
    inner = par(
        'The tenant may <text:span text:style-name="Struck">never </text:span>leave '
        '<text:span text:style-name="Plain">at once</text:span>.'
    )
    assert read_text(inner).texts == ["The tenant may leave at once."]
    # a part that turns off the strike of the paragraph, or of the part around it
    inner = (
        '<text:p text:style-name="Gone">The roof leaks. <text:span text:style-name="Plain">It may fall.'
        "</text:span> It is old.</text:p>"
        '<text:p>The <text:span text:style-name="Struck">old <text:span text:style-name="Plain">quay '
        "</text:span>wall </text:span>may sink.</text:p>"
    )
    assert read_text(inner).texts == ["It may fall.", "The quay may sink."]


def test_text_boxes_and_shapes_are_paragraphs_of_their_own() -> None:
    frame = f"<draw:frame><draw:text-box>{par('The crane is rusty.')}</draw:text-box><svg:title>A crane</svg:title></draw:frame>"
    group = f"<draw:g><draw:custom-shape>{par('Its brakes failed.')}</draw:custom-shape></draw:g>"
    assert read_text(par(f"The quay {frame}is full.{group}")).texts == [
        "The quay is full.",
        "The crane is rusty.",
        "Its brakes failed.",
    ]


def test_headers_and_footers_are_read_once_and_named() -> None:
    pages = "".join(
        f"<style:master-page><style:header>{par('Draft under hold')}</style:header><style:footer-left>{par('Not for tenants')}</style:footer-left></style:master-page>"
        for _ in range(2)
    )
    reading = read_text(
        par("The pier is closed."), master=f"<office:master-styles>{pages}</office:master-styles>"
    )
    assert [(block.texts[0], block.place.part) for block in reading.blocks] == [
        ("Draft under hold", "Header"),
        ("Not for tenants", "Footer"),
        ("The pier is closed.", ""),
    ]


def test_rows_have_the_names_of_their_columns_over_merged_and_repeated_cells() -> None:
    head = (
        "<table:table-header-rows><table:table-row>"
        + "".join(
            f"<table:table-cell>{par(name)}</table:table-cell>" for name in ("ID", "Risk", "Owner", "Status")
        )
        + "</table:table-row></table:table-header-rows>"
    )
    wide = f'<table:table-cell table:number-columns-spanned="2">{par("The pier may sink")}</table:table-cell><table:covered-table-cell/>'
    far = '<table:table-cell table:number-columns-repeated="2000000000"/>'
    inner = table(["1", wide, "Open"], ["2", "The roof may leak", far]).replace(
        "<table:table>", f"<table:table>{head}"
    )
    rows = read_text(inner).blocks
    assert [row.texts for row in rows] == [["1", "The pier may sink", "", "Open"], ["2", "The roof may leak"]]
    assert rows[0].names == ("ID", "Risk", "Owner", "Status")


def test_a_row_that_is_repeated_a_billion_times_is_read_once_and_a_hidden_one_not() -> None:
    cells = f"<table:table-cell>{par('The pier may sink')}</table:table-cell><table:table-cell>{par('Open')}</table:table-cell>"
    inner = (
        f'<table:table><table:table-row table:number-rows-repeated="1000000000">{cells}</table:table-row>'
        f'<table:table-row table:visibility="collapse">{cells}</table:table-row></table:table>'
    )
    assert kinds(read_text(inner)) == [("row", "The pier may sink | Open")]


def test_nested_tables_are_tables_of_their_own() -> None:
    inner = table(["ID", "Risk"], ["1", "The pier may sink"])
    outer = f"<table:table-cell>{par('text above it')}{inner}</table:table-cell>"
    assert [
        (block.texts, block.place.table) for block in read_text(table(["left", outer], ["a", "b"])).blocks
    ] == [
        (["left", "text above it"], 1),
        (["a", "b"], 1),
        (["1", "The pier may sink"], 2),
    ]


def test_an_encrypted_document_is_refused_in_words() -> None:
    with pytest.raises(UnreadableDocument, match="password"):
        read_text("", **{"META-INF/manifest.xml": "<manifest:encryption-data/>"})
    with pytest.raises(UnreadableDocument, match="damaged"):
        read("plan.odt", archive({"mimetype": OPENDOCUMENT.content_types[0]}))
