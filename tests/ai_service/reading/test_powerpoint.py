# ruff: noqa: E501
"""Presentations: slides in their order, with speaker notes and comments."""

from riskscan.file_types import POWERPOINT
from tests.ai_service.documents import Reading, archive, content_types, read, relationships

SPACES = {
    "p": "http://schemas.openxmlformats.org/presentationml/2006/main",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
    "p188": "http://schemas.microsoft.com/office/powerpoint/2018/8/main",
}


def element(name: str, inner: str, attributes: str = "") -> str:
    spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in SPACES.items())
    return f"<{name} {spaces} {attributes}>{inner}</{name}>"


def slide(*shapes: str, attributes: str = "") -> str:
    return element("p:sld", f"<p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld>", attributes)


def presentation(*slides: str, parts: dict[str, tuple[str, str]] | None = None) -> bytes:
    """A presentation of these slides; `parts` are linked from each, by ID, with their kind."""
    numbers = range(1, len(slides) + 1)
    order = "".join(f'<p:sldId r:id="s{number}"/>' for number in numbers)
    linked = parts or {}
    files = {
        "[Content_Types].xml": content_types({"ppt/deck.xml": POWERPOINT.content_types[0]}),
        "_rels/.rels": relationships({"r1": ("officeDocument", "ppt/deck.xml")}),
        "ppt/deck.xml": element("p:presentation", f"<p:sldIdLst>{order}</p:sldIdLst>"),
        # the names of the files say nothing of the order
        "ppt/_rels/deck.xml.rels": relationships(
            {f"s{n}": ("slide", f"slides/slide{99 - n}.xml") for n in numbers}
        ),
        **{f"ppt/slides/slide{99 - n}.xml": content for n, content in zip(numbers, slides, strict=True)},
        **{f"ppt/{name}.xml": content for name, (_, content) in linked.items()},
    }
    for number in numbers:
        links = {name: (kind, f"../{name}.xml") for name, (kind, _) in linked.items()}
        files[f"ppt/slides/_rels/slide{99 - number}.xml.rels"] = relationships(links)
    return archive(files)


def read_slides(*slides: str, **parts: tuple[str, str]) -> Reading:
    return read("deck.pptx", presentation(*slides, parts=parts))


def text(*paragraphs: str, properties: str = "") -> str:
    return "".join(f"<a:p><a:pPr>{properties}</a:pPr><a:r><a:t>{one}</a:t></a:r></a:p>" for one in paragraphs)


def shape(inner: str, role: str = "", top: int = 0, left: int = 0, hidden: str = "0") -> str:
    placeholder = f'<p:ph type="{role}"/>' if role else ""
    position = f'<p:spPr><a:xfrm><a:off x="{left}" y="{top}"/></a:xfrm></p:spPr>' if top or left else ""
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr hidden="{hidden}"/><p:nvPr>{placeholder}</p:nvPr></p:nvSpPr>{position}'
        f"<p:txBody>{inner}</p:txBody></p:sp>"
    )


def kinds(reading: Reading) -> list[tuple[str, str]]:
    return [(block.kind, " | ".join(block.texts)) for block in reading.blocks]


def test_slides_have_numbers_and_their_titles_as_headings() -> None:
    reading = read_slides(
        slide(
            shape(text("The pier may sink", "The roof may leak"), "body"),
            shape(text("What may fail"), "title"),
        ),
        slide(shape(text("The bakery opens in June."))),
    )
    assert [(block.kind, block.texts[0], block.place.slide) for block in reading.blocks] == [
        ("heading", "What may fail", 1),
        ("item", "The pier may sink", 1),
        ("item", "The roof may leak", 1),
        ("heading", "Slide 2", 2),
        ("paragraph", "The bakery opens in June.", 2),
    ]


def test_a_title_that_is_a_whole_sentence_is_text() -> None:
    title = "The harbour cannot open before the crane has its certificate."
    assert kinds(read_slides(slide(shape(text(title), "ctrTitle")))) == [
        ("heading", "Slide 1"),
        ("paragraph", title),
    ]


def test_shapes_are_read_from_top_to_bottom_and_from_left_to_right() -> None:
    low = shape(text("Third of the texts"), top=4_000_000, left=1)
    right = shape(text("Second of the texts"), top=1_000_100, left=5_000_000)
    left = shape(text("First of the texts"), top=1_000_200, left=1)
    assert read_slides(slide(low, right, left)).texts == [
        "First of the texts",
        "Second of the texts",
        "Third of the texts",
    ]


def test_groups_are_read_and_hidden_shapes_and_slide_numbers_are_not() -> None:
    group = f"<p:grpSp><p:nvGrpSpPr/><p:grpSpPr/>{shape(text('Inside the group'))}<p:grpSp>{shape(text('Deep inside it'))}</p:grpSp></p:grpSp>"
    date = '<a:p><a:r><a:t>Printed on </a:t></a:r><a:fld type="datetime1"><a:t>1 May</a:t></a:fld></a:p>'
    reading = read_slides(
        slide(
            group,
            shape(text("Nobody sees this"), hidden="1"),
            shape(text("Number seven"), "sldNum"),
            shape(date),
        )
    )
    assert reading.texts == ["Inside the group", "Deep inside it", "Printed on"]


