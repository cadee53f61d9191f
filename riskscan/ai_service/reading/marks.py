"""The marks of lines: bullets and clause numbers, bars of rows, and rulers."""

import re
from itertools import pairwise

BULLET = re.compile(
    # signs, Word's private ones, and emoji
    r"^[-*+•‣▪◦●○■□–—·→>»‐⁃∙\uf0b7\uf0a7\uf0d8\u2b1b-\u2b55\u25a0-\u27bf\U0001f300-\U0001faff]\ufe0f?\s+"
    r"|^o\s+(?=[A-Z])|^\[[ xX]\]\s+"
)
CLAUSE_NUMBER = re.compile(
    r"^(?:\(?\d{1,3}[.)](?=\s|[A-Z])|\d{1,3}(?:\.\d{1,3})+(?:\.(?=\s)|(?=\s+[^\Wa-z]))|\(?[a-zA-Z]\)|[A-Ha-z]\.(?=\s+(?:[A-Z]|\*\*|__|\[|<[a-z]))|\(?[ivxIVX]{1,5}[.)](?=\s)"
    r"|(?:Article|Section|Clause|§|Art\.|ប្រការ|មាត្រា)\s*[\d០-៩]+(?:\.\d+)*(?:[.:)៖](?=\s)|(?=\s+(?:[-–—]\s+)?[A-Z\u1780-\u17ff]))|[០-៩]{1,3}(?:[.,][០-៩]+)*\s?[.។)៖\-](?=\s))\s*"
)
# a list in a list begins with one of these
FIRST_MARKS = ("a", "i", "1", "១")
ROMAN_NUMBERS = re.findall(r"\w+", "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx")
ROMAN_PAIRS = frozenset(map(" ".join, pairwise(ROMAN_NUMBERS)))
# people write items so, too
DASH = re.compile(r"[-–—]+\w")
HORIZONTAL_RULE = re.compile(r"^[\s=\-_*~.|+:]{3,}$")
UNESCAPED_BAR = re.compile(r"(?<!\\)\|")


def strip_marks(line: str) -> str:
    """Remove bullets and clause numbers from the start of a line."""
    return split_marks(line)[1]


def split_marks(line: str) -> tuple[str, str]:
    """Return the clause number of a line as people quote it, "" without one, and the text after all marks."""
    line = line.strip()
    number = ""
    for _ in range(3):
        unmarked = BULLET.sub("", line, count=1)
        mark = CLAUSE_NUMBER.match(unmarked)
        shorter = unmarked[mark.end() :] if mark else unmarked
        if not shorter or shorter == line:
            break
        number = add_number(number, quote_number(mark.group())) if mark else number
        line = shorter
    return number, line


def quote_number(mark: str) -> str:
    """Return "4.2" of "4.2. ", and "(a)" of "a) " or "a. "."""
    number = mark.strip(" \t().:-–—៖។")
    return f"({number})" if ")" in mark or number.islower() else number


def add_number(clause: str, number: str) -> str:
    """Return the number of what follows a clause: of "(b)" after "4.2(a)(ii)" "4.2(b)", of "4.3" itself."""
    if not number.startswith("("):
        return number
    for mark in number.strip("()").split(")("):
        clause = _add_mark(clause, mark)
    return clause


def _add_mark(clause: str, mark: str) -> str:
    before, *marks = clause.replace(")", "").split("(")
    # the deepest list that the mark continues, else one of its kind that it begins anew
    depths = [depth for depth, last in enumerate(marks) if _follows(mark, last)][-1:]
    depths += [depth for depth, last in enumerate(marks) if _list_style(mark) == _list_style(last)]
    if not depths and mark.lower() not in FIRST_MARKS:
        depths = [0]
    marks = marks[: depths[0]] if depths else marks
    return before + "".join(f"({each})" for each in [*marks, mark])


def _follows(mark: str, last: str) -> bool:
    """Return whether a mark of a list is the next one after another: "b" after "a", "ii" after "i"."""
    if mark.isdecimal() and last.isdecimal():
        return int(mark) == int(last) + 1
    if mark.isupper() == last.isupper() and f"{last} {mark}".lower() in ROMAN_PAIRS:
        return True
    return len(mark) == len(last) == 1 and ord(mark) == ord(last) + 1


def _list_style(mark: str) -> str:
    style = "1" if mark.isdecimal() else "i" if mark.lower() in ROMAN_NUMBERS else "a"
    return style.upper() if mark.isupper() else style


def split_row(line: str) -> list[str]:
    """Return the cells of a row written with bars or tabs; none if the line is not a row."""
    if line.count("|") >= 2 or (line.startswith("|") and line.endswith("|")):
        cells = UNESCAPED_BAR.split(line)
        if len(cells) > 2:
            start, end = not cells[0].strip(), not cells[-1].strip()
            return [cell.replace("\\|", "|").strip() for cell in cells[start : len(cells) - end]]
    if "\t" not in line or BULLET.match(line):
        return []
    cells = [cell.strip() for cell in line.split("\t") if cell.strip()]
    return cells if len(cells) > 2 else []


def neighbour_marks(mark: str) -> set[str]:
    """Return the marks that may stand before and after one in its list: "(a)" and "(c)" of "(b)"."""
    number = mark.strip("().")
    start, _, end = mark.partition(number)
    outer, dot, last = number.rpartition(".")
    if last.isdecimal():
        return {f"{start}{outer}{dot}{int(last) + step}{end}" for step in (-1, 1)}
    found = {chr(ord(number) - 1), chr(ord(number) + 1)} if len(number) == 1 else set[str]()
    if number.lower() in ROMAN_NUMBERS:
        place = ROMAN_NUMBERS.index(number.lower())
        near = ROMAN_NUMBERS[max(0, place - 1) : place] + ROMAN_NUMBERS[place + 1 : place + 2]
        found.update(near if number.islower() else map(str.upper, near))
    return {f"{start}{each}{end}" for each in found}
