"""Names of scans: what a scan is called, and what the names of drafts of one document have in common."""

from __future__ import annotations

import re

from .file_types import EXTENSIONS
from .schemas import CONTROL
from .text import WORD, normalize

MAX_NAME, MAX_READ = 60, 1_000  # characters of a pasted text's name, and of the text that are looked at
UNPRINTABLE = re.compile(f"[{CONTROL}]")
DIGITS = re.compile(r"\d+")
# in names of drafts and copies, beside numbers; "of" is that of "Copy of"
DRAFT_WORD_LIST = """
v ver version versions rev revision revised final draft drafts copy of new old latest updated clean redline
redlined amended st nd rd th
jan january feb february mar march apr april may jun june jul july aug august sep sept september oct october
nov november dec december
"""
DRAFT_WORDS = frozenset(DRAFT_WORD_LIST.split())
# names that scanners, cameras and editors give: without their number they say nothing
GENERIC_WORD_LIST = "scan scanned img image photo picture dsc page document doc file untitled text"
GENERIC_WORDS = frozenset(GENERIC_WORD_LIST.split())


def display_name(title: str | None, filename: str | None, first_words: str) -> str:
    """Return what a scan is called: its title, else its file name, else the first words of its text."""
    return title or filename or first_words or "Pasted text"


def extract_first_words(text: str) -> str:
    """Return the beginning of the first line of a pasted text, by which its scan is called."""
    first_line = text[:MAX_READ].lstrip().partition("\n")[0]
    name = ""
    for word in UNPRINTABLE.sub(" ", first_line).split():
        if name and len(name) + len(word) >= MAX_NAME:
            return name + "…"
        name = f"{name} {word}".strip()
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def draft_name(filename: str | None, first_words: str = "") -> str | None:
    """Return what the names of a document's drafts have in common; None without a name.

    Numbers, dates, the extension, case, punctuation and words such as "final" or "copy" are left out. Where
    nothing else is left, or only a word such as "scan", it is the whole name.
    """
    name = normalize(filename or first_words)
    extension = next((extension for extension in EXTENSIONS if filename and name.endswith(extension)), "")
    stem = name.removesuffix(extension)
    words = [word for word in WORD.findall(DIGITS.sub(" ", stem)) if word not in DRAFT_WORDS]
    if GENERIC_WORDS.issuperset(words):
        words = WORD.findall(stem)
    return " ".join(words) or filename or first_words or None
