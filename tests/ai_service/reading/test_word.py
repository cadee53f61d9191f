# ruff: noqa: E501
"""Word documents: what a reader sees of them once all changes are accepted."""

import pytest

from riskscan.ai_service.errors import UnreadableDocument
from riskscan.ai_service.reading.blocks import Block
from riskscan.file_types import WORD
from tests.ai_service.documents import Reading, archive, content_types, read, relationships

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SPACES = {
    "w": W,
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
    "v": "urn:schemas-microsoft-com:vml",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
}
DOCX = WORD.content_types[0]
OPEN_XML = "application/vnd.openxmlformats-officedocument.wordprocessingml"
TYPES = {
    f"word/{name}.xml": f"{OPEN_XML}.{kind}+xml"
    for name, kind in (("styles", "styles"), ("foot", "footer"), ("default", "header"), ("first", "header"))
}
STYLES = {
    "Normal": '<w:name w:val="Normal"/>',
    "Heading2": '<w:name w:val="heading 2"/>',
    "Clause": '<w:name w:val="Clause title"/><w:basedOn w:val="Heading2"/>',
    "Body": '<w:name w:val="Body under clause"/><w:basedOn w:val="Heading2"/><w:pPr><w:outlineLvl w:val="9"/></w:pPr>',
    "Kopf": '<w:name w:val="Überschrift 3"/>',
    "Outlined": '<w:name w:val="Firm style 7"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr>',
    "Bullet": '<w:name w:val="Firm bullet"/><w:pPr><w:numPr><w:numId w:val="4"/></w:numPr></w:pPr>',
    "Secret": '<w:name w:val="Secret"/><w:rPr><w:vanish/></w:rPr>',
    "Circle": '<w:name w:val="Circle"/><w:basedOn w:val="Circle"/>',
    "TOC1": '<w:name w:val="toc 1"/>',
}


def element(name: str, inner: str) -> str:
    spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in SPACES.items())
    return f'<?xml version="1.0"?><w:{name} {spaces}>{inner}</w:{name}>'


def document(
    inner: str,
    parts: dict[str, tuple[str, str | bytes]] | None = None,
    main: str = "word/document.xml",
    media_type: str = DOCX,
) -> bytes:
    """A Word file with this body; `parts` are further parts by ID, each with its kind and content."""
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{style}">{properties}</w:style>'
        for style, properties in STYLES.items()
    )
    linked = {"styles": ("styles", element("styles", styles)), **(parts or {})}
    name = main.rpartition("/")[2]
    return archive(
        {
            "[Content_Types].xml": content_types({main: media_type, **TYPES}),
            "_rels/.rels": relationships({"r1": ("officeDocument", main)}),
            main: element("document", f"<w:body>{inner}</w:body>"),
            f"word/_rels/{name}.rels": relationships({n: (k, f"{n}.xml") for n, (k, _) in linked.items()}),
            **{f"word/{number}.xml": content for number, (_, content) in linked.items()},
        }
    )


def read_word(inner: str, **parts: tuple[str, str | bytes]) -> Reading:
    return read("plan.docx", document(inner, parts))


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def par(*runs: str, style: str = "", properties: str = "") -> str:
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    inner = "".join(one if one.startswith("<") else run(one) for one in runs)
    return f"<w:p><w:pPr>{named}{properties}</w:pPr>{inner}</w:p>"


def table(*rows: list[str], before: str = "") -> str:
    cells = ["".join(f"<w:tc>{c if c.startswith('<') else par(c)}</w:tc>" for c in row) for row in rows]
    return "<w:tbl>" + "".join(f"<w:tr>{before}{row}</w:tr>" for row in cells) + "</w:tbl>"


def kinds(reading: Reading) -> list[tuple[str, str]]:
    return [(block.kind, " | ".join(block.texts)) for block in reading.blocks]


def rows(reading: Reading) -> list[Block]:
    return [block for block in reading.blocks if block.kind == "row"]


# -- the package -----------------------------------------------------------------------------------


def test_the_main_part_is_the_one_the_package_names() -> None:
    reading = read("plan.docx", document(par("The pier is closed."), main="word/document7.xml"))
    assert reading.texts == ["The pier is closed."]


@pytest.mark.parametrize("name", ["word\\document.xml", "WORD/Document.xml"])
def test_names_of_parts_are_compared_without_case_and_with_either_slash(name: str) -> None:
    data = archive(
        {
            "[Content_Types].xml": content_types({"word/document.xml": DOCX}),
            "_rels/.rels": relationships({"r1": ("officeDocument", "/word/document.xml")}),
            name: element("document", f"<w:body>{par('The pier is closed.')}</w:body>"),
        }
    )
    assert read("plan.docx", data).texts == ["The pier is closed."]


