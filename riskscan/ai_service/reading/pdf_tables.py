"""Tables of PDF pages: the texts of their cells."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from .aligned_grids import find_aligned_grids
from .geometry import Line, Word, find_lines, usual_distance
from .grids import SNAP, Grid, Rules, Table, find_grids
from .hyphens import join_lines, join_narrow_lines
from .marks import BULLET, CLAUSE_NUMBER, DASH
from .wrapping import SENTENCE_END

# a larger distance than this share of the usual one starts a paragraph of a cell
PARAGRAPH_GAP = 1.3
# lines of so few words may be cut inside a word
NARROW_WORDS = 3


def split_tables(words: list[Word], rules: Rules, before: Table | None) -> tuple[list[Line], list[Table]]:
    """Return the lines outside the tables, and the tables.

    A grid in which fewer than two rows have two texts is no table but a box, a form or a chart, unless it has
    the columns of the table before it, on the last page.
    """
    found = list[tuple[Grid, dict[int, list[int]]]]()
    taken = set[int]()

    def take(grids: Iterable[Grid]) -> None:
        for grid in grids:
            if inside := _place_words(words, grid, before, taken):
                found.append((grid, inside))
                taken.update(number for numbers in inside.values() for number in numbers)

    # of tables inside each other the inner one has the words
    take(sorted(find_grids(rules), key=_size))
    rest = [word for number, word in enumerate(words) if number not in taken] if taken else words
    lines = find_lines(rest)
    take(find_aligned_grids(rest, lines, rules.level, before))
    return _part_tables(words, found, taken) if found else (lines, [])


def _part_tables(
    words: list[Word], found: list[tuple[Grid, dict[int, list[int]]]], taken: set[int]
) -> tuple[list[Line], list[Table]]:
    lines: list[Line] = []
    tables: list[Table] = []
    known = {word.text.lower() for word in words}
    start = 0
    for first, grid, inside in sorted(
        ((min(min(area) for area in inside.values()), grid, inside) for grid, inside in found),
        key=lambda each: each[0],
    ):
        lines += find_lines(words[number] for number in range(start, first) if number not in taken)
        texts = {
            area: _read_cell([words[number] for number in numbers], known) for area, numbers in inside.items()
        }
        bottom, *_, top = grid.edges_y
        tables.append(Table(grid.edges_x, bottom, top, _read_rows(grid, texts), len(lines), grid.is_ruled))
        start = first
    lines += find_lines(words[number] for number in range(start, len(words)) if number not in taken)
    return lines, tables


def _size(grid: Grid) -> float:
    return (grid.edges_x[-1] - grid.edges_x[0]) * (grid.edges_y[-1] - grid.edges_y[0])


def _place_words(
    words: list[Word], grid: Grid, before: Table | None, taken: set[int]
) -> dict[int, list[int]]:
    """Return the numbers of the words in each area of a table but those taken; nothing if it is none."""
    inside: dict[int, list[int]] = {}
    for number, word in enumerate(words):
        area = grid.find(word)
        if area is not None and number not in taken:
            inside.setdefault(area, []).append(number)
    if not inside.keys() <= _find_rectangles(grid):
        return {}
    rows = sum(len({area for area in row if area in inside}) > 1 for row in grid.areas)
    return inside if rows > 1 or (before and has_columns(before, grid.edges_x)) else {}


def _find_rectangles(grid: Grid) -> set[int]:
    """Return the areas that are rectangles; where lines are missing, others may have any shape."""
    cells: dict[int, list[tuple[int, int]]] = {}
    for y, row in enumerate(grid.areas):
        for x, area in enumerate(row):
            cells.setdefault(area, []).append((y, x))
    return {area for area, places in cells.items() if _fill_rectangle(places)}


def _fill_rectangle(places: list[tuple[int, int]]) -> bool:
    rows, columns = {y for y, _ in places}, {x for _, x in places}
    return len(places) == (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1)


def has_columns(table: Table, edges: Sequence[float]) -> bool:
    """Return whether the columns of a table have these edges."""
    return len(table.columns) == len(edges) and all(
        abs(one - other) <= SNAP for one, other in zip(table.columns, edges, strict=True)
    )


def _read_cell(words: list[Word], known: set[str]) -> str:
    """Return the text of a cell, in which a list item and what follows a gap start a new line.

    `known` are the words of the page in lower case.
    """
    lines = find_lines(words)
    if any(line.bottom > before.top for before, line in pairwise(lines)):
        lines.sort(key=lambda line: (-line.bottom, line.left))
    is_list = CLAUSE_NUMBER.match(lines[0].text)
    distance = usual_distance(lines)
    text = lines[0].text
    for before, line in pairwise(lines):
        height = max(before.height, line.height)
        is_apart = before.bottom - line.bottom > PARAGRAPH_GAP * distance * height
        is_item = BULLET.match(line.text) or DASH.match(line.text)
        # a number may also stand at the start of a wrapped line
        is_clause = CLAUSE_NUMBER.match(line.text) and (is_list or SENTENCE_END.search(before.text))
        if is_apart or is_item or is_clause:
            text += "\n" + line.text
        else:
            join = join_narrow_lines if before.words <= NARROW_WORDS else join_lines
            text = join(text, line.text, known)
    return text


def _read_rows(grid: Grid, texts: dict[int, str]) -> list[list[str]]:
    """Return the texts of each row, from the top."""
    from .columns import repeat_below  # 4 ms, and most pages have no table

    rows: list[list[str]] = []
    above: Sequence[int] = [-1] * len(grid.areas[0])
    for areas in reversed(grid.areas):
        rows.append(
            [
                texts.pop(area, "") or (repeat_below(rows[-1][column]) if area == above[column] else "")
                for column, area in enumerate(areas)
            ]
        )
        above = areas
    return [row for row in rows if any(row)]