def test_alternate_content_is_read_once() -> None:
    both = (
        f'<mc:AlternateContent><mc:Choice Requires="x">{shape(text("The crane is rusty"))}</mc:Choice>'
        f"<mc:Fallback>{shape(text('The crane is rusty'))}</mc:Fallback></mc:AlternateContent>"
    )
    formula = (
        "<a:p><a:r><a:t>Load is </a:t></a:r><mc:AlternateContent><mc:Choice><a:r><a:t>nine</a:t></a:r></mc:Choice>"
        "<mc:Fallback><a:r><a:t>nine</a:t></a:r></mc:Fallback></mc:AlternateContent></a:p>"
    )
    assert read_slides(slide(both, shape(formula))).texts == ["The crane is rusty", "Load is nine"]


def test_bullets_make_items() -> None:
    own = shape(text("By its own bullet", properties='<a:buChar char="x"/>') + text("Plain text of a box"))
    body = shape(text("Without its bullet", properties="<a:buNone/>") + text("By the placeholder"), "body")
    assert [block.kind for block in read_slides(slide(own, body)).blocks[1:]] == [
        "item",
        "paragraph",
        "paragraph",
        "item",
    ]


def test_line_breaks_do_not_glue_words() -> None:
    broken = "<a:p><a:r><a:t>The pier may</a:t></a:r><a:br/><a:r><a:t>sink_x000B_soon.</a:t></a:r></a:p>"
    assert read_slides(slide(shape(broken))).texts == ["The pier may sink soon."]


def test_struck_out_text_is_left_out() -> None:
    struck = '<a:p><a:r><a:rPr strike="sngStrike"/><a:t>Nobody knows it. </a:t></a:r><a:r><a:rPr strike="noStrike"/><a:t>The pier may sink.</a:t></a:r></a:p>'
    assert read_slides(slide(shape(struck))).texts == ["The pier may sink."]


def test_tables_are_rows_with_the_names_of_their_columns() -> None:
    rows = "".join(
        "<a:tr>" + "".join(f"<a:tc><a:txBody>{text(cell)}</a:txBody></a:tc>" for cell in row) + "</a:tr>"
        for row in (["ID", "Risk"], ["7", "The ferry may stop"])
    )
    frame = (
        f"<p:graphicFrame><p:nvGraphicFramePr/><a:graphic><a:tbl>{rows}</a:tbl></a:graphic></p:graphicFrame>"
    )
    blocks = [block for block in read_slides(slide(frame, frame)).blocks if block.kind == "row"]
    assert [(block.texts, block.names, block.place.table) for block in blocks] == [
        (["7", "The ferry may stop"], ("ID", "Risk"), 1),
        (["7", "The ferry may stop"], ("ID", "Risk"), 2),
    ]


def test_the_texts_of_a_diagram_are_read() -> None:
    frame = '<p:graphicFrame><a:graphic><dgm:relIds r:dm="d"/></a:graphic></p:graphicFrame>'
    data = element("dgm:dataModel", f"<dgm:pt><dgm:t>{text('The permit may come late')}</dgm:t></dgm:pt>")
    assert read_slides(slide(frame), d=("diagramData", data)).texts == ["The permit may come late"]


def test_speaker_notes_and_comments_follow_their_slide() -> None:
    notes = slide(shape(text("Ask the diver first."), "body"), shape(text("Page 1"), "sldNum"))
    old = element("p:cmLst", "<p:cm><p:text>Nobody has asked the ferry.</p:text></p:cm>")
    new = element(
        "p188:cmLst",
        f"<p188:cm><p188:replyLst><p188:reply><p188:txBody>{text('Not yet answered at all.')}</p188:txBody></p188:reply>"
        f"</p188:replyLst><p188:txBody>{text('The lease ends in May.')}</p188:txBody></p188:cm>",
    )
    reading = read_slides(
        slide(shape(text("The pier is closed."))),
        n=("notesSlide", notes),
        c=("comments", old),
        t=("comments", new),
    )
    assert [
        (block.kind, block.texts[0], block.place.part, block.place.slide) for block in reading.blocks[1:]
    ] == [
        ("paragraph", "The pier is closed.", "", 1),
        ("paragraph", "Ask the diver first.", "Notes", 1),
        ("comment", "Nobody has asked the ferry.", "Comment", 1),
        ("comment", "Not yet answered at all.", "Comment", 1),
        ("comment", "The lease ends in May.", "Comment", 1),
    ]


def test_hidden_slides_are_read_and_named_in_a_note() -> None:
    reading = read_slides(
        slide(shape(text("The pier is closed."))),
        slide(shape(text("The roof may leak.")), attributes='show="0"'),
    )
    assert reading.texts == ["The pier is closed.", "The roof may leak."]
    assert reading.notes == ["These slides are hidden in the presentation, but were read: 2."]


def test_a_slide_that_is_listed_twice_is_read_once() -> None:
    content = slide(shape(text("The pier is closed.")))
    listed = element("p:presentation", '<p:sldIdLst><p:sldId r:id="s"/><p:sldId r:id="s"/></p:sldIdLst>')
    data = archive(
        {
            "[Content_Types].xml": content_types({"deck.xml": POWERPOINT.content_types[0]}),
            "_rels/.rels": relationships({"r1": ("officeDocument", "deck.xml")}),
            "deck.xml": listed,
            "_rels/deck.xml.rels": relationships({"s": ("slide", "slide.xml")}),
            "slide.xml": content,
        }
    )
    assert read("deck.pptx", data).texts == ["The pier is closed."]