def test_links_to_missing_parts_are_ignored() -> None:
    data = archive(
        {
            "[Content_Types].xml": content_types({"word/document.xml": DOCX}),
            "_rels/.rels": relationships(
                {"r1": ("officeDocument", "word/document.xml"), "r2": ("x", "NULL")}
            ),
            "word/document.xml": element("document", f"<w:body>{par('The pier is closed.')}</w:body>"),
            "word/_rels/document.xml.rels": relationships(
                {"r1": ("styles", "s.xml"), "r2": ("image", "NULL")}
            ),
        }
    )
    assert read("plan.docx", data).texts == ["The pier is closed."]


def test_strict_open_xml_is_read() -> None:
    strict = {
        name: content.replace("http://schemas.openxmlformats.org/", "http://purl.oclc.org/ooxml/").replace(
            "/2006/", "/"
        )
        for name, content in {
            "_rels/.rels": relationships({"r1": ("officeDocument", "word/document.xml")}),
            "word/_rels/document.xml.rels": relationships({"r2": ("comments", "comments.xml")}),
            "word/document.xml": element(
                "document",
                "<w:body>"
                + par("The pier is closed.", '<w:r><w:commentReference w:id="1"/></w:r>')
                + "</w:body>",
            ),
            "word/comments.xml": element(
                "comments", f'<w:comment w:id="1">{par("Nobody told the ferry.")}</w:comment>'
            ),
        }.items()
    }
    # these two namespaces are those of the package, not of Open XML
    for name in ("_rels/.rels", "word/_rels/document.xml.rels"):
        strict[name] = strict[name].replace("ooxml/package/", "ooxml/package/2006/")
    data = archive({"[Content_Types].xml": content_types({"word/document.xml": DOCX}), **strict})
    assert read("plan.docx", data).texts == ["The pier is closed.", "Nobody told the ferry."]


@pytest.mark.parametrize("media_type", WORD.content_types)
def test_templates_and_files_with_macros_are_read(media_type: str) -> None:
    assert read("plan.docm", document(par("The pier is closed."), media_type=media_type)).texts == [
        "The pier is closed."
    ]


def test_embedded_files_are_named_in_a_note() -> None:
    reading = read_word(par("The pier is closed."), sheet=("package", b"PK"))
    assert reading.notes == ["Files embedded in the document were not read: 1. Send them by themselves."]


def test_formulas_of_old_editors_are_no_embedded_files() -> None:
    office = "urn:schemas-microsoft-com:office:office"
    formula = (
        f'<w:r><w:object><o:OLEObject xmlns:o="{office}" ProgID="Equation.3" r:id="old"/></w:object></w:r>'
    )
    reading = read_word(par("The load is ", formula, " tons."), old=("oleObject", b"\xd0\xcf"))
    assert (reading.texts, reading.notes) == (["The load is tons."], [])


# -- text boxes ------------------------------------------------------------------------------------


