# ruff: noqa: E501
"""HTML pages."""

import pytest

from tests.ai_service.documents import read


def page(body: str) -> str:
    return (
        f"<!doctype html><html><head><meta charset=utf-8><title>Tab</title></head><body>{body}</body></html>"
    )


def test_headings_paragraphs_and_items_are_read_in_order() -> None:
    body = "<h1>Pier</h1><p>The pier is <b>very</b>\nold&nbsp;&amp; rotten.</p><p><b>Open points</b></p><ul><li>The lamp fails.<ul><li>So does the gate.</li></ul></li></ul>"
    reading = read(
        "a.html",
        page(
            body
            + "<dl><dt>Ferry</dt><dd>The ferry is late.</dd></dl>Some words stand alone.<br>And a line below."
        ),
    )
    assert [(block.kind, block.texts[0]) for block in reading.blocks] == [
        ("heading", "Pier"),
        ("paragraph", "The pier is very old\xa0& rotten."),
        ("heading", "Open points"),
        ("item", "The lamp fails."),
        ("item", "So does the gate."),
        ("paragraph", "Ferry"),
        ("paragraph", "The ferry is late."),
        ("paragraph", "Some words stand alone."),
        ("paragraph", "And a line below."),
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>var late = 'late risk'</script>",
        "<style>.late { color: red }</style>",
        "<nav><a href=/risks>All late risks</a></nav>",
        "<footer>All rights are late</footer>",
        "<p hidden>It is late.</p>",
        "<p style='color: red; display: none'>It is late.</p>",
        "<span aria-hidden=true>It is late.</span>",
        "<div id=cookie-banner><p>We use late cookies.</p></div>",
        "<div class='ui cookie-consent'>We use late cookies.</div>",
        "<div role=navigation>It is late.</div>",
        "<ol class='breadcrumb'><li>It is late.</li></ol>",
        "<div class='toc-macro'><a href=#a>It is late.</a></div>",
        "<p class=MsoToc1>It is late. 7</p>",
        "<!-- It is late. --><![if !supportLists]><![endif]>",
        "<template><p>It is late.</p></template><noscript>It is late.</noscript>",
        "<select><option>It is late.</option></select>",
        "<pre class='brush: java'>it.is(late);</pre><pre><code>it.is(late);</code></pre>",
    ],
)
def test_navigation_code_and_hidden_text_are_left_out(hidden: str) -> None:
    assert read("a.html", page(f"<p>The pier is closed.</p>{hidden}<p>The ferry sank.</p>")).texts == [
        "The pier is closed.",
        "The ferry sank.",
    ]


def test_tables_are_rows_with_merged_cells_filled() -> None:
    table = (
        "<table><caption>Register</caption><thead><tr><th>Risk</th><th>Status</th><th>Owner</th></tr></thead><tbody>"
        "<tr><td>The pump<br>leaks.</td><td rowspan=2>Open</td><td rowspan=2>Ana</td></tr><tr><td><p>The roof leaks.</p></td></tr>"
        "<tr><td colspan=2>The gate is stuck.</td><td></td></tr></tbody></table>"
    )
    reading = read("a.htm", page(table + "<p>The end is near.</p>" + table))
    rows = [
        (block.texts, block.place.table, block.place.row) for block in reading.blocks if block.kind == "row"
    ]
    first = [
        (["The pump leaks.", "Open", "Ana"], 1, 2),
        (["The roof leaks.", "Open", ""], 1, 3),
        (["The gate is stuck.", "", ""], 1, 4),
    ]
    assert rows == first + [(cells, 2, row) for cells, _, row in first]


def test_tables_that_arrange_a_page_are_read_as_its_text() -> None:
    inner = "<table><tr><td><h2>Pier</h2><p>The pier is closed.</p></td></tr></table>"
    reading = read("a.html", page(f"<table><tr><td>The menu is here.</td><td>{inner}</td></tr></table>"))
    assert [block.kind for block in reading.blocks] == ["paragraph", "heading", "paragraph"]


