"""Numbers of lines in the margins of pages, as contracts, bills and court papers have them."""

from collections.abc import Iterator
from itertools import groupby

from .geometry import Word

MAX_DIGITS = 4
# numbers one after the other, if each line has one, and if only each fifth or tenth has
MIN_NUMBERS = 5
MIN_SPARSE_NUMBERS = 3
STEPS = (1, 2, 5, 10)
# of a page; in more, such as those of a hostile document, nothing is left out
MAX_RUNS = 20
# of lines of text this share begins in the middle of a sentence, and of items and rows fewer do
WRAPPED_SHARE = 0.25
# and has so many words
LINE_WORDS = 4
# lines for each that the numbers count: rows and items that are wrapped have more, numbers of tens fewer
MIN_LINES = 0.5
MAX_LINES = 1.25


def drop_line_numbers(words: list[Word]) -> list[Word]:
    """Return the words of a page without the numbers of its lines, left or right of all text."""
    numbers = [word for word in words if word.text.isdecimal() and len(word.text) <= MAX_DIGITS]
    if len(numbers) < MIN_SPARSE_NUMBERS:
        return words
    left = min(numbers, key=lambda word: word.left)
    right = max(numbers, key=lambda word: word.right)
    dropped = set[int]()
    for column in (
        [word for word in numbers if word.left < left.right],
        [word for word in numbers if word.right > right.left],
    ):
        runs = list(_find_runs(column))
        for run in runs if len(runs) <= MAX_RUNS else ():
            if _stand_beside_text(run, words):
                dropped.update(map(id, run))
    return [word for word in words if id(word) not in dropped] if dropped else words


def _find_runs(column: list[Word]) -> Iterator[list[Word]]:
    """Return the numbers of a column that count up by the same step downwards."""
    column = sorted(column, key=lambda word: -word.bottom)
    start = 0
    while start < len(column) - 1:
        step = int(column[start + 1].text) - int(column[start].text)
        end = start + 1
        while end < len(column) and int(column[end].text) - int(column[end - 1].text) == step:
            end += 1
        if step in STEPS and end - start >= (MIN_NUMBERS if step == 1 else MIN_SPARSE_NUMBERS):
            yield column[start:end]
        start = end


def _stand_beside_text(run: list[Word], words: list[Word]) -> bool:
    """Return whether numbers stand in a margin, beside lines of text rather than items or rows."""
    top, bottom = run[0].top, run[-1].bottom
    left, right = min(word.left for word in run), max(word.right for word in run)
    own = set(map(id, run))
    beside = [word for word in words if bottom < (word.bottom + word.top) / 2 < top and id(word) not in own]
    is_margin = all(word.left > right for word in beside) or all(word.right < left for word in beside)
    if not beside or not is_margin:
        return False
    beside.sort(key=lambda word: -word.bottom)
    lines = [list(group) for _, group in groupby(beside, lambda word: round(word.bottom))]
    firsts = [min(line, key=lambda word: word.left) for line in lines if len(line) >= LINE_WORDS]
    step = int(run[1].text) - int(run[0].text)
    counted = step * (len(run) - 1) + 1
    # a page that is half empty may be numbered down to its end
    fewest = MIN_LINES * counted if step > 1 else MIN_SPARSE_NUMBERS
    wrapped = sum(word.text[0].islower() for word in firsts)
    return fewest <= len(firsts) <= MAX_LINES * counted and wrapped > WRAPPED_SHARE * len(firsts)