def text_box(*paragraphs: str) -> str:
    content = f"<w:txbxContent>{''.join(paragraphs)}</w:txbxContent>"
    return (
        '<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wps:wsp><wps:txbx>'
        f"{content}</wps:txbx></wps:wsp></w:drawing></mc:Choice><mc:Fallback><w:pict><v:shape><v:textbox>"
        f"{content}</v:textbox></v:shape></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )


def test_a_text_box_is_read_once_as_paragraphs_of_its_own() -> None:
    box = text_box(par("The crane is rusty."), par("Its brakes failed twice."))
    reading = read_word(par("The quay is ", box, "full."))
    assert kinds(reading) == [
        ("paragraph", "The quay is full."),
        ("paragraph", "The crane is rusty."),
        ("paragraph", "Its brakes failed twice."),
    ]


def test_a_text_box_of_an_old_program_alone_is_read() -> None:
    box = f"<w:r><w:pict><v:textbox><w:txbxContent>{par('The crane is rusty.')}</w:txbxContent></v:textbox></w:pict></w:r>"
    assert read_word(par("The quay is full.", box)).texts == ["The quay is full.", "The crane is rusty."]


def test_the_fallback_is_read_where_the_choice_has_no_text() -> None:
    inner = (
        '<w:r><mc:AlternateContent><mc:Choice Requires="x"><w:drawing/></mc:Choice><mc:Fallback>'
        "<w:t>The crane is rusty.</w:t></mc:Fallback></mc:AlternateContent></w:r>"
    )
    assert read_word(par(inner)).texts == ["The crane is rusty."]


def test_text_boxes_inside_text_boxes_and_cells_are_read_once() -> None:
    box = text_box(par("The crane is rusty.", text_box(par("Its brakes failed twice."))))
    assert read_word(par(box)).texts == ["The crane is rusty.", "Its brakes failed twice."]
    reading = read_word(table(["First cell here", par(box)], ["Second cell here", "No box at all"]))
    assert [text for text in reading.texts if "crane" in text or "brakes" in text] == [
        "The crane is rusty.",
        "Its brakes failed twice.",
    ]


def test_the_texts_of_diagrams_are_read_once_as_paragraphs_of_their_own() -> None:
    shapes = "".join(
        f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>" for text in ("Build the pier", "Then ask for money")
    )
    data = f'<d:dataModel xmlns:d="{SPACES["dgm"]}" xmlns:a="{SPACES["a"]}">{shapes}</d:dataModel>'
    drawing = '<w:r><w:drawing><dgm:relIds r:dm="d"/></w:drawing></w:r>'
    reading = read_word(par("The plan is this.", drawing, drawing), d=("diagramData", data))
    assert reading.texts == ["The plan is this.", "Build the pier", "Then ask for money"]


# -- comments, notes, headers ----------------------------------------------------------------------

COMMENTS = element(
    "comments",
    f'<w:comment w:id="1" w:author="Ana">{par("Nobody has asked the ferry.")}</w:comment>'
    f'<w:comment w:id="2">{par("The lease ends in May.")}{par("We have no other quay.")}</w:comment>',
)


def test_a_comment_follows_the_paragraph_it_stands_at() -> None:
    anchor = '<w:r><w:commentReference w:id="1"/></w:r>'
    reading = read_word(
        par("The pier is closed.", anchor) + par("The bakery opens in June."), c=("comments", COMMENTS)
    )
    assert [(block.kind, block.texts[0], block.place.part) for block in reading.blocks] == [
        ("paragraph", "The pier is closed.", ""),
        ("comment", "Nobody has asked the ferry.", "Comment"),
        ("paragraph", "The bakery opens in June.", ""),
        # without an anchor
        ("comment", "The lease ends in May.", "Comment"),
        ("comment", "We have no other quay.", "Comment"),
    ]


def test_a_comment_in_a_table_does_not_cut_the_table() -> None:
    noted = par("The pier may sink", '<w:r><w:commentReference w:id="1"/></w:r>')
    reading = read_word(
        table(["ID", "Risk"], ["1", noted], ["2", "The roof may leak"]), c=("comments", COMMENTS)
    )
    assert [block.names for block in rows(reading)] == [("ID", "Risk")] * 2
    assert reading.blocks[2].texts == ["Nobody has asked the ferry."]


def test_a_comment_that_refers_to_itself_is_read_once() -> None:
    own = element(
        "comments",
        '<w:comment w:id="1">'
        + par("The lease ends in May.", '<w:r><w:commentReference w:id="1"/></w:r>')
        + "</w:comment>",
    )
    assert read_word(par("The pier is closed."), c=("comments", own)).texts[1:] == ["The lease ends in May."]


@pytest.mark.parametrize("name", ["footnote", "endnote"])
def test_notes_follow_their_paragraph_without_separators(name: str) -> None:
    notes = element(
        f"{name}s",
        f'<w:{name} w:id="0" w:type="separator">{par("----- separator -----")}</w:{name}>'
        f'<w:{name} w:id="2">{par("The survey is nine years old.")}</w:{name}>',
    )
    inner = par("The pier stands firm.", f'<w:r><w:{name}Reference w:id="2"/></w:r>') + par(
        "The bakery opens."
    )
    reading = read_word(inner, n=(f"{name}s", notes))
    assert kinds(reading) == [
        ("paragraph", "The pier stands firm."),
        ("footnote", "The survey is nine years old."),
        ("paragraph", "The bakery opens."),
    ]


def test_the_note_of_deleted_text_is_left_out_and_one_without_a_place_is_read() -> None:
    notes = element(
        "footnotes",
        f'<w:footnote w:id="2">{par("The survey is nine years old.")}</w:footnote>'
        f'<w:footnote w:id="3">{par("The diver found a crack.")}</w:footnote>',
    )
    gone = '<w:del><w:r><w:footnoteReference w:id="2"/></w:r></w:del>'
    reading = read_word(par("The pier stands firm.", gone), n=("footnotes", notes))
    assert reading.texts == ["The pier stands firm.", "The diver found a crack."]


def test_headers_and_footers_are_read_once_and_named() -> None:
    def section(part: str) -> str:
        return f'<w:sectPr><w:headerReference w:type="{part}" r:id="{part}"/><w:footerReference w:type="{part}" r:id="foot"/></w:sectPr>'

    header = ("header", element("hdr", par("Draft under legal hold", properties="<w:rPr><w:b/></w:rPr>")))
    foot = ("footer", element("ftr", par("Not for the tenants") + par("Page 1 of 12")))
    inner = f"<w:p><w:pPr>{section('first')}</w:pPr></w:p>{par('The pier is closed.')}{section('default')}"
    reading = read_word(inner, first=header, default=header, foot=foot)
    assert [(block.kind, block.texts[0], block.place.part) for block in reading.blocks] == [
        ("paragraph", "Draft under legal hold", "Header"),
        ("paragraph", "Not for the tenants", "Footer"),
        ("paragraph", "The pier is closed.", ""),
    ]


# -- content controls and documents inside the document --------------------------------------------


def control(inner: str, properties: str = "") -> str:
    return f"<w:sdt><w:sdtPr>{properties}</w:sdtPr><w:sdtContent>{inner}</w:sdtContent></w:sdt>"


def test_content_controls_are_read_wherever_they_stand() -> None:
    row = control(
        "<w:tr>" + control(f"<w:tc>{par('The roof may leak')}</w:tc>") + f"<w:tc>{par('Open')}</w:tc></w:tr>"
    )
    inner = (
        control(par("The pier is closed."))
        + par("The bakery ", control(run("opens late")), ".")
        + f"<w:tbl><w:tr><w:tc>{control(par('Risk'))}</w:tc><w:tc>{par('Status')}</w:tc></w:tr>{row}</w:tbl>"
    )
    reading = read_word(inner)
    assert reading.texts == ["The pier is closed.", "The bakery opens late.", "The roof may leak"]
    assert rows(reading)[0].names == ("Risk", "Status")


def test_the_prompt_of_an_empty_content_control_is_left_out() -> None:
    reading = read_word(
        par("Owner of the pier: ", control(run("Click here to enter a name."), "<w:showingPlcHdr/>"))
    )
    assert reading.texts == ["Owner of the pier:"]


def test_the_table_of_contents_is_left_out() -> None:
    inner = (
        control(
            par("Some worries 4"),
            '<w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj>',
        )
        + par("Some plans 7", style="TOC1")
        + par("The pier is closed.")
    )
    assert read_word(inner).texts == ["The pier is closed."]


def test_a_document_inside_the_document_is_read_at_its_place() -> None:
    chunk = document(
        par("The roof may leak.") + table(["A cell", "Another cell"], ["More of it", "The last cell"])
    )
    inner = (
        table(["Some cell", "Next cell"], ["Third cell", "Fourth cell"])
        + '<w:altChunk r:id="c"/>'
        + par("The end is near.")
    )
    reading = read_word(inner, c=("aFChunk", chunk))
    assert reading.texts.index("The roof may leak.") < reading.texts.index("The end is near.")
    assert {block.place.table for block in rows(reading)} == {1, 2}


def test_a_text_inside_the_document_is_read_and_another_file_is_named_in_a_note() -> None:
    reading = read_word(
        '<w:altChunk r:id="c"/>' + par("The end is near."), c=("aFChunk", b"The roof may leak.\n")
    )
    assert reading.texts == ["The roof may leak.", "The end is near."]
    reading = read_word('<w:altChunk r:id="c"/>' + par("The end is near."), c=("aFChunk", b"PK\3\4 broken"))
    assert reading.texts == ["The end is near."]
    assert "inside this document was not read" in reading.notes[0]


# -- tracked changes, hidden text, fields ----------------------------------------------------------


def test_changes_are_read_as_accepted() -> None:
    reading = read_word(
        par(
            "The supplier ",
            f"<w:del>{run('always')}</w:del>",
            f"<w:ins>{run('never ')}</w:ins>",
            f"<w:moveFrom>{run('on Mondays ')}</w:moveFrom>",
            "delivers",
            f"<w:moveTo>{run(' on Mondays')}</w:moveTo>",
            ".",
        )
    )
    assert reading.texts == ["The supplier never delivers on Mondays."]


@pytest.mark.parametrize("change", ["del", "moveFrom"])
def test_a_deleted_paragraph_mark_joins_two_paragraphs(change: str) -> None:
    inner = par("The pier may ", properties=f"<w:rPr><w:{change}/></w:rPr>") + par(
        "sink in a storm.", style="Bullet"
    )
    assert kinds(read_word(inner)) == [("item", "The pier may sink in a storm.")]


def test_deleted_rows_and_cells_are_left_out() -> None:
    inner = (
        "<w:tbl>"
        f"<w:tr><w:tc>{par('The pier may sink')}</w:tc><w:tc><w:tcPr><w:cellDel/></w:tcPr>{par('Gone cell')}</w:tc>"
        f"<w:tc>{par('The roof may leak')}</w:tc></w:tr>"
        f"<w:tr><w:trPr><w:del/></w:trPr><w:tc>{par('Gone row')}</w:tc></w:tr></w:tbl>"
    )
    assert [block.texts for block in rows(read_word(inner))] == [["The pier may sink", "The roof may leak"]]


def test_struck_out_text_is_left_out() -> None:
    inner = par(
        "The tenant may ",
        run("never ", "<w:strike/>"),
        "leave ",
        run("at ", '<w:strike w:val="0"/>'),
        "once.",
    ) + par(run("The landlord may end this lease without notice.", "<w:dstrike/>"))
    assert read_word(inner).texts == ["The tenant may leave at once."]


def test_hidden_text_is_left_out() -> None:
    inner = (
        par("The pier ", run("secretly ", "<w:vanish/>"), "is ", run("closed", '<w:vanish w:val="0"/>'), ".")
        + par("Nobody may read this.", style="Secret")
        + par(run("Some words are shown.", '<w:vanish w:val="false"/>'), style="Secret")
        + par("A quiet ", run("hidden ", '<w:rStyle w:val="Secret"/>'), "bakery.")
    )
    assert read_word(inner).texts == ["The pier is closed.", "Some words are shown.", "A quiet bakery."]


def field(code: str, result: str) -> str:
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    return (
        mark.format("begin")
        + (code if code.startswith("<") else f"<w:r><w:instrText>{code}</w:instrText></w:r>")
        + mark.format("separate")
        + result
        + mark.format("end")
    )


def test_fields_show_their_result_and_not_their_code() -> None:
    nested = field(field(" MERGEFIELD town ", run("an inner value")), run("Riga"))
    inner = par("The pier of ", nested, " may ", f'<w:fldSimple w:instr="X">{run("sink")}</w:fldSimple>', ".")
    assert read_word(inner).texts == ["The pier of Riga may sink."]


def test_a_field_that_never_ends_hides_its_own_paragraph_alone() -> None:
    broken = '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
    assert read_word(par("The pier is closed.", broken) + par("The roof may leak.")).texts == [
        "The pier is closed.",
        "The roof may leak.",
    ]


def test_the_chosen_entry_of_a_list_is_read() -> None:
    entries = "".join(f'<w:listEntry w:val="{name}"/>' for name in ("on time", "very late"))
    choice = (
        f'<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:ddList><w:result w:val="1"/>{entries}</w:ddList></w:ffData>'
        '</w:fldChar></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )
    assert read_word(par("The pier is ", choice, ".")).texts == ["The pier is very late."]


# -- paragraphs ------------------------------------------------------------------------------------


def test_a_line_break_is_a_space_and_not_the_end_of_the_paragraph() -> None:
    for mark in ("<w:br/>", "<w:cr/>", "<w:tab/>", "<w:ptab/>"):
        reading = read_word(par("The pier may", f"<w:r>{mark}<w:t>sink in a storm.</w:t></w:r>"))
        assert kinds(reading) == [("paragraph", "The pier may sink in a storm.")]


def test_an_empty_line_or_a_bullet_after_a_line_break_starts_a_new_line() -> None:
    inner = par(
        "<w:r><w:t>What may fail</w:t><w:br/><w:t>- the old pier</w:t><w:br/><w:br/><w:t>Ask the diver</w:t></w:r>"
    )
    assert kinds(read_word(inner)) == [
        ("paragraph", "What may fail"),
        ("item", "the old pier"),
        ("paragraph", "Ask the diver"),
    ]


def test_short_lines_that_begin_like_sentences_are_not_glued_and_wrapped_text_is_not_cut() -> None:
    def lines(*texts: str) -> str:
        return par("<w:r>" + "<w:br/>".join(f"<w:t>{text}</w:t>" for text in texts) + "</w:r>")

    assert read_word(lines("The pier may sink", "The roof may leak")).texts == [
        "The pier may sink",
        "The roof may leak",
    ]
    wrapped = (
        "The inspector of the harbour said on Monday that",
        "Anders Holm has no licence for the crane,",
        "Nita neither.",
    )
    assert read_word(lines(*wrapped)).texts == [" ".join(wrapped)]


def test_lines_in_the_source_of_a_text_are_spaces() -> None:
    assert read_word(par("<w:r><w:t>The pier\n   may sink.</w:t></w:r>")).texts == ["The pier may sink."]


def test_symbols_and_hyphens_neither_glue_nor_split_words() -> None:
    inner = par(
        "<w:r><w:t>Load </w:t><w:sym w:font='Symbol' w:char='F0B3'/><w:t> nine tons on a non</w:t><w:noBreakHyphen/>"
        "<w:t>slip pon</w:t><w:softHyphen/><w:t>toon may sink\u00ad</w:t><w:t> it</w:t></w:r>",
        "<w:r><w:sym w:font='Wingdings' w:char='F04A'/><w:sym w:char='D801'/><w:t>soon.</w:t></w:r>",
    )
    assert read_word(inner).texts == ["Load ≥ nine tons on a non-slip pontoon may sink it soon."]


def test_smart_tags_links_formulas_and_text_from_right_to_left_are_read_in_place() -> None:
    parts = (
        f"<w:smartTag><w:smartTagPr/>{run('pier ')}</w:smartTag>",
        f'<w:hyperlink r:id="x">{run("of the town ")}</w:hyperlink>',
        f"<w:bdo>{run('may ')}</w:bdo>",
        f"<w:customXml><w:customXmlPr/>{run('carry ')}</w:customXml>",
        "<m:oMath><m:r><m:t>x+1 </m:t></m:r></m:oMath>",
        f"<w:r><w:ruby><w:rt>{run('furigana')}</w:rt><w:rubyBase>{run('tons')}</w:rubyBase></w:ruby></w:r>",
    )
    assert read_word(par("The ", *parts, ".")).texts == ["The pier of the town may carry x+1 tons."]


def test_headings_follow_the_style_its_ancestors_and_the_outline_level() -> None:
    inner = (
        par("Built on the heading style", style="Clause")
        + par("A German template", style="Kopf")
        + par("By outline level", style="Outlined")
        + par("By its own outline level", properties='<w:outlineLvl w:val="0"/>')
        + par("Text that only looks like a heading", style="Body")
        + par("A style in a circle", style="Circle")
        + par("A style that nobody defined", style="Nothing")
    )
    assert [(block.kind, block.level) for block in read_word(inner).blocks] == [
        ("heading", 2),
        ("heading", 3),
        ("heading", 2),
        ("heading", 1),
        ("paragraph", 0),
        ("paragraph", 0),
        ("paragraph", 0),
    ]


def test_a_clause_in_the_style_of_a_heading_is_text() -> None:
    clause = "The tenant may end this lease at any time and takes the crane with him."
    assert kinds(read_word(par(clause, style="Heading2"))) == [("paragraph", clause)]


def test_items_follow_the_numbering_of_the_paragraph_or_its_style() -> None:
    off = '<w:numPr><w:numId w:val="0"/></w:numPr>'
    inner = (
        par("By the style", style="Bullet")
        + par("Switched off here", style="Bullet", properties=off)
        + par("By the paragraph", properties='<w:numPr><w:numId w:val="2"/></w:numPr>')
    )
    assert [block.kind for block in read_word(inner).blocks] == ["item", "paragraph", "item"]


def level(depth: int, text: str, number_format: str = "decimal", more: str = "") -> str:
    return (
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{number_format}"/>{more}'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
    )


def numbering(*levels: str, lists: str = '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>') -> str:
    return element(
        "numbering", f'<w:abstractNum w:abstractNumId="7">{"".join(levels)}</w:abstractNum>{lists}'
    )


def numbered(text: str, depth: int = 0, list_id: int = 1, **options: str) -> str:
    inner = f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{list_id}"/></w:numPr>'
    return par(text, properties=inner, **options) if text else f"<w:p><w:pPr>{inner}</w:pPr></w:p>"


CONTRACT = (
    level(0, "%1."),
    level(1, "%1.%2"),
    level(2, "(%3)", "lowerLetter"),
    level(3, "(%4)", "lowerRoman"),
)


def read_numbers(inner: str, numbers: str) -> list[str]:
    """Return the number of each unit of a document."""
    return [unit.place.number for unit in read_word(inner, numbering=("numbering", numbers)).units]


def test_clauses_have_the_numbers_that_word_counts() -> None:
    inner = (
        numbered("Term", style="Heading2")
        + numbered("The lease ends in May.", 1)
        + numbered("Fees", style="Heading2")
        + numbered("The tenant pays the fees in advance.", 1)
        + numbered("A late fee is charged", 2)
        + numbered("for each day.", 3)
        + numbered("for each letter.", 3)
        + numbered("The fee is not paid back.", 2)
        + numbered("Fees rise each year.", 1)
    )
    assert read_numbers(inner, numbering(*CONTRACT)) == [
        *("1.1", "2.1", "2.1(a)", "2.1(a)(i)", "2.1(a)(ii)", "2.1(b)", "2.2")
    ]


def test_the_number_of_a_heading_is_part_of_the_place() -> None:
    inner = numbered("Fees", style="Heading2") + par("The tenant pays the fees in advance.")
    reading = read_word(inner, numbering=("numbering", numbering(*CONTRACT)))
    assert [unit.place.headings for unit in reading.units] == [("1 Fees",)]


@pytest.mark.parametrize(
    ("text", "number_format", "more", "numbers"),
    [
        ("Article %1", "upperRoman", "", ["Article I", "Article II", "Article III"]),
        ("%1)", "upperLetter", "", ["(A)", "(B)", "(C)"]),
        ("%1.", "lowerLetter", '<w:start w:val="26"/>', ["(z)", "(aa)", "(bb)"]),
        ("%1.", "decimalZero", "", ["01", "02", "03"]),
        ("%1.", "ideographDigital", "", ["1", "2", "3"]),
        ("%1.", "none", "", ["", "", ""]),
        ("•", "bullet", "", ["", "", ""]),
    ],
)
def test_numbers_follow_the_format_of_their_level(
    text: str, number_format: str, more: str, numbers: list[str]
) -> None:
    lists = numbering(level(0, text, number_format).replace('<w:start w:val="1"/>', more or "<w:start/>"))
    assert read_numbers("".join(map(numbered, ("One risk.", "Two risks.", "Three risks."))), lists) == numbers


def test_digits_replace_letters_where_the_level_wants_digits_alone() -> None:
    lists = numbering(level(0, "Article %1", "upperRoman"), level(1, "%1.%2", more="<w:isLgl/>"))
    assert read_numbers(numbered("Fees", style="Heading2") + numbered("Fees rise.", 1), lists) == ["1.1"]


def test_empty_paragraphs_count_and_lists_of_one_definition_go_on() -> None:
    lists = "".join(
        f'<w:num w:numId="{number}"><w:abstractNumId w:val="7"/>{more}</w:num>'
        for number, more in (
            (1, ""),
            (2, ""),
            (3, '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride>'),
        )
    )
    inner = numbered("Fees rise.") + numbered("") + numbered("Fees fall.", list_id=2)
    inner += numbered("Fees stay.", list_id=3) + numbered("Fees end.", list_id=3)
    assert read_numbers(inner, numbering(*CONTRACT, lists=lists)) == ["1", "3", "1", "2"]


def test_a_fourth_level_is_not_quoted_like_the_first() -> None:
    lists = numbering(
        *(
            level(depth, f"%{depth + 1}.", kind)
            for depth, kind in enumerate(("decimal", "lowerLetter", "lowerRoman", "decimal"))
        )
    )
    inner = "".join(numbered("Fees rise each year.", depth) for depth in range(4))
    assert read_numbers(inner, lists) == ["1", "1(a)", "1(a)(i)", "1(a)(i)(1)"]


def test_levels_above_that_were_never_counted_are_not_quoted() -> None:
    assert read_numbers(numbered("Fees rise each year.", 2), numbering(*CONTRACT)) == ["(a)"]


def test_two_digits_stay_where_the_level_wants_digits_alone() -> None:
    lists = numbering(
        level(0, "Article %1", "upperRoman"), level(1, "Section %1.%2", "decimalZero", "<w:isLgl/>")
    )
    assert read_numbers(numbered("Fees", style="Heading2") + numbered("Fees rise.", 1), lists) == [
        "Section 1.01"
    ]


def test_an_empty_paragraph_that_was_deleted_does_not_count() -> None:
    deleted = '<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr><w:rPr><w:del/></w:rPr></w:pPr></w:p>'
    inner = numbered("Fees rise.") + deleted + numbered("Fees fall.")
    assert read_numbers(inner, numbering(*CONTRACT)) == ["1", "2"]


def test_an_outline_of_single_signs_is_quoted_whole() -> None:
    lists = numbering(level(0, "%1.", "upperRoman"), level(1, "%2.", "upperLetter"), level(2, "%3)"))
    inner = numbered("Fees rise.") + numbered("The first fee.", 1) * 2 + numbered("The second fee.", 2)
    assert read_numbers(inner, lists) == ["I", "I.A", "I.B", "I.B(1)"]


def test_a_level_that_is_never_begun_anew_goes_on() -> None:
    lists = numbering(level(0, "%1."), level(1, "%2.", more='<w:lvlRestart w:val="0"/>'))
    inner = (
        numbered("Fees rise.")
        + numbered("The first fee.", 1)
        + numbered("Fees end.")
        + numbered("The second fee.", 1)
    )
    assert read_numbers(inner, lists) == ["1", "1", "2", "2"]


def test_styles_number_their_paragraphs_at_the_level_that_names_them() -> None:
    lists = numbering(level(0, "%1."), level(1, "%1.%2", more='<w:pStyle w:val="Bullet"/>')).replace(
        '<w:num w:numId="1">', '<w:num w:numId="4">'
    )
    assert read_numbers(par("Fees rise.", style="Bullet") * 2, lists) == ["1.1", "1.2"]


def test_a_number_in_the_text_goes_before_that_of_the_list_and_strange_lists_have_none() -> None:
    inner = (
        numbered("4.2 Fees rise each year.") + numbered("Fees fall.", 8) + numbered("Fees stay.", list_id=9)
    )
    assert read_numbers(inner, numbering(level(0, "%1."))) == ["4.2", "", ""]


@pytest.mark.parametrize(
    ("text", "properties", "paragraph_properties", "kind"),
    [
        ("Costs of the pier", "<w:b/>", "", "heading"),
        ("Costs of the pier", '<w:b w:val="0"/>', "", "paragraph"),
        ("Owner: Ana Pich", "<w:b/>", "", "paragraph"),
        ("The pier may sink", "<w:b/>", '<w:numPr><w:numId w:val="2"/></w:numPr>', "item"),
        ("The pier may sink.", "<w:b/>", "", "paragraph"),
    ],
)
def test_a_bold_line_is_a_heading_unless_it_is_an_item_a_label_or_a_sentence(
    text: str, properties: str, paragraph_properties: str, kind: str
) -> None:
    assert kinds(read_word(par(run(text, properties), properties=paragraph_properties))) == [(kind, text)]


# -- tables ----------------------------------------------------------------------------------------


def test_two_tables_are_two_tables_with_an_empty_paragraph_or_nothing_between() -> None:
    first = table(["Chance", "Meaning"], ["1", "It never happens"])
    second = table(["ID", "Risk"], ["7", "The pier may sink"])
    for between in ("<w:p/>", ""):
        reading = read_word(first + between + second)
        assert [(block.place.table, block.place.row, block.names) for block in rows(reading)] == [
            (1, 2, ("Chance", "Meaning")),
            (2, 2, ("ID", "Risk")),
        ]


def test_merged_cells_keep_the_columns_apart() -> None:
    wide = f'<w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr>{par("Both of them are late")}</w:tc>'
    late = '<w:trPr><w:gridBefore w:val="1"/></w:trPr>'
    down = f"<w:tc><w:tcPr><w:vMerge/></w:tcPr>{par('')}</w:tc>"
    inner = (
        f"<w:tbl><w:tr>{wide}<w:tc>{par('Third column')}</w:tc></w:tr>"
        f"<w:tr>{late}<w:tc>{par('Second column')}</w:tc><w:tc>{par('third again')}</w:tc></w:tr>"
        f"<w:tr>{down}<w:tc>{par('Below that')}</w:tc><w:tc>{par('third once more')}</w:tc></w:tr></w:tbl>"
    )
    assert [block.texts for block in rows(read_word(inner))] == [
        ["Both of them are late", "", "Third column"],
        ["", "Second column", "third again"],
        ["", "Below that", "third once more"],
    ]


def test_a_merged_status_holds_for_each_row_and_a_merged_risk_is_read_once() -> None:
    first, down = ('<w:tc><w:tcPr><w:vMerge w:val="restart"/></w:tcPr>', "<w:tc><w:tcPr><w:vMerge/></w:tcPr>")
    reading = read_word(
        f"<w:tbl><w:tr><w:tc>{par('Risk')}</w:tc><w:tc>{par('Effect')}</w:tc><w:tc>{par('Status')}</w:tc></w:tr>"
        f"<w:tr>{first}{par('Fraud')}</w:tc><w:tc>{par('The bank may close')}</w:tc>{first}{par('Open')}</w:tc></w:tr>"
        f"<w:tr>{down}{par('')}</w:tc><w:tc>{par('The mill may close too')}</w:tc>{down}{par('')}</w:tc></w:tr>"
        f"<w:tr>{first}{par('Theft')}</w:tc><w:tc>{par('The pier may be closed')}</w:tc>{first}{par('Closed')}</w:tc></w:tr>"
        f"<w:tr>{down}{par('')}</w:tc><w:tc>{par('The ferry may be sold')}</w:tc>{down}{par('')}</w:tc></w:tr></w:tbl>"
    )
    assert [unit.text for unit in reading.units] == ["Fraud", "The bank may close", "The mill may close too"]


def test_a_cell_that_claims_a_million_columns_is_bounded() -> None:
    wide = f'<w:tc><w:tcPr><w:gridSpan w:val="1000000"/></w:tcPr>{par("The pier may sink")}</w:tc>'
    assert len(rows(read_word(f"<w:tbl><w:tr>{wide}<w:tc>{par('x')}</w:tc></w:tr></w:tbl>"))[0].texts) == 64


def test_a_nested_table_is_a_table_of_its_own_read_once() -> None:
    inner = table(["ID", "Risk"], ["1", "The pier may sink"])
    reading = read_word(
        table(["Outer left", "Outer right"], ["text beside it", par("text above it") + inner + par("")])
    )
    assert [(block.texts, block.place.table) for block in rows(reading)] == [
        (["text beside it", "text above it"], 1),
        (["1", "The pier may sink"], 2),
    ]
    assert rows(reading)[1].names == ("ID", "Risk")


def test_a_table_of_one_cell_is_a_box_around_its_text() -> None:
    inner = table(
        [
            par("What may fail", style="Heading2")
            + par("The pier may sink.")
            + table(["ID", "Risk"], ["1", "Leaks"])
        ]
    )
    assert kinds(read_word(inner)) == [
        ("heading", "What may fail"),
        ("paragraph", "The pier may sink."),
        ("row", "1 | Leaks"),
    ]


def test_a_register_keeps_its_head_after_an_empty_row_and_a_hidden_one() -> None:
    hidden = f"<w:tr><w:trPr><w:hidden/></w:trPr><w:tc>{par('Nobody sees this')}</w:tc></w:tr>"
    empty = f"<w:tr><w:tc>{par('')}</w:tc><w:tc>{par('')}</w:tc></w:tr>"
    inner = table(["ID", "Risk"], ["1", "The pier may sink"]).replace("<w:tbl>", f"<w:tbl>{hidden}{empty}")
    assert [(block.texts, block.names) for block in rows(read_word(inner))] == [
        (["1", "The pier may sink"], ("ID", "Risk"))
    ]


def test_deep_nesting_is_refused_in_words() -> None:
    depth = 5_000
    inner = "<w:tbl><w:tr><w:tc>" * depth + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * depth
    with pytest.raises(UnreadableDocument):
        read_word(inner)
