"""Types of request and response bodies, for validation, JSON and the OpenAPI document, and filters.

Docstrings and descriptions of bodies are part of the OpenAPI document.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType


class Filter(Struct, frozen=True):
    """Conditions on scans, which must all hold; falsy without conditions.

    `words` and `phrases` are what the scan must have, `category` is a term (see `category_term`),
    the scan was created at `since` or later, and before `until`, and `sha256` is the digest of its file or
    text.
    """

    words: tuple[str, ...] = ()
    category: str = ""
    source: str = ""
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    sha256: str = ""
    phrases: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != ALL_SCANS

    @property
    def digest(self) -> str:
        """Return 12 hexadecimal digits that identify this filter; empty if there are no conditions."""
        conditions = msgspec.structs.asdict(self)
        for name in ("sha256", "phrases"):
            if not conditions[name]:
                del conditions[name]  # as before there was this condition: cursors of then are still in use
        return hashlib.sha256(msgspec.json.encode(conditions)).hexdigest()[:12] if self else ""


ALL_SCANS = Filter()

Source = Literal["llm", "model"]
Sort = Literal["date", "name", "open"]  # of a list: newest first, by name, most open findings first
Scope = Literal["scan", "read", "review"]  # permissions of an API token
# aware and in UTC, so that JSON has a Z
Time = Annotated[datetime.datetime, Meta(tz=True)]
# not Meta(pattern=…): in a union with a list of literals, msgspec 0.22 frees its memory twice
ScopeText = Annotated[
    str, Meta(extra_json_schema={"pattern": r"^\s*((scan|read|review)\s+)*(scan|read|review)?\s*$"})
]
# inside a character class: control characters, with the bidirectional ones, which can disguise a name
CONTROL = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
CONTROL_IN_TEXT = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"  # of a text in several lines, which may have tabs
SPACE = r" \u1680\u2000-\u200a\u202f\u205f\u3000\xa0"
MIN_PASSWORD, MAX_PASSWORD = 6, 128  # characters
MAX_TOKEN_NAME = 100
MAX_NOTES, MAX_NOTE_LENGTH = 20, 300  # of a scan; in characters
MAX_PLACE, MAX_CUES, MAX_CUE = 200, 60, 80  # of a finding; characters, number, characters
MAX_TITLE, MAX_COMMENT, MAX_OWNER = 200, 500, 100  # characters
MAX_REVIEWS = 1_000  # in one request
MAX_DELETED = 100  # scans in one request
Id = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
ID_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
IdsText = Annotated[str, Meta(extra_json_schema={"pattern": rf"^\s*{ID_PATTERN}(\s+{ID_PATTERN})*\s*$"})]
NonEmptyText = Annotated[str, Meta(min_length=1)]
NewPassword = Annotated[str, Meta(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]
# any character that str.strip() keeps; \s differs between dialects of regular expressions
NON_BLANK = r"[^\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
FORCE_LLM = Meta(description="Fail without a language model, instead of using the built-in analyser")
FlagText = Literal["true", "false", "1", "0", "yes", "no", "on", "off", ""]
Flag = FlagText | bool | Literal[0, 1] | None


class Risk(Struct, frozen=True):
    """A finding: a sentence that describes a risk."""

    risk: Annotated[str, Meta(description="Title of the risk")]
    category: str
    context: Annotated[str, Meta(description="The sentence")]


class Cue(Struct, frozen=True):
    """What raised or lowered the score of a finding."""

    text: Annotated[
        str, Meta(max_length=MAX_CUE, description="A piece of the sentence, or what else counted")
    ]
    weight: Annotated[
        float, Meta(description="By how much: above 0 it raised the score, below it lowered it")
    ]
    start: Annotated[
        int | None, Meta(description="Where `text` starts in `context`; null if it is no piece of it")
    ] = None


class Detail(Struct, frozen=True, omit_defaults=True):
    """What is stored with a finding beside its three fields; `score` is from 0 to 1, the surest."""

    fingerprint: str = ""
    place: str | None = None
    score: float | None = None
    why: list[Cue] | None = None


class AiResponse(Struct, frozen=True):
    """The response of the AI service, without what it may leave out."""

    data: list[Risk]
    source: Source


class Findings(Struct, frozen=True):
    """The findings of a document; `details` is parallel to `data`, or empty."""

    data: list[Risk]
    source: Source
    notes: list[str] = []
    details: list[Detail] = []


class User(Struct, frozen=True):
    """An account."""

    id: Id
    email: str
    created_at: Time
    updated_at: Time


class TokenResponse(Struct, frozen=True):
    """An access token (RFC 6749, section 5.1) and its user."""

    access_token: Annotated[str, Meta(description="A JWT, to be sent as `Authorization: Bearer …`")]
    token_type: Literal["bearer"]
    expires_in: Annotated[int, Meta(description="Seconds")]
    token: Annotated[str, Meta(description="The same as `access_token`")]
    user: User
    user_id: Id
    email: str


FileName = Annotated[str | None, Meta(description="Null for a text")]
# stored and sent as JSON, without decoding it
RisksJson = Annotated[
    Raw,
    Meta(
        description="The findings, in document order",
        extra_json_schema={"type": "array", "items": {"$ref": "#/components/schemas/Risk"}},
    ),
]


Note = Annotated[str, Meta(min_length=1, max_length=MAX_NOTE_LENGTH)]
Title = Annotated[str, Meta(max_length=MAX_TITLE)]
OpenCount = Annotated[int, Meta(description="Number of findings that have no review")]


class Scan(Struct, frozen=True):
    """A document or text that was scanned, with its findings."""

    scan_id: Id
    filename: FileName
    data: RisksJson
    source: Source
    risk_count: int
    created_at: Time
    timestamp: Annotated[Time, Meta(description="The same as `created_at`")]
    notes: Annotated[
        list[Note],
        Meta(
            max_length=MAX_NOTES,
            description="What a reader of the findings should know, in sentences of the AI service, such as "
            "which pages were not read and why; empty as a rule",
        ),
    ]
    title: Annotated[Title | None, Meta(description="The user's own name for the scan; null as a rule")]
    open_count: OpenCount

    @property
    def risks(self) -> list[Risk]:
        """Return the findings, decoded."""
        return RISKS.decode(self.data)

    def each_risk(self) -> Iterator[Risk]:
        """Yield the findings one by one; a list of all takes three times the memory of their JSON."""
        return map(RISK.decode, RAW_LIST.decode(self.data))


State = Literal["confirmed", "dismissed"]
Reason = Literal["not_a_risk", "already_handled", "accepted", "duplicate"]
Response = Literal["avoid", "reduce", "transfer", "accept"]
Level = Annotated[int, Meta(ge=1, le=5)]
Comment = Annotated[str, Meta(max_length=MAX_COMMENT)]
Owner = Annotated[str, Meta(max_length=MAX_OWNER)]
Due = Annotated[str, Meta(extra_json_schema={"format": "date"})]


class Review(Struct, frozen=True):
    """What a user decided of a finding; it holds for the same sentence in all scans."""

    state: State
    reason: Annotated[Reason | None, Meta(description="Why it was dismissed")]
    comment: Comment | None
    owner: Owner | None
    likelihood: Annotated[Level | None, Meta(description="From 1, rare, to 5, almost certain")]
    impact: Annotated[Level | None, Meta(description="From 1, negligible, to 5, severe")]
    response: Response | None
    due: Due | None
    scan_id: Annotated[Id, Meta(description="The scan in which it was made, which may be deleted")]
    updated_at: Time


Place = Annotated[str, Meta(max_length=MAX_PLACE)]
Why = Annotated[list[Cue], Meta(max_length=MAX_CUES)]


class Finding(Struct, frozen=True):
    """A finding of a scan, with its place, the reasons for it and its review."""

    number: Annotated[int, Meta(description="In document order, from 1")]
    risk: Annotated[str, Meta(description="Title of the risk")]
    category: str
    context: Annotated[str, Meta(description="The sentence")]
    place: Annotated[Place | None, Meta(description="Where the sentence stands, where that is known")]
    why: Annotated[Why | None, Meta(description="Null where it is not known")]
    review: Annotated[Review | None, Meta(description="Null while it is open")]


class FindingList(Struct, frozen=True):
    """The findings of a scan, in document order."""

    findings: list[Finding]


Line = Meta(pattern=f"^[^{CONTROL}]*$")
CommentText = Annotated[Comment, Meta(pattern=f"^[^{CONTROL_IN_TEXT}]*$")]
DueText = Annotated[str, Meta(extra_json_schema={"anyOf": [{"format": "date"}, {"maxLength": 0}]})]


class ReviewFields(Struct, frozen=True):
    """Review request. `reason` is for a dismissed finding, which needs it; what follows `comment`, for a
    confirmed one."""

    state: State
    reason: Reason | Literal[""] | None = None
    comment: CommentText | None = None
    owner: Annotated[Owner, Line] | None = None
    likelihood: Level | Literal[""] | None = None
    impact: Level | Literal[""] | None = None
    response: Response | Literal[""] | None = None
    due: Annotated[DueText | None, Meta(description="A date, as `2026-12-31`")] = None


class ReviewForm(ReviewFields, frozen=True):
    """Review request, in a form."""

    reason: Reason | Literal[""] = ""
    comment: CommentText = ""
    owner: Annotated[Owner, Line] = ""
    likelihood: Level | Literal[""] = ""
    impact: Level | Literal[""] = ""
    response: Response | Literal[""] = ""
    due: DueText = ""


class ReviewItem(ReviewFields, frozen=True, kw_only=True):
    """A review in a list of many."""

    scan_id: Id
    number: Annotated[int, Meta(ge=1, description="Of the finding")]


ReviewItems = Annotated[list[ReviewItem], Meta(min_length=1, max_length=MAX_REVIEWS)]


class ImportLine(Struct, frozen=True):
    """A row of an imported file."""

    sheet: Annotated[str | None, Meta(description="Null in CSV")]
    row: int
    ref: str
    scan_id: Annotated[Id | None, Meta(description="Null if the reference is unknown, as is `number`")]
    number: int | None
    detail: Annotated[str, Meta(description="What changes, or why it does not")]


ImportLines = Annotated[list[ImportLine], Meta(description="The first 200")]


class ReviewImport(Struct, frozen=True):
    """What an import of reviews changes, or would change without `apply`; other rows stay as they are."""

    applied: Annotated[bool, Meta(description="Whether the changes are stored")]
    unchanged_count: int
    change_count: int
    conflict_count: int
    unknown_count: int
    error_count: int
    changes: ImportLines
    conflicts: Annotated[list[ImportLine], Meta(description="Reviewed after the export; the first 200")]
    unknown: Annotated[list[ImportLine], Meta(description="Without a finding of the user; the first 200")]
    errors: Annotated[list[ImportLine], Meta(description="With invalid values; the first 200")]


class Rename(Struct, frozen=True):
    """Rename request."""

    title: Annotated[Annotated[Title, Line] | None, Meta(description="Null or empty removes it")]


class RenameForm(Struct, frozen=True):
    """Rename request, in a form."""

    title: Annotated[Title, Line]


class Share(Struct, frozen=True):
    """A link by which anyone can read a scan, without its secret address."""

    id: Id
    created_at: Time
    expires_at: Time


class NewShare(Share, frozen=True):
    """A new link with its address."""

    url: Annotated[str, Meta(description="The address; returned only once")]


class ShareList(Struct, frozen=True):
    """The links to a scan that have not expired, newest first."""

    shares: list[Share]


class CreateShare(Struct, frozen=True):
    """Link request."""

    expires_at: Annotated[
        str | None,
        Meta(
            description="A date (UTC, inclusive) or an RFC 3339 time, in the future and within a year; "
            "30 days from now if it is missing"
        ),
    ] = None


class Comparison(Struct, frozen=True):
    """The changes in a scan since an earlier one."""

    new: Annotated[list[Risk], Meta(description="Findings of the scan that the earlier one lacks")]
    gone: Annotated[list[Risk], Meta(description="Findings of the earlier scan that the scan lacks")]
    same: Annotated[list[Risk], Meta(description="Findings of both, in the wording of the scan")]


class ScanSummary(Struct, frozen=True):
    """A scan in a list, without its findings."""

    scan_id: Id
    filename: FileName
    source: Source
    risk_count: int
    created_at: Time
    open_count: OpenCount
    # without it the list is what it was, also for clients of servers that do not know it
    title: Annotated[
        Title | UnsetType, Meta(description="The user's own name for the scan; missing where it has none")
    ] = UNSET


class ScanList(Struct, frozen=True):
    """A page of the user's scans."""

    scans: Annotated[list[ScanSummary], Meta(description="Newest first")]
    total: Annotated[int, Meta(description="Number of matching scans on all pages")]
    limit: int
    offset: int
    next_cursor: Annotated[str | None, Meta(description="`cursor` of the next page; null on the last page")]


