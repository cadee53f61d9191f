"""Where the sentences of findings stand in the text of their document."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

MAX_OCCURRENCES = 500  # of one sentence, after which the search stops
# folded characters: a sentence as long as this may be part of another, because the analyser cuts long ones
LONG = 60
# folded characters: a sentence as long as this may be in pieces, as at the end of a page; the first piece is
# searched for by the first characters of the sentence, the others by those of the rest
MIN_INTERRUPTED, SEED, NEXT = 30, 16, 10
MAX_GAP, MAX_PIECES = 1_500, 4  # folded characters between two pieces, and the number of pieces
# between the paragraphs and cells of documents that have such
PARAGRAPH_END = "\u2029"
SENTENCE_ENDS = frozenset(f".!?…:;|\t។៕៖。！？{PARAGRAPH_END}")
LINE_ENDS = "\n\v\f\r"
NEAR = 600  # characters before and after a sentence in which its neighbours are looked for
PAGE = re.compile(r"p\. ([0-9]{1,5})\b", re.ASCII)
# characters of the number of a clause or an item, and of its letters, such as "(iv)"
MAX_NUMBER, MAX_LETTERS = 14, 4


class Mark(NamedTuple):
    """A finding to mark: its number, its sentence, the page it stands on (0 if unknown), and its note."""

    number: int
    sentence: str
    page: int
    note: str


class Piece(NamedTuple):
    """A passage of the document's text, from `start` to before `end`."""

    start: int
    end: int


class Candidate(NamedTuple):
    """A passage that may be the sentence; the higher the rank, the more it is a sentence of its own."""

    pieces: tuple[Piece, ...]
    rank: int

    @property
    def start(self) -> int:
        return self.pieces[0].start


class FoldedText(NamedTuple):
    """Letters and digits of a text without case, and for each the index of its character in the text."""

    text: str
    indices: array[int]


MarkPlaces = list[tuple[Piece, ...]]


class Folder(dict[str, str]):
    """What is compared of a character: letters, marks, digits and signs of currencies, without case."""

    def __missing__(self, character: str) -> str:
        folded = unicodedata.normalize("NFKD", character).casefold()
        self[character] = "".join(part for part in folded if part == "%" or _is_compared(part))
        return self[character]


