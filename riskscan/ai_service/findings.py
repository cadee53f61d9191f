# ruff: noqa: E501
"""Findings out of scored units: the decision, the category, the title, and which findings are dropped."""

import math
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from .model.features import KHMER, Features, extract_features, load_model, mentions_trouble
from .reading.sentences import Unit

MAX_FINDINGS = 200
# a shorter text is judged sentence by sentence, without a document threshold
MIN_DOCUMENT_UNITS = 10
# in a document where a smaller share of the units is expected to be risks, the threshold rises
BASE_RATE = 0.31
MAX_THRESHOLD_SHIFT = 0.9
MAX_TITLE_WORDS = 12
# Khmer has no spaces between words; this is about twelve of them
MAX_KHMER_TITLE_CHARS = 60
# added to the log odds of a unit, by the section it stands in
SECTION_PRIOR = {"risks": 1.0, "neutral": -1.0, "closed": -4.0, "": 0.0}


class Finding(NamedTuple):
    """One risk; position counts units, score is in log odds above the model's threshold."""

    position: int
    risk: str
    category: str
    context: str
    score: float


def score_units(units: list[Unit], first_position: int = 0) -> tuple[list[Finding], float]:
    """Return the candidates among the units, and the number of risks that the model expects in them."""
    candidates: list[Finding] = []
    expected = 0.0
    model = load_model()
    for position, unit in enumerate(units, first_position):
        features = extract_features(unit.text)
        score = model.risk_score(features) + SECTION_PRIOR[unit.section] - model.threshold
        expected += 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))
        if score <= 0 or (unit.section != "risks" and _is_heading(unit.text, features)):
            continue
        risks = _split_joint_risks(unit.text) or [(derive_title(unit.text), model.best_category(features))]
        candidates += [Finding(position, title, category, unit.text, score) for title, category in risks]
    return candidates, expected


def _is_heading(text: str, features: Features) -> bool:
    """Return whether this is a heading or a name: a few words, no full stop, no trouble, whatever its score."""
    if text.endswith((".", "!", "?", "។", "៕")) or mentions_trouble(features):
        return False
    return len(text) < MAX_KHMER_TITLE_CHARS / 2 if KHMER.search(text) else len(text.split()) <= 3


def document_threshold(expected: float, count: int) -> float:
    """Return the score that a finding needs in a document of `count` units with `expected` risks.

    Where nearly every sentence is neutral, a doubtful one is most likely neutral too.
    """
    if count < MIN_DOCUMENT_UNITS:
        return 0.0
    return max(0.0, min(MAX_THRESHOLD_SHIFT, (BASE_RATE - expected / count) * 10))


def select_findings(candidates: Iterable[Finding], expected: float, count: int) -> list[dict[str, str]]:
    """Drop candidates below the document threshold, then near-duplicates.

    `expected` is the sum that score_units() returned for the document's `count` units.
    """
    threshold = document_threshold(expected, count)
    return deduplicate(finding for finding in candidates if finding.score > threshold)


def deduplicate(candidates: Iterable[Finding]) -> list[dict[str, str]]:
    """Drop near-duplicates and return the 200 highest scores in document order."""
    kept: list[tuple[Finding, frozenset[str]]] = []
    for finding in sorted(candidates, key=lambda one: -one.score):
        terms = extract_terms(finding.context)
        if any(_is_duplicate(finding, terms, other, others) for other, others in kept):
            continue
        kept.append((finding, terms))
        if len(kept) == MAX_FINDINGS:
            break
    kept.sort(key=lambda pair: pair[0].position)
    return [{"risk": one.risk, "category": one.category, "context": one.context} for one, _ in kept]


def _is_duplicate(
    finding: Finding, terms: frozenset[str], other: Finding, other_terms: frozenset[str]
) -> bool:
    # two risks of one sentence differ in category
    if finding.position == other.position:
        return finding.category == other.category
    return len(terms & other_terms) >= 0.85 * max(len(terms), len(other_terms))


def extract_terms(text: str) -> frozenset[str]:
    """Return the words of a text, or for Khmer, which has no spaces, its runs of four characters."""
    if KHMER.search(text):
        bare = re.sub(r"[\s\u200b]", "", text)
        return frozenset(bare[i : i + 4] for i in range(max(1, len(bare) - 3)))
    return frozenset(re.findall(r"\w+", text.lower()))


def verify_finding(position: int, name: str, category: str, context: str) -> Finding:
    """Return a finding of a language model; its name becomes the title if it mostly uses the sentence's words."""
    title = _tidy(" ".join(name.split()))
    terms, title_terms = extract_terms(context), extract_terms(title)
    if KHMER.search(context):
        fits = len(title) <= 2 * MAX_KHMER_TITLE_CHARS and len(title_terms & terms) * 2 >= len(title_terms)
    else:
        # five letters, so that other forms of a word match
        stems = {term[:5] for term in terms}
        fits = sum(term[:5] in stems for term in title_terms) * 2 >= len(title_terms)
    return Finding(position, title if title and fits else derive_title(context), category, context, 0.0)


# -- two risks in one sentence ---------------------------------------------------------------------

