"""DrawingML: the text of shapes, diagrams (SmartArt) and charts, in slides and in Word documents."""

from collections.abc import Iterator
from typing import Any

from .paragraphs import LINE_BREAK, join_lines

# the namespaces of DrawingML and of the IDs of relationships
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
# what refers to a part with the texts of a diagram or chart
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
TEXT = A + "t"


def has_text(element: Any) -> bool:
    return next(element.iter(TEXT, MATH_TEXT, DIAGRAM, CHART), None) is not None


def read_paragraphs(element: Any) -> Iterator[Any]:
    yield from element.iter(A + "p")


def read_texts(element: Any) -> list[str]:
    """Return the paragraphs of a shape, cell, diagram or chart that are not empty."""
    return [text for paragraph in read_paragraphs(element) if (text := join_lines(read_text(paragraph)))]


def read_text(paragraph: Any) -> str:
    pieces = []
    for node in paragraph.iter(TEXT, MATH_TEXT, A + "br"):
        if node.tag == A + "br":
            pieces.append(LINE_BREAK)
        elif not _is_left_out(node.getparent()):
            # PowerPoint writes some line breaks so
            pieces.append((node.text or "").replace("_x000B_", LINE_BREAK))
    return "".join(pieces)


def _is_left_out(run: Any) -> bool:
    """Return whether a run is struck out, or a field that shows the number of the slide or today's date."""
    if run.tag == A + "fld" and run.get("type", "").startswith(("slidenum", "datetime")):
        return True
    return any(child.get("strike", "noStrike") != "noStrike" for child in run.iterchildren(A + "rPr"))