def _is_compared(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LMN" or category == "Sc"


FOLDER = Folder()


def fold(text: str) -> FoldedText:
    """Fold a text; a point or comma counts inside a number."""
    parts: list[str] = []
    indices = array("I")
    for index, character in enumerate(text):
        folded = FOLDER[character]
        if not folded and character in ".," and _is_in_number(text, index):
            folded = "."
        if folded:
            parts.append(folded)
            indices.extend([index] * len(folded))
    return FoldedText("".join(parts), indices)


def _is_in_number(text: str, index: int) -> bool:
    return text[index - 1 : index].isdigit() and text[index + 1 : index + 2].isdigit()


def place_marks(
    text: str,
    marks: Sequence[Mark],
    *,
    page_of: Callable[[int], int] = lambda index: 0,
    is_heading: Callable[[int], bool] = lambda index: False,
) -> MarkPlaces:
    """Return the passages of each mark, none where it is not certain.

    The marks are in document order, which tells sentences apart that stand several times.
    """
    folded = fold(text)
    found = [_find_candidates(text, folded, mark, page_of, is_heading) for mark in marks]
    places: MarkPlaces = []
    for number, candidates in enumerate(found):
        if number and candidates and marks[number].sentence == marks[number - 1].sentence:
            places.append(places[-1])  # two risks of one sentence
            continue
        chosen = _choose(candidates, found, number, set(places))
        places.append(chosen.pieces if chosen else ())
    return places


def _choose(
    candidates: list[Candidate], found: list[list[Candidate]], number: int, taken: set[tuple[Piece, ...]]
) -> Candidate | None:
    """Choose the candidate between the nearest marks before and after that have only one."""
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    before = next((other[0].start for other in reversed(found[:number]) if len(other) == 1), -1)
    after = next((other[0].start for other in found[number + 1 :] if len(other) == 1), None)
    free = [candidate for candidate in candidates if candidate.pieces not in taken] or candidates
    between = [
        candidate
        for candidate in free
        if candidate.start > before and (after is None or candidate.start < after)
    ]
    return (between or free)[0]


def _find_candidates(
    text: str,
    folded: FoldedText,
    mark: Mark,
    page_of: Callable[[int], int],
    is_heading: Callable[[int], bool],
) -> list[Candidate]:
    sentence = fold(mark.sentence).text
    if not sentence:
        return []
    whole = list(_find_whole(text, folded, mark.sentence, sentence))
    own = [candidate for candidate in whole if candidate.rank]
    if not own and len(whole) == 1 and len(sentence) >= LONG:
        return whole  # a piece of a long sentence
    found = own or list(_find_interrupted(text, folded, sentence))
    for is_better in (
        lambda candidate: page_of(candidate.start) == mark.page,
        lambda candidate: not is_heading(candidate.start),
    ):
        found = list(filter(is_better, found)) or found
    best = max((candidate.rank for candidate in found), default=0)
    return [candidate for candidate in found if candidate.rank == best]


def _find_whole(text: str, folded: FoldedText, raw: str, sentence: str) -> Iterator[Candidate]:
    """Yield where the sentence stands as a whole."""
    position = folded.text.find(sentence)
    count = 0
    while position >= 0 and count < MAX_OCCURRENCES:
        end = position + len(sentence)
        if not _is_cut(folded, position, end):
            piece = Piece(folded.indices[position], folded.indices[end - 1] + 1)
            yield Candidate((piece,), _rank(text, piece, raw))
        position = folded.text.find(sentence, position + 1)
        count += 1


def _is_cut(folded: FoldedText, start: int, end: int) -> bool:
    """Return whether a word begins before the passage or ends behind it."""
    indices = folded.indices
    before = start and folded.text[start - 1].isalnum() and indices[start - 1] + 1 >= indices[start]
    after = end < len(indices) and folded.text[end].isalnum() and indices[end - 1] + 1 >= indices[end]
    return bool(
        (before and not _is_unspaced(folded.text[start]))
        or (after and not _is_unspaced(folded.text[end - 1]))
    )


def _is_unspaced(character: str) -> bool:
    """Return whether the script has no spaces between words."""
    return (
        "\u0e00" <= character <= "\u0eff"
        or "\u1000" <= character <= "\u109f"
        or ("\u1780" <= character <= "\u17ff" or "\u3040" <= character <= "\u9fff")
    )


def _rank(text: str, piece: Piece, raw: str) -> int:
    """Return 0 for a passage inside a sentence, else more the more certainly it is one of its own."""
    start, end = _rank_start(text, piece.start), _rank_end(text, piece.end)
    if not start or not end:
        return 0
    shown = "".join(text[piece.start : piece.end].split())
    return start + end + ("".join(raw.split()).startswith(shown))


def _rank_start(text: str, start: int) -> int:
    """Return 2 behind the end of a sentence or paragraph, 1 behind that of a line or clause, 0 inside."""
    before = text[max(0, start - NEAR) : start]
    is_item = False
    for index in range(len(before) - 1, -1, -1):
        character = before[index]
        if character in SENTENCE_ENDS:
            return 2
        if character in LINE_ENDS:
            return 2 if is_item or before[:index].rstrip(" \t\r").endswith("\n") else 1
        if character == ",":
            return 1
        if FOLDER[character]:
            return 2 if _is_number_of_item(before) else 0
        is_item = is_item or not character.isspace()
    return 2


def _is_number_of_item(before: str) -> bool:
    """Return whether the line so far is the number of a clause or item: "4.2", "(a)" or "R12 -"."""
    line = before.splitlines()[-1].strip()
    words = [word for word in line.split() if any(map(str.isalnum, word))]
    if len(words) != 1 or len(line) > MAX_NUMBER:
        return False
    core = words[0].strip("().")
    return any(map(str.isdigit, core)) or (len(core) <= MAX_LETTERS and core != words[0])


def _rank_end(text: str, end: int) -> int:
    """Return 2 before the end of a sentence or paragraph, 1 before that of a line or clause, 0 inside."""
    after = text[end : end + NEAR]
    for index, character in enumerate(after):
        if character in SENTENCE_ENDS:
            return 2
        if character in LINE_ENDS:
            return 2 if after[index + 1 :].lstrip(" \t\r").startswith("\n") else 1
        if character == ",":
            return 1
        if FOLDER[character]:
            return 0
    return 2


def _find_interrupted(text: str, folded: FoldedText, sentence: str) -> Iterator[Candidate]:
    """Yield where the sentence stands in pieces, with other lines between them, such as a footer."""
    if len(sentence) < MIN_INTERRUPTED:
        return
    position = folded.text.find(sentence[:SEED])
    count = 0
    while position >= 0 and count < MAX_OCCURRENCES:
        pieces = _match_pieces(text, folded, sentence, position)
        if pieces and _rank_start(text, pieces[0].start) and _rank_end(text, pieces[-1].end):
            yield Candidate(pieces, 1)
        position = folded.text.find(sentence[:SEED], position + 1)
        count += 1


def _match_pieces(text: str, folded: FoldedText, sentence: str, start: int) -> tuple[Piece, ...]:
    pieces: list[tuple[int, int]] = []
    done, position = 0, start
    while len(pieces) < MAX_PIECES:
        length = _common_length(folded.text, position, sentence, done)
        pieces.append((position, position + length))
        done += length
        if done == len(sentence):
            return tuple(Piece(folded.indices[begin], folded.indices[end - 1] + 1) for begin, end in pieces)
        # what stands between may begin like the rest of the sentence
        for back in range(min(4, length)):
            rest = sentence[done - back : done - back + NEXT]
            end = position + length - back
            following = folded.text.find(rest, end, end + MAX_GAP)
            if following > end and _holds_line_end(text, folded, end, following):
                pieces[-1] = (position, end)
                done, position = done - back, following
                break
        else:
            return ()
    return ()


def _holds_line_end(text: str, folded: FoldedText, end: int, following: int) -> bool:
    """Return whether lines end between two pieces: words inside a line belong to the sentence."""
    first, last = folded.indices[end - 1], folded.indices[following]
    before, after = folded.indices[end], folded.indices[following - 1]
    return any(ending in text[first:before] for ending in LINE_ENDS) and any(
        ending in text[after:last] for ending in LINE_ENDS
    )


def _common_length(text: str, position: int, sentence: str, done: int) -> int:
    length = 0
    for one, other in zip(text[position : position + len(sentence) - done], sentence[done:], strict=False):
        if one != other:
            break
        length += 1
    return length


def split_at_cuts(length: int, places: MarkPlaces) -> Iterator[tuple[Piece, list[int]]]:
    """Yield the passages between all starts and ends of pieces, each with the indices of its marks."""
    events: dict[int, list[tuple[int, bool]]] = {0: [], length: []}
    for index, pieces in enumerate(places):
        for piece in pieces:
            events.setdefault(piece.start, []).append((index, True))
            events.setdefault(piece.end, []).append((index, False))
    active: list[int] = []
    for start, end in pairwise(sorted(events)):
        for index, begins in events[start]:
            if begins:
                active.append(index)
            else:
                active.remove(index)
        yield Piece(start, end), list(active)


def read_page(place: str) -> int:
    """Return the page in the place of a finding, such as "p. 7 · 4.2 Payment"; 0 if it names none."""
    match = PAGE.match(place)
    return int(match[1]) if match else 0


def list_unplaced(marks: Sequence[Mark], places: MarkPlaces) -> str:
    """Return a note that lists the findings without a place; empty if there are none."""
    notes = [
        f"{mark.note}\n“{mark.sentence}”" for mark, pieces in zip(marks, places, strict=True) if not pieces
    ]
    if not notes:
        return ""
    return "\n\n".join([f"RiskScan · findings that were not found in the text: {len(notes)}", *notes])