class RegisterRow(Struct, frozen=True):
    """A row of an export: a finding, its scan and its review."""

    ref: Annotated[str, Meta(description="Reference of the finding, the same in every export")]
    scan_date: Time
    file: FileName
    risk: str
    category: str
    context: str
    source: Source
    link: Annotated[str, Meta(description="Address of the scan's page")]
    notes: Annotated[
        list[Note],
        Meta(
            max_length=MAX_NOTES,
            description="The scan's notes, only in a row before those of its findings; its `ref`, `risk`, "
            "`category` and `context` are empty, and its `state` is null",
        ),
    ] = []
    place: Annotated[Place | None, Meta(description="Where the sentence stands, where that is known")] = None
    state: State | Literal["open"] | None = None
    reason: Annotated[Reason | None, Meta(description="Why it was dismissed")] = None
    comment: Comment | None = None
    owner: Owner | None = None
    likelihood: Annotated[Level | None, Meta(description="From 1, rare, to 5, almost certain")] = None
    impact: Annotated[Level | None, Meta(description="From 1, negligible, to 5, severe")] = None
    response: Response | None = None
    due: Due | None = None
    reviewed_at: Annotated[Time | None, Meta(description="Time of the review; null while it is open")] = None


class CategoryRisks(Struct, frozen=True):
    """The number of risks of a category."""

    category: str
    risks: int


