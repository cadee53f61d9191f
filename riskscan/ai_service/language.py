"""Which languages a document is in, by its scripts and by the function words of each language.

Every sentence is judged by itself, and where that says too little, by its neighbours. English is the result
wherever there is doubt: a sentence that is not analysed costs more than one that is reported for nothing.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from .function_words import ENGLISH_WORDS, FUNCTION_WORDS, NAME_PARTICLES
from .model.lexicon import LEXICON
from .model.word_vectors import load_vectors
from .notes import ENGLISH, KHMER

UNKNOWN = ""

# scripts by the language that is taken if SIGNS show no other: their letters, and how many count as a word
SCRIPTS = {
    "Russian": ("\u0400-\u052f", 5),
    "Greek": ("\u0370-\u03ff\u1f00-\u1fff", 5),
    "Arabic": ("\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc", 5),
    "Hindi": ("\u0900-\u097f", 5),
    "Hebrew": ("\u0590-\u05ff", 5),
    "Thai": ("\u0e00-\u0e7f", 5),
    "Lao": ("\u0e80-\u0eff", 5),
    "Burmese": ("\u1000-\u109f", 5),
    "Khmer": ("\u1780-\u17ff", 5),
    "Japanese": ("\u3041-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f", 3),
    "Chinese": ("\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff", 3),
    "Korean": ("\u1100-\u11ff\u3130-\u318f\uac00-\ud7af", 3),
    "Bengali": ("\u0980-\u09ff", 5),
    "Punjabi": ("\u0a00-\u0a7f", 5),
    "Gujarati": ("\u0a80-\u0aff", 5),
    "Odia": ("\u0b00-\u0b7f", 5),
    "Tamil": ("\u0b80-\u0bff", 5),
    "Telugu": ("\u0c00-\u0c7f", 5),
    "Kannada": ("\u0c80-\u0cff", 5),
    "Malayalam": ("\u0d00-\u0d7f", 5),
    "Sinhala": ("\u0d80-\u0dff", 5),
    "Tibetan": ("\u0f00-\u0fff", 5),
    "Georgian": ("\u10a0-\u10ff", 5),
    "Armenian": ("\u0530-\u058f", 5),
    "Amharic": ("\u1200-\u139f", 3),
}
SCRIPT_RUN = re.compile("|".join(f"(?P<{name}>[{letters}]+)" for name, (letters, _) in SCRIPTS.items()))
# languages that are like another one: the first whose letters or words the sentence has
SIGNS = {
    "Russian": (
        ("Belarusian", re.compile("[ўЎ]")),
        ("Ukrainian", re.compile("[іїєґІЇЄҐ]")),
        ("Macedonian", re.compile("[ѓќѕЃЌЅ]")),
        ("Serbian", re.compile("[ђјљњћџЂЈЉЊЋЏ]")),
        ("Kazakh", re.compile("[әғқңұӘҒҚҢҰ]")),
        ("Russian", re.compile("[ыэёЫЭЁ]")),
        (
            "Bulgarian",
            re.compile(
                r"[ъЪ]|\b(?:се|са|е|ще|че|това|няма|този|тази|която|който|което|трябва)\b|\w{3}(?:ето|ията)\b"
            ),
        ),
    ),
    "Arabic": (
        ("Urdu", re.compile("[ٹڈڑںے]")),
        ("Persian", re.compile("[پچژگکی]")),
    ),
    "Hindi": (
        ("Nepali", re.compile("(?<!\\S)(?:छ|छन्|छैन|हुन्छ|गर्न|भएको|र)(?!\\S)")),
        ("Marathi", re.compile("ळ|(?<!\\S)(?:आहे|आहेत|नाही|आणि|झाले)(?!\\S)")),
    ),
    # Danish words do not end in two consonants of a kind
    "Danish": (("Norwegian", re.compile(r"([bdfglmnprst])\1\b|sj")),),
    "Czech": (("Slovak", re.compile(r"[ľĺŕôä]|[aáií]ť\b|\b(?:sa|aj|pre|nie|alebo)\b")),),
}

# not in addresses, paths and identifiers
WORD = re.compile(r"(?<![\w/@\\.=-])[A-Za-zÀ-ɏḀ-ỿ]+(?:['’]|(?![\w/@\\=-]|\.\w))")
PARTICLES = frozenset(NAME_PARTICLES.split())
# what lower-case words with other letters than a to z may be
LETTERS = {
    "German": "äöüß",
    "Dutch": "ëéïè",
    "Swedish": "åäö",
    "Danish": "æøå",
    "Norwegian": "æøå",
    "Icelandic": "áéíóúýþæöð",
    "Finnish": "äö",
    "Estonian": "äöüõ",
    "Latvian": "āčēģīķļņšūž",
    "Lithuanian": "ąčęėįšųūž",
    "Polish": "ąćęłńóśźż",
    "Czech": "áčďéěíňóřšťúůýž",
    "Slovak": "áäčďéíĺľňóôŕšťúýž",
    "Slovenian": "čšž",
    "Croatian": "čćđšž",
    "Hungarian": "áéíóöőúüű",
    "Romanian": "ăâîșțşţ",
    "Albanian": "ëç",
    "Turkish": "çğıöşü",
    "French": "àâæçéèêëîïôœùûü",
    "Spanish": "áéíñóúü",
    "Catalan": "àçèéíïóòúü",
    "Portuguese": "áàâãçéêíóôõú",
    "Italian": "àèéìòù",
    "Vietnamese": "ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ",
    "Afrikaans": "êëéôûî",
}

# evidence, in words of a language
SHARED_WORD = 0.5  # a function word of English too
KNOWN_WORD = 0.4  # any other word of English
LETTER_WORD = 0.5  # a word with letters that English does not have
UNKNOWN_WORD = 0.5  # a word that English does not have, beside a function word
RARE_WORD = 0.1  # divided by the number of languages that have the word: decides between related ones
MIN_EVIDENCE = 2.0
# how much more evidence than for English there must be: other scripts are often names
MIN_RATIO = 2.0
MIN_SCRIPT_RATIO = 4.0


class Evidence(NamedTuple):
    """The evidence for English, and for each other language; whether English has every word."""

    english: float
    others: dict[str, float]
    is_complete: bool


@cache
def load_words() -> tuple[frozenset[str], dict[str, tuple[str, ...]]]:
    """Return the function words of English, and those of the other languages, each with its languages."""
    languages: dict[str, tuple[str, ...]] = {}
    for language, words in FUNCTION_WORDS.items():
        for word in dict.fromkeys(words.split()):
            languages[word] = (*languages.get(word, ()), language)
    return frozenset(ENGLISH_WORDS.split()), languages


def identify_all(texts: Sequence[str], before: str = UNKNOWN) -> list[str]:
    """Return the language of each sentence; one that says too little is in that of the sentences around it.

    Between two languages it is English. `before` is the language of the sentence before the first.
    """
    found = [identify(text) for text in texts]
    followers: list[str] = []
    after = UNKNOWN
    for language in reversed(found):
        followers.append(after)
        after = language or after
    result: list[str] = []
    for language, after in zip(found, reversed(followers), strict=True):
        if language:
            before = language
        elif before and after and before != after:
            language = ENGLISH
        result.append(language or before or after or ENGLISH)
    return result


def identify(text: str) -> str:
    """Return the language of a sentence, or UNKNOWN where it says too little."""
    scripts = measure_scripts(text)
    if scripts and max(scripts, key=scripts.__getitem__) == KHMER:
        return KHMER
    english, others, is_complete = weigh_words(text)
    best = max(others, key=others.__getitem__, default=ENGLISH)
    evidence = others.get(best, 0.0)
    ratio = MIN_RATIO
    if (letters := sum(scripts.values())) > evidence:
        # Japanese is written in Chinese characters too
        best = "Japanese" if "Japanese" in scripts else max(scripts, key=scripts.__getitem__)
        evidence, ratio = letters, MIN_SCRIPT_RATIO
    if evidence >= max(MIN_EVIDENCE, ratio * english):
        return next((language for language, sign in SIGNS.get(best, ()) if sign.search(text)), best)
    # two words that English has are enough if there is no other
    is_english = english >= 1 or (is_complete and english > KNOWN_WORD)
    return ENGLISH if is_english and english > evidence else UNKNOWN


def measure_scripts(text: str) -> dict[str, float]:
    """Return how many words the text has in each script but the Latin."""
    scripts: dict[str, float] = {}
    if not text.isascii():
        for run in SCRIPT_RUN.finditer(text):
            script = str(run.lastgroup)
            scripts[script] = scripts.get(script, 0.0) + len(run[0]) / SCRIPTS[script][1]
    return scripts


def weigh_words(text: str) -> Evidence:
    """Return the evidence of the words in the Latin script, each counted once."""
    english_words, languages_of = load_words()
    ranks, _ = load_vectors()
    words = WORD.findall(text)
    # in capitals, names cannot be told from other words
    in_capitals = text.isupper()
    if in_capitals:
        words = [word.lower() for word in words if len(word) > 1]
    english = 0.0
    known = 0
    others: dict[str, float] = {}
    seen: set[str] = set()
    unknown: list[str] = []
    for position, word in enumerate(words):
        lower = word.lower()
        if lower not in languages_of:
            lower = lower.rstrip("'’")
        if lower in seen:
            continue
        languages = languages_of.get(lower, ())
        weight = 0.0
        if lower in english_words:
            weight = SHARED_WORD
            english += SHARED_WORD if languages else 1.0
        elif languages:
            if (in_capitals and lower in PARTICLES) or _is_part_of_name(words, position):
                continue
            weight = 1.0 + RARE_WORD / len(languages)
        elif lower in ranks or lower in LEXICON:
            english += KNOWN_WORD
            known += 1
        else:
            unknown.append(word)
        seen.add(lower)
        for language in languages:
            others[language] = others.get(language, 0.0) + weight
    if not in_capitals:
        _weigh_unknown_words([word for word in unknown if word.islower()], known, others)
    return Evidence(english, others, is_complete=not unknown)


def _weigh_unknown_words(words: list[str], known: int, others: dict[str, float]) -> None:
    """Add the evidence of lower-case words that no list has: their letters, and that English lacks them."""
    for word in words:
        if not word.isascii():
            odd = {letter for letter in word if letter > "\x7f"}
            for language in FUNCTION_WORDS:
                fits = odd.issubset(LETTERS.get(language, ""))
                others[language] = others.get(language, 0.0) + (LETTER_WORD if fits else -LETTER_WORD)
    # among words that English has, they are misspelled or cut
    excess = max(0, sum(len(word) > 3 for word in words) - known)
    for language, evidence in others.items():
        if evidence >= 1:
            others[language] = evidence + UNKNOWN_WORD * excess


def _is_part_of_name(words: Sequence[str], position: int) -> bool:
    """Return whether a function word of another language is an acronym or a part of a name here."""
    word = words[position]
    if not word[0].islower():
        return position > 0 or (len(word) > 1 and word.isupper())
    before = [word for word in words[max(0, position - 3) : position] if word not in PARTICLES]
    after = [word for word in words[position + 1 : position + 4] if word not in PARTICLES]
    return word in PARTICLES and "".join(before[-1:])[:1].isupper() and "".join(after[:1])[:1].isupper()
