"""The kind of a document, by its words: contracts and terms of use state risks in a way of their own."""

import math
import re
from collections.abc import Sequence

# so many sentences, from all over the document, are enough
SAMPLE = 100
# of fewer sentences the kind is not recognized; shorter ones do not count
MIN_SENTENCES = 10
MIN_WORDS = 6
LEGAL_WORD = re.compile(
    r"\b(?:agreement|(?:either|each|both|the|other|third) part(?:y|ies)|here(?:by|in|of|to|under)"
    r"|indemnif(?:y|ication)|liab(?:le|ility|ilities)|licens(?:ee|or)|terminat(?:es?|ed|ion)|terms"
    r"|there(?:in|of|to)|warrant(?:s|y|ies))\b",
    re.I,
)
READER_WORD = re.compile(r"\byou(?:rs?)?\b", re.I)
# of the sentences. "Shall" and "licence" do not count: requirements and inventories have them too
MIN_LEGAL_OF_CONTRACTS, MIN_LEGAL_OF_TERMS, MIN_READER_OF_TERMS = 0.17, 0.13, 0.2


def recognize_kind(texts: Sequence[str]) -> str:
    """Return "contract", "terms" for terms of use, which address their reader, or "" for others."""
    step = max(1, math.ceil(len(texts) / SAMPLE))
    sentences = [text for text in texts[::step] if len(text.split()) >= MIN_WORDS]
    if len(sentences) < MIN_SENTENCES:
        return ""
    legal, reader = (
        sum(bool(word.search(text)) for text in sentences) / len(sentences)
        for word in (LEGAL_WORD, READER_WORD)
    )
    if legal >= MIN_LEGAL_OF_TERMS and reader >= MIN_READER_OF_TERMS:
        return "terms"
    return "contract" if legal >= MIN_LEGAL_OF_CONTRACTS else ""
