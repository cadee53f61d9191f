"""The notes of the embedded AI service in the languages of the pages.

Notes are stored as the text of any AI service. Those of ours consist of the sentences below.
"""

from __future__ import annotations

import functools
import re

from babel import Locale
from markupsafe import Markup, escape

from .languages import LANGUAGES, SOURCE, detect_language, load_translations

READS = "the built-in analyser reads only English and Khmer."
NEEDS = (
    "needs Tesseract, which is not installed on the server; install the packages tesseract-ocr and"
    " tesseract-ocr-khm."
)
SENTENCES = (
    f"This document is in %(languages)s and was not searched for risks: {READS}",
    f"Most of this document is in %(languages)s and was not searched for risks: {READS}",
    f"Parts of this document are in %(languages)s and were not searched for risks: {READS}",
    "A language model can read it: ask whoever runs this server to set LLM_BASE_URL.",
    "The language model can read it but failed this time: scan the document again later.",
    "The language model can read it in parts: send each as a document of its own.",
    "This document is too long for the language model, so the built-in analyser read it instead.",
    "The language model read %(read)s of %(count)s sentences; the built-in analyser read the others.",
    "Only the first %(kept)s findings are shown; %(others)s were left out.",
    "Only the surest %(kept)s findings are shown; %(others)s were left out.",
    "%(count)s more notes were left out.",
    "Pages %(pages)s of %(count)s were not read: there was no time left.",
    "Send the rest as another document.",
    "Pages %(pages)s of %(count)s were hard to read; what was recognized there may be wrong.",
    "Pages %(pages)s of %(count)s were not read, because the file is damaged there.",
    "Pages %(pages)s of %(count)s were not read: the text layer can't be read, because it holds other letters"
    " than the page shows.",
    f"Reading it by OCR {NEEDS}",
    f"Pages %(pages)s of %(count)s were not read: reading pictures of text {NEEDS}",
    "The PDF is an XFA form, of which only the plain pages were read; print it as PDF and send that.",
    "Files attached to the PDF were not read: %(count)s.",
    "Files embedded in the document were not read: %(count)s.",
    "Send them by themselves.",
    "A document inside this document was not read:",
    "These slides are hidden in the presentation, but were read: %(slides)s.",
    "Hidden sheets were read too: %(names)s.",
    "The workbook has more than %(count)s cells; those after them were not read.",
    "The workbook has more than %(count)s rows; those after them were not read.",
    "Attachments that were not read: %(names)s.",
    "The attachment was not read.",
    "%(names)s:",
)
# beside numbers, names in quotation marks and languages in the values of these sentences
NUMBER_WORDS = ("more than", "more", "others", "and", "to")
WORDS = (*NUMBER_WORDS, "other languages")
VALUE_PART = re.compile(rf"(“.*?”)|\b({'|'.join(WORDS)})\b|([A-Z]\w+)")
VALUES = {"names": "“.+?”(?: and [0-9,]+ more)?", "languages": r"[\w ,]+?"}
NUMBERS = rf"(?:[0-9, ]|\b(?:{'|'.join(NUMBER_WORDS)})\b)+?"


@functools.cache
def load_language_tags() -> dict[str, str]:
    """Return the tag of each language by its English name: 18 ms, which only notes of languages need."""
    return {name: tag for tag, name in Locale(SOURCE).languages.items()}


@functools.cache
def compile_patterns() -> dict[str, re.Pattern[str]]:
    """Return the pattern of each sentence; "Pages … were" is also that of one page."""
    patterns = {}
    for sentence in SENTENCES:
        texts = re.split(r"%\((\w+)\)s", sentence)
        texts[::2] = [re.escape(text) for text in texts[::2]]
        texts[1::2] = [f"(?P<{name}>{VALUES.get(name, NUMBERS)})" for name in texts[1::2]]
        pattern = "".join(texts).replace(r"Pages\ ", r"Pages?\ ").replace("were", "(?:were|was)")
        patterns[sentence] = re.compile(pattern + r"\s*")
    return patterns


def translate_note(note: str, language: str) -> Markup | None:
    """Return a note in a language; None if a part of it is not known."""
    gettext = load_translations(language).gettext
    translated, rest = [], note
    while rest:
        for sentence, pattern in compile_patterns().items():
            if match := pattern.match(rest):
                values = {name: translate_value(value, language) for name, value in match.groupdict().items()}
                translated.append(Markup(gettext(sentence)) % values)  # noqa: S704
                rest = rest[match.end() :]
                break
        else:  # why a part of a document was not read: an error of the service
            if not translated or all(load_translations(tag).gettext(rest) == rest for tag in LANGUAGES):
                return None
            translated.append(escape(gettext(rest)))
            break
    return translate_value(note, language) if language == SOURCE else Markup(" ").join(translated)


def translate_value(value: str, language: str) -> Markup:
    """Return the numbers, names or languages of a note in a language, or the whole of one in English."""

    def translate_part(part: re.Match[str]) -> str:
        name, word, named_language = part.groups()
        if name:
            return f'<bdi lang="{detect_language(name)}">{name}</bdi>'
        if word:
            return load_translations(language).gettext(word)
        tag = load_language_tags().get(named_language)
        translated: str = Locale(language).languages.get(tag, named_language)
        return translated

    return Markup(VALUE_PART.sub(translate_part, str(escape(value))))  # noqa: S704
