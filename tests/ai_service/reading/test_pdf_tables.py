"""Tables of PDFs: rows and cells by the rules between them."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from riskscan.ai_service.reading import documents
from riskscan.ai_service.reading.blocks import Block
from tests.ai_service.pdfs import at, column, paged

Row = Sequence[Sequence[str]]
HEAD: Row = [["No"], ["Risk"], ["Measure"]]
PUMP: Row = [["1"], ["The pump may fail", "in the first frost"], ["Order a spare", "pump"]]
QUAY: Row = [["2"], ["The quay may sink", "before the spring", "tide"], ["Drive new piles"]]
ROWS = [HEAD, PUMP, QUAY]
TEXTS = [
    ["No", "Risk", "Measure"],
    ["1", "The pump may fail in the first frost", "Order a spare pump"],
    ["2", "The quay may sink before the spring tide", "Drive new piles"],
]
COLUMNS = (60.0, 100.0, 260.0, 400.0)
TOP, STEP = 700.0, 14.0


def line(x1: float, y1: float, x2: float, y2: float) -> bytes:
    return b"%g %g m %g %g l S\n" % (x1, y1, x2, y2)


def bar(x1: float, y1: float, x2: float, y2: float) -> bytes:
    return b"%g %g %g %g re f\n" % (x1, y1, max(0.5, x2 - x1), max(0.5, y2 - y1))


def frame(x1: float, y1: float, x2: float, y2: float) -> bytes:
    return b"%g %g %g %g re S\n" % (x1, y1, x2 - x1, y2 - y1)


def mirrored(x1: float, y1: float, x2: float, y2: float) -> bytes:
    return b"q 1 0 0 -1 0 900 cm %g %g m %g %g l S Q\n" % (x1, 900 - y1, x2, 900 - y2)


def edges(rows: Sequence[Row]) -> list[float]:
    """Return where the rules between rows lie, from the top."""
    found = [TOP]
    for row in rows:
        found.append(found[-1] - STEP * max(map(len, row)) - 8)
    return found


def cells(rows: Sequence[Row]) -> list[bytes]:
    """Draw the texts of a table row by row, with a text across it in the first cell if it has one."""
    return [
        drawn
        for row, edge in zip(rows, edges(rows), strict=False)
        for left, lines in zip(COLUMNS, row, strict=False)
        for drawn in column(left + 4, edge - STEP, lines, STEP)
    ]


def rules(rows: Sequence[Row], rule: Callable[[float, float, float, float], bytes] = line) -> list[bytes]:
    places = edges(rows)
    level = [rule(COLUMNS[0], place, COLUMNS[-1], place) for place in places]
    return level + [rule(left, places[-1], left, places[0]) for left in COLUMNS]


def frames(rows: Sequence[Row]) -> list[bytes]:
    """Draw a frame around each cell."""
    return [
        frame(left, low, right, high)
        for high, low in pairwise(edges(rows))
        for left, right in pairwise(COLUMNS)
    ]


def table(rows: Sequence[Row]) -> list[bytes]:
    return rules(rows) + cells(rows)


def blocks(*pages: list[bytes], page: bytes = b"") -> list[Block]:
    return list(documents.read_blocks("a.pdf", paged(*pages, page=page), []))


def rows_of(*pages: list[bytes], page: bytes = b"") -> list[Block]:
    return [block for block in blocks(*pages, page=page) if block.place.table]


@pytest.mark.parametrize(
    "drawn",
    [rules(ROWS), rules(ROWS, bar), rules(ROWS, mirrored), frames(ROWS)],
    ids=["lines", "bars", "mirrored lines", "frames"],
)
def test_cells_of_several_lines_are_read_whole(drawn: list[bytes]) -> None:
    found = rows_of(drawn + cells(ROWS))
    assert [block.texts for block in found] == TEXTS
    assert [(block.place.page, block.place.table, block.place.row) for block in found] == [
        (1, 1, 1),
        (1, 1, 2),
        (1, 1, 3),
    ]


@pytest.mark.parametrize("rotation", [90, 270])
def test_tables_of_pages_that_are_shown_turned_are_read(rotation: int) -> None:
    assert [block.texts for block in rows_of(table(ROWS), page=b"/Rotate %d" % rotation)] == TEXTS


def test_a_table_that_is_drawn_upwards_on_a_turned_page_is_read() -> None:
    # as programs draw a wide page: x and y change places
    turned = [line(*point) for point in ((800 - y1, x1, 800 - y2, x2) for x1, y1, x2, y2 in _lines(ROWS))]
    texts = [
        at(800 - (edge - STEP - STEP * number), left + 4, text, turn="0 1 -1 0")
        for row, edge in zip(ROWS, edges(ROWS), strict=False)
        for left, lines in zip(COLUMNS, row, strict=False)
        for number, text in enumerate(lines)
    ]
    assert [block.texts for block in rows_of(turned + texts, page=b"/Rotate 90")] == TEXTS


def _lines(rows: Sequence[Row]) -> list[tuple[float, float, float, float]]:
    places = edges(rows)
    level = [(COLUMNS[0], place, COLUMNS[-1], place) for place in places]
    return level + [(left, places[-1], left, places[0]) for left in COLUMNS]


def test_text_around_a_table_stays_in_order() -> None:
    above, below = at(60, 740, "The board met in May."), at(60, 500, "The next meeting is in June.")
    texts = [" | ".join(block.texts).strip() for block in blocks([above, *table(ROWS), below])]
    assert texts == ["The board met in May.", *map(" | ".join, TEXTS), "The next meeting is in June."]


def test_merged_cells_have_their_text_once() -> None:
    rows = [[["Risks of the pier in the year to come"]], *ROWS]
    places = edges(rows)
    drawn = [line(COLUMNS[0], place, COLUMNS[-1], place) for place in places]
    drawn += [line(left, places[-1], left, places[1]) for left in COLUMNS]
    drawn += [line(left, places[1], left, places[0]) for left in (COLUMNS[0], COLUMNS[-1])]
    texts = [block.texts for block in rows_of(drawn + cells(rows))]
    assert texts == [["Risks of the pier in the year to come", "", ""], *TEXTS]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["The pump may", "be late"], "The pump may be late"),
        (["It will be", "low in May"], "It will be low in May"),
        (["It was with", "in the shed"], "It was with in the shed"),
        (["The recomm", "endation"], "The recommendation"),
        (["Two risk", "s remain"], "Two risks remain"),
    ],
)
def test_narrow_cells_divide_words_and_no_words_are_glued(lines: list[str], text: str) -> None:
    assert rows_of(table([HEAD, PUMP, [["2"], lines, ["None"]]]))[2].texts[1] == text


def test_a_merged_status_holds_for_each_row() -> None:
    rows: list[Row] = [
        [["Status"], ["Risk"], ["Measure"]],
        [["Closed"], *PUMP[1:]],
        [[], *QUAY[1:]],
        [["Open"], ["Fraud"], ["Audit"]],
    ]
    places = edges(rows)
    drawn = [line(COLUMNS[number == 2], place, COLUMNS[-1], place) for number, place in enumerate(places)]
    drawn += [line(left, places[-1], left, places[0]) for left in COLUMNS]
    assert [block.texts[0] for block in rows_of(drawn + cells(rows))] == [
        "Status",
        "Closed",
        "Closed",
        "Open",
    ]


def test_items_of_a_cell_are_lines_of_their_own() -> None:
    items: Row = [["3"], ["- The quay may sink", "- The pump may fail", "in the first frost"], ["None"]]
    assert (
        rows_of(table([HEAD, items]))[1].texts[1]
        == "- The quay may sink\n- The pump may fail in the first frost"
    )


def test_a_table_goes_on_at_the_top_of_the_next_page() -> None:
    crane: Row = [["3"], ["The crane may be sold"], ["Rent one"]]
    found = rows_of(table(ROWS), table([HEAD, crane]), table([crane]))
    assert [(block.place.page, block.place.table, block.place.row) for block in found] == [
        (1, 1, 1),
        (1, 1, 2),
        (1, 1, 3),
        (2, 1, 4),
        (3, 1, 5),
    ]
    assert [block.texts[0] for block in found] == ["No", "1", "2", "3", "3"]


def test_a_row_that_a_page_divides_is_one_row() -> None:
    rest: Row = [[], ["of the year"], []]
    crane: Row = [["3"], ["The crane may be sold"], ["Rent one"]]
    found = rows_of(table(ROWS), table([rest, crane]))
    assert [(block.place.row, block.texts[1]) for block in found[2:]] == [
        (3, "The quay may sink before the spring tide of the year"),
        (4, "The crane may be sold"),
    ]


def test_a_row_goes_on_after_a_page_with_a_name_below_a_word_that_ends_no_sentence() -> None:
    fair: Row = [["3"], ["The stalls are lost in"], ["Rent more in"]]
    found = rows_of(table([*ROWS, fair]), table([[[], ["May."], ["June."]], PUMP]))
    assert [block.texts for block in found[3:]] == [
        ["3", "The stalls are lost in May.", "Rent more in June."],
        TEXTS[1],
    ]


def test_a_row_below_a_merged_cell_is_a_row_of_its_own_after_a_page_too() -> None:
    below: Row = [[], ["Rats eat the grain"], ["Buy two cats"]]
    found = rows_of(table(ROWS), table([below, PUMP]))
    assert [(block.place.row, block.texts[1]) for block in found[3:]] == [
        (4, "Rats eat the grain"),
        (5, "The pump may fail in the first frost"),
    ]


def moved(drawn: list[bytes], x: float, y: float) -> list[bytes]:
    return [b"q 1 0 0 1 %g %g cm\n" % (x, y), *drawn, b"Q\n"]


@pytest.mark.parametrize(("x", "y"), [(0, -200), (400, 0.4)], ids=["below", "beside"])
def test_two_tables_are_two(x: float, y: float) -> None:
    between = at(60, 570, "The vendor may leave us.") if y < -1 else b""
    found = blocks([*table(ROWS), between, *moved(table(ROWS), x, y)])
    assert [block.place.table for block in found if block.place.table] == [1, 1, 1, 2, 2, 2]
    texts = [block.texts[0].strip() for block in found if not block.place.table]
    assert texts == (["The vendor may leave us."] if between else [])


def test_a_table_inside_a_cell_is_read_once() -> None:
    outer = [
        *rules([[["Plan"], ["See the list"], [""]], [["Risks"], ["", "", "", "", "", "", "", "", ""], [""]]])
    ]
    outer += [at(64, 686, "Plan"), at(104, 686, "See the list"), at(64, 664, "Risks")]
    inner = [b"q 0.3 0 0 0.3 90 430 cm\n", *table(ROWS), b"Q\n"]
    read = " ".join(text for block in blocks(outer + inner) for text in block.texts)
    assert read.count("The pump may fail") == read.count("Plan") == 1


def test_a_table_without_rules_around_it_has_all_its_cells() -> None:
    places = edges(ROWS)
    drawn = [line(COLUMNS[0], place, COLUMNS[-1], place) for place in places[1:-1]]
    drawn += [line(left, places[-1], left, places[0]) for left in COLUMNS[1:-1]]
    assert [block.texts for block in rows_of(drawn + cells(ROWS))] == TEXTS


def test_a_number_at_the_start_of_a_wrapped_line_stays_in_its_sentence() -> None:
    row: Row = [["3"], ["The budget may rise to", "12. May at the latest"], ["None"]]
    assert rows_of(table([HEAD, row]))[1].texts[1] == "The budget may rise to 12. May at the latest"


def test_a_table_with_other_columns_is_another() -> None:
    other = moved(table([HEAD, PUMP]), 60, 0)
    assert [block.place.table for block in rows_of(table(ROWS), other)] == [1, 1, 1, 2, 2]


@pytest.mark.parametrize(("rise", "count"), [(100, 0), (0, 6)])
def test_a_table_at_the_head_of_each_page_is_left_out_one_in_the_text_is_not(rise: int, count: int) -> None:
    pages = [
        [
            b"q 1 0 0 1 0 %d cm\n" % rise,
            *table([[["Hall"], [f"Page {number}"]], [["Quay"], ["Version 2"]]]),
            b"Q\n",
            at(60, 400, f"The {name} was closed in May."),
        ]
        for number, name in enumerate(("quay", "pump", "crane"), 1)
    ]
    found = blocks(*pages)
    assert [block.texts[0].strip() for block in found if not block.place.table] == [
        "The quay was closed in May.",
        "The pump was closed in May.",
        "The crane was closed in May.",
    ]
    assert sum(block.place.table > 0 for block in found) == count


@pytest.mark.parametrize(
    "drawn",
    [
        # a box around text, and one beside it
        [frame(50, 650, 400, 720), frame(400, 650, 550, 720)],
        # a chart: an axis and lines of its scale
        [line(50, 600, 50, 720), *(line(50, place, 400, place) for place in range(600, 720, 20))],
        # rows of another colour
        [b"%g %g 350 22 re f\n" % (50, place) for place in (684, 655)],
    ],
    ids=["boxes", "chart", "stripes"],
)
def test_other_rules_leave_the_text_as_it_is(drawn: list[bytes]) -> None:
    text = column(
        60, 700, ["The pump may fail in the first frost, and nobody has", "ordered a spare one yet."]
    )
    assert blocks(drawn + text) == blocks(text)


def test_a_page_of_drawings_is_not_searched_for_tables() -> None:
    many = [line(0, 7 * number, 2000, 7 * number) for number in range(200)]
    many += [line(7 * number, 0, 7 * number, 2000) for number in range(200)]
    assert rows_of(many + cells([PUMP, QUAY])) == []


# -- without upright rules ---------------------------------------------------------------------------


def level_rules(numbers: Sequence[int]) -> list[bytes]:
    places = edges(ROWS)
    return [line(COLUMNS[0], places[number], COLUMNS[-1], places[number]) for number in numbers]


@pytest.mark.parametrize(
    "drawn",
    [[], level_rules([1]), level_rules([0, 1, 3]), level_rules([0, 1, 2, 3])],
    ids=["none", "below the head", "around", "between rows"],
)
def test_columns_are_found_below_known_names(drawn: list[bytes]) -> None:
    above, below = at(60, 740, "The board met in May."), at(60, 500, "The next meeting is in June.")
    found = blocks([above, *drawn, *cells(ROWS), below])
    assert [block.texts for block in found if block.place.table] == TEXTS
    texts = [block.texts[0].strip() for block in found if not block.place.table]
    assert texts == ["The board met in May.", "The next meeting is in June."]


def closely(
    *rows: tuple[str, ...], lefts: Sequence[float] = (60, 100, 260, 400), top: float = TOP
) -> list[bytes]:
    """Draw the texts of a table line by line, all lines at the same distance."""
    return [
        at(left, top - STEP * number, text)
        for number, row in enumerate(rows)
        for left, text in zip(lefts, row, strict=False)
        if text
    ]


OWNED = [
    ("No", "Risk", "Owner", "Status"),
    ("1", "The pump may fail", "Ana Silva", "Open"),
    ("", "in the first frost", "", ""),
    ("2", "The quay may sink", "", "Closed"),
    ("3", "Delay by the port", "Ben", ""),
    ("", "Authority", "", ""),
]


def test_rows_without_distance_are_parted_by_what_they_say() -> None:
    assert [block.texts for block in rows_of(closely(*OWNED))] == [
        ["No", "Risk", "Owner", "Status"],
        ["1", "The pump may fail in the first frost", "Ana Silva", "Open"],
        ["2", "The quay may sink", "", "Closed"],
        ["3", "Delay by the port Authority", "Ben", ""],
    ]


def test_names_may_stand_half_a_line_above_and_below_the_others() -> None:
    drawn = closely(*OWNED[1:], top=TOP - 2 * STEP)
    drawn += closely(("No", "Risk", "", "Status"))
    drawn += [at(260, TOP + STEP / 2, "Risk"), at(260, TOP - STEP / 2, "owner")]
    found = rows_of(drawn)
    assert [block.texts for block in found[:2]] == [
        ["No", "Risk", "Risk owner", "Status"],
        ["1", "The pump may fail in the first frost", "Ana Silva", "Open"],
    ]


@pytest.mark.parametrize("head", [[], [OWNED[0]]], ids=["without", "with"])
def test_a_table_without_rules_goes_on_with_or_without_its_head(head: list[tuple[str, ...]]) -> None:
    rest = [*head, ("", "of the river", "", ""), ("4", "The crane may be sold", "Dora", "Open")]
    header = at(60, 800, "Plan of the harbour")
    found = rows_of([header, *closely(*OWNED)], [header, *closely(*rest, top=750)])
    assert [(block.place.table, block.place.row, block.texts[1]) for block in found[3:]] == [
        (1, 4, "Delay by the port Authority of the river"),
        (1, 5, "The crane may be sold"),
    ]


def test_a_row_that_a_page_divides_is_one_row_if_its_first_column_holds_sentences() -> None:
    first: Row = [["Risk"], ["Owner"], ["Measure"]]
    pump: Row = [["The pump", "may fail"], ["Ana"], ["Order a spare"]]
    crane: Row = [["It sinks"], ["Ben"], ["Rent one"]]
    found = rows_of(table([first, crane, pump]), table([[["in winter"], [""], ["pump"]], crane]))
    assert [block.texts for block in found[2:]] == [
        ["The pump may fail in winter", "Ana", "Order a spare pump"],
        ["It sinks", "Ben", "Rent one"],
    ]


PROSE = ["The pump may fail in the first", "frost, and nobody has ordered", "a spare one yet."]


@pytest.mark.parametrize(
    "drawn",
    [
        closely(("Risk", "Impact")) + column(60, 680, PROSE) + column(300, 680, PROSE),
        closely(
            ("Risk:", "Owner:", "Date:", "Status:"), ("", "", "", ""), ("Risk:", "Owner:", "Date:", "Status:")
        ),
        closely(
            ("Risk", "The pump may fail"), ("Owner", "Ana Silva"), ("Status", "Open"), ("Action", "Order one")
        ),
        closely(("Risks", "", "", "3"), ("Owners", "", "", "5"), ("Actions", "", "", "12")),
        # a column without a name
        closely(("Risk", "Owner", "", "Status"), *OWNED[1:]),
        # text in the middle of its cell, and rows as close as lines
        [
            *closely(*OWNED[:3]),
            *closely(("", "Wind", "", ""), ("", "on the quay", "", ""), top=TOP - 3 * STEP),
            *closely(("2", "", "Ben", "Open"), top=TOP - 3.5 * STEP),
        ],
        # a sentence across the columns in the first row
        [
            *closely(OWNED[0]),
            at(60, TOP - STEP, "The pump may fail in the first frost, said Ana Silva to Ben."),
        ],
    ],
    ids=["two columns", "form", "pairs", "contents", "unnamed column", "middle", "sentence"],
)
def test_doubtful_tables_stay_text(drawn: list[bytes]) -> None:
    assert rows_of(drawn) == []
