"""What has changed between two scans: which risks are new, which are gone, and which are the same.

Two risks are the same where their categories agree and, in this order,

1. their wordings do, but for case, blanks, punctuation and the encoding of characters (Unicode's NFKC);
2. their words do, but for articles, forms of be, have, do and may, and the -s of a plural;
3. one has the words of the other and more of them in one place, at most one for every five.

No word stands for another: "late" and "delayed" make two risks. What is more may not be a number, a sign, a
single letter or a word that denies, counts or limits (WEIGHTY). Scripts without blanks are read by letters.
Each risk is paired once at most; of equals, those go together whose quoted sentences agree, then those that
come first; a risk to which two others are as near in step 3 has no pair. So in doubt a risk is new and gone.
"""

from __future__ import annotations

import collections
import itertools
import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

from .schemas import Risk

MORE = 5  # words that stay for each that was added
HALF = 3  # of the fewest words to which one can be added
MAX_PAIRS = 1_000_000  # that are held against each other; of more, only what is equal is found
# Khmer, Thai and Lao, Myanmar, Chinese and Japanese are written without blanks
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
UNSPACED_SIGN = re.compile(f"[{UNSPACED}]")
ZERO_WIDTH_SPACE = "\u200b"
CONTRACTIONS = (
    (re.compile(r"\bcan(?:not|'t)\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"(?<=\w)n't\b"), " not"),
    (re.compile(r"(?<=\w)'s\b"), ""),
)
TIGHT_NUMBER = re.compile(f"(?<=[{UNSPACED}])(?=\\d)")
MINUS = re.compile(r"(?<![\w)])-(?=\d)")
NOT_IN_NUMBER = re.compile(r"(?<!\d)[.,:/]|[.,:/](?!\d)")
MARKUP = "`^|~"

SMALL_WORDS = """
a an the this that these those there it is are was were be been being has have had do does did may might can
could
"""
DENYING_WORDS = """
no not never none nor neither nothing nobody nowhere without lack lacks lacking missing hardly barely rarely
seldom unlikely if unless until except only almost nearly partly less more minus
ne pas non sans aucun aucune jamais ni nicht kein keine keinen keinem keiner ohne nie sin nunca ningún ninguna
não sem nem senza niet geen zonder tidak bukan tanpa belum không chưa bez inte utan değil не нет без ни
لا ليس لم لن غير بدون नहीं बिना
"""
COUNTING_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million
billion half third quarter first second fourth fifth once twice double triple all both each every few many
most several some any
"""
SMALL = frozenset(SMALL_WORDS.split())
WEIGHTY = frozenset((DENYING_WORDS + COUNTING_WORDS).split())
WEIGHTY_FORM = re.compile(rf"[^\W\d{UNSPACED}]$|[^\w\s]$|\S*\d")  # a letter, a symbol, a number
# the same of the scripts without blanks, and of Korean, which adds them to the word
WEIGHTY_PART = re.compile(
    "មិន|គ្មាន|ពុំ|អត់|ឥត|កុំ|ខ្វះ|លើកលែង|បើ|លុះត្រា|តែ|ទាំង|ខ្លះ|ច្រើន|ពាក់កណ្ដាល|ពាក់កណ្តាល|សូន្យ|មួយ|ពីរ|បី|បួន|ប្រាំ"
    "|ដប់|សិប|រយ|ពាន់|ម៉ឺន|សែន|លាន|ไม่|ไร้|ยัง|ຍັງ|ບໍ່|မ|不|没|沒|無|无|未|非|ない|ません|ず|않|없|못"
    "|[一二三四五六七八九十百千万億]|หนึ่ง|สอง|สาม|สี่|ห้า|สิบ|ร้อย|พัน|ล้าน"
)


class Changes(NamedTuple):
    """Each risk of two scans, once; `same` are pairs, the earlier scan's risk first."""

    new: list[Risk]
    gone: list[Risk]
    same: list[tuple[Risk, Risk]]


class Reading(NamedTuple):
    """A risk at its place in a scan, and what of it is compared."""

    place: int
    risk: Risk
    category: str
    wording: str
    words: tuple[str, ...]
    weighty: tuple[str, ...]


Pairs = list[tuple[Reading, Reading]]
Ranked = dict[int, tuple[int, bool]]  # by place: how many words are added, whether the sentences differ
KEYS: tuple[Callable[[Reading], Hashable], ...] = (
    lambda one: (one.category, one.wording, one.risk.context),
    lambda one: (one.category, one.wording),
    lambda one: (one.category, one.words, one.risk.context),
    lambda one: (one.category, one.words),
)


class Signs(dict[int, str]):
    """What a character becomes, by its code point; each is looked up once."""

    def __missing__(self, code: int) -> str:
        found = self[code] = folded_sign(chr(code))
        return found


def folded_sign(sign: str) -> str:
    """Return a letter or a digit as it is compared, a symbol on its own, else a blank."""
    kind = unicodedata.category(sign)
    if kind == "Nd":
        return str(unicodedata.decimal(sign))
    if kind == "Lo" and UNSPACED_SIGN.match(sign):
        return f" {sign}"
    if kind[0] in "LMN" or sign in ".,:/":
        return sign
    if kind == "Cf" and sign != ZERO_WIDTH_SPACE:
        return ""
    return f" {sign} " if (kind[0] == "S" and sign not in MARKUP) or sign in "%‰" else " "


def folded(text: str, signs: Signs) -> str:
    """Return the words of a text with a blank between them; the text itself where it has none."""
    found = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    found = found.replace("’", "'")
    for contraction, whole in CONTRACTIONS:
        found = contraction.sub(whole, found)
    found = MINUS.sub("−", found).translate(signs)
    found = NOT_IN_NUMBER.sub(" ", TIGHT_NUMBER.sub(" ", found))
    return " ".join(found.split()) or text


def singular(word: str) -> str:
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    return f"{word[:-3]}y" if word.endswith("ies") else word[:-1]


def readings(risks: Iterable[Risk], signs: Signs) -> list[Reading]:
    categories: dict[str, str] = {}
    found = []
    for place, risk in enumerate(risks):
        if risk.category not in categories:
            categories[risk.category] = folded(risk.category, signs)
        wording = folded(risk.risk, signs)
        tokens = wording.split()
        telling = [token for token in tokens if token not in SMALL] or tokens
        words = tuple(map(singular, telling))
        found.append(Reading(place, risk, categories[risk.category], wording, words, weighty(telling)))
    return found


def weighty(words: list[str]) -> tuple[str, ...]:
    """Return, in order, what of a wording can't be added without another meaning."""
    whole = [word for word in words if word in WEIGHTY or WEIGHTY_FORM.match(word)]
    return (*whole, *WEIGHTY_PART.findall("".join(words)))


def compared(old: Iterable[Risk], new: Iterable[Risk]) -> Changes:
    """Return what is new, gone and the same in `new`, seen from `old`, by the rule of this module."""
    signs = Signs()
    before, after = readings(old, signs), readings(new, signs)
    same: Pairs = []
    for key in KEYS:
        same += equal(before, after, key)
        before, after = unpaired(before, after, same)
    same += near(before, after)
    before, after = unpaired(before, after, same)
    same.sort(key=lambda pair: pair[1].place)
    return Changes(
        [one.risk for one in after],
        [one.risk for one in before],
        [(earlier.risk, later.risk) for earlier, later in same],
    )


def unpaired(before: list[Reading], after: list[Reading], same: Pairs) -> tuple[list[Reading], list[Reading]]:
    earlier, later = {one.place for one, _ in same}, {one.place for _, one in same}
    return (
        [one for one in before if one.place not in earlier],
        [one for one in after if one.place not in later],
    )


def equal(before: list[Reading], after: list[Reading], key: Callable[[Reading], Hashable]) -> Pairs:
    """Return those that agree in `key`, one to one, first come first."""
    waiting: dict[Hashable, collections.deque[Reading]] = collections.defaultdict(collections.deque)
    for one in before:
        waiting[key(one)].append(one)
    return [(waiting[key(one)].popleft(), one) for one in after if waiting[key(one)]]


def near(before: list[Reading], after: list[Reading]) -> Pairs:
    """Return those of which one says a little more than the other, where both have no other as near."""
    # what was added in one place has left the first half of the words as it was, or the last
    groups: dict[Hashable, tuple[list[Reading], list[Reading]]] = collections.defaultdict(lambda: ([], []))
    for side, risks in enumerate((before, after)):
        for one in risks:
            if len(one.words) >= MORE:
                groups[one.category, one.weighty, "first", one.words[:HALF]][side].append(one)
                groups[one.category, one.weighty, "last", one.words[-HALF:]][side].append(one)
    if sum(len(earlier) * len(later) for earlier, later in groups.values()) > MAX_PAIRS:
        return []
    ahead: dict[int, Ranked] = collections.defaultdict(dict)
    back: dict[int, Ranked] = collections.defaultdict(dict)
    for earlier, later in groups.values():
        for one, other in itertools.product(earlier, later):
            more = added(*sorted((one.words, other.words), key=len))
            if more is not None:
                rank = (more, one.risk.context != other.risk.context)
                ahead[one.place][other.place] = back[other.place][one.place] = rank
    there, here = {one.place: one for one in before}, {one.place: one for one in after}
    pairs = [(place, nearest(found)) for place, found in ahead.items()]
    return [
        (there[place], here[other])
        for place, other in pairs
        if other is not None and nearest(back[other]) == place
    ]


def added(shorter: tuple[str, ...], longer: tuple[str, ...]) -> int | None:
    """Return how many words the longer has more, None where they are too many or in several places."""
    more = len(longer) - len(shorter)
    if more * MORE > len(shorter):
        return None
    same = 0
    while same < len(shorter) and shorter[same] == longer[same]:
        same += 1
    return more if shorter[same:] == longer[same + more :] else None


def nearest(found: Ranked) -> int | None:
    """Return the place of the nearest, None where two are as near."""
    best = min(found.values())
    places = [place for place, rank in found.items() if rank == best]
    return places[0] if len(places) == 1 else None
