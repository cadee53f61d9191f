"""Pages of positioned lines into blocks: without headers and footers, with paragraphs and headings."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise, takewhile
from typing import Literal, NamedTuple

from .blocks import Block, Place
from .geometry import Line, Paragraph, find_paragraphs, goes_on, median, order_lines, usual_distance
from .grids import Table
from .hyphens import HYPHENS, join_lines, join_narrow_lines
from .pdf_tables import has_columns
from .wrapping import MIN_UNFINISHED, OPEN_ENDS, OPEN_WORDS, SENTENCE_END

# the share of a page's height at its top and bottom in which headers and footers stand
MARGIN = 0.15
# of its height, how far a header may stand from where it stands on other pages
SHIFT = 0.01
# of a common page, in points
PAGE_HEIGHT = 800
# a header without a gap below it has to be on this many pages
MIN_PAGES = 3
PAGE_NUMBER = re.compile(
    r"^\W*(?:(?:page|seite|p\.|ទំព័រ)\s*)?(?:\d{1,4}|[ivxl]{1,6})(?:\s*(?:/|of|von|de|-|–)\s*\d{1,4})?\W*$",
    re.I,
)
# a heading is larger than the body by this factor, and short
LARGER = 1.2
MAX_HEADING_CHARS = 100
HEADING_LEVELS = 6
# lines of so few words are those of a cell
NARROW_WORDS = 3
WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


class Page(NamedTuple):
    """The lines of a page outside its tables, as they are drawn, and its upper and lower edge.

    `turned` are lines that run in another direction than most, such as stamps, `beside` its comments and
    form values. `needs_ocr` says why its text layer is not enough: it has none, its text lies over a
    picture, or it is a cipher.
    """

    number: int
    lines: list[Line]
    bottom: float
    top: float
    tables: Sequence[Table] = ()
    turned: Sequence[Line] = ()
    beside: Sequence[Block] = ()
    needs_ocr: Literal["", "empty", "picture", "cipher"] = ""


def to_blocks(pages: list[Page]) -> Iterator[Block]:
    """Return paragraphs as blocks of running text, rows, and headings that are larger than the text."""
    pages = drop_headers_and_footers(pages)
    body = _body_height(pages)
    words = _collect_words(pages)
    counter = _TableCounter()
    held, waiting = None, list[Block]()
    for page in pages:
        for number, block in enumerate(_page_blocks(page, body, words, counter)):
            if held and number == 0 and (joined := _join_over_pages(held, block, words)):
                held = joined
                continue
            if held:
                yield held
            yield from waiting
            held, waiting = _set_apart(held, block), []
        waiting = [*waiting, *page.beside]
    if held:
        yield held
    yield from waiting


def _page_blocks(page: Page, body: float, words: set[str], counter: "_TableCounter") -> Iterator[Block]:
    start = 0
    for table in page.tables:
        yield from _text_blocks(page.lines[start : table.position], page.number, body, words)
        yield from counter.to_blocks(table, page.number, is_first=table.position == 0)
        start = table.position
    yield from _text_blocks(page.lines[start:], page.number, body, words)
    for line in page.turned:
        yield _to_block(Paragraph([line], is_apart=True), page.number, body, words)


def _text_blocks(lines: list[Line], page: int, body: float, words: set[str]) -> Iterator[Block]:
    return (_to_block(paragraph, page, body, words) for paragraph in find_paragraphs(order_lines(lines)))


class _TableCounter:
    """Counts tables and their rows; a table that goes on at the top of the next page is one."""

    def __init__(self) -> None:
        self._number = self._row = self._page = 0
        self._last: Table | None = None
        self._head: list[str] = []

    def to_blocks(self, table: Table, page: int, is_first: bool) -> Iterator[Block]:
        rows = table.rows
        if is_first and page == self._page + 1 and self._last and has_columns(self._last, table.columns):
            # its head may stand on each page
            rows = rows[1:] if rows[0] == self._head else rows
            # the rest of a row has its number
            self._row -= bool(rows) and _continues_row(self._last.rows[-1], rows[0])
        else:
            self._number, self._row, self._head = self._number + 1, 0, rows[0]
        self._last, self._page = table, page
        for texts in rows:
            self._row += 1
            yield Block("row", texts, place=Place(page=page, table=self._number, row=self._row))


def _to_block(paragraph: Paragraph, page: int, body: float, words: set[str]) -> Block:
    place = Place(page=page)
    if paragraph.is_row:
        return Block("row", [line.text for line in paragraph.lines], place=place)
    text = paragraph.lines[0].text
    for before, line in pairwise(paragraph.lines):
        join = join_narrow_lines if before.words <= NARROW_WORDS else join_lines
        text = join(text, line.text, words)
    steps = median([line.height for line in paragraph.lines]) / body
    is_title = len(text) <= MAX_HEADING_CHARS and not SENTENCE_END.search(text.rstrip(":"))
    # a line of a paragraph may be higher, where another font has its signs or figures
    if steps > LARGER and is_title and not text[0].islower():
        return Block("heading", [text], max(1, HEADING_LEVELS - round(4 * (steps - 1))), place)
    return Block("text", ["\n" + text if paragraph.is_apart else text], place=place)


def _set_apart(before: Block | None, block: Block) -> Block:
    """Put an empty line before a paragraph that wrapping.py would take for the rest of the one before it."""
    text, last = block.texts[0], before.texts[0].lstrip() if before else ""
    if block.kind == "text" and (
        len(last) >= MIN_UNFINISHED or last.endswith(OPEN_ENDS) or goes_on(text.lstrip())
    ):
        return block._replace(texts=["\n" + text])
    return block


def _join_over_pages(before: Block, after: Block, words: set[str]) -> Block | None:
    """Return the last block of a page with the first one of the next page, None if that is another."""
    if before.kind == after.kind == "text" and _continues_text(before.texts[0], after.texts[0]):
        return before._replace(texts=[join_lines(before.texts[0], after.texts[0].lstrip("\n"), words)])
    same_row = before.place.table == after.place.table > 0 and before.place.row == after.place.row
    if before.kind == after.kind == "row" and same_row:
        cells = zip(before.texts, after.texts, strict=True)
        return before._replace(
            texts=[join_lines(one, other, words) if other else one for one, other in cells]
        )
    return None


def _continues_row(before: list[str], after: list[str]) -> bool:
    """Return whether a row is the rest of one that a page divides: all its cells go on with a sentence."""
    cells = zip(before, after, strict=True)
    # the names of parts may be in lower case
    return not (after[0] and len(before[0].split()) <= NARROW_WORDS) and all(
        one
        and (
            one[-1] in HYPHENS
            or one.rsplit(maxsplit=1)[-1] in OPEN_WORDS
            or (goes_on(other) and not SENTENCE_END.search(one))
        )
        for one, other in cells
        if other
    )


def _continues_text(before: str, after: str) -> bool:
    return (
        not SENTENCE_END.search(before) and len(before.split()) > NARROW_WORDS and goes_on(after.lstrip("\n"))
    )


def _body_height(pages: list[Page]) -> float:
    """Return the height of the lines that hold most of the text."""
    sizes = Counter[float]()
    for page in pages:
        for line in page.lines:
            sizes[round(line.height, 1)] += line.words
    return sizes.most_common(1)[0][0] if sizes else 1.0


def _collect_words(pages: list[Page]) -> set[str]:
    """Return the words of the document, in lower case, if any line ends with a hyphen."""
    lines = [line for page in pages for line in page.lines]
    if not any(line.text[-1] in HYPHENS for line in lines):
        return set()
    # each only once: finding the letters in a word takes ten times as long as finding the word
    tokens = set("\n".join(line.text.rstrip(HYPHENS) for line in lines).lower().split())
    return set(WORDS.findall("\n".join(tokens)))


# -- headers and footers ---------------------------------------------------------------------------

Measure = Callable[[Line | Table, Page], float]
MarginPlaces = Sequence[tuple[Measure, dict[str, list[float]]]]


def drop_headers_and_footers(pages: list[Page]) -> list[Page]:
    """Leave out what stands at the same place in the margins of half of the pages, and page numbers.

    So do stamps across the text. Digits may differ. The body is kept also where pages begin alike.
    """
    # pages may be of several sizes, as those of reports with wide tables, and scans of several resolutions
    places = [(measure, _find_places(pages, measure)) for measure in (_place, _distance)]
    stamps = Counter(text for page in pages for text in {_mask(line.text) for line in page.turned})
    repeated = _find_repeated_tables(pages)
    return [
        _drop_lines(page, _drop_margins(page, places, len(pages)), repeated)._replace(
            turned=[line for line in page.turned if stamps[_mask(line.text)] < max(2, len(pages) / 2)],
        )
        for page in pages
    ]


def _find_repeated_tables(pages: list[Page]) -> set[str]:
    """Return the texts of the tables in the margins of half of the pages, such as a header with a logo."""
    counts = Counter(
        text
        for page in pages
        for text in {_mask(str(table.rows)) for table in page.tables if _is_in_margin(table, page)}
    )
    return {text for text, count in counts.items() if count >= max(2, (len(pages) - 1) / 2)}


def _is_in_margin(found: Line | Table, page: Page) -> bool:
    return not MARGIN <= _place(found, page) <= 1 - MARGIN


def _drop_lines(page: Page, lines: list[Line], repeated: set[str]) -> Page:
    """Return a page with these of its lines, and without repeated tables."""
    if not page.tables:
        return page._replace(lines=lines)
    kept = {id(line) for line in lines}
    tables = [
        table._replace(position=sum(id(line) in kept for line in page.lines[: table.position]))
        for table in page.tables
        if not (_is_in_margin(table, page) and _mask(str(table.rows)) in repeated)
    ]
    return page._replace(lines=lines, tables=tables)


def _find_places(pages: list[Page], measure: Measure) -> dict[str, list[float]]:
    """Return where the text of each line in a margin stands, in order."""
    places: dict[str, list[float]] = {}
    for page in pages:
        for line in page.lines:
            if _is_in_margin(line, page):
                places.setdefault(_mask(line.text), []).append(measure(line, page))
    for found in places.values():
        found.sort()
    return places


def _place(found: Line | Table, page: Page) -> float:
    """Return how high something stands, in shares of the page's height."""
    return ((found.top + found.bottom) / 2 - page.bottom) / max(page.top - page.bottom, 1.0)


