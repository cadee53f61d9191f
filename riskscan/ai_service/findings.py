"""Findings out of units: score, category and title; alike sentences are one finding."""

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..text import HAS_UNSPACED, WORD, normalize
from .khmer import KHMER
from .model.encoder import Context, join_headings
from .model.explanation import explain
from .model.features import Features, extract_features, mentions_trouble, phrases_of_parts
from .model.linear import load_model
from .model.phrases import Phrase
from .model.risk_model import judge
from .reading.sentences import NumberedUnit
from .titles import MAX_KHMER_CHARS, derive_title, repeats, tidy

MAX_FINDINGS = 200
# added to the log odds of a unit, by the section it stands in
SECTION_PRIOR = {"risks": 1.0, "neutral": -1.0, "closed": -4.0, "": 0.0}
# a heading in Khmer is shorter
MAX_KHMER_HEADING_CHARS = 30
# whoever wrote something in the risk column of a register calls it a risk
REGISTER_SCORE = 0.1
EMPTY_CELL = re.compile(r"^(?:no|none|nil|n/?a|not applicable|tb[acd]|to be|see|same as)\b", re.I)
# what two sentences may differ in and be alike, beside case, blanks and punctuation
ARTICLE = re.compile(r"\b(?:the|The|THE|an|An|a)\s|^A\s")
# a symbol, or the sign of a number
SYMBOL = re.compile(r"[%‰°€£$¥៛+<>=±]|(?<![\w)])[-−](?=\d)")
# what a template wants to be filled in, as in "[short name of the risk]"
PLACEHOLDER = re.compile(r"^(?:\[[^\[\]]*\]|<[^<>]*>|\{+[^{}]*\}+)\.?$")
# who pays what on which day, and no more
PAYMENT_DAY = re.compile(
    r"^(?:[^\s,;:]+ ){1,6}(?:pays?|(?:is|are|be) (?:paid|payable|invoiced))(?: [^\s,;:]+){0,6}"
    r" (?:on|by|within|at|in)(?: [^\s,;:]+){1,3} (?:days?|weeks?|months?|quarters?|years?)"
    r"(?: (?:of|from|after)(?: [^\s,;:]+){1,4})?$",
    re.I,
)


class Selection(NamedTuple):
    """The findings to report, as dicts of the fields of Finding, and how many were left out at the cap."""

    findings: list[dict[str, Any]]
    left_out: int


class Finding(NamedTuple):
    """One risk; position counts units, score is in log odds above the threshold, 0 from a language model.

    `alike` are the positions of other sentences that say the same; `why` is what explains the score, a JSON
    list of cues.
    """

    position: int
    risk: str
    category: str
    context: str
    score: float = 0.0
    alike: tuple[int, ...] = ()
    why: str = ""


def score_units(numbered: Iterable[NumberedUnit], count: int, kind: str = "") -> list[Finding]:
    """Return the candidates among units of a document.

    `count` is the number of units of the document, `kind` the result of recognize_kind().
    """
    candidates: list[Finding] = []
    units = list(numbered)
    contexts = [Context(join_headings(unit.place.headings), before) for _, unit, before in units]
    judgements = judge([unit.text for _, unit, _ in units], count, kind, contexts)
    for (position, unit, _), judgement in zip(units, judgements, strict=True):
        features, score = judgement.features, judgement.score + SECTION_PRIOR[unit.section]
        if unit.kind == "cell" and unit.section == "risks" and not EMPTY_CELL.match(unit.text):
            score = max(score, REGISTER_SCORE)
        if score <= 0 or PLACEHOLDER.match(unit.text):
            continue
        if unit.section != "risks" and (
            _is_heading(unit.text, features) or _is_payment_day(unit.text, features)
        ):
            continue
        risks = _split_joint_risks(unit.text, features) or [
            (derive_title(unit.text, features), judgement.category)
        ]
        cues = explain(unit.text, judgement, score, unit.section)
        why = json.dumps([cue._asdict() for cue in cues])
        candidates += [
            Finding(position, title, category, unit.text, score, why=why) for title, category in risks
        ]
    return candidates


def _is_heading(text: str, features: Features) -> bool:
    """Return whether this is a heading or a name: a few words without a full stop and without trouble."""
    if text.endswith((".", "!", "?", "។", "៕")) or mentions_trouble(features):
        return False
    return len(text) < MAX_KHMER_HEADING_CHARS if KHMER.search(text) else len(text.split()) <= 3


def _is_payment_day(text: str, features: Features) -> bool:
    """Return whether this only says on which day somebody pays, without trouble."""
    return bool(PAYMENT_DAY.match(text.removesuffix("."))) and not mentions_trouble(features)


