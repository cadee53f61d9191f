"""Whether a text layer says what the page shows: wrong font maps make it a cipher."""

import re

# pairs of letters that are frequent in languages with Latin letters
FREQUENT_PAIRS = frozenset(
    re.findall(
        "..",
        "thheineranreonatenndtiesorteediitalarsttontngsehaasouleveederirorane"
        "lilatamanakaniunileticcheliomenoosomsadadi",
    )
)
# languages have 0.22 (Welsh) to 0.62 (Tagalog) of them, English 0.5, exchanged letters about 0.07
MIN_FREQUENT_SHARE = 0.21
# characters that are judged together, and how many pairs of letters they hold at least
PART_CHARS = 160
MIN_PAIRS = 50
SAMPLE_CHARS = 640
# of the characters: private use, replacement and control characters, and "(cid:12)"
UNREADABLE = re.compile(r"\(cid:\d+\)|[\ue000-\uf8ff\ufffd\0-\x08\x0e-\x1f]")
MAX_UNREADABLE_SHARE = 0.3
LETTERS = re.compile(r"[a-z]+")


def is_cipher(text: str) -> bool:
    """Return whether a third of the text, or more, is no text of any language.

    Of letters other than Latin ones only those without a meaning are recognized.
    """
    text = text[:SAMPLE_CHARS]
    unreadable = sum(map(len, UNREADABLE.findall(text)))
    if unreadable > MAX_UNREADABLE_SHARE * len("".join(text.split())):
        return True
    parts = [text[start : start + PART_CHARS].lower() for start in range(0, len(text), PART_CHARS)]
    judged = [verdict for verdict in map(_is_no_language, parts) if verdict is not None]
    return sum(judged) * 3 >= max(1, len(judged))


def _is_no_language(text: str) -> bool | None:
    """Return whether the pairs of letters are none of a language; None if they are too few to tell."""
    pairs = sum(len(word) - 1 for word in LETTERS.findall(text))
    if pairs < MIN_PAIRS:
        return None
    return sum(map(text.count, FREQUENT_PAIRS)) < MIN_FREQUENT_SHARE * pairs