class MonthRisks(Struct, frozen=True):
    """The number of risks per category in the scans of a month."""

    month: Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}$", description="In UTC, as `2026-11`")]
    categories: Annotated[dict[str, int], Meta(description="Number of risks by category")]


class Stats(Struct, frozen=True):
    """Risk statistics: categories by frequency, months in order."""

    scans: Annotated[int, Meta(description="Number of scans")]
    risks: Annotated[int, Meta(description="Number of risks")]
    newest: Annotated[Time | None, Meta(description="Time of the newest scan; null without scans")]
    by_category: Annotated[list[CategoryRisks], Meta(description="Most frequent first")]
    over_time: Annotated[list[MonthRisks], Meta(description="Months with scans, oldest first")]


class ApiToken(Struct, frozen=True):
    """An API token, without its secret."""

    id: Id
    name: str
    scopes: list[Scope]
    created_at: Time
    last_used_at: Annotated[Time | None, Meta(description="To the minute; null if it was never used")]
    expires_at: Annotated[Time | None, Meta(description="Null if it does not expire")]


class NewApiToken(ApiToken, frozen=True):
    """A new API token with its secret."""

    token: Annotated[str, Meta(description="The secret; returned only once")]


class ApiTokenList(Struct, frozen=True):
    """The user's API tokens, newest first."""

    tokens: list[ApiToken]


