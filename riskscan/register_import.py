"""Compares an edited export with the reviews: what to store, and what to show before that."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from .database.reviews import NewReview
from .errors import ApiError, Sentence, invalid_request, one_of
from .export.columns import (
    FIELD_TITLES,
    IMPACT_NAMES,
    LIKELIHOOD_NAMES,
    NO_VALUE,
    REASON_NAMES,
    RESPONSE_NAMES,
    REVIEW_FIELDS,
    STATE_NAMES,
)
from .request.reviews import CONFIRMED_ONLY, read_review
from .schemas import ImportLine, Review, ReviewFields, ReviewImport

MAX_LISTED = 200  # of changes, conflicts, unknown lines and errors
NAMES: dict[str, Mapping[Any, str]] = {
    "state": STATE_NAMES,
    "reason": REASON_NAMES,
    "likelihood": LIKELIHOOD_NAMES,
    "impact": IMPACT_NAMES,
    "response": RESPONSE_NAMES,
}
# the API's value for each word in lower case; a value stands for itself
VALUES: dict[str, dict[str, str]] = {
    name: {text.lower(): str(value) for value, word in words.items() for text in (word, str(value))}
    for name, words in NAMES.items()
}
REFERENCE = re.compile(r"r-(.{18})-([0-9]{2,6})", re.ASCII)
# dates as a spreadsheet may show them: 31.12.2026, and ISO 8601 with a time
GERMAN_DATE = re.compile(r"([0-9]{1,2})\.\s?([0-9]{1,2})\.\s?([0-9]{4})", re.ASCII)
ISO_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ][0-9:.]+Z?", re.ASCII)


class Line(msgspec.Struct, array_like=True, frozen=True):
    """A row of an edited export: its texts by the name of the field, of the columns that it has."""

    sheet: str
    row: int
    ref: str
    fields: dict[str, str]


class Target(NamedTuple):
    """The finding that a line is of."""

    scan_id: str
    number: int
    fingerprint: str


class Plan:
    """What an import would do."""

    def __init__(self) -> None:
        self.saved: dict[str, NewReview] = {}
        self.removed: list[str] = []
        self.changed: list[Line] = []
        self.unchanged = 0
        self.changes: list[ImportLine] = []
        self.conflicts: list[ImportLine] = []
        self.unknown: list[ImportLine] = []
        self.errors: list[ImportLine] = []
        self._decided: dict[str, tuple[ReviewFields | None, int]] = {}

    def add(self, line: Line, target: Target | None, current: Review | None) -> None:
        """Compare a line with the review of its finding."""
        if target is None:
            self.unknown.append(to_line(line, None, Sentence("No finding of yours has this reference.")))
            return
        try:
            wanted = read_line(line, current)
        except ApiError as exc:
            problems = [
                Sentence("%(field)s: %(problem)s", field=Sentence(FIELD_TITLES[name]), problem=problem)
                for name, problem in exc.fields.items()
            ]
            self.errors.append(to_line(line, target, join(problems) or exc.detail))
            return
        before = to_fields(current)
        untouched = wanted is None and was_open(line)  # whatever happened to the finding since
        if untouched or are_same(wanted, before):
            self.unchanged += 1
        elif conflict := find_conflict(line, current):
            self.conflicts.append(to_line(line, target, conflict))
        else:
            self._decide(line, target, wanted, before)

    def _decide(
        self, line: Line, target: Target, wanted: ReviewFields | None, before: ReviewFields | None
    ) -> None:
        decided, row = self._decided.setdefault(target.fingerprint, (wanted, line.row))
        if not are_same(decided, wanted):
            problem = Sentence(
                "The same sentence stands in row %(row)s, with another review; it can only have one.", row=row
            )
            self.errors.append(to_line(line, target, problem))
            return
        self.changes.append(to_line(line, target, describe_change(before, wanted)))
        self.changed.append(line)
        if wanted is None:
            self.removed.append(target.fingerprint)
        else:
            self.saved[target.fingerprint] = NewReview(
                target.fingerprint, target.scan_id, target.number, wanted
            )

    def to_result(self, *, applied: bool) -> ReviewImport:
        """Return what the import does, with at most 200 lines of a kind."""
        return ReviewImport(
            applied=applied,
            unchanged_count=self.unchanged,
            change_count=len(self.changes),
            conflict_count=len(self.conflicts),
            unknown_count=len(self.unknown),
            error_count=len(self.errors),
            changes=self.changes[:MAX_LISTED],
            conflicts=self.conflicts[:MAX_LISTED],
            unknown=self.unknown[:MAX_LISTED],
            errors=self.errors[:MAX_LISTED],
        )


def compare(lines: Sequence[Line], targets: Mapping[str, Target], reviews: Mapping[str, Review]) -> Plan:
    """Return what the lines change; `targets` are by `reference_key`, `reviews` by fingerprint."""
    plan = Plan()
    for line in lines:
        target = targets.get(reference_key(line.ref))
        plan.add(line, target, reviews.get(target.fingerprint) if target else None)
    return plan


def reference_key(ref: str) -> str:
    """Return a reference as the start of a scan's ID and a number (`0b4e3c1a-7f6d-4c2b/7`), or nothing."""
    found = REFERENCE.fullmatch(ref.lower())
    return f"{found[1]}/{int(found[2])}" if found else ""