def test_items_of_word_lose_their_bullets() -> None:
    item = "<p class=MsoListParagraphCxSpFirst><span style='mso-list:Ignore'>·<span>&nbsp; </span></span>The pier is rotten.</p>"
    blocks = read(
        "a.html", page(f"<p class=MsoTitle>Harbour</p>{item}<p class=MsoNormal>It is closed.</p>")
    ).blocks
    assert [(block.kind, block.texts[0]) for block in blocks] == [
        ("heading", "Harbour"),
        ("item", "The pier is rotten."),
        ("paragraph", "It is closed."),
    ]


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("iso-8859-1", "utf-8"),
        ("utf-8", "cp1252"),
        ("iso-8859-1", "cp1252"),
        ("windows-1251", "windows-1251"),
        ("nonsense", "utf-8"),
    ],
)
def test_the_encoding_is_the_one_that_fits(declared: str, encoding: str) -> None:
    text = "Мост закрыт." if encoding == "windows-1251" else "The café is closed – “today”."
    data = f'<html><head><meta http-equiv="Content-Type" content="text/html; charset={declared}"></head><body><p>{text}</p>'
    assert read("a.html", data.encode(encoding)).texts == [text]


def test_utf_16_and_xhtml_are_read() -> None:
    xhtml = '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>The pier is closed.</p></body></html>'
    assert read("a.html", xhtml).texts == ["The pier is closed."]
    assert read("a.html", ("\ufeff" + xhtml).encode("utf-16-le")).texts == ["The pier is closed."]


@pytest.mark.parametrize(
    "body",
    [
        "<div>" * 50_000,
        "<table><tr><td>" * 2_000,
        "<ul><li>" * 20_000,
        "<b>" * 50_000,
        "<p>a" * 30_000,
        "<table><tr><td colspan=9999 rowspan=9999>a" * 300,
        "<" * 100_000,
        "&" * 100_000,
    ],
)
def test_deep_and_broken_pages_are_read(body: str) -> None:
    assert "The pier is closed." in read("a.html", f"<p>The pier is closed.</p>{body}").texts


def test_nothing_outside_the_page_is_read() -> None:
    body = '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]><p>The pier is closed &x; now.</p><iframe src="file:///etc/passwd"></iframe>'
    assert "root:" not in " ".join(read("a.html", body).texts)


def test_an_element_that_is_shown_in_the_line_divides_no_sentence() -> None:
    body = "<div>The crane costs <div style='color: red; display: inline'>5.22</div> million per year.</div>"
    assert read("a.html", body).texts == ["The crane costs 5.22 million per year."]


def test_formulas_are_read_once() -> None:
    formula = (
        "<math><semantics><mi>x</mi><mo>=</mo><mn>12</mn><annotation>x=12</annotation></semantics></math>"
    )
    assert read("a.html", f"<p>The delay may be {formula} days.</p>").texts == ["The delay may be x=12 days."]


def test_a_register_with_a_table_in_a_cell_keeps_its_columns() -> None:
    inner = "<table><tr><td>Year</td><td>2026</td></tr></table>"
    body = f"<table><tr><th>Risk</th><th>Owner</th></tr><tr><td>The pump may fail.{inner}</td><td>Ana Prem of the harbour</td></tr></table>"
    assert read("a.html", body).texts == ["The pump may fail."]


def test_struck_out_text_is_left_out() -> None:
    page = (
        "<p><s>The oven is old and may not last.</s></p><p>The tenant may <del>never </del>leave at <strike>any time </strike>once.</p>"
        '<p style="color: red; text-decoration: underline line-through">The mill may burn down.</p><p>The shed may burn down.</p>'
    )
    assert read("a.html", page).texts == ["The tenant may leave at once.", "The shed may burn down."]


def test_a_risk_that_is_merged_over_rows_is_read_once() -> None:
    rows = "<tr><td>4</td></tr><tr><td>5</td></tr>"
    text = "Expired certificates may stop the web shop"
    table = f"<table><tr><th>Name<th>Week</tr><tr><td rowspan=3>{text}</td><td>3</td></tr>{rows}</table>"
    assert read("a.html", table).texts.count(text) == 1
