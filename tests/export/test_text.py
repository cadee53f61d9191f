"""Text formats: files read back by another library, and hostile texts."""

from __future__ import annotations

import re

import cmarkgfm
import pytest

from riskscan.export.columns import LAYOUTS
from riskscan.export.text import FORMATS
from tests.support.client import Person, sign_up, text_of
from tests.support.exports import (
    KHMER,
    OPEN,
    TITLES,
    csv_rows,
    label_states,
    load_sheet,
    make_row,
    md_rows,
    read_rows,
    render,
)

DANGEROUS = [
    "=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\tx", "\rx",
    " =1", "\u00a0=1", "\u3000@x", "\u200b=1", "\ufeff-1", " \t+1", "＝1", "\u2003\tx",
]  # fmt: skip
HARMLESS = ["a=1", "1-1", "'a", "x@y.z", "(=1)", KHMER, "", " x", "R-1"]


@pytest.mark.parametrize("kind", FORMATS)
def test_files_are_read_back_unchanged(kind: str) -> None:
    rows = [make_row(text, ref=f"R-{number}") for number, text in enumerate(HARMLESS)]
    titles, *cells = read_rows(kind, render(kind, rows))
    assert titles == ([title.lower().replace(" ", "_") for title in TITLES] if kind == "json" else TITLES)
    date = "2026-01-02T03:04:05.678901Z" if kind == "json" else "2026-01-02T03:04:05Z"
    texts = [text.strip() if kind == "md" else text for text in HARMLESS]
    wanted = [
        [f"R-{number}", date, "", text, text, text, "model", "http://x/scans/1", *OPEN]
        for number, text in enumerate(texts)
    ]
    assert cells == label_states(kind, wanted)


@pytest.mark.parametrize("kind", FORMATS)
def test_file_without_rows_has_only_a_header(kind: str) -> None:
    assert read_rows(kind, render(kind, [])) == [[] if kind == "json" else TITLES]


def test_media_types_are_exact() -> None:
    media_types = {kind: file_format.media_type for kind, file_format in FORMATS.items()}
    assert (
        media_types.items()
        >= {
            "csv": "text/csv; charset=utf-8",
            "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "md": "text/markdown; charset=utf-8",
            "json": "application/json; charset=utf-8",
        }.items()
    )


def test_csv_bytes_are_exact() -> None:
    row = make_row(risk='A "risk", it is', category="-", context=f"{KHMER}\nsecond line")
    assert render("csv", [row]).decode() == (
        "\ufeffRef,Scan date,File,Risk,Category,Context,Source,Link,"
        "Place,State,Reason,Comment,Owner,Likelihood,Impact,Response,Due,Reviewed at\r\n"
        "R-1,2026-01-02T03:04:05Z,,"
        f'"A ""risk"", it is",\'-,"{KHMER}\nsecond line",model,http://x/scans/1,,open,,,,,,,,\r\n'
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cell", DANGEROUS)
def test_formulas_in_cells_are_escaped(cell: str, layout: str) -> None:
    rows = [make_row(cell)]
    for row in csv_rows(render("csv", rows, layout))[1:]:
        assert not any(re.match(r"\s*[=+\-@\t\r\n]", value) for value in row)
        assert layout in ("ciso-assistant", "jira") or row[3:6] == ["'" + cell] * 3
    sheet = load_sheet(render("xlsx", rows, layout))
    assert {value.data_type for row in sheet.iter_rows() for value in row} <= {"s", "n", "d"}
    if layout not in ("ciso-assistant", "jira"):
        shown = [sheet.cell(2, column) for column in (4, 5, 6)]
        text = cell.replace("\r", "\n")
        assert [(value.value, value.quotePrefix) for value in shown] == [(text, True)] * 3


@pytest.mark.parametrize(
    "text",
    [
        "a | b || c \\| d \\",
        "`code` ``two`` **bold** __bold__ ~~gone~~ *x* _y_",
        "<script>alert(1)</script> <b>x</b> &amp; &#64; <https://evil.example>",
        "[x](https://evil.example) ![y](z) [^1] [a][b]",
        "https://evil.example www.evil.example WWW.evil.example ftp://x.y mailto:a@b.example a@b.example",
        "@alice #12 owner/repo#3 $x$ {color:red}x{color} ^up^",
        "one\ntwo\r\nthree\u2028four\tfive",
        "--- | ---",
        "| |",
    ],
)
def test_markdown_escapes_every_text(text: str) -> None:
    body = render("md", [make_row(text)])
    _, row = md_rows(body)
    assert row[3:6] == [" ".join(text.split())] * 3
    page = cmarkgfm.github_flavored_markdown_to_html(body.decode())
    assert set(re.findall(r"<(\w+)", page)) == {"table", "thead", "tbody", "tr", "th", "td", "a"}
    assert re.findall(r'href="([^"]*)"', page) == ["http://x/scans/1"]
    # GitHub turns mentions and references in the rendered text into links
    assert not re.search(r"[@#]\w", re.sub("<[^>]*>", "", page).replace("&#", ""))


@pytest.mark.parametrize(
    "text", ["<img src=x>", "a | b", "[x](http://y)", "www.y.z", "line\nbreak", "\u202ex"]
)
def test_markdown_escapes_notes(text: str) -> None:
    body = render("md", [make_row("", ref="", notes=[text, "second"]), make_row("risk")])
    _, *cells = md_rows(body)
    assert [[cell[0], cell[3], cell[5]] for cell in cells] == [
        ["", "Note", " ".join(text.split())],
        ["", "Note", "second"],
        ["R-1", "risk", "risk"],
    ]
    html = cmarkgfm.github_flavored_markdown_to_html(body.decode())
    assert not re.search('<img|y"', html)


async def test_menu_has_every_format_and_layout(guest: Person) -> None:
    await sign_up(guest)
    page = await guest.post("/scan", data={"text": "tight budget"})
    path = page.headers["Location"]
    links = re.findall(
        rf'<a href="{path}/export\?format=(\w+)(?:&amp;layout=([\w-]+))?">([^<]+)</a>',
        text_of(await guest.get(path)),
    )
    assert [kind for kind, layout, _ in links if not layout] == list(FORMATS)
    assert [layout for _, layout, _ in links if layout] == [layout for layout in LAYOUTS if layout]
    assert len({label.strip() for _, _, label in links}) == len(links)
    for kind, layout, _ in links:
        query = f"format={kind}&layout={layout}"
        assert (await guest.get(f"{path}/export?{query}")).status == 200


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_takes_every_layout(kind: str, layout: str) -> None:
    titles, row = read_rows(kind, render(kind, [make_row()], layout))
    assert len(titles) == len(row) == len(LAYOUTS[layout].columns)