def read_line(line: Line, current: Review | None) -> ReviewFields | None:
    """Return the review that a line asks for, None for an open finding; a missing column keeps its value.

    A finding that was open and still says so is confirmed by its owner, rating, response or due date,
    and dismissed by a reason. Raises 400 with the fields that are wrong.
    """
    before = to_fields(current)
    fields: dict[str, Any] = msgspec.structs.asdict(before) if before else {}
    fields |= {name: read_value(name, line.fields[name]) for name in REVIEW_FIELDS if name in line.fields}
    state = fields.get("state") or (current.state if current else "open")
    if state == "open":
        exported = line.fields.get("reviewed_at")
        if exported or (exported is None and current):  # “Open” was chosen for a reviewed finding
            return None
        if any(fields.get(name) for name in CONFIRMED_ONLY):
            state = "confirmed"
        elif fields.get("reason"):
            state = "dismissed"
        elif fields.get("comment"):
            raise invalid_request("A comment needs a state.", state="Choose one for the comment.")
        else:
            return None
    return read_review({**fields, "state": state})


def was_open(line: Line) -> bool:
    """Return whether the line says that the finding had no review when it was exported."""
    return line.fields.get("reviewed_at") == ""


def read_value(name: str, text: str) -> str:
    """Return the value that the API has for a text.

    Raises 400 for a word that is none of the field, and for a cell whose value is not in the workbook.
    """
    if text == NO_VALUE:
        raise invalid_request("No value.", **{name: "The cell has an error, or a formula without a result."})
    text = text.strip()
    if name in VALUES and text:
        if text.lower() not in VALUES[name]:
            raise invalid_request("Unknown word.", **{name: one_of(NAMES[name].values())})
        return VALUES[name][text.lower()]
    if name == "due" and (german := GERMAN_DATE.fullmatch(text)):
        return f"{german[3]}-{int(german[2]):02}-{int(german[1]):02}"
    if name == "due" and (iso := ISO_TIME.fullmatch(text)):
        return iso[1]
    return text


def to_fields(review: Review | None) -> ReviewFields | None:
    if review is None:
        return None
    return ReviewFields(**{name: getattr(review, name) for name in REVIEW_FIELDS})


def are_same(one: ReviewFields | None, other: ReviewFields | None) -> bool:
    """Return whether two reviews are the same; spreadsheets change line ends."""
    if one is None or other is None or one == other:
        return one == other
    texts = [fields.comment and " ".join(fields.comment.split()) for fields in (one, other)]
    return texts[0] == texts[1] and msgspec.structs.replace(one, comment=other.comment) == other


def find_conflict(line: Line, current: Review | None) -> str:
    """Return why a line is older than the review, empty if it is not; only its time of review can tell."""
    exported = line.fields.get("reviewed_at")
    if exported is None:
        return ""
    if current is None:
        return Sentence("Its review was removed after the export.") if exported else ""
    stored = f"{current.updated_at:%Y-%m-%dT%H:%M:%S.%f}"
    # a spreadsheet may have cut the fraction and the seconds
    if exported and stored.startswith(exported.replace(" ", "T").removesuffix("Z")):
        return ""
    when = f"{current.updated_at:%Y-%m-%d %H:%M}"
    return Sentence("It was reviewed after the export, on %(when)s (UTC).", when=when)


def describe_change(before: ReviewFields | None, after: ReviewFields | None) -> str:
    """Return the fields that change, as “State: Open → Confirmed · Owner: Ana”."""
    changes = []
    for name in REVIEW_FIELDS:
        old, new = label(name, before), label(name, after)
        if old != new:
            changes.append(name_change(Sentence(FIELD_TITLES[name]), old, new))
    return join(changes)


def name_change(field: str, old: str | datetime.date, new: str | datetime.date) -> Sentence:
    if not old:
        return Sentence("%(field)s: %(new)s", field=field, new=new)
    if not new:
        return Sentence("%(field)s: %(old)s → none", field=field, old=old)
    return Sentence("%(field)s: %(old)s → %(new)s", field=field, old=old, new=new)


def join(parts: Sequence[Sentence]) -> str:
    """Return several sentences as one; empty if there are none."""
    joined = None
    for part in parts:
        joined = Sentence("%(first)s · %(second)s", first=joined, second=part) if joined else part
    return joined or ""


def label(name: str, fields: ReviewFields | None) -> str | datetime.date:
    """Return the value of a field: a word of ours, which has a translation, a date, or a text of the user."""
    value = getattr(fields, name) if fields else "open" if name == "state" else None
    if name == "due" and value:
        return datetime.date.fromisoformat(value)
    return Sentence(NAMES[name][value]) if name in NAMES and value else value or ""


def to_line(line: Line, target: Target | None, detail: str) -> ImportLine:
    return ImportLine(
        sheet=line.sheet or None,
        row=line.row,
        ref=line.ref,
        scan_id=target.scan_id if target else None,
        number=target.number if target else None,
        detail=detail,
    )
