# ruff: noqa: E501
"""The columns of a risk register: what their names say of the cells, and which cells describe a risk."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from ..khmer import KHMER

# "effect" is also a cause or a comment; "text" describes no risk in a register, but may elsewhere;
# "open" and "closed" answer a question, as "Closed?" does; "" is a name that is not known
Kind = Literal["risk", "description", "effect", "status", "open", "closed", "rating", "text", "other", ""]

MAX_NAME_CHARS = 80
MAX_NAME_WORDS = 9
MAX_KHMER_NAME_CHARS = 30
# a shorter cell is a rating ("Very high") or a name rather than an effect
MIN_SENTENCE_WORDS = 4

# the last word of a name
WORDS: dict[Kind, str] = {
    "risk": (
        "risk risks issue issues threat threats concern concerns problem problems hazard hazards uncertainty uncertainties"
        " challenge challenges obstacle obstacles impediment impediments blocker blockers vulnerability vulnerabilities"
        " danger dangers wrong happen worry worries"
    ),
    "description": (
        "description descriptions desc detail details statement statements summary title name event events scenario"
        " scenarios finding findings observation observations weakness weaknesses gap gaps explanation narrative"
        " meaning definition definitions item"
        " happened"
    ),
    "effect": (
        "cause causes reason reasons consequence consequences effect effects impact impacts outcome outcomes result"
        " results comment comments remark remarks note notes trigger triggers implication implications rationale context"
        " background why assumption assumptions dependency dependencies lesson lessons"
    ),
    "status": "status state disposition",
    "open": "open active live",
    "closed": "closed resolved done retired",
    "rating": (
        "likelihood probability chance severity score rating ratings level priority criticality exposure rank ranking"
        " grade weight value assessment evaluation significance urgency proximity detectability"
        " rag rpn pxi imp l i p s %"
    ),
    "other": (
        "owner owners mitigation mitigations response responses action actions control controls responsible"
        " responsibility contingency treatment treatments step steps milestone milestones measure measures plan plans"
        " strategy strategies countermeasure countermeasures safeguard safeguards remedy remedies"
        " prevention fallback workaround category categories type types class assignee resp prob"
        " manager lead contact author reporter person role accountable who when where how whose date dates day"
        " deadline due time timeline month quarter year created updated modified raised identified opened id ids no nr"
        " num number ref reference refs code key index # № nº link links version amount"
        " count currency phone email tolerance appetite horizon"
    ),
    "text": (
        "update updates progress decision decisions solution solutions resolution recommendation recommendations"
        " project area phase stage source department team group budget cost costs"
    ),
}
KINDS: dict[str, Kind] = {word: kind for kind, words in WORDS.items() for word in words.split()}
# in Khmer the first of these decides: its names begin with the noun
KHMER_WORDS: dict[Kind, str] = {
    "risk": "ហានិភ័យ បញ្ហា ការគំរាមកំហែង គ្រោះថ្នាក់",
    "description": "ការពិពណ៌នា ពិពណ៌នា ការបរិយាយ បរិយាយ ឈ្មោះ ព័ត៌មានលម្អិត ចំណងជើង ការរកឃើញ",
    "effect": "ផលប៉ះពាល់ មូលហេតុ ផលវិបាក កំណត់សម្គាល់ សម្គាល់ មតិយោបល់ យោបល់",
    "status": "ស្ថានភាព",
    "rating": "កម្រិត លទ្ធភាព ប្រូបាប ឱកាស ពិន្ទុ អាទិភាព ភាពធ្ងន់ធ្ងរ",
    "other": (
        "វិធានការ អ្នកទទួលខុសត្រូវ អ្នក ម្ចាស់ ដំណោះស្រាយ ប្រភេទ លេខ ល.រ កាលបរិច្ឆេទ ថ្ងៃ ការកាត់បន្ថយ ការឆ្លើយតប"
        " សកម្មភាព ផែនការ យុទ្ធសាស្ត្រ ការទទួលខុសត្រូវ"
    ),
}
KHMER_KINDS: dict[str, Kind] = {word: kind for kind, words in KHMER_WORDS.items() for word in words.split()}

WORD = re.compile(r"[^\W\d_]+|[#№%]")
CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")
IN_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


def _split(words: str) -> frozenset[str]:
    return frozenset(words.split())


# what follows one of these says more about the noun before it: "Date of risk", "Impact on cost"
PREPOSITIONS = _split("of for to on in from at with if that per under against about we you since as")
QUESTIONS = _split("what who why how when where which is")
NO_QUESTION = _split("who how when where whose")
# a name has no verb, unless it asks
VERBS = _split("is are was were has have had may might will would can could must should cannot does do did")
# "Risk identified", "Actions taken": the noun before says what it is
PARTICIPLES = _split("identified raised found reported noted taken required needed planned observed proposed")
RATED = _split("current residual inherent overall net gross target initial remaining total")
ENDED = _split("closed resolved retired mitigated former past")
PLANNED = _split("target planned expected due forecast estimated proposed")

# that a name may have besides known words
PLAIN_WORDS = (
    RATED
    | PLANNED
    | PARTICIPLES
    | _split("a an by the our key main top possible potential other short full brief before after pre post")
)

TYPE_NAME = re.compile(r"\b(?:type|category|kind|class)\W*$|^ប្រភេទ", re.I)
CLOSED_STATUS = re.compile(
    r"\W*(?:(?:risk|issue|item|status|this|it|has|have|been|is|was|are|were|now|fully|all|already|completely"
    r"|successfully|formally|permanently)\b\W*)*"
    r"(?:(?:closed|done|completed?|resolved|solved|fixed|retired|expired|mitigated|remediated|cancell?ed|rejected|dropped"
    r"|withdrawn|archived|obsolete|superseded|void|finished|ended|eliminated|avoided|removed|deleted|inactive|duplicate"
    r"|n\s?[/.]\s?a|not applicable|not relevant|not active)\b"
    r"(?!\s*/\s*open|\W+no\W*$|\W+\d\d?\s?%|(?<=done|lete|eted|shed)\s+by\b"
    # "Completed the first test" is news of a risk that is open
    r"|\s+(?:the|a|an|our|their|its|first|second|some|half|parts?|phase|one|two|most)\b)"
    # these say it where little follows: "Terminated contract, new vendor sought" is open
    r"|(?:dismissed|discarded|lapsed|terminated|concluded|settled|invalid|false positive|won['’]?t fix"
    r"|did(?: not|n['’]t) (?:occur|happen|materiali[sz]e)|no longer|no more)"
    r"(?=\W*$|\s*[(,;.–-]|\s+(?:(?:by|in)\b|\d))"
    r"|no longer (?:an? )?(?:risk|issue|threat|problem|concern|relevant|applicable|valid|needed|required|exists?)\b"
    r"|បានបិទ|បិទ|ចប់|បានដោះស្រាយ|បានបញ្ចប់|រួចរាល់|លុបចោល|[✓✔☑✅]|100\s?%|c$)",
    re.I,
)
REOPENED = re.compile(r"\bre-?open|បើកឡើងវិញ", re.I)
YES = re.compile(r"\W*(?:yes|y|true|x|1|បាទ|ចាស|បាន)\W*|.*[✓✔☑✅].*|\[x\]", re.I)
NO = re.compile(r"\W*(?:no|n|false|0|ទេ)\W*|.*[✗✘☐✖❌❎].*|\[\s?\]", re.I)
RATING = re.compile(
    r"(?:\W|\d|very|extremely|almost|low|medium|med|high|moderate|critical|severe|minor|major|negligible|catastrophic"
    r"|extreme|rare|unlikely|possible|likely|certain|probable|improbable|insignificant|significant|to|red|amber|yellow"
    r"|green|n/a|tbd|ទាប|មធ្យម|ខ្ពស់|ណាស់)*",
    re.I,
)


@lru_cache(maxsize=4096)
def classify_name(name: str) -> Kind:
    """Return what a column of this name holds, "" if that is not known; the last word of the name says it."""
    if len(name) > MAX_NAME_CHARS:
        return ""
    if KHMER.search(name):
        places = [(name.find(word), -len(word), kind) for word, kind in KHMER_KINDS.items() if word in name]
        return min(places)[2] if places else ""
    kinds = [_classify_words(part) for part in _split_alternatives(name)]
    kind = kinds[-1] if kinds else ""
    # "Risk / Owner" holds a risk too, but "Risk / Issue ID" does not
    is_joint = "risk" in kinds and all(len(part) == 1 for part in _split_alternatives(name))
    return "risk" if is_joint else kind


def _split_alternatives(name: str) -> list[list[str]]:
    """Return the words of each alternative: "Risk / Issue" has two; brackets say more about the name."""
    outside = IN_BRACKETS.sub(" ", name)
    text = CAMEL_CASE.sub(" ", outside if WORD.search(outside) else name)
    parts = re.split(r"[/&+,;|]|\band\b|\bor\b", text, flags=re.I)
    return [words for words in (WORD.findall(part.lower()) for part in parts) if words]


def _classify_words(words: list[str]) -> Kind:
    asks = words[0] in QUESTIONS
    if len(words) > MAX_NAME_WORDS or (not asks and (len(words) > 6 or not VERBS.isdisjoint(words))):
        return ""
    if words[0] in NO_QUESTION or "by" in words[1:]:
        return "other"
    if closing := _classify_closing(words):
        return closing
    cut = next((number for number, word in enumerate(words) if number and word in PREPOSITIONS), len(words))
    words = words[:cut]
    while len(words) > 1 and words[-1] in PARTICIPLES:
        words = words[:-1]
    return _classify_noun(words)


def _classify_closing(words: list[str]) -> Kind:
    """Return the kind of "Date closed" and "Is it open", "" for other names."""
    if words[0] != "is" and {"date", "on"}.isdisjoint(words):
        return ""
    if not {"closed", "resolved", "retired"}.isdisjoint(words):
        return "other" if not PLANNED.isdisjoint(words) else "closed"
    return "open" if words[0] == "is" and words[-1] in ("open", "active") else ""


def _classify_noun(words: list[str]) -> Kind:
    last, before = words[-1], KINDS.get(words[-2], "") if len(words) > 1 else ""
    kind = KINDS.get(last, "")
    if last == "risk" and not RATED.isdisjoint(words[:-1]):
        return "rating"
    if kind == "risk" and not ENDED.isdisjoint(words[:-1]):
        return "other"
    if kind == "" and len(words) > 1:
        # "Risks we see" holds risks, "Risk horizon" does not
        return "risk" if words[0].endswith("s") and KINDS.get(words[0]) == "risk" else ""
    if kind in ("description", "effect", "status", "open", "closed") and before in ("other", "rating"):
        # of a mitigation, an owner, a date
        return "other"
    if last in ("name", "title") and len(words) > 1 and before not in ("risk", "description"):
        return "other"
    if kind in ("description", "other") and before == "status":
        return "other"
    return kind


def is_plain_name(name: str) -> bool:
    """Return whether a name of a known kind consists of nothing but the words of such names."""
    if not classify_name(name):
        return False
    if KHMER.search(name):
        return len(name) <= MAX_KHMER_NAME_CHARS
    words = [word for part in _split_alternatives(name) for word in part]
    return words[0] in QUESTIONS or all(
        word in KINDS or word in PLAIN_WORDS or word in PREPOSITIONS for word in words
    )


def names_risks(names: tuple[str, ...]) -> bool:
    """Return whether these are the columns of a register: one holds the risks, or names them."""
    if any(classify_name(name) == "risk" for name in names):
        return True
    of_risk = [name for name in names if "ហានិភ័យ" in name or "risk" in _lower_words(name)]
    return bool(of_risk) and any(classify_name(name) == "description" for name in names)


def _lower_words(name: str) -> list[str]:
    return WORD.findall(CAMEL_CASE.sub(" ", name).lower())


class Columns(NamedTuple):
    """What the names of a table say of its columns, by number.

    `described` hold the risks of a register, whose `effects` are read too; of other tables `texts` are, and
    the columns without a name. `statuses` and `types` say what a row is.
    """

    is_register: bool
    described: frozenset[int]
    effects: frozenset[int]
    texts: frozenset[int]
    statuses: list[tuple[int, Kind]]
    types: list[int]


@lru_cache(maxsize=256)
def understand(names: tuple[str, ...]) -> Columns:
    """Return what the names of a table say of its columns."""
    kinds = [classify_name(name) for name in names]
    is_register = names_risks(names)

    def find(*wanted: Kind) -> frozenset[int]:
        return frozenset(number for number, kind in enumerate(kinds) if kind in wanted)

    return Columns(
        is_register,
        find("risk", "description"),
        find("effect"),
        frozenset() if _is_scale(kinds) else find("description", "effect", "text", ""),
        [(number, kinds[number]) for number in find("status", "open", "closed")],
        [] if is_register else [number for number, name in enumerate(names) if TYPE_NAME.search(name)],
    )


def _is_scale(kinds: list[Kind]) -> bool:
    """Return whether the table says what ratings mean: "Level", "Description"."""
    first = next((kind for kind in kinds if kind), "")
    return first == "rating" and {"risk", "status", "open", "closed", "other"}.isdisjoint(kinds)


def read_cells(names: tuple[str, ...], cells: list[str], section: str) -> Iterator[tuple[str, str]]:
    """Return the cells that may describe a risk, with their section; none if the row's status is closed.

    A column of risks counts more than the heading above the table, unless that says that they are closed.
    """
    columns = understand(names)
    if any(number < len(cells) and is_closed(kind, cells[number]) for number, kind in columns.statuses):
        return
    if not names and any(1 < len(cell) <= 12 and CLOSED_STATUS.fullmatch(cell) for cell in cells):
        return
    if section != "closed":
        section = _find_type(columns, cells) or section
    if columns.is_register or (section == "risks" and columns.described and columns.texts):
        beside = "closed" if section == "closed" else ""
        for number, cell in enumerate(cells):
            if number in columns.described and not RATING.fullmatch(cell):
                yield cell, beside or "risks"
            elif number in columns.effects and _is_sentence(cell):
                yield cell, beside
        return
    reads_short = not names or (section == "risks" and any(names))
    for number, cell in enumerate(cells):
        is_read = number in columns.texts or number >= len(names)
        if is_read and (reads_short or _is_sentence(cell)) and not RATING.fullmatch(cell):
            yield cell, section


def _is_sentence(cell: str) -> bool:
    return len(cell.split()) >= MIN_SENTENCE_WORDS or KHMER.search(cell) is not None


def _find_type(columns: Columns, cells: list[str]) -> str:
    """Return the kind of section that a row of a log of risks, issues and actions belongs to, "" if unknown."""
    for number in columns.types:
        if number < len(cells) and is_plain_name(cells[number]):
            kind = classify_name(cells[number])
            return "risks" if kind == "risk" else "neutral" if kind in ("other", "text") else ""
    return ""


def is_closed(kind: Kind, cell: str) -> bool:
    """Return whether a cell of a column of this kind says that the risk of its row is closed."""
    cell = cell.strip()[:200]
    if not cell or REOPENED.search(cell):
        return False
    if kind == "open":
        return bool(NO.fullmatch(cell) or CLOSED_STATUS.match(cell))
    if kind == "closed":
        # a date, or what a status would say
        is_date = sum(character.isdigit() for character in cell) >= 2
        return bool(YES.fullmatch(cell) or is_date or CLOSED_STATUS.match(cell))
    return kind == "status" and bool(CLOSED_STATUS.match(cell))


def repeat_below(text: str) -> str:
    """Return what a cell says of the other rows that it was merged over: their closed status, or their type."""
    is_short = len(text.split()) < MIN_SENTENCE_WORDS
    return text if is_short and (is_closed("status", text) or (text and is_plain_name(text))) else ""
