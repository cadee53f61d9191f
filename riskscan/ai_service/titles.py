# ruff: noqa: E501
"""The title of a finding: at most twelve words of the sentence that say what may go wrong."""

import re
from collections.abc import Callable, Iterator
from itertools import islice

from .khmer import KHMER
from .model.features import Features, extract_features, phrases_of_parts
from .model.linear import load_model

MAX_WORDS = 12
# Khmer has no spaces between words; this is about twelve of them
MAX_KHMER_CHARS = 60
# a list of words has hundreds of runs of clauses: as many are scored as keep it in proportion to the text,
# which is all of them in 997 of 1,000 sentences that are longer than a title
BYTES_PER_RUN = 5
MAX_CLAUSES = MAX_WORDS

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
BLANKS = re.compile(r"\s+")
DANGLING_END = re.compile(
    r"(?:\s+(?:the|a|an|of|to|in|on|at|by|for|from|with|and|or|but|that|which|its|their|his|her|our|any|all|is|are|be|as|if"
    r"|than|into|under|upon|this|these|not|no|has|have|may|will|shall|can))+$",
    re.I,
)


def derive_title(text: str, features: Features | None = None) -> str:
    """Name the risk in at most twelve words of the sentence's own; `features` are those of the sentence."""
    if KHMER.search(text):
        return _derive_khmer_title(text, features)
    bare = OPENING.sub("", text) or text
    if len(bare.split()) <= MAX_WORDS:
        return tidy(bare)
    clauses = _runs_of_clauses(CLAUSE_GAP, bare, lambda run: 3 <= len(run.split()) <= MAX_WORDS)
    return tidy(_riskiest_run(clauses, bare, features) or bare)


def _derive_khmer_title(text: str, features: Features | None) -> str:
    bare = text.replace("\u200b", "").rstrip("។៕ ")
    if len(bare) <= MAX_KHMER_CHARS:
        return bare
    clauses = _runs_of_clauses(BLANKS, bare, lambda run: len(run) <= MAX_KHMER_CHARS)
    return _riskiest_run(clauses, bare, features) or bare[:MAX_KHMER_CHARS].rstrip() + "…"


def _runs_of_clauses(gap: re.Pattern[str], text: str, fits: Callable[[str], bool]) -> Iterator[str]:
    """Return the runs of clauses that fit, single clauses first."""
    gaps = list(gap.finditer(text))
    starts = [0, *(match.end() for match in gaps)]
    ends = [*(match.start() for match in gaps), len(text)]
    for further in range(min(len(starts), MAX_CLAUSES)):
        runs = (text[start:end] for start, end in zip(starts, ends[further:], strict=False))
        yield from filter(fits, runs)


def _riskiest_run(runs: Iterator[str], text: str, features: Features | None) -> str:
    """Return the run of clauses that has the highest risk score, preferring main clauses."""
    phrases = phrases_of_parts(features or extract_features(text))
    scores: dict[str, float] = {}
    for run in islice(runs, len(text.encode()) // BYTES_PER_RUN):
        if run not in scores:
            scores[run] = load_model().risk_score(extract_features(run, phrases)) + 0.1 * len(run.split())
            scores[run] += 0.5 * text.startswith(run) - 3.0 * bool(SUBORDINATE_START.match(run))
    return max(scores, key=lambda run: scores[run], default="")


def tidy(text: str) -> str:
    """Return a title: without Markdown and leading conjunctions, at most twelve words, a capital first."""
    plain = text.replace("**", "").replace("__", "").replace("`", "").replace("\u200b", "")
    words = LEADING_CONJUNCTION.sub("", plain.strip(" ,;:—–-").rstrip(".")).split()
    if len(words) > MAX_WORDS:
        words = DANGLING_END.sub("", " ".join(words[:MAX_WORDS])).rstrip(",;:").split()
    title = " ".join(words)
    return title[:1].upper() + title[1:]