class Health(Struct, frozen=True):
    """The health of RiskScan, its database and its AI service."""

    status: Annotated[
        Literal["ok", "degraded", "unavailable"],
        Meta(description="`degraded` without the AI service, `unavailable` without the database"),
    ]
    database: bool
    ai_service_healthy: bool
    version: str


class Liveness(Struct, frozen=True):
    """The process is running."""

    status: Literal["ok"] = "ok"


class Message(Struct, frozen=True):
    """Confirmation of an operation."""

    message: str


class Error(Struct, frozen=True, omit_defaults=True):
    """Error response."""

    error: Annotated[str, Meta(description="Stable code, such as `invalid_request`")]
    detail: Annotated[str, Meta(description="A sentence to show to the user")]
    fields: Annotated[dict[str, str], Meta(description="Error messages by field name")] = {}
    error_description: Annotated[
        str | None,
        Meta(description="The same as `detail`, on log-in only (RFC 6749, section 5.2)"),
    ] = None


class Credentials(Struct, frozen=True):
    """Registration request."""

    email: Annotated[str, Meta(extra_json_schema={"format": "email"})]
    password: NewPassword


class PasswordGrant(Struct, frozen=True):
    """Log-in request: the OAuth2 password grant (RFC 6749, section 4.3.2)."""

    username: Annotated[NonEmptyText, Meta(description="The email address")]
    password: NonEmptyText
    grant_type: Literal["password", ""] | None = "password"  # empty or null is as if it was not sent
    scope: Any = ""
    client_id: Any = ""
    client_secret: Any = ""


