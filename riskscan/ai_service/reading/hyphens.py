"""Words that the end of a line divides."""

import re

from ..model.word_vectors import load_vectors

# a hyphen, soft ones, and what PDFium writes for a hyphen at the end of a line
HYPHENS = "-\xad\u2010\ufffe\x02"
# after these the hyphen stays where the word without it is unknown
PREFIXES = frozenset(
    ("self", "non", "ex", "well", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
)
# whole words, which the model's common words leave out
SHORT_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been but by can could did do does for from had has have he her his if in "
        "into is it its must no not of on or our out over shall she should so some than that the their "
        "them then there they this to under up was we were will with would you your",
    )
)
CONJUNCTIONS = ("and", "or", "to")  # as in "short- and long-term"
MAX_PART = 40  # characters that are searched for a word
LAST_WORD = re.compile(r"[^\W\d_]+$")
FIRST_WORD = re.compile(r"[^\W\d_]+")
WRAPPED_HYPHEN = re.compile(r"(?<=[^\W\d_])-\n(?=[^\W\d_])")


def join_wrapped_lines(lines: list[str]) -> str:
    """Join the lines of a paragraph; at the end of a line of text, most hyphens are those of compounds."""
    text = "\n".join(lines)
    if "-\n" in text:
        text = WRAPPED_HYPHEN.sub(_replace_hyphen, text)
    return text.replace("\n", " ")


def _replace_hyphen(match: re.Match[str]) -> str:
    begin, end = match.span()
    last, first = _find_parts(
        match.string[max(0, begin - MAX_PART) : begin], match.string[end : end + MAX_PART]
    )
    if first in CONJUNCTIONS:
        return "- "
    return "" if len(last) > 1 and _is_divided(last, first) else "-"


def join_narrow_lines(before: str, after: str, words: set[str]) -> str:
    """Join two lines as join_lines() does; narrow cells also divide words without a hyphen."""
    last, first = _find_parts(before, after)
    if last and first and _is_divided(last, first):
        return before + after
    return join_lines(before, after, words)


def join_lines(before: str, after: str, words: set[str]) -> str:
    """Join two lines of a paragraph: a divided word becomes whole, a compound keeps its hyphen.

    `words` are those of the document in lower case, compounds among them.
    """
    stem = before.rstrip(HYPHENS)
    if stem == before or stem[-1:].isspace():
        return f"{before} {after}"
    last, first = _find_parts(stem, after)
    if first in CONJUNCTIONS:
        return f"{stem}- {after}"
    keeps_hyphen = not last or not first or _is_compound(last, first, words)
    return f"{stem}-{after}" if keeps_hyphen else stem + after


def _find_parts(before: str, after: str) -> tuple[str, str]:
    """Return the last word of a line and the first one of the next, empty where there is none."""
    last, first = LAST_WORD.search(before[-MAX_PART:]), FIRST_WORD.match(after[:MAX_PART])
    return last[0] if last else "", first[0] if first else ""


def _is_divided(last: str, first: str) -> bool:
    """Return whether two parts are a common word together, and not two words."""
    common = load_vectors()[0]
    last, first = last.lower(), first.lower()
    are_words = all(word in common or word in SHORT_WORDS for word in (last, first))
    return last + first in common and not are_words


def _is_compound(last: str, first: str, words: set[str]) -> bool:
    if first[0].isupper() or last.isupper():
        return True
    last, first = last.lower(), first.lower()
    if last + first in words:
        return False
    if f"{last}-{first}" in words:
        return True
    common = load_vectors()[0]
    return last + first not in common and (last in PREFIXES or (last in common and first in common))
