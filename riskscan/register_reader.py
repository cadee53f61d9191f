"""The process that reads one edited export: `python -m riskscan.register_reader`.

Standard input is that of ai_service/reader.py. Standard output is one line of JSON: {"lines"}, a list
of lists (see register_import.Line), {"status", "code", "detail"}, or after a bug {"trace"}.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from .ai_service import reader
from .ai_service.errors import ServiceError, UnreadableDocument, format_trace
from .ai_service.reading import excel
from .ai_service.reading.csv import find_delimiter
from .ai_service.reading.encodings import decode
from .ai_service.reading.package import Package
from .export.columns import NO_VALUE, REVIEW_KEYS
from .export.text import unescape_formula
from .export.xlsx import NAME_PREFIX

MAX_LINES = 20_000
MAX_VALUE = 1_000  # characters; every field that is longer is refused anyway
REF = re.compile(r"R-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9]{2,6}", re.ASCII | re.IGNORECASE)
CELL = re.compile(r"'?(.*?)'?!\$?([A-Z]{1,3})\$?[0-9]*", re.DOTALL)
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
# in English, German, French, Spanish, Italian, Dutch, Portuguese and Khmer; a workbook has defined names, too
HEADS = {
    "state": "state status zustand état statut estado stato toestand ស្ថានភាព",
    "reason": "reason grund begründung raison motif motivo razón razão reden ហេតុផល",
    "comment": "comment kommentar commentaire comentario commento opmerking comentário មតិ",
    "owner": "owner eigentümer verantwortlich propriétaire responsable responsabile eigenaar "
    "responsável ម្ចាស់",
    "likelihood": "likelihood probability wahrscheinlichkeit vraisemblance probabilité probabilidad "
    "probabilità waarschijnlijkheid kans probabilidade លទ្ធភាព",
    "impact": "impact auswirkung impacto impatto gevolg ផលប៉ះពាល់",
    "response": "response maßnahme reaktion réponse traitement respuesta risposta reactie resposta ការឆ្លើយតប",
    "due": "due fällig frist échéance vencimiento scadenza vervaldatum vencimento កាលកំណត់",
    "reviewed_at": "reviewed_at",
}
KEY_OF_HEAD = {head: key for key, heads in HEADS.items() for head in heads.split()}


class Row(NamedTuple):
    """A row that is not empty; `sheet` is empty in CSV."""

    sheet: str
    number: int
    cells: list[str]


def read_lines(filename: str, data: bytes) -> list[list[Any]]:
    """Return the sheet, row, reference and texts of the review of each row; raises ServiceError."""
    names: dict[str, dict[int, str]] = {}
    if filename.lower().endswith(".csv"):
        rows = read_csv_rows(data)
    else:
        names, rows = read_column_names(data), read_excel_rows(data)
    lines = []
    for line in find_lines(rows, names):
        lines.append(line)
        if len(lines) > MAX_LINES:
            raise UnreadableDocument(f"The file has more than {MAX_LINES:,} rows; send it in parts.")
    if not lines:
        raise UnreadableDocument("The file has no findings: none of its rows has a reference such as R-….")
    if not any(fields.keys() - {"reviewed_at"} for *_, fields in lines):
        raise UnreadableDocument(
            "The file has no column of a review, such as State or Owner, beside references."
        )
    return lines


def read_csv_rows(data: bytes) -> Iterator[Row]:
    text = decode(data)
    delimiter, _ = find_delimiter(text.splitlines(keepends=True)[:1000])
    try:
        for number, cells in enumerate(
            csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or ","), 1
        ):
            if any(cells):
                yield Row("", number, [cell.strip() for cell in cells])
    except csv.Error:
        raise UnreadableDocument("The file is not valid CSV.") from None


def read_excel_rows(data: bytes) -> Iterator[Row]:
    notes: list[str] = []
    for block in excel.read_blocks(data, notes, NO_VALUE):
        if block.kind == "row":
            sheet = block.place.part.removeprefix("Sheet ")
            yield Row(sheet, block.place.row, [unescape_characters(text) for text in block.texts])
    if any("were not read" in note for note in notes):
        raise UnreadableDocument(f"The file has too many cells; send it in parts. {notes[-1]}")


def unescape_characters(text: str) -> str:
    """Return a text with the characters that Excel writes by their number (ECMA-376, ST_Xstring)."""
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def read_column_names(data: bytes) -> dict[str, dict[int, str]]:
    """Return the keys that defined names give to columns, by sheet: they survive a translated head."""
    package = Package(data)
    names: dict[str, dict[int, str]] = {}
    for node in package.parse(package.main_part()).iter("{*}definedName"):
        key, cell = node.get("name", "").lower().removeprefix(NAME_PREFIX), CELL.fullmatch(node.text or "")
        if key in REVIEW_KEYS and cell:
            names.setdefault(cell[1].replace("''", "'"), {})[column_index(cell[2])] = key
    return names


def column_index(letters: str) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - ord("A") + 1
    return index - 1


def find_lines(rows: Iterator[Row], names: dict[str, dict[int, str]]) -> Iterator[list[Any]]:
    """Yield the rows from the first reference of each sheet on; the row before it has the heads."""
    sheet, head, ref_column, keys = None, [""], -1, dict[int, str]()
    for row in rows:
        if row.sheet != sheet:
            sheet, head, ref_column = row.sheet, [], -1
        if ref_column < 0:
            ref_column = next((index for index, cell in enumerate(row.cells) if REF.fullmatch(cell)), -1)
            if ref_column < 0:
                head = row.cells
                continue
            keys = {index: key for index, cell in enumerate(head) if (key := find_key(cell))}
            keys = {index: key for index, key in keys.items() if key not in names.get(sheet, {}).values()}
            keys |= names.get(sheet, {})
        cells = dict(enumerate(row.cells))
        fields = {key: cells.get(index, "")[:MAX_VALUE] for index, key in keys.items()}
        if not names:  # in a workbook of ours, an apostrophe belongs to the text
            fields = {key: unescape_formula(text) for key, text in fields.items()}
        ref = cells.get(ref_column, "").strip(NO_VALUE)[:100]
        if ref or any(fields.values()):
            yield [row.sheet, row.number, ref, fields]


def find_key(head: str) -> str | None:
    return KEY_OF_HEAD.get("_".join(head.lower().split())[:100])


def respond(filename: str, data: bytes) -> str:
    """Read the file and return the line to write."""
    try:
        return json.dumps({"lines": read_lines(filename, data)}, ensure_ascii=False)
    except ServiceError as error:
        return json.dumps({"status": error.status, "code": error.code, "detail": error.detail})
    except Exception as error:
        return json.dumps({"trace": format_trace(error)})


if __name__ == "__main__":
    reader.main(respond)