def select_findings(findings: Iterable[Finding]) -> Selection:
    """Merge alike sentences and select the 200 highest scores, in document order."""
    distinct = merge_alike(findings)
    selected = sorted(distinct[:MAX_FINDINGS], key=lambda finding: finding.position)
    return Selection([finding._asdict() for finding in selected], len(distinct) - len(selected))


def merge_alike(candidates: Iterable[Finding]) -> list[Finding]:
    """Return a finding for each sentence, two for two risks of one, the highest score first.

    Of alike ones the first in the document is the finding: scores of the same sentence differ a little by
    the sentences that the encoder reads with it.
    """
    merged: dict[str, list[Finding]] = {}
    alike: dict[str, dict[int, None]] = {}
    for finding in sorted(candidates, key=lambda finding: finding.position):
        key = to_merge_key(finding.context)
        kept = merged.setdefault(key, [])
        if kept and finding.position != kept[0].position:
            alike.setdefault(key, {})[finding.position] = None
        elif finding.category not in {other.category for other in kept}:
            kept.append(finding)
    found = [
        finding._replace(alike=tuple(sorted(alike.get(key, ()))))
        for key, kept in merged.items()
        for finding in kept
    ]
    return sorted(found, key=lambda finding: -finding.score)


def to_merge_key(text: str) -> str:
    """Return what is the same for sentences that differ in case, blanks, punctuation and articles alone."""
    normalized = normalize(ARTICLE.sub("", text))
    words = " ".join(WORD.findall(normalized))
    if HAS_UNSPACED.search(words):
        words = words.replace(" ", "")
    return f"{words} {SYMBOL.findall(normalized)}"


def extract_terms(text: str) -> frozenset[str]:
    """Return the words of a text, or for scripts written without spaces its runs of four characters."""
    normalized = normalize(text)
    if HAS_UNSPACED.search(normalized):
        compact = re.sub(r"\s", "", normalized)
        return frozenset(compact[i : i + 4] for i in range(max(1, len(compact) - 3)))
    return frozenset(WORD.findall(normalized))


def verify_names(named: Iterable[Finding]) -> Selection:
    """Merge alike sentences among a language model's findings, and verify the names of the first 200."""
    selection = select_findings(list(named))
    for item in selection.findings:
        item["risk"] = verify_name(item["risk"], item["context"])
    return selection


def verify_name(name: str, context: str) -> str:
    """Return a language model's name of a risk if half of its words are the sentence's, else our own."""
    title = tidy(name)
    terms, title_terms = extract_terms(context), extract_terms(title)
    if KHMER.search(context):
        fits = len(title) <= 2 * MAX_KHMER_CHARS and len(title_terms & terms) * 2 >= len(title_terms)
    else:
        # five letters, so that other forms of a word match
        stems = {term[:5] for term in terms}
        fits = sum(term[:5] in stems for term in title_terms) * 2 >= len(title_terms)
    if not title or not fits:
        return derive_title(context)
    return context if repeats(title, context) else title


# -- two risks in one sentence ---------------------------------------------------------------------

CONJUNCTION = re.compile(r"(?:,? and (?:also |the |a |an )?| as well as (?:the |a |an )?| & )")
# with one of these the second half is a clause, otherwise a noun phrase
VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|do|does|did|will|would|shall|should|may|might|can|could|must|not|n't"
    r"|that|which|who|to|it|they|this)\b",
    re.I,
)
MAX_FIRST_HALF_WORDS = 12
MAX_SECOND_HALF_WORDS = 5
MAX_CONJUNCTION_WORDS = 4
# half a sentence has fewer words to speak for it
HALF_BONUS = 0.5


def _split_joint_risks(text: str, features: Features) -> list[tuple[str, str]]:
    """Return title and category of two separate risks that a sentence names side by side, or nothing."""
    if len(text.split()) > MAX_FIRST_HALF_WORDS + MAX_CONJUNCTION_WORDS + MAX_SECOND_HALF_WORDS:
        return []
    phrases = phrases_of_parts(features)
    for conjunction in CONJUNCTION.finditer(text):
        halves = text[: conjunction.start()], text[conjunction.end() :]
        if not _may_be_joint(*halves):
            continue
        first, second = (_category_of_risk(half, phrases) for half in halves)
        if first and second and first != second:
            return [(tidy(halves[0]), first), (tidy(halves[1]), second)]
    return []


def _category_of_risk(half: str, phrases: list[Phrase]) -> str:
    """Return the category of half a sentence, or an empty string if it is no risk by itself."""
    model = load_model()
    features = extract_features(half, phrases)
    if not mentions_trouble(features) or model.risk_score(features) <= model.threshold - HALF_BONUS:
        return ""
    return model.best_category(features)


def _may_be_joint(first: str, second: str) -> bool:
    if VERB.search(second) or not 2 <= len(second.split()) <= MAX_SECOND_HALF_WORDS:
        return False
    return 2 <= len(first.split()) <= MAX_FIRST_HALF_WORDS