CONJUNCTION = re.compile(r"(?:,? and (?:also |the |a |an )?| as well as (?:the |a |an )?|, | & )")
# a second half with one of these is a clause of the sentence; without one it is a noun phrase of its own
VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|do|does|did|will|would|shall|should|may|might|can|could|must|not|n't"
    r"|that|which|who|to|it|they|this)\b",
    re.I,
)
MAX_SECOND_HALF_WORDS = 5


def _split_joint_risks(text: str) -> list[tuple[str, str]]:
    """Return title and category of two separate risks that a sentence names side by side, or nothing."""
    for conjunction in CONJUNCTION.finditer(text):
        halves = text[: conjunction.start()], text[conjunction.end() :]
        if not _may_be_joint(*halves):
            continue
        features = [extract_features(half) for half in halves]
        model = load_model()
        if not all(mentions_trouble(one) and model.risk_score(one) > model.threshold for one in features):
            continue
        categories = [model.best_category(one) for one in features]
        if categories[0] != categories[1]:
            return [(_tidy(half), category) for half, category in zip(halves, categories, strict=True)]
    return []


def _may_be_joint(first: str, second: str) -> bool:
    if VERB.search(second) or not 2 <= len(second.split()) <= MAX_SECOND_HALF_WORDS:
        return False
    return 2 <= len(first.split()) <= MAX_TITLE_WORDS


# -- the title -------------------------------------------------------------------------------------

OPENING = re.compile(
    r"^(?:(?:however|moreover|furthermore|in addition|also|unfortunately|note that|please note that|currently|at present"
    r"|as a result|therefore|finally|firstly|secondly|we (?:are concerned|fear|worry|believe|note|expect) that"
    r"|there is (?:a|some) (?:serious |real |significant |high |considerable )?(?:risk|danger|concern|possibility) that"
    r"|(?:[\w.]+ ){1,3}(?:said|says|reported|reports|pointed out|noted|notes|added|warned|warns|mentioned|explained) that"
    r"|it is (?:possible|likely|feared) that|(?:the|a) (?:main |key |biggest )?(?:risk|concern|problem|issue) is that"
    r"|risk|issue|concern|problem|threat|red|amber|blocker|blocked|warning)[,:]?\s*[-–]?\s+)+",
    re.I,
)
CLAUSE_GAP = re.compile(
    r"\s*(?:[;:—–]|, |\s\(|\)|\s-\s)\s*|\s+(?=(?:because|since|although|though|whereas|which|unless|until|while|so that|but|if)\b)"
)
SUBORDINATE_START = re.compile(
    r"(?:if|unless|until|because|since|although|though|whereas|which|while|so that|that|when|where|who|whose|or|nor)\b",
    re.I,
)
LEADING_CONJUNCTION = re.compile(r"^(?:and|but|or|so|yet) ", re.I)
DANGLING_END = re.compile(
    r"(?:\s+(?:the|a|an|of|to|in|on|at|by|for|from|with|and|or|but|that|which|its|their|his|her|our|any|all|is|are|be|as|if"
    r"|than|into|under|upon|this|these|not|no|has|have|may|will|shall|can))+$",
    re.I,
)


def derive_title(text: str) -> str:
    """Name the risk in at most twelve words of the sentence's own."""
    if KHMER.search(text):
        return _derive_khmer_title(text)
    bare = OPENING.sub("", text) or text
    if len(bare.split()) <= MAX_TITLE_WORDS:
        return _tidy(bare)
    return _tidy(
        _riskiest_clauses(CLAUSE_GAP, bare, lambda piece: len(piece.split()) <= MAX_TITLE_WORDS) or bare
    )


def _derive_khmer_title(text: str) -> str:
    bare = text.replace("\u200b", "").rstrip("។៕ ")
    if len(bare) <= MAX_KHMER_TITLE_CHARS:
        return bare
    best = _riskiest_clauses(re.compile(r"\s+"), bare, lambda piece: len(piece) <= MAX_KHMER_TITLE_CHARS)
    return best or bare[:MAX_KHMER_TITLE_CHARS].rstrip() + "…"


def _riskiest_clauses(gap: re.Pattern[str], text: str, fits: Callable[[str], bool]) -> str:
    """Return the run of clauses that fits and has the highest risk score, preferring main clauses."""
    gaps = list(gap.finditer(text))
    starts = [0, *(match.end() for match in gaps)]
    ends = [*(match.start() for match in gaps), len(text)]
    scores: dict[str, float] = {}
    for i, start in enumerate(starts):
        for end in ends[i:]:
            piece = text[start:end]
            if (len(piece.split()) >= 3 or KHMER.search(text)) and fits(piece):
                scores[piece] = load_model().risk_score(extract_features(piece)) + 0.1 * len(piece.split())
                scores[piece] += 0.5 * (start == 0) - 3.0 * bool(SUBORDINATE_START.match(piece))
    return max(scores, key=lambda piece: scores[piece], default="")


def _tidy(text: str) -> str:
    """Return a title: without Markdown and leading conjunctions, at most twelve words, a capital first."""
    plain = text.replace("**", "").replace("__", "").replace("`", "").replace("\u200b", "")
    words = LEADING_CONJUNCTION.sub("", plain.strip(" ,;:—–-").rstrip(".")).split()
    if len(words) > MAX_TITLE_WORDS:
        words = DANGLING_END.sub("", " ".join(words[:MAX_TITLE_WORDS])).rstrip(",;:").split()
    title = " ".join(words)
    return title[:1].upper() + title[1:]
