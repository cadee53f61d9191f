"""Marked PDFs: highlights over the sentences, and the file as it was in front of what is new."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from riskscan.ai_service.errors import UnreadableDocument
from riskscan.marking.pdf import mark_pdf
from riskscan.marking.placing import Mark
from tests.ai_service.documents import pdf
from tests.ai_service.pdfs import FONT, at, column, draw, paged, scanned

Box = tuple[float, float, float, float]


class Annotation(NamedTuple):
    """An annotation: its page, its kind, its author and text, and what stands in its boxes."""

    page: int
    kind: int
    author: str
    note: str
    text: list[str]


def string_of(annotation: pdfium.FPDF_ANNOTATION, key: bytes) -> str:
    size = pdfium.FPDFAnnot_GetStringValue(annotation, key, None, 0)
    buffer = ctypes.create_string_buffer(size)
    pdfium.FPDFAnnot_GetStringValue(
        annotation, key, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size
    )
    return buffer.raw.decode("utf-16-le").rstrip("\0")


def annotations_of(data: bytes) -> list[Annotation]:
    document = pypdfium2.PdfDocument(data)
    found = []
    for number in range(len(document)):
        page = document[number]
        text_page = page.get_textpage()
        for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
            annotation = pdfium.FPDFPage_GetAnnot(page, index)
            texts = []
            for quad in range(pdfium.FPDFAnnot_CountAttachmentPoints(annotation)):
                points = pdfium.FS_QUADPOINTSF()
                pdfium.FPDFAnnot_GetAttachmentPoints(annotation, quad, ctypes.byref(points))
                texts.append(text_page.get_text_bounded(points.x1, points.y3, points.x2, points.y1).strip())
            kind = pdfium.FPDFAnnot_GetSubtype(annotation)
            author, note = string_of(annotation, b"T"), string_of(annotation, b"Contents")
            found.append(Annotation(number + 1, kind, author, note, texts))
            pdfium.FPDFPage_CloseAnnot(annotation)
    return found


def highlight(page: int, note: str, *texts: str) -> Annotation:
    return Annotation(page, pdfium.FPDF_ANNOT_HIGHLIGHT, "RiskScan", note, list(texts))


def mark(data: bytes, *sentences: str) -> tuple[bytes, list[int]]:
    return mark_pdf(
        data, [Mark(number, text, 0, f"Nota № {number}") for number, text in enumerate(sentences, 1)]
    )


def texts_of(data: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(data)
    return [document[number].get_textpage().get_text_range() for number in range(len(document))]


@pytest.mark.parametrize(
    "page",
    [b"", b"/CropBox [40 30 500 800]", b"/Rotate 90", b"/Rotate 180 /CropBox [40 30 500 800]"],
)
def test_each_line_of_a_sentence_is_highlighted(page: bytes) -> None:
    data = paged(column(60, 700, ["First one. The supplier", "may be late again. Last one."]), page=page)
    marked, placed = mark(data, "The supplier may be late again.")
    assert placed == [1]
    assert annotations_of(marked) == [highlight(1, "Nota № 1", "The supplier", "may be late again")]
    assert marked.startswith(data)
    assert texts_of(marked) == texts_of(data)


def test_sentence_across_pages_is_highlighted_on_both_without_the_footer() -> None:
    data = paged(
        [at(60, 700, "The supplier may cancel the order"), at(60, 40, "Page 1 of 2")],
        [at(60, 700, "without any notice at all.")],
    )
    marked, placed = mark(data, "The supplier may cancel the order without any notice at all.")
    assert placed == [1]
    assert annotations_of(marked) == [
        highlight(1, "Nota № 1", "The supplier may cancel the order"),
        highlight(2, "Nota № 1", "without any notice at all"),
    ]


def test_page_of_the_finding_is_highlighted() -> None:
    data = paged(*[[at(60, 700, "Same risk.")]] * 3)
    marked, placed = mark_pdf(data, [Mark(5, "Same risk.", 2, "Note")])
    assert placed == [5]
    assert annotations_of(marked) == [highlight(2, "Note", "Same risk")]


def test_findings_that_are_not_found_are_listed_on_the_first_page() -> None:
    data = paged([at(60, 700, "The budget is tight.")])
    marked, placed = mark(data, "The moon may fall.", "The budget is tight.")
    assert placed == [2]
    note, found = annotations_of(marked)
    assert note.kind == pdfium.FPDF_ANNOT_TEXT
    assert note.note.splitlines()[0] == "RiskScan · findings that were not found in the text: 1"
    assert note.note.endswith("“The moon may fall.”")
    assert found == highlight(1, "Nota № 2", "The budget is tight")


def test_a_note_is_on_the_page_where_all_pages_share_their_size() -> None:
    drawn = at(60, 300, "The budget is tight.")
    data = pdf(
        [
            b"<</Type /Catalog /Pages 2 0 R>>",
            b"<</Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 595 420]>>",
            b"<</Type /Page /Parent 2 0 R /Contents 4 0 R /Resources <</Font <</F 5 0 R>>>>>>",
            b"<</Length %d>>\nstream\n%s\nendstream" % (len(drawn), drawn),
            FONT,
        ]
    )
    marked, _ = mark(data, "The moon may fall.", "The budget is tight.")
    annotation = pdfium.FPDFPage_GetAnnot(pypdfium2.PdfDocument(marked)[0], 0)
    place = pdfium.FS_RECTF()
    pdfium.FPDFAnnot_GetRect(annotation, ctypes.byref(place))
    pdfium.FPDFPage_CloseAnnot(annotation)
    assert 380 < place.top < 420


def test_annotations_of_others_stay() -> None:
    first, _ = mark(paged([at(60, 700, "A is late. B is late.")]), "A is late.")
    second, _ = mark(first, "B is late.")
    assert [annotation.text for annotation in annotations_of(second)] == [["A is late"], ["B is late"]]


def test_scan_without_text_is_not_marked() -> None:
    assert mark(scanned(draw(["The budget is tight."])), "The budget is tight.") == (b"", [])


@pytest.mark.parametrize("data", [b"%PDF-1.7 nothing", b"", paged([at(60, 700, "x")])[:300]])
def test_damaged_document_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        mark(data, "The budget is tight.")
