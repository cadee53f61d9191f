"""Blocks: the passages of a document, in order, as each format is read into them."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from ..errors import UnreadableDocument

# about 700 full pages; more would not be scored within the minute that a client waits
MAX_CHARS = 2_000_000


class Place(NamedTuple):
    """Where a passage stands in its document, as far as the format says; 0 and "" where it does not.

    Pages, slides, tables, rows and paragraphs count from 1. `part` says in words for people what the passage
    stands in or beside the text: "Sheet Costs", "Attachment plan.docx", "Comment". `number` is that of its
    clause, such as "4.2" or "4.2(a)". `headings` are those above the passage, the highest first.
    """

    page: int = 0
    slide: int = 0
    part: str = ""
    table: int = 0
    row: int = 0
    paragraph: int = 0
    number: str = ""
    headings: tuple[str, ...] = ()


class Block(NamedTuple):
    """A passage of a document.

    `texts` holds the cells of a row, and one text for the other kinds; "text" is running text whose
    line breaks and headings are still to be found. `level` is that of a heading, 1 the highest.
    `names` are the heads of the columns of a row, once tables.py has found them.
    """

    kind: Literal["text", "heading", "paragraph", "item", "row", "comment", "form value", "footnote"]
    texts: list[str]
    level: int = 0
    place: Place = Place()
    names: tuple[str, ...] = ()


def limit_size(blocks: Iterable[Block]) -> Iterator[Block]:
    """Pass the blocks on; raises UnreadableDocument when they hold more than MAX_CHARS."""
    size = 0
    for block in blocks:
        size += sum(map(len, block.texts))
        if size > MAX_CHARS:
            raise UnreadableDocument(
                f"The document holds more than {MAX_CHARS:,} characters of text; send it in parts."
            )
        yield block
