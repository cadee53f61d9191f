"""The translations of notes: of each that the embedded AI service writes, and of no others."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from riskscan import PACKAGE
from riskscan.ai_service import notes
from riskscan.ai_service.reading.excel import _name_sheets
from riskscan.ai_service.reading.pages import name_pages
from riskscan.note_translations import SENTENCES, compile_patterns, translate_note
from tests.messages import TRANSLATED
from tests.support.ai import Ai
from tests.support.client import Person, sign_up, text_of

# what stands for a call or a variable in a note of the readers
EXAMPLES = {
    "error.detail": "The document is damaged and could not be read.",
    "names": "“plan and budget.zip”, “b & c.exe”",
    "numbers": "2, 3",
    "more": " and others",
    "name": "a: “b”.docx",
    "note": "The attachment was not read. The file is not text.",
}


def find_notes(path: Path) -> Iterator[str]:
    """Yield the notes that a module of the readers appends, with examples of their values."""
    module = importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(value=target, attr="append"), args=[argument]) if ast.unparse(
                target
            ).endswith("notes") and isinstance(argument, ast.JoinedStr | ast.Constant | ast.Subscript):
                yield write(argument.value if isinstance(argument, ast.Subscript) else argument, vars(module))
            case ast.AugAssign(target=target, value=ast.ListComp(elt=ast.JoinedStr() as text)) if ast.unparse(
                target
            ).endswith("notes"):
                yield write(text, vars(module))


def write(text: ast.expr, names: dict[str, object]) -> str:
    """Return the text of a literal, with examples of its values or the constants that they name."""
    if isinstance(text, ast.Constant):
        return str(text.value)
    assert isinstance(text, ast.JoinedStr)
    return "".join(write_value(each, names) for each in text.values)


def write_value(part: ast.expr, names: dict[str, object]) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    value = ast.unparse(part.value)
    if value.startswith("name_pages"):
        return name_pages([3, 4, 5, 9, 11], 14)
    if value.rpartition(".")[2].isupper():
        return str(eval(value, names))  # a constant of the module
    return EXAMPLES.get(value, "1,234")


NOTES = [
    note
    for path in sorted((PACKAGE / "ai_service" / "reading").glob("*.py"))
    if path.name != "rtf.py"  # its notes are footnotes
    for note in find_notes(path)
]
for helpful in (notes.HELP_WITHOUT_MODEL, notes.HELP_AFTER_FAILURE, notes.HELP_TOO_LONG):
    NOTES += notes.describe_foreign_parts({"Thai": 20, "English": 1}, {"Thai": 900, "English": 10}, helpful)
NOTES += [
    *notes.describe_foreign_parts({"Thai": 20}, {"Thai": 900}, ""),
    *notes.describe_foreign_parts(
        dict.fromkeys(["Thai", "Lao", "French", "Malay", "English"], 20),
        {"Thai": 9, "Lao": 9, "French": 9, "Malay": 9, "English": 99},
        "",
    ),
    notes.TOO_LONG,
    notes.describe_part_read(1_000, 2_000),
    *notes.describe_left_out(100, 2_000, False, "surest"),
    *notes.describe_left_out(100, 20, True, "first"),
    *notes.describe_left_out(100, 0, True, "first"),
    notes.limit_notes(list("abcdefghijklmnopqrstuvwxyz"))[-1],
    name_pages([2], 3) + " not read: there was no time left.",
    name_pages(range(1, 99, 3), 99) + " not read: there was no time left.",
    _name_sheets(["“a”", "“b and c”"] * 9),
]


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("note", NOTES)
def test_each_note_of_the_embedded_service_is_translated(note: str, language: str) -> None:
    translated = translate_note(note, language)
    assert translated
    assert translated != note


@pytest.mark.parametrize("sentence", SENTENCES)
def test_each_sentence_is_used(sentence: str) -> None:
    assert any(compile_patterns()[sentence].search(note) for note in NOTES)


def test_values_are_in_the_language_and_names_as_they_are() -> None:
    note = (
        "Parts of this document are in Thai, Quenyish and other languages and were not searched for risks:"
        " the built-in analyser reads only English and Khmer."
    )
    assert "ភាសាថៃ, Quenyish និង ភាសាផ្សេងទៀត " in str(translate_note(note, "km"))
    assert str(translate_note("“<b> and to.txt”: The attachment was not read.", "km")).startswith(
        '<bdi lang="">“&lt;b&gt; and to.txt”</bdi>៖ '
    )
    assert translate_note("Page 3 of 9 was not read: there was no time left.", "en") == (
        "Page 3 of 9 was not read: there was no time left."
    )
    assert translate_note("“ឯកសារ.txt”: The attachment was not read.", "en") == (
        '<bdi lang="km">“ឯកសារ.txt”</bdi>: The attachment was not read.'
    )


@pytest.mark.parametrize(
    "note",
    [
        "Only the finest findings are shown.",
        "Send them by themselves. Or not.",
        "“a.txt”: x",
        "Send them",
        "Low",
        "Only the first ten findings are shown; the others were left out.",
        "…",
    ],
)
def test_other_notes_are_not(note: str) -> None:
    assert translate_note(note, "km") is None


async def test_pages_mark_the_language_of_notes(guest: Person, ai: Ai) -> None:
    await sign_up(guest)
    own, other, khmer = "The attachment was not read.", "<b>Another</b> service.", "ឯកសារ"
    ai.findings = {"data": [], "source": "model", "notes": [own, other, khmer]}
    location = (await guest.post("/scan", data={"text": "x"})).headers["Location"]
    page = text_of(await guest.get(location, headers={"Accept-Language": "km"}))
    assert "<li>មិនបានអានឯកសារភ្ជាប់ទេ។</li>" in page
    for language in ("km", "en"):
        page = text_of(await guest.get(location, headers={"Accept-Language": language}))
        assert '<li dir="auto" lang="">&lt;b&gt;Another&lt;/b&gt; service.</li>' in page
        assert '<li dir="auto" lang="km">ឯកសារ</li>' in page
    assert f"<li>{own}</li>" in page
