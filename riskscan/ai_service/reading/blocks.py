"""Blocks: the passages of a document, in order, as each format is read into them."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from ..errors import UnreadableDocument

# about 700 full pages; more would not be scored within the minute that a client waits
MAX_CHARS = 2_000_000


class Block(NamedTuple):
    """A passage of a document.

    `texts` holds the cells of a row, and one text for the other kinds; "text" is running text whose
    line breaks and headings are still to be found. `level` is that of a heading, 1 the highest.
    """

    kind: Literal["text", "heading", "paragraph", "item", "row"]
    texts: list[str]
    level: int = 0


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