def _distance(found: Line | Table, page: Page) -> float:
    """Return how far something stands from the nearer edge, in heights of a common page."""
    middle = (found.top + found.bottom) / 2
    return min(page.top - middle, middle - page.bottom) / PAGE_HEIGHT


def _mask(text: str) -> str:
    return re.sub(r"\d+", "0", text)


def _drop_margins(page: Page, places: MarginPlaces, count: int) -> list[Line]:
    rows = sorted(page.lines, key=lambda line: -line.bottom)
    repeated = {id(line) for line in rows if _is_repeated(line, page, places, count)}
    if not repeated:
        return page.lines
    distance = usual_distance([line for line in rows if id(line) not in repeated])
    edges = []
    upper = {id(line) for line in rows if _place(line, page) > 0.5}
    for ordered, half in ((rows, repeated & upper), (rows[::-1], repeated - upper)):
        edge = ordered[: len(list(takewhile(half.__contains__, map(id, ordered))))]
        # a body that begins alike on all pages has no gap below its first line, but it is made of sentences
        while edge and not (count >= MIN_PAGES and _is_label(edge)):
            if _is_apart(edge[-1], ordered[len(edge) :], distance):
                break
            edge.pop()
        edges.append(edge)
    if sum(map(len, edges)) >= len(rows):
        # pages that are alike
        edges = [edge for edge in edges if _is_label(edge)]
    dropped = {id(line) for edge in edges for line in edge}
    return [line for line in page.lines if id(line) not in dropped]


