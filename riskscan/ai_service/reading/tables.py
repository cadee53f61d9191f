# ruff: noqa: E501
"""Tables: header rows, and the cells that describe a risk."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, groupby, repeat
from typing import NamedTuple

from .blocks import Block
from .layout import SENTENCE_END

# column heads of a risk register: the columns that describe the risk, and the others
RISK_COLUMN = re.compile(
    r"\b(risks?|issues?|threats?|concerns?|problems?|descriptions?|events?|findings?|weakness|observations?|comments?"
    r"|remarks?|details?|notes?|consequences?|causes?)\b|ហានិភ័យ|បញ្ហា|ការពិពណ៌នា|បរិយាយ",
    re.I,
)
OTHER_COLUMN = re.compile(
    r"\b(mitigations?|responses?|actions?|controls?|owners?|status|state|likelihood|probability|impact|severity|score"
    r"|rating|priority|category|type|id|no|date|due|responsible|contingency plan|treatment|step|milestone|measures?)\b"
    r"|វិធានការ|អ្នកទទួលខុសត្រូវ|ស្ថានភាព|ដំណោះស្រាយ",
    re.I,
)
REGISTER_COLUMN = re.compile(r"\b(risks?|issues?|threats?|concerns?|problems?)\b|ហានិភ័យ", re.I)
STATUS_COLUMN = re.compile(r"\b(status|state)\b|ស្ថានភាព", re.I)
CLOSED_STATUS = re.compile(
    r"^\W*(closed|done|completed?|resolved|solved|fixed|retired|expired|mitigated|cancelled|rejected|បានបិទ|បិទ|ចប់|បានដោះស្រាយ)",
    re.I,
)


class Column(NamedTuple):
    """What the head of a column says of its cells; `section` as in Unit.section."""

    describes_risk: bool = True
    is_status: bool = False
    section: str = ""


def name_cells(blocks: Iterable[Block]) -> Iterator[Block]:
    """Leave out the head of each table and give its names to the rows below it.

    Rows that follow each other in the same table, by the number in their place, are one table.
    """
    for (kind, _), group in groupby(blocks, lambda block: (block.kind, block.place.table)):
        if kind == "row":
            yield from _name_rows(group)
        else:
            yield from group


def _name_rows(rows: Iterator[Block]) -> Iterator[Block]:
    first = next(rows)
    names = tuple(first.texts) if is_header_row(first.texts) else ()
    if not names:
        yield first
    for row in rows:
        yield row._replace(names=names)


def parse_header(cells: Iterable[str]) -> list[Column]:
    """Return the columns that a header row names."""
    cells = tuple(cells)
    is_register = any(REGISTER_COLUMN.search(name) for name in cells)
    columns = []
    for name in cells:
        is_risk_column = bool(RISK_COLUMN.search(name))
        columns.append(
            Column(
                is_risk_column or not OTHER_COLUMN.search(name),
                bool(STATUS_COLUMN.search(name)),
                "risks" if is_risk_column and is_register else "",
            )
        )
    return columns


def is_header_row(cells: list[str]) -> bool:
    """Return whether a row names columns: words of a register, or one or two capitalized words in each."""
    texts = [cell.strip() for cell in cells if cell.strip()]
    if len(texts) < 2:
        return False
    if all(len(text.split()) <= 2 and text[0].isupper() for text in texts):
        return True
    return (
        all(len(text) <= 40 and not SENTENCE_END.search(text) for text in texts)
        and not any(text[0].isdigit() for text in texts)
        and any(RISK_COLUMN.search(text) or OTHER_COLUMN.search(text) for text in texts)
    )


def risk_cells(header: list[Column], cells: list[str], section: str) -> Iterator[tuple[str, str]]:
    """Return the cells that may describe a risk, with their section; none if the row's status is closed."""
    columns = list(zip(chain(header, repeat(Column())), cells, strict=False))
    if any(column.is_status and CLOSED_STATUS.search(cell) for column, cell in columns):
        return
    for column, cell in columns:
        if column.describes_risk:
            yield cell, section or column.section
