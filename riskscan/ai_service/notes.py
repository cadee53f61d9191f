"""Notes: sentences for people about what the reader of the findings must know."""

from collections.abc import Mapping, Sequence

# the contract of the AI service
MAX_NOTES = 20
MAX_NOTE_CHARS = 300

# what the built-in analyser reads
READ_LANGUAGES = ENGLISH, KHMER = ("English", "Khmer")
HELP_WITHOUT_MODEL = "A language model can read it: ask whoever runs this server to set LLM_BASE_URL."
HELP_AFTER_FAILURE = "The language model can read it but failed this time: scan the document again later."
HELP_TOO_LONG = "The language model can read it in parts: send each as a document of its own."
TOO_LONG = "This document is too long for the language model, so the built-in analyser read it instead."
# a few quoted sentences in another language are not worth a note
MIN_FOREIGN_SENTENCES = 10
MIN_FOREIGN_SHARE = 0.1
MIN_FOREIGN_SHARE_OF_ONE = 0.25
# a language with less is named only if no other has more: similar ones are taken for each other
MIN_LANGUAGE_SHARE = 0.2
MAX_LANGUAGES = 3


def describe_foreign_parts(
    sentences: Mapping[str, int], chars: Mapping[str, int], help_with_languages: str
) -> list[str]:
    """Return a note if parts of the document are in languages that the built-in analyser does not read.

    Given are the number of sentences and of characters in each language, and a sentence that says what
    would help.
    """
    foreign = {language: size for language, size in chars.items() if language not in READ_LANGUAGES}
    count = sum(sentences[language] for language in foreign)
    share = sum(foreign.values()) / max(1, sum(chars.values()))
    if not count or not (
        count >= MIN_FOREIGN_SENTENCES
        or share >= (MIN_FOREIGN_SHARE if count > 1 else MIN_FOREIGN_SHARE_OF_ONE)
    ):
        return []
    if len(foreign) == len(chars):
        subject, verb = "This document is", "was"
    elif share > 0.5:
        subject, verb = "Most of this document is", "was"
    else:
        subject, verb = "Parts of this document are", "were"
    return [
        f"{subject} in {_name_languages(foreign)} and {verb} not searched for risks: the built-in analyser"
        f" reads only {' and '.join(READ_LANGUAGES)}. {help_with_languages}"
    ]


def _name_languages(sizes: Mapping[str, int]) -> str:
    """Return the main languages of these sizes, the largest first."""
    ordered = sorted(sizes, key=lambda language: -sizes[language])
    total = sum(sizes.values())
    named = ordered[:1] + [name for name in ordered[1:] if sizes[name] >= MIN_LANGUAGE_SHARE * total]
    if len(named) > MAX_LANGUAGES:
        named[MAX_LANGUAGES:] = ["other languages"]
    return " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))


def describe_part_read(read: int, count: int) -> str:
    """Return the note about a document of which the language model read only some sentences."""
    return f"The language model read {read:,} of {count:,} sentences; the built-in analyser read the others."


def describe_left_out(kept: int, left_out: int, has_more: bool, which: str) -> list[str]:
    """Return a note if findings were left out at a cap; `has_more` if not all of them were counted."""
    if not left_out and not has_more:
        return []
    if not has_more:
        number = f"{left_out:,} more"
    else:
        number = f"more than {left_out:,} others" if left_out else "others"
    return [f"Only the {which} {kept:,} findings are shown; {number} were left out."]


def limit_notes(notes: Sequence[str]) -> list[str]:
    """Return the notes as the contract allows them: each once, none too long, and not too many."""
    unique = list(dict.fromkeys(notes))
    if len(unique) > MAX_NOTES:
        unique[MAX_NOTES - 1 :] = [f"{len(unique) - MAX_NOTES + 1} more notes were left out."]
    return [note if len(note) <= MAX_NOTE_CHARS else note[: MAX_NOTE_CHARS - 1] + "…" for note in unique]
