# ruff: noqa: E501
"""Scored units into findings: the decision, the category, the short name, and what is left out."""

import math
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from riskscan.ai_service.model import CATEGORIES, KHMER, Features, features, has_trouble, model
from riskscan.ai_service.sentences import Unit

MAX_FINDINGS = 200
# from so many units on a text is a document, and says by their sum how much risk is in it
DOCUMENT = 10
USUAL_SHARE = 0.31
MOST_CAUTION = 0.9
MAX_WORDS = 12
# Khmer has no spaces between words; this is about twelve of them
MAX_KHMER = 60
# log odds: what the headings above a unit are worth
PLACES = {"risks": 1.0, "calm": -1.0, "closed": -4.0, "": 0.0}


class Finding(NamedTuple):
    """One risk; position counts units, score is in log odds above the threshold."""

    position: int
    risk: str
    category: str
    context: str
    score: float


def score(units: list[Unit]) -> tuple[list[Finding], float]:
    """Return what the model finds in the units, and how many risks it expects in them."""
    found: list[Finding] = []
    expected = 0.0
    fitted = model()
    for position, unit in enumerate(units):
        its = features(unit.text)
        odds = fitted.risk(its) + PLACES[unit.place] - fitted.threshold
        expected += 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))
        if odds <= 0 or (unit.place != "risks" and _is_title(unit.text, its)):
            continue
        halves = _halves(unit.text)
        if halves:
            found += [Finding(position, _tidy(half), name, unit.text, odds) for half, name in halves]
        else:
            found.append(Finding(position, short_name(unit.text), _category(its), unit.text, odds))
    return found, expected


def _is_title(text: str, its: Features) -> bool:
    """Tell whether a few words without an end speak of no trouble: a heading or a name, however they score."""
    if text.endswith((".", "!", "?", "។", "៕")) or has_trouble(its):
        return False
    return len(text) < MAX_KHMER / 2 if KHMER.search(text) else len(text.split()) <= 3


def caution(expected: float, count: int) -> float:
    """Return the log odds that a finding needs in a document where so many risks are expected in all.

    Where nearly every sentence is neutral, a doubtful one is most likely neutral too.
    """
    if count < DOCUMENT:
        return 0.0
    return max(0.0, min(MOST_CAUTION, (USUAL_SHARE - expected / count) * 10))


def finish(found: Iterable[Finding], expected: float, count: int) -> list[dict[str, str]]:
    """Drop what is too doubtful for this document and return what is left.

    `expected` is the sum that score() returned for its `count` units.
    """
    least = caution(expected, count)
    return distinct(finding for finding in found if finding.score > least)


def distinct(found: Iterable[Finding]) -> list[dict[str, str]]:
    """Drop near-duplicates, keep the surest 200 and return them in document order."""
    kept: list[tuple[Finding, frozenset[str]]] = []
    for finding in sorted(found, key=lambda item: -item.score):
        its_words = words(finding.context)
        if any(_same(finding, its_words, other, its) for other, its in kept):
            continue
        kept.append((finding, its_words))
        if len(kept) == MAX_FINDINGS:
            break
    kept.sort(key=lambda item: item[0].position)
    return [{"risk": one.risk, "category": one.category, "context": one.context} for one, _ in kept]


def _same(finding: Finding, words: frozenset[str], other: Finding, others: frozenset[str]) -> bool:
    if finding.position == other.position:
        return finding.category == other.category
    shared = len(words & others)
    return shared >= 0.85 * max(len(words), len(others))


def words(text: str) -> frozenset[str]:
    """Return what two texts are compared by: words, or runs of four signs in Khmer."""
    if KHMER.search(text):
        bare = re.sub(r"[\s\u200b]", "", text)
        return frozenset(bare[i : i + 4] for i in range(max(1, len(bare) - 3)))
    return frozenset(re.findall(r"\w+", text.lower()))


def _category(its: Features) -> str:
    scores = model().categories(its)
    return CATEGORIES[scores.index(max(scores))]


def checked(position: int, risk: str, category: str, context: str) -> Finding:
    """Take a finding of a language model; its name stands if it is short and of the sentence's own words."""
    name = _tidy(" ".join(risk.split()))
    own, named = words(context), words(name)
    if KHMER.search(context):
        fits = len(name) <= 2 * MAX_KHMER and len(named & own) * 2 >= len(named)
    else:
        starts = {word[:5] for word in own}
        fits = sum(word[:5] in starts for word in named) * 2 >= len(named)
    return Finding(position, name if name and fits else short_name(context), category, context, 0.0)


# -- two risks in a sentence -----------------------------------------------------------------------

