# ruff: noqa: E501
"""The title of a finding: at most twelve words of the sentence that say what may go wrong."""

import re
from collections.abc import Callable

from .khmer import KHMER
from .model.features import extract_features
from .model.linear import load_model

MAX_WORDS = 12
# Khmer has no spaces between words; this is about twelve of them
MAX_KHMER_CHARS = 60

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
    if len(bare.split()) <= MAX_WORDS:
        return tidy(bare)
    return tidy(_riskiest_clauses(CLAUSE_GAP, bare, lambda piece: len(piece.split()) <= MAX_WORDS) or bare)


def _derive_khmer_title(text: str) -> str:
    bare = text.replace("\u200b", "").rstrip("។៕ ")
    if len(bare) <= MAX_KHMER_CHARS:
        return bare
    best = _riskiest_clauses(re.compile(r"\s+"), bare, lambda piece: len(piece) <= MAX_KHMER_CHARS)
    return best or bare[:MAX_KHMER_CHARS].rstrip() + "…"


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


def tidy(text: str) -> str:
    """Return a title: without Markdown and leading conjunctions, at most twelve words, a capital first."""
    plain = text.replace("**", "").replace("__", "").replace("`", "").replace("\u200b", "")
    words = LEADING_CONJUNCTION.sub("", plain.strip(" ,;:—–-").rstrip(".")).split()
    if len(words) > MAX_WORDS:
        words = DANGLING_END.sub("", " ".join(words[:MAX_WORDS])).rstrip(",;:").split()
    title = " ".join(words)
    return title[:1].upper() + title[1:]
