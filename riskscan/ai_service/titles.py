# ruff: noqa: E501
"""The title of a finding: the sentence itself, or of a longer one the whole phrase that says what may go wrong."""

import re
from collections.abc import Iterator
from itertools import islice, pairwise

from ..text import WORD, normalize
from .khmer import KHMER
from .model.features import Features, extract_features, phrases_of_parts
from .model.linear import load_model

MAX_WORDS = 15
MIN_WORDS = 5
# of a phrase that ends before "and", "or", "to" or "that"
MIN_TIGHT_WORDS = 9
# Khmer has no spaces between words; this is about fifteen of them
MAX_KHMER_CHARS = 75
MIN_KHMER_CHARS = 15
# a list of words has hundreds of phrases: as many are scored as keep it in proportion to the text
BYTES_PER_PHRASE = 5

CONNECTIVE = (
    r"(?:however|moreover|furthermore|in addition|also|unfortunately|(?:please )?note that|currently|at present|as a result"
    r"|therefore|finally|firstly|secondly|in particular),?\s+"
)
REPORT = (
    r"(?:we (?:are concerned|fear|worry|believe|note|expect)"
    r"|there is (?:a|some) (?:serious |real |significant |high |considerable )?(?:risk|danger|concern|possibility)"
    r"|(?:[\w.]+ ){1,3}(?:said|says|reported|reports|pointed out|noted|notes|added|warned|warns|mentioned|explained)"
    r"|it is (?:possible|likely|feared)|(?:the|a) (?:main |key |biggest )?(?:risk|concern|problem|issue) is) that,?\s+"
)
LABEL = r"(?:risk|issue|concern|problem|threat|red|amber|blocker|blocked|warning)(?::\s*|\s+[-–]\s+)"
# of a clause or an item, which the place says: "4.2 The", "4. ", "(a) "; but "4.2 GHz" is a quantity
OWN_NUMBER = re.compile(
    r"^(?:\d{1,3}(?:\.\d{1,3})*\.(?=\s+\W{0,2}[^\Wa-z])|\d{1,3}(?:\.\d{1,3})+(?=\s+(?:A\s|[A-Z][a-z]+\b(?<!bit)(?<!illion)))"
    r"|\((?:[a-z]|[ivx]{1,4}|\d{1,3})\))\s+(?=[^\W\d_\s]|[\"“*])"
)
OPENING = re.compile(f"^(?:{CONNECTIVE}|{REPORT}|{LABEL})*", re.I)
QUOTES = re.compile(r"[\"“”]")
# "***" alone is no markup: it stands for what was made unreadable
MARKDOWN = re.compile(r"\*\*(?=[\w(“\"])|(?<=[\w.,:;!?%)”\"])\*\*|__|`|\u200b")
LEADING_CONJUNCTION = re.compile(r"^(?:and|but|or|so|yet) ", re.I)


def derive_title(text: str, features: Features | None = None) -> str:
    """Return the sentence itself, or of a longer one its riskiest whole phrase of at most fifteen words.

    "…" stands where something is left out; the number of its clause is. `features` are those of the sentence.
    """
    text = _remove_number(text)
    bare = OPENING.sub("", text)
    if KHMER.search(text):
        bare = bare.rstrip("។៕ ")
        phrases = _find_khmer_phrases(bare)
        is_short = len(bare) <= MAX_KHMER_CHARS
    else:
        words = bare.split()
        phrases = _find_phrases(words)
        is_short = len(words) <= MAX_WORDS
    return text if is_short else _choose_riskiest(phrases, text, features) or text


def _remove_number(text: str) -> str:
    number = OWN_NUMBER.match(text)
    return text[number.end() :][:1].upper() + text[number.end() + 1 :] if number else text