class PasswordChange(Struct, frozen=True):
    """Password change request."""

    current_password: NonEmptyText
    new_password: NewPassword
    keep_api_tokens: Annotated[Flag, Meta(description="Do not revoke the API tokens")] = None


class PasswordConfirmation(Struct, frozen=True):
    """Confirmation of what cannot be undone: the password or, of an account without one, its email."""

    password: NonEmptyText | None = None
    email: NonEmptyText | None = None


class ScanText(Struct, frozen=True):
    """A text to scan. A file needs multipart/form-data."""

    text: Annotated[str, Meta(min_length=1, pattern=NON_BLANK)]
    force_llm: Annotated[Flag, FORCE_LLM] = None
    file: Literal[""] | None = None


class ScanForm(ScanText, frozen=True):
    """A text to scan, in a form."""

    force_llm: Annotated[FlagText, FORCE_LLM] = ""
    file: Literal[""] = ""


class CreateApiToken(Struct, frozen=True):
    """API token request."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_TOKEN_NAME,
            pattern=f"^[^{CONTROL}]*[^{CONTROL}{SPACE}][^{CONTROL}]*$",
        ),
    ]
    scopes: Annotated[
        Annotated[list[Scope], Meta(min_length=1)] | ScopeText | None,
        Meta(description="A list, or a text separated by spaces; `scan` and `read` if it is missing"),
    ] = None
    expires_at: Annotated[
        str | None,
        Meta(
            description="A date (UTC, inclusive) or an RFC 3339 time, in the future; "
            "no expiry if it is missing"
        ),
    ] = None


class DeleteScans(Struct, frozen=True):
    """Scans to delete."""

    scans: Annotated[
        Annotated[list[Id], Meta(min_length=1, max_length=MAX_DELETED)] | IdsText,
        Meta(description="Their IDs: a list, or a text separated by spaces"),
    ]


class DeleteScansForm(DeleteScans, frozen=True):
    """Scans to delete, in a form."""

    scans: IdsText


class CreateApiTokenForm(CreateApiToken, frozen=True):
    """API token request, in a form."""

    scopes: ScopeText = ""
    expires_at: str = ""


RISKS = msgspec.json.Decoder(list[Risk])
DETAILS = msgspec.json.Decoder(list[Detail])
RAW_LIST, RISK = msgspec.json.Decoder(list[Raw]), msgspec.json.Decoder(Risk)
