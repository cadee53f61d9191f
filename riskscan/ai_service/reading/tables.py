"""Tables: where the names of their columns stand, and sheets and registers that have them at the left."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice, product
from typing import NamedTuple

from .blocks import Block, Place
from .columns import MAX_NAME_CHARS, MIN_SENTENCE_WORDS, RATING, classify_name, is_plain_name, names_risks
from .outline import classify_heading

# the head stands among the first rows
MAX_ROWS_ABOVE = 30
# in a wider sheet tables side by side are not looked for
MAX_SPLIT_COLUMNS = 60
MAX_LABELS = 60
MAX_LINES = 100
MAX_LATER_NAME_CHARS = 40
MAX_TITLE_CHARS = 120
MAX_TITLE_WORDS = 8
DIGIT = re.compile(r"\d")
LONG_WORD = re.compile(r"[^\W\d_]{3}")
SENTENCE_CELL = re.compile(r"\s.*[^\W\d_]{4}[.!;]\W*$|[។៕]$", re.S)
PLURAL_RISKS = re.compile(r"\b(?:risks|issues|threats|concerns|problems)\W*$", re.I)


def name_cells(blocks: Iterable[Block]) -> Iterator[Block]:
    """Leave out the head of each table and give its names to the rows below it.

    Rows that follow each other in the same table, by the number in their place, are one table. A row
    that is a title of the rows below it becomes the heading in their places.
    """
    for (kind, _), group in groupby(blocks, lambda block: (block.kind, block.place.table)):
        if kind == "row":
            yield from _name_rows(_clean(row) for row in group if any(map(str.strip, row.texts)))
        else:
            yield from group


def _clean(row: Block) -> Block:
    """Return a row without the repeated texts of merged cells."""
    texts = [text.strip() for text in row.texts]
    if texts == row.texts and len(set(texts)) == len(texts):
        return row
    for number in range(len(texts) - 1, 0, -1):
        if texts[number] == texts[number - 1] and len(texts[number].split()) >= MIN_SENTENCE_WORDS:
            texts[number] = ""
    return row._replace(texts=texts)


def _name_rows(rows: Iterator[Block]) -> Iterator[Block]:
    first = list(islice(rows, MAX_ROWS_ABOVE))
    if not first:
        return
    if gap := _find_gap(first):
        whole = [*first, *rows]
        for side in (slice(gap), slice(gap, None)):
            parts = [row._replace(texts=row.texts[side]) for row in whole]
            yield from _name_rows(row for row in parts if any(row.texts))
        return
    indent = min(next(number for number, text in enumerate(row.texts) if text) for row in first)
    table = (_remove_indent(row, indent) for row in chain(first, rows)) if indent else chain(first, rows)
    first = list(islice(table, len(first)))
    texts = [row.texts for row in first]
    head = find_head(texts)
    if has_labels(texts, head):
        yield from _turn_sheets(chain(first, table))
        return
    titles: tuple[str, ...] = ()
    for row in first[: head.first if head else 0]:
        if title := _find_single_text(row.texts):
            # the first line says more than those below it, such as a version
            if not titles or classify_heading(title):
                titles = (title,)
        else:
            # columns of which nothing is known: a version, a date
            yield row._replace(names=("",) * len(row.texts))
    below = chain(first[head.end if head else 0 :], table)
    yield from _name_body(below, head.names if head else (), titles)


def _find_gap(rows: list[Block]) -> int:
    """Return the number of the empty column between two tables side by side, 0 if there is one table."""
    width = max(len(row.texts) for row in rows)
    if width > MAX_SPLIT_COLUMNS:
        return 0
    empty = [gap for gap in range(width) if not any("".join(row.texts[gap : gap + 1]) for row in rows)]
    for gap, row in product(empty, rows):
        left, right = row.texts[:gap], row.texts[gap + 1 :]
        # a register has no name twice, but for its ratings before and after a measure
        shared = {text for text in set(left) & set(right) if text and classify_name(text) != "rating"}
        if shared and is_head(left) and is_head(right):
            return gap
    return 0


def _remove_indent(row: Block, indent: int) -> Block:
    """Return a row without the columns that are empty in the first rows."""
    texts = row.texts
    if any(texts[:indent]):
        return row._replace(texts=[" ".join(filter(None, texts[: indent + 1])), *texts[indent + 1 :]])
    return row._replace(texts=texts[indent:])


def _name_body(rows: Iterable[Block], names: tuple[str, ...], titles: tuple[str, ...]) -> Iterator[Block]:
    last, title_row, is_after_gap = 0, 0, False
    for row in rows:
        texts = row.texts
        is_below_title = title_row > 0 and last == title_row
        is_after_gap = (last > 0 and row.place.row > last + 1) or (is_after_gap and is_below_title)
        last = row.place.row
        if names and _may_be_head(texts) and _begins_table(texts, is_below_title, is_after_gap):
            names = tuple(texts)
        elif title := _find_title(texts, names):
            titles, title_row = (title,), last
        else:
            place = row.place._replace(headings=titles) if titles else row.place
            is_across = len(texts) == 1 < len(names) and not _describes_risk(names[0])
            yield row._replace(names=() if is_across else names, place=place)


def _begins_table(texts: list[str], is_below_title: bool, is_after_gap: bool) -> bool:
    """Return whether a row is the head of another table; one in the middle of a table has to name risks."""
    unique = _unique_texts(texts)
    if is_below_title and is_after_gap and len(unique) > 1 and _is_label(unique[0]):
        return True
    return is_head(texts) and (is_below_title or is_after_gap or names_risks(tuple(texts)))


# -- the head --------------------------------------------------------------------------------------


class Head(NamedTuple):
    """The names of the columns, and the rows that they stand in: from `first` to before `end`."""

    names: tuple[str, ...]
    first: int
    end: int


def find_head(rows: list[list[str]]) -> Head | None:
    """Return the head among the first rows of a table, by what its names mean, else by their look."""
    heads = [number for number, row in enumerate(rows) if is_head(row)]
    number = next(
        (number for number in heads if any(_describes_risk(name) for name in rows[number])),
        heads[0] if heads else None,
    )
    if number is None:
        number = next((number for number, row in enumerate(rows) if len(_unique_texts(row)) > 1), 0)
        if not _looks_like_head(rows, number):
            return None
    names, first, end = rows[number], number, number + 1
    if number and _is_group_head(rows[number - 1], names):
        names, first = _join(rows[number - 1], names), number - 1
    elif end < len(rows) and _is_lower_head(names, rows[end]):
        names, end = _join(names, rows[end]), end + 1
    return Head(tuple(names), first, end)


def _unique_texts(row: list[str]) -> list[str]:
    """Return the different texts of a row."""
    return list(dict.fromkeys(filter(None, row)))


def _is_name(text: str) -> bool:
    return len(text) <= MAX_NAME_CHARS and not SENTENCE_CELL.search(text)


def _describes_risk(name: str) -> bool:
    return classify_name(name) in ("risk", "description")


def is_head(row: list[str]) -> bool:
    """Return whether most cells are known names of columns."""
    if len(row) < 2 or any(len(text) > MAX_NAME_CHARS for text in row):
        return False
    texts = [text for text, _ in groupby(row) if text]
    # "Open" and "Closed" stand below a status too
    known = {text for text in texts if _is_name(text) and classify_name(text) not in ("", "open", "closed")}
    return len(known) >= 2 and 2 * len(known) > len(texts) and any(map(is_plain_name, known))


def _may_be_head(row: list[str]) -> bool:
    """Return whether a row has no long cell and no number: most rows of a register have one."""
    return len(max(row, key=len)) <= MAX_LATER_NAME_CHARS and not any(map(str.isdigit, row))


def _looks_like_head(rows: list[list[str]], number: int) -> bool:
    """Return whether a row without enough known names has one, or short ones unlike the next row."""
    texts = _unique_texts(rows[number])
    if len(max(rows, key=len)) == 1 or all(len(_unique_texts(row)) == 1 for row in rows):
        return len(rows) > 1 and _describes_risk(texts[0]) and is_plain_name(texts[0])
    if len(texts) < 2 or not all(map(_is_name, texts)) or any(text[0].isdigit() for text in texts):
        return False
    if number + 1 == len(rows):
        # the only row of a table is text rather than names
        return False
    if any(map(_is_label, texts)):
        return True
    after = _unique_texts(rows[number + 1])
    return _is_short(texts) and not (len(after) > 1 and _is_short(after))


def _is_short(texts: list[str]) -> bool:
    """Return whether each text is one to three words, the first of them capitalized, and no rating."""
    return all(len(text.split()) <= 3 and text[0].isupper() and not RATING.fullmatch(text) for text in texts)


def _is_group_head(above: list[str], head: list[str]) -> bool:
    """Return whether a row names groups of the columns below it: "Risk", "Assessment"."""
    texts = _unique_texts(above)
    return 2 <= len(texts) < len(_unique_texts(head)) + above.count("") and all(
        _is_name(text) and not DIGIT.search(text) and not text.endswith(":") for text in texts
    )


def _is_lower_head(head: list[str], row: list[str]) -> bool:
    """Return whether a row names the columns of the groups that the head names."""
    texts = _unique_texts(row)
    if len(texts) < 2 or any(len(text.split()) > 3 or DIGIT.search(text) for text in texts):
        return False
    width = max(len(head), len(row))
    padded = [*head, *[""] * (width - len(head))]
    gaps = [not name or name == before for before, name in zip(["", *padded], padded, strict=False)]
    under_groups = [
        gaps[number] or gaps[number + 1 : number + 2] == [True] for number, text in enumerate(row) if text
    ]
    known = sum(classify_name(text) != "" for text in texts)
    return (all(under_groups) or is_head(row)) and known > 0 and any(gaps)


def _join(groups: list[str], names: list[str]) -> list[str]:
    """Return the names of columns, each after that of its group, which may span several."""
    joined, group = [], ""
    for number in range(max(len(groups), len(names))):
        upper = groups[number] if number < len(groups) else ""
        name = names[number] if number < len(names) else ""
        group = upper or (group if name else "")
        joined.append(name if group in ("", name) else f"{group} {name}".strip())
    return joined


def _find_title(texts: list[str], names: tuple[str, ...]) -> str:
    """Return the text of a row that is the title of those below it, else ""."""
    title = _find_single_text(texts)
    if not title or len(title.split()) > MAX_TITLE_WORDS:
        return ""
    if len(names or texts) < 2:
        # in a sheet that is written like a page
        return title if not names and classify_heading(title) else ""
    if texts.count(title) == 1 and (not texts[0] or (names and _describes_risk(names[0]))):
        # it may be a risk of which nothing else is known
        return title if classify_heading(title) == "closed" or PLURAL_RISKS.search(title) else ""
    return title


def _find_single_text(texts: list[str]) -> str:
    """Return the only text of a row if it may be a title, else ""."""
    text = next(filter(None, texts))
    if texts.count("") + texts.count(text) < len(texts) or len(text) > MAX_TITLE_CHARS:
        return ""
    return text if LONG_WORD.search(text) and not SENTENCE_CELL.search(text) else ""


# -- labels at the left ----------------------------------------------------------------------------


def has_labels(rows: list[list[str]], head: Head | None) -> bool:
    """Return whether the first column holds labels: a sheet, or a register with a column for each risk."""
    below = rows
    if head and is_head(rows[head.end - 1]):
        if any(len(_unique_texts(row)) > 2 for row in rows):
            return False
        below = rows[head.end :]
    labels = [row[0] for row in below if row[0]]
    known = [label.lower() for label in labels if _is_label(label)]
    return (
        len(set(known)) >= 2
        and 3 * len(known) >= len(labels)
        and any(_describes_risk(row[0]) for row in rows)
    )


def _turn_sheets(rows: Iterable[Block]) -> Iterator[Block]:
    """Return a row for each sheet, with its labels as names; a label that comes again begins the next."""
    sheet: dict[str, list[str]] = {}
    place, lines = Place(), 0
    titles: tuple[str, ...] = ()
    for row in rows:
        filled = _unique_texts(row.texts)
        if len(filled) == 1 and row.texts[0] and not is_plain_name(filled[0]):
            if sheet and not any(sheet[last := next(reversed(sheet))]):
                sheet[last] = filled
                continue
            yield from _to_rows(sheet, place)
            sheet = {}
            titles = (filled[0],) if len(filled[0]) <= MAX_TITLE_CHARS else titles
            if not titles or titles[0] != filled[0]:
                yield row
            continue
        for label, values in _split_pairs(row.texts):
            if not label:
                lines += 1
                if sheet and lines <= MAX_LINES:
                    _add_lines(sheet[next(reversed(sheet))], values)
                else:
                    yield row
                continue
            if label in sheet or len(sheet) == MAX_LABELS:
                yield from _to_rows(sheet, place)
                sheet = {}
            if not sheet:
                place = row.place._replace(headings=titles)
            sheet[label], lines = values, 0
    yield from _to_rows(sheet, place)


def _split_pairs(row: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Return the label of a row with its values, or both pairs of "Owner", "Ana", "Status", "Open"."""
    filled = [text for text in row if text]
    if len(filled) > 3 and len(filled) % 2 == 0 and all(map(_is_label, filled[::2])):
        row = filled
    if len(row) > 3 and row[0] and row[2] and all(map(_is_label, filter(None, row[::2]))):
        for number in range(0, len(row), 2):
            if row[number]:
                yield row[number].rstrip(" :"), row[number + 1 : number + 2]
    else:
        yield row[0].rstrip(" :"), row[1:]


def _is_label(text: str) -> bool:
    return is_plain_name(text) and classify_name(text) not in ("open", "closed")


def _add_lines(values: list[str], more: list[str]) -> None:
    """Add the values of a row without a label to those of the row above."""
    values += [""] * (len(more) - len(values))
    for number, text in enumerate(more):
        values[number] = f"{values[number]}\n{text}".strip()


def _to_rows(sheet: dict[str, list[str]], place: Place) -> Iterator[Block]:
    for number in range(max(map(len, sheet.values()), default=0)):
        texts = [values[number] if number < len(values) else "" for values in sheet.values()]
        if any(texts):
            yield Block("row", texts, place=place, names=tuple(sheet))