def _choose_riskiest(phrases: Iterator[tuple[str, float]], text: str, features: Features | None) -> str:
    """Return the phrase of the sentence with the highest risk score, "" if there is none."""
    patterns = phrases_of_parts(features or extract_features(text))
    best, best_score = "", float("-inf")
    for phrase, quality in islice(phrases, len(text.encode()) // BYTES_PER_PHRASE):
        score = load_model().risk_score(extract_features(phrase.strip("…"), patterns))
        score += quality + 0.1 * len(phrase.split())
        if score > best_score:
            best, best_score = phrase, score
    return best


def tidy(name: str) -> str:
    """Return a name of a risk on one line and without Markdown, "" if it is no whole phrase or too long."""
    name = MARKDOWN.sub("", " ".join(name.split())).strip(" ,;:—–-").removesuffix(".")
    name = LEADING_CONJUNCTION.sub("", name)
    words = name.lower().split()
    if not words or len(words) > MAX_WORDS or words[-1] in DANGLING or words[0] in TIED_TO_WORDS_BEFORE:
        return ""
    return name[:1].upper() + name[1:]


def repeats(title: str, text: str) -> bool:
    """Return whether a title has the words of the sentence, but for an opening of either."""
    bare_title, bare = (
        WORD.findall(normalize(OPENING.sub("", _remove_number(one)))) for one in (title, text)
    )
    return bare_title == bare


def _mark_cuts(phrase: str, is_start_cut: bool, is_end_cut: bool) -> str:
    phrase = MARKDOWN.sub("", phrase).strip(" ,;:—–-").removesuffix(".")
    if not is_start_cut:
        phrase = phrase[:1].upper() + phrase[1:]
    return "…" * is_start_cut + phrase + "…" * is_end_cut


# -- Khmer -----------------------------------------------------------------------------------------

# a phrase begins after a space, but not with a verb and not beside a number, or with one of these words
KHMER_START = re.compile(
    r"(?<!\d)\s+(?!\d|ត្រូវ|មិន|បាន|នឹង|អាច|គួរ|មាន|ជា|គឺ|ឡើយ)"
    r"|(?=(?:ដែល|ដោយ|ប្រសិនបើ|ព្រោះ|ដើម្បី|ប៉ុន្តែ|សម្រាប់|ក្នុងករណី|នៅពេល|ទោះបី)(?!្))"
)


def _find_khmer_phrases(text: str) -> Iterator[tuple[str, float]]:
    gaps = [0, *(match.start() for match in KHMER_START.finditer(text)), len(text)]
    for number, start in enumerate(gaps):
        for end in gaps[number + 1 :]:
            phrase = text[start:end].strip()
            if len(phrase) > MAX_KHMER_CHARS:
                break
            if len(phrase) >= MIN_KHMER_CHARS:
                yield _mark_cuts(phrase, start > 0, end < len(text)), 0.5 * (not start) + 0.02 * len(phrase)


# -- phrases of other languages, which have English in mind ----------------------------------------


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# what ends a phrase, as the last letter of a word
STOPS = (",", ";", ":", "—", "–", ")")
DASHES = _set("- – — --")
ENUMERATOR = re.compile(r"\(?\w{1,4}[.)]")
CONJUNCTIONS = _set("and but or so yet then")
PAIRS = _set("both between either neither")
# a clause begins with one of these, even without a comma
CLAUSE_STARTS = _set(
    "because since although though whereas which unless until while but if when where who whose whom so"
)
# what says more about the words before it begins with one of these
PHRASE_STARTS = _set(
    "in on at by with for from during after before within without through throughout across between among under via"
    " against regarding concerning despite upon instead"
)
# so does what begins with one of these, but often the words before it need it
TIGHT_STARTS = _set("that to and or")
# what begins with one of these is no main clause, until a comma
SUBORDINATE_STARTS = (
    (CLAUSE_STARTS - _set("but so"))
    | PHRASE_STARTS
    | _set("that to of as or nor once given except assuming likewise even")
)
# the subject of a main clause begins with one of these
SUBJECT_STARTS = _set(
    "i we you he she it they there this that these those one no nobody nothing none neither both all any every each"
    " some many most several few such the a an our your his her its their other others"
)
RELATIVES = _set("that which who that's who's")
PRONOUNS = _set("i we you they he she")
AUXILIARIES = _set(
    "is are was were be been being has have had do does did will would shall should may might can could must cannot"
    " isn't aren't wasn't weren't hasn't haven't doesn't don't didn't won't wouldn't can't couldn't shouldn't it's"
    " there's we're they're you're we've they've we'll they'll not"
)
VERBS = (AUXILIARIES - _set("be been being not")) | _set(
    "remain remains depend depends lack lacks need needs fail fails require requires mean means become becomes leave leaves"
    " cause causes allow allows allowed take takes make makes increase increases reserve reserves agree agrees"
)
# no phrase ends with one of these: what belongs to it follows
DANGLING = (
    AUXILIARIES
    | CLAUSE_STARTS
    | PHRASE_STARTS
    | (SUBJECT_STARTS - _set("all others both none nothing one it"))
    | _set(
        "and or nor yet of to that as than into onto over about very more less least little what how why whether too per"
        " up out off rather then else except including currently already still never always often highly fully however"
        " potentially possibly especially particularly due according prior also just even only mr mrs ms dr no. e.g. i.e. vs"
    )
)
TIED_TO_WORDS_BEFORE = _set("of is are was were be been to than not that which who and or but")
# nor with one of these before the preposition, infinitive or clause that it takes
TAKES_PHRASE = re.compile(
    r"(?:depend|rel(?:y|i)|result|lead|refer|respond|compl(?:y|i)|appl(?:y|i)|consist|interfere|deal|cope|agree|belong|contribut"
    r"|participat|focus|bas(?:ed|es)|associat|relat|limit(?:ed|s)?$|compar|involv|engag|stem|aris|suffer|differ|benefit|derive|originat"
    r"|react|rest(?:s|ed)?$|insist|object|adher|conform|account|cater|provid|integrat|interact|communicat|work(?:s|ing|ed)?$|look"
    r"|equat|amount|correspond|expos|commit|entitl|oblig|requir|need|want|fail|tend|seem|appear|attempt|intend|plan(?:s|ned|ning)?$|continu|decid"
    r"|expect|design|us(?:e|es|ed|ing)$|allow|believ|think|know|mean|mak|giv|tak|get|got$|put|keep|kept$|set|send|sent$|call|ask|driven$|seen$"
    r"|responsib|liab|subject$|dependent|similar|different$|equal|consistent|compliant|able$|unable$|likely$|unlikely$|prone$|willing$|available$"
    r"|aware$|capable$|eligible$|vulnerable$|sensitive$|relevant$|part$|number$|lack$|kind$|type$|range$|same$|support|interest|count|go(?:es|ing)?$"
    r"|right$|ability|inability|way$|power|effort|time$|order$|hard$|difficult$|easy$|impossible$|possible$|necessary$|important$|enough$|permission"
    r"|say|said$|assum|suggest|ensur|show|clear$|true$|risk$|fact$|chance|problem$|provided$|now$|likelihood|option|chang|access|consider|suppos|has$|have$)"
)
TAKES_CLAUSE = re.compile(
    r"(?:know|tell|say|ask|decid|determin|certain|sure|clear|see|understand|check|doubt|matter|times$|cases?$|becom)"
)
TAKES_INFINITIVE = re.compile(
    r"(?:allow|forc|enabl|requir|caus|want|need|ask|encourag|permit|expect|help|leav|right)"
)


def _find_phrases(words: list[str]) -> Iterator[tuple[str, float]]:
    """Return the whole phrases that make a title, each with how well it stands for itself."""
    # of "***", which stands for a name that was made unreadable, nothing would be left
    plain = [word.lower().replace("’", "'").strip('*_`"“”') or word for word in words]
    main_start = next((i + 1 for i, word in enumerate(plain) if word.endswith(",")), 0)
    for start in range(len(words)):
        is_main = start == main_start and plain[0] in SUBORDINATE_STARTS and plain[start] not in CONJUNCTIONS
        if start and not is_main and not _begins_clause(words, start):
            continue
        for end in range(start + MIN_WORDS, min(start + MAX_WORDS, len(words)) + 1):
            quality = _rate_end(plain[start:end], plain[end : end + 5])
            phrase = " ".join(words[start:end])
            if quality and _has_verb(_main_part(plain[start:end])) and _is_balanced(phrase):
                yield _mark_cuts(phrase, start > 0, end < len(words)), quality + 0.5 * (not start)


def _begins_clause(words: list[str], start: int) -> bool:
    """Return whether a main clause may begin here: with a subject, after a comma and perhaps a conjunction."""
    before = words[start - 1]
    if before.lower() in CONJUNCTIONS and start > 1:
        before = words[start - 2]
    word = words[start]
    is_subject = word.lower() in SUBJECT_STARTS or word[0].isupper()
    return is_subject and (before.endswith(STOPS) or before in DASHES)


def _main_part(words: list[str]) -> list[str]:
    """Return what follows the first comma if the phrase begins with what is no main clause."""
    if words[0] not in SUBORDINATE_STARTS:
        return words
    return words[next((i + 1 for i, word in enumerate(words) if word.endswith(",")), len(words)) :]


def _has_verb(words: list[str]) -> bool:
    """Return whether a verb is among the words that is not one of "costs that are not paid", "costs paid by"."""
    in_relative = False
    for word, following in pairwise([*words, ""]):
        if word in RELATIVES:
            in_relative = True
            continue
        is_participle = word.endswith("ed") and len(word) > 4
        if (
            is_participle
            and not in_relative
            and not (following in PHRASE_STARTS or following.endswith("ing"))
        ):
            return True
        if not in_relative and (word in VERBS or (word in PRONOUNS and following)):
            return True
        in_relative = in_relative and (word in AUXILIARIES or is_participle)
    return False


def _is_balanced(phrase: str) -> bool:
    return phrase.count("(") == phrase.count(")") and len(QUOTES.findall(phrase)) % 2 == 0


def _rate_end(words: list[str], following: list[str]) -> float:
    """Return how well these words end as a phrase before the following ones, 0 if they would be cut."""
    last = words[-1]
    if not following:
        return 0.0 if last.rstrip(".") in DANGLING else 1.2
    if last.rstrip(",;:)") in DANGLING or last in DASHES or ENUMERATOR.fullmatch(last):
        return 0.0
    if _is_clause_open(words):
        return 0.0
    if last.endswith(STOPS):
        return 0.0 if last[-1] == "," and _is_list(following) else 1.0
    if following[0] in DASHES or following[0].startswith("("):
        return 0.6
    if following[0] in CLAUSE_STARTS:
        return 0.0 if TAKES_CLAUSE.match(last) else 0.9
    if TAKES_PHRASE.match(last) or _takes_object(words):
        return 0.0
    if following[0] in PHRASE_STARTS:
        return 0.4
    return 0.2 if following[0] in TIGHT_STARTS and not _is_tied(words, following[0]) else 0.0


def _is_clause_open(words: list[str]) -> bool:
    """Return whether the last clause of these words has no verb yet."""
    starts = [i for i, word in enumerate(words) if i and word.rstrip(",") in CLAUSE_STARTS | {"that"}]
    return bool(starts) and words[starts[-1]] != "but" and not _has_verb(words[starts[-1] + 1 :])


def _is_list(following: list[str]) -> bool:
    """Return whether a list goes on after a comma, as in "late, wrong or lost"."""
    if following[0] in ("and", "or"):
        return following[1:2] == [] or following[1] not in SUBJECT_STARTS
    return any(word.endswith(",") or word in ("and", "or") for word in following[:4])


def _takes_object(words: list[str]) -> bool:
    """Return whether the last word may be a verb that needs what follows: "to support", "costs caused"."""
    *others, before, last = words
    if last.endswith("ing"):
        return before in PHRASE_STARTS or before == "of"
    is_participle = last.endswith("ed") and AUXILIARIES.isdisjoint([*others[-2:], before])
    return is_participle or before in AUXILIARIES or before == "to"


def _is_tied(words: list[str], following: str) -> bool:
    """Return whether "and", "or", "to" or "that" belongs to the words before it."""
    if len(words) < MIN_TIGHT_WORDS or words[-1][0].isdigit():
        return True
    if following in ("and", "or"):
        return any(word.endswith(",") for word in words[-4:]) or not PAIRS.isdisjoint(words[-8:])
    return following == "to" and any(map(TAKES_INFINITIVE.match, words[-4:]))
