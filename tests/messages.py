"""The messages of templates and Python, and their catalogues; `make messages` brings these up to date."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from riskscan import PACKAGE, note_translations
from riskscan.errors import ERRORS_BY_STATUS
from riskscan.languages import LANGUAGES, SOURCE
from riskscan.template_filters import WORDS

TRANSLATED = [language for language in LANGUAGES if language != SOURCE]
# what takes sentences for people as arguments, by position or name, also as the values of **{…}
SENTENCES = {
    "ApiError", "Sentence", "gettext", "invalid_filter", "invalid_request", "invalid_value",
    "not_authenticated", "not_found", "required_text", "translate", "unavailable", "unsupported_file_type",
}  # fmt: skip
SERVICE_ERRORS = {"ServiceError", "UnreadableDocument"}  # of the AI service; one with a value stays English
OPTIONS = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}  # as the templates are read

Message = str | tuple[str, str]  # the latter with its plural


def catalogue_path(language: str) -> Path:
    return PACKAGE / "locale" / language / "LC_MESSAGES" / "messages.po"


def read_catalogue(language: str) -> Catalog:
    with catalogue_path(language).open("rb") as file:
        return read_po(file, locale=language)


def extract_messages() -> Catalog:
    """Return all messages, with the files that have them."""
    catalog = Catalog()
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix not in (".html", ".py"):
            continue
        find = find_in_template if path.suffix == ".html" else find_in_python
        for message in find(path.read_text()):
            catalog.add(message, locations=[(str(path.relative_to(PACKAGE)), 0)])
    for _, detail in ERRORS_BY_STATUS.values():
        catalog.add(detail, locations=[("errors.py", 0)])
    for text in (*note_translations.SENTENCES, *note_translations.WORDS):
        catalog.add(text, locations=[("note_translations.py", 0)])
    for words in WORDS.values():
        for word in words.values():
            catalog.add(word, locations=[("template_filters.py", 0)])
    return catalog


def find_in_template(source: str) -> Iterator[Message]:
    found = babel_extract(io.BytesIO(source.encode()), ("_", "gettext", "ngettext"), (), OPTIONS)
    for _, function, texts, _ in found:
        first, *others = [texts] if isinstance(texts, str) else texts or [None]
        assert first, "a message is one literal"
        yield (first, others[0] or "") if function == "ngettext" else first


def find_in_python(source: str) -> Iterator[Message]:
    """Return the literal sentences among the arguments of the functions in SENTENCES, and of ngettext."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
        values = list(literals(node))
        if name == "ngettext":
            yield (values[0], values[1])
        elif name in SENTENCES | SERVICE_ERRORS:
            # codes are no sentences, and the values of a Sentence come by name
            yield from [text for text in values[: 1 if name == "Sentence" else None] if is_sentence(text)]


def literals(call: ast.Call) -> Iterator[str]:
    """Return the texts among the arguments of a call."""
    named = [keyword.value for keyword in call.keywords if keyword.arg != "headers"]
    arguments = [*call.args, *named]
    for argument in arguments:
        for each in alternatives(argument):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value


def alternatives(node: ast.expr) -> list[ast.expr]:
    """Return what an expression may come to: the values of {…}, the sides of `or` and of `if`."""
    if isinstance(node, ast.Dict | ast.BoolOp):
        return node.values
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]


def is_sentence(text: str) -> bool:
    return not text.islower() or " " in text


def find_formatted(source: str) -> Iterator[int]:
    """Return the lines where a function in SENTENCES gets an f-string, which can't be translated."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SENTENCES:
            named = [] if node.func.id == "Sentence" else [keyword.value for keyword in node.keywords]
            for argument in [*node.args, *named]:
                yield from [each.lineno for each in alternatives(argument) if isinstance(each, ast.JoinedStr)]


def update_catalogue(language: str) -> None:
    """Add new messages to a catalogue, without a translation, and remove those that are no longer used."""
    catalog = read_catalogue(language)
    catalog.update(extract_messages(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    path, entries = catalogue_path(language), io.BytesIO()
    write_po(entries, catalog, width=110, omit_header=True, sort_output=True, include_lineno=False)
    header = path.read_text().partition("\n\n")[0]  # as it is: Babel's has times, which change each time
    path.write_text(f"{header}\n\n{entries.getvalue().decode().strip()}\n")
    missing = [message.id for message in catalog if message.id and not message.string]
    print(f"{language}: {len(catalog)} messages, {len(missing)} to translate")


def main() -> None:
    for language in TRANSLATED:
        update_catalogue(language)


if __name__ == "__main__":
    main()
