"""Word vectors, built by training/vectors.py from GloVe 6B (public domain)."""

from functools import cache
from pathlib import Path

# the words, most frequent first, then their vectors, a signed byte for each dimension
VECTORS_FILE = Path(__file__).parent / "vectors.bin"
DIMENSIONS = 24


@cache
def load_vectors() -> tuple[dict[str, int], memoryview]:
    """Return the rank of each word, and the vectors of all words one after the other."""
    data = VECTORS_FILE.read_bytes()
    end = data.index(b"\n")
    ranks = {word: rank for rank, word in enumerate(data[:end].decode().split())}
    return ranks, memoryview(data)[end + 1 :].cast("b")