def _is_label(lines: list[Line]) -> bool:
    return not any(SENTENCE_END.search(line.text) for line in lines)


def _is_repeated(line: Line, page: Page, places: MarginPlaces, count: int) -> bool:
    if not _is_in_margin(line, page):
        return False
    text = _mask(line.text)
    same = max(_count_near(found[text], measure(line, page)) for measure, found in places)
    # on the first page it may be missing
    return bool(PAGE_NUMBER.match(line.text)) or same >= max(2, (count - 1) / 2)


def _count_near(places: list[float], place: float) -> int:
    return bisect_left(places, place + SHIFT) - bisect_right(places, place - SHIFT)


def _is_apart(line: Line, others: list[Line], distance: float) -> bool:
    """Return whether the next line is farther away than lines usually are."""
    return not others or abs(line.bottom - others[0].bottom) > 1.25 * distance * line.height


def name_pages(numbers: Iterable[int], count: int) -> str:
    """Return "Page 3 of 9 was", "Pages 3 and 4 of 9 were" or "Pages 3 to 9 and 11 of 14 were"."""
    numbers = list(numbers)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    names = [_name_run(run) for run in runs[:8]]
    if len(runs) > len(names):
        names.append(f"{sum(map(len, runs[8:]))} more")
    listed = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    return f"Page {listed} of {count} was" if len(numbers) == 1 else f"Pages {listed} of {count} were"


def _name_run(run: list[int]) -> str:
    return str(run[0]) if len(run) == 1 else f"{run[0]} {'to' if len(run) > 2 else 'and'} {run[-1]}"