JOINT = re.compile(r"(?:,? and (?:also |the |a |an )?| as well as (?:the |a |an )?|, | & )")
# without one of these the second half names a thing; with one it goes on with the sentence
VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|do|does|did|will|would|shall|should|may|might|can|could|must|not|n't"
    r"|that|which|who|to|it|they|this)\b",
    re.I,
)
MAX_HALF = 5


def _halves(text: str) -> list[tuple[str, str]]:
    """Cut a sentence that names two separate risks side by side; return each with its category, or nothing."""
    for joint in JOINT.finditer(text):
        first, second = text[: joint.start()], text[joint.end() :]
        if VERB.search(second) or not 2 <= len(second.split()) <= MAX_HALF:
            continue
        if not 2 <= len(first.split()) <= MAX_WORDS:
            continue
        its = features(first), features(second)
        if not all(has_trouble(one) and model().risk(one) > model().threshold for one in its):
            continue
        names = [_category(one) for one in its]
        if names[0] != names[1]:
            return [(first, names[0]), (second, names[1])]
    return []


# -- the short name --------------------------------------------------------------------------------

OPENING = re.compile(
    r"^(?:(?:however|moreover|furthermore|in addition|also|unfortunately|note that|please note that|currently|at present"
    r"|as a result|therefore|finally|firstly|secondly|we (?:are concerned|fear|worry|believe|note|expect) that"
    r"|there is (?:a|some) (?:serious |real |significant |high |considerable )?(?:risk|danger|concern|possibility) that"
    r"|(?:[\w.]+ ){1,3}(?:said|says|reported|reports|pointed out|noted|notes|added|warned|warns|mentioned|explained) that"
    r"|it is (?:possible|likely|feared) that|(?:the|a) (?:main |key |biggest )?(?:risk|concern|problem|issue) is that"
    r"|risk|issue|concern|problem|threat|red|amber|blocker|blocked|warning)[,:]?\s*[-–]?\s+)+",
    re.I,
)
CLAUSE = re.compile(
    r"\s*(?:[;:—–]|, |\s\(|\)|\s-\s)\s*|\s+(?=(?:because|since|although|though|whereas|which|unless|until|while|so that|but|if)\b)"
)
SUBORDINATE = re.compile(
    r"(?:if|unless|until|because|since|although|though|whereas|which|while|so that|that|when|where|who|whose|or|nor)\b",
    re.I,
)
JOINED = re.compile(r"^(?:and|but|or|so|yet) ", re.I)
WEAK_END = re.compile(
    r"(?:\s+(?:the|a|an|of|to|in|on|at|by|for|from|with|and|or|but|that|which|its|their|his|her|our|any|all|is|are|be|as|if"
    r"|than|into|under|upon|this|these|not|no|has|have|may|will|shall|can))+$",
    re.I,
)


def short_name(text: str) -> str:
    """Name the risk in at most a dozen words of the sentence's own."""
    if KHMER.search(text):
        return _khmer_name(text)
    bare = OPENING.sub("", text) or text
    if len(bare.split()) <= MAX_WORDS:
        return _tidy(bare)
    return _tidy(_best(CLAUSE, bare, lambda piece: len(piece.split()) <= MAX_WORDS) or bare)


def _khmer_name(text: str) -> str:
    bare = text.replace("\u200b", "").rstrip("។៕ ")
    if len(bare) <= MAX_KHMER:
        return bare
    best = _best(re.compile(r"\s+"), bare, lambda piece: len(piece) <= MAX_KHMER)
    return best or bare[:MAX_KHMER].rstrip() + "…"


def _best(gaps: re.Pattern[str], text: str, fits: Callable[[str], bool]) -> str:
    """Return the run of clauses that fits and that the model finds riskiest, main clauses first."""
    starts = [0, *(gap.end() for gap in gaps.finditer(text))]
    ends = [*(gap.start() for gap in gaps.finditer(text)), len(text)]
    scores: dict[str, float] = {}
    for i, start in enumerate(starts):
        for end in ends[i:]:
            piece = text[start:end]
            if (len(piece.split()) >= 3 or KHMER.search(text)) and fits(piece):
                scores[piece] = model().risk(features(piece)) + 0.1 * len(piece.split())
                scores[piece] += 0.5 * (start == 0) - 3.0 * bool(SUBORDINATE.match(piece))
    return max(scores, key=lambda piece: scores[piece], default="")


def _tidy(text: str) -> str:
    plain = text.replace("**", "").replace("__", "").replace("`", "").replace("\u200b", "")
    words = JOINED.sub("", plain.strip(" ,;:—–-").rstrip(".")).split()
    if len(words) > MAX_WORDS:
        words = WEAK_END.sub("", " ".join(words[:MAX_WORDS])).rstrip(",;:").split()
    name = " ".join(words)
    return name[:1].upper() + name[1:]
