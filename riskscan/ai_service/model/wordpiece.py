"""WordPiece, the tokenizer of BERT's uncased models, as Google's BERT defines it (tokenization.py)."""

import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

VOCABULARY_FILE = Path(__file__).parent / "vocabulary.txt"
UNKNOWN, START, END = 100, 101, 102
MAX_WORD_CHARS = 100
ASCII_SYMBOLS = frozenset("$+<=>^`|~")
# blocks of CJK ideographs, each of which is a word
IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


@cache
def load_vocabulary() -> dict[str, int]:
    """Load the numbers of the pieces, once per process."""
    pieces = VOCABULARY_FILE.read_text("utf-8").split("\n")
    return {piece: number for number, piece in enumerate(pieces) if piece}


def encode(text: str, max_tokens: int) -> list[int]:
    """Return the numbers of the text's pieces between START and END, at most max_tokens in all."""
    return [number for number, _ in encode_with_starts(text, max_tokens)]


def encode_with_starts(text: str, max_tokens: int) -> list[tuple[int, int]]:
    """Return what encode() does, each with where its word starts in the text, -1 for START and END."""
    pieces = [(START, -1)]
    for word, start in _split_into_words(text):
        pieces += [(number, start) for number in _split_into_pieces(word)]
        if len(pieces) >= max_tokens:
            break
    return [*pieces[: max_tokens - 1], (END, -1)]


def _split_into_words(text: str) -> Iterator[tuple[str, int]]:
    word = ""
    word_start = 0
    for start, original in enumerate(text):
        for character, kind in _classify(original):
            if kind == "letter":
                if not word:
                    word_start = start
                word += character
                continue
            if word:
                yield word, word_start
                word = ""
            if kind == "alone":
                yield character, start
    if word:
        yield word, word_start


@lru_cache(maxsize=2_048)
def _classify(original: str) -> list[tuple[str, str]]:
    """Return the characters that one of the text is folded into, each with its kind."""
    characters = []
    for character in unicodedata.normalize("NFD", original.lower()):
        category = unicodedata.category(character)
        if category == "Mn" or character in "\0\ufffd":
            continue
        if category == "Zs" or character in "\t\n\r":
            characters.append((character, "blank"))
        elif category[0] == "C":
            continue
        elif category[0] == "P" or character in ASCII_SYMBOLS or _is_ideograph(character):
            characters.append((character, "alone"))
        else:
            characters.append((character, "letter"))
    return characters


def _is_ideograph(character: str) -> bool:
    return character > "\u33ff" and any(first <= ord(character) <= last for first, last in IDEOGRAPHS)


@lru_cache(maxsize=8_192)
def _split_into_pieces(word: str) -> tuple[int, ...]:
    """Return the longest known pieces from the left, or UNKNOWN."""
    if len(word) > MAX_WORD_CHARS:
        return (UNKNOWN,)
    vocabulary = load_vocabulary()
    pieces = []
    start = 0
    while start < len(word):
        prefix = "##" if start else ""
        for end in range(len(word), start, -1):
            piece = vocabulary.get(prefix + word[start:end])
            if piece is not None:
                pieces.append(piece)
                start = end
                break
        else:
            return (UNKNOWN,)
    return tuple(pieces)
