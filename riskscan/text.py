"""The normal form of text for search, comparison and de-duplication; scripts written without spaces."""

from __future__ import annotations

import re
import unicodedata

# Thai and Lao, Burmese, Khmer, New Tai Lue, Tai Tham, kana and bopomofo with their extensions
BLOCKS_WITHOUT_SPACES = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1980, 0x19DF), (0x1A20, 0x1AAF),
    (0x3005, 0x3007), (0x3040, 0x312F), (0x31F0, 0x31FF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F),
)  # fmt: skip
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"


def characters_of(first: int, last: int, categories: str) -> str:
    """Return the characters of a range whose Unicode category starts with one of `categories`."""
    characters = map(chr, range(first, last + 1))
    return "".join(character for character in characters if unicodedata.category(character)[0] in categories)


# UNSPACED and MARKS are used inside a character class, as in f"[{UNSPACED}]"
UNSPACED = HAN + "".join(characters_of(*block, "LMN") for block in BLOCKS_WITHOUT_SPACES)
MARKS = characters_of(0x300, 0x33FF, "M") + characters_of(0xA000, 0xABFF, "M")
HAS_UNSPACED = re.compile(f"[{UNSPACED}]")
WORD = re.compile(f"[^\\W_]+(?:[{MARKS}]+[^\\W_]*)*")  # letters, marks and digits
# format characters, variation selectors, and the dot that case folding leaves of a Turkish capital I
INVISIBLE = re.compile(
    "[\u00ad\u0307\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
ZERO_WIDTH_SPACE = "\u200b"
CONTRACTIONS = (
    (re.compile(r"\bcan(?:not|'t)\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"(?<=\w)n't\b"), " not"),
    (re.compile(r"(?<=\w)'s\b"), ""),
)
UNSPACED_BEFORE_NUMBER = re.compile(f"(?<=[{UNSPACED}])(?=\\d)")
MINUS = re.compile(r"(?<![\w)])-(?=\d)")
NOT_IN_NUMBER = re.compile(r"[.,:/](?:(?<!\d.)|(?!\d))")  # begins with the character, which is found faster
MARKUP = "`^|~"
MAX_FOLDED = 10_000  # characters


def normalize(text: str) -> str:
    """Return a text in NFKC, case-folded, without invisible characters, the four Turkish i as one.

    The search terms of stored scans depend on it: if it changes, they must be computed again.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold().replace("ı", "i")
    return unicodedata.normalize("NFKC", INVISIBLE.sub("", folded))


class CharacterFolder(dict[int, str]):
    """A table for str.translate that computes each character once, until it has too many."""

    def __missing__(self, code_point: int) -> str:
        if len(self) == MAX_FOLDED:
            self.clear()
        folded = self[code_point] = fold_character(chr(code_point))
        return folded


def fold_character(character: str) -> str:
    """Return a letter or a digit as it is compared, a symbol between spaces, a space for anything else."""
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Lo" and HAS_UNSPACED.match(character):
        return f" {character}"
    if category[0] in "LMN" or character in ".,:/":
        return character
    if category == "Cf":
        return ""
    is_symbol = category[0] == "S" and character not in MARKUP
    return f" {character} " if is_symbol or character in "%‰" else " "


FOLDER = CharacterFolder()


def normalize_wording(text: str) -> str:
    """Return the words of a text separated by spaces; the text itself if it has none.

    The fingerprints of stored findings depend on it: if it changes, reviews no longer find their sentences.
    """
    wording = normalize(text.replace(ZERO_WIDTH_SPACE, " ")).replace("’", "'")
    # the conditions save half of the time
    if "cannot" in wording or "'" in wording:
        for contraction, expansion in CONTRACTIONS:
            wording = contraction.sub(expansion, wording)
    if "-" in wording:
        wording = MINUS.sub("−", wording)
    wording = wording.translate(FOLDER)
    if not wording.isascii():
        wording = UNSPACED_BEFORE_NUMBER.sub(" ", wording)
    return " ".join(NOT_IN_NUMBER.sub(" ", wording).split()) or text
