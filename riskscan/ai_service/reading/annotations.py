"""What people put on the pages of a PDF: the values of form fields, and comments."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pypdfium2
import pypdfium2.raw as pdfium

from .blocks import Block, Place

COMMENTS = (
    pdfium.FPDF_ANNOT_TEXT,
    pdfium.FPDF_ANNOT_FREETEXT,
    pdfium.FPDF_ANNOT_HIGHLIGHT,
    pdfium.FPDF_ANNOT_UNDERLINE,
    pdfium.FPDF_ANNOT_SQUIGGLY,
    pdfium.FPDF_ANNOT_STRIKEOUT,
    pdfium.FPDF_ANNOT_CARET,
    pdfium.FPDF_ANNOT_STAMP,
    pdfium.FPDF_ANNOT_INK,
    pdfium.FPDF_ANNOT_LINE,
    pdfium.FPDF_ANNOT_SQUARE,
    pdfium.FPDF_ANNOT_CIRCLE,
    pdfium.FPDF_ANNOT_POLYGON,
    pdfium.FPDF_ANNOT_POLYLINE,
    pdfium.FPDF_ANNOT_FILEATTACHMENT,
)
BUTTONS = (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON)
CHOICES = (pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX)
# flags of annotations, and of text fields
HIDDEN, NO_VIEW = 1 << 1, 1 << 5
PASSWORD = 1 << 13
# more per page, or options of a field, are not looked at
MAX_ANNOTATIONS = 5_000
MAX_OPTIONS = 1_000
# values that only say that a box is checked
CHECKED = frozenset(("", "yes", "on", "true", "1", "x", "checked"))


def read_annotations(
    document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, number: int, seen: set[tuple[str, str]]
) -> list[Block]:
    """Return the form values and comments of a page; a field that stands in several places is read once.

    `seen` holds the names and values of the fields that were read before.
    """
    blocks: list[Block] = []
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), MAX_ANNOTATIONS)):
        with _open_annotation(page, index) as annotation:
            if not annotation or pdfium.FPDFAnnot_GetFlags(annotation) & (HIDDEN | NO_VIEW):
                continue
            subtype = pdfium.FPDFAnnot_GetSubtype(annotation)
            if subtype == pdfium.FPDF_ANNOT_WIDGET and document.formenv:
                blocks += _read_field(document.formenv, annotation, number, seen)
            # the state of a review is an annotation of its own, "Accepted set by …"
            elif subtype in COMMENTS and not pdfium.FPDFAnnot_HasKey(annotation, b"StateModel"):
                blocks += _to_blocks("comment", _read_value(annotation, b"Contents"), "Comment", number)
    return blocks


@contextmanager
def _open_annotation(page: pypdfium2.PdfPage, index: int) -> Iterator[Any]:
    annotation = pdfium.FPDFPage_GetAnnot(page, index)
    try:
        yield annotation
    finally:
        if annotation:
            pdfium.FPDFPage_CloseAnnot(annotation)


def _read_field(
    form: pypdfium2.PdfFormEnv, annotation: Any, number: int, seen: set[tuple[str, str]]
) -> Iterator[Block]:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    name = _read_string(pdfium.FPDFAnnot_GetFormFieldAlternateName, form, annotation)
    name = name or _read_string(pdfium.FPDFAnnot_GetFormFieldName, form, annotation)
    if kind in BUTTONS:
        value = _read_checked(form, annotation, name)
    elif kind in CHOICES:
        value = _read_choice(form, annotation)
    elif kind == pdfium.FPDF_FORMFIELD_TEXTFIELD:
        is_password = pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & PASSWORD
        value = "" if is_password else _read_string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
    else:
        return
    if (name, value) not in seen:
        seen.add((name, value))
        yield from _to_blocks("form value", value, name, number)


def _read_checked(form: pypdfium2.PdfFormEnv, annotation: Any, name: str) -> str:
    """Return the name of a box that is checked, with its value if that says more."""
    if not pdfium.FPDFAnnot_IsChecked(form, annotation):
        return ""
    value = _read_string(pdfium.FPDFAnnot_GetFormFieldExportValue, form, annotation)
    return name if value.lower() in CHECKED else f"{name}: {value}"


def _read_choice(form: pypdfium2.PdfFormEnv, annotation: Any) -> str:
    """Return the options that are selected, each in a line, as people see them."""
    count = min(pdfium.FPDFAnnot_GetOptionCount(form, annotation), MAX_OPTIONS)
    selected = [
        _read_string(pdfium.FPDFAnnot_GetOptionLabel, form, annotation, option)
        for option in range(count)
        if pdfium.FPDFAnnot_IsOptionSelected(form, annotation, option)
    ]
    return "\n".join(selected) or _read_string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)


def _read_string(function: Callable[..., int], *arguments: Any) -> str:
    """Return the string that a function of PDFium writes into a buffer, in UTF-16 with a zero at the end."""
    size = function(*arguments, None, 0)
    buffer = ctypes.create_string_buffer(size + 2)
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return buffer.raw[:size].decode("utf-16-le", "replace").rstrip("\0").strip()


def _read_value(annotation: Any, key: bytes) -> str:
    return _read_string(pdfium.FPDFAnnot_GetStringValue, annotation, key)


def _to_blocks(kind: Literal["comment", "form value"], text: str, part: str, number: int) -> Iterator[Block]:
    """Return a block for each line that a person typed."""
    for line in text.splitlines():
        if line.strip():
            yield Block(kind, [line.strip()], place=Place(page=number, part=part))
