"""The contract's JSON shapes: one truth for checking, encoding and the OpenAPI document."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec


class Filter(msgspec.Struct, frozen=True):
    """What a scan must have; false where nothing is chosen, which every scan meets.

    Each of `words` begins a word of the scan, `category` is a category's word (see `words`), and the scan was
    made from `since` on and before `until`.
    """

    words: tuple[str, ...] = ()
    category: str = ""
    source: str = ""
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None

    def __bool__(self) -> bool:
        return self != ALL_SCANS

    @property
    def digest(self) -> str:
        """Return a short text that tells this filter from others; empty where nothing is chosen."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12] if self else ""


ALL_SCANS = Filter()

Source = Literal["llm", "model"]
Scope = Literal["scan", "read"]  # what an API token may do
# always aware and in UTC, so that it is written with a Z
Time = Annotated[datetime.datetime, msgspec.Meta(tz=True)]
# not Meta(pattern=…): beside a list of literals that makes msgspec 0.22 free memory twice
ScopeText = Annotated[
    str, msgspec.Meta(extra_json_schema={"pattern": r"^\s*((scan|read)\s+)*(scan|read)?\s*$"})
]
CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
SPACE = r" \u1680\u2000-\u200a\u202f\u205f\u3000\xa0"
Id = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uuid"})]
NonEmptyText = Annotated[str, msgspec.Meta(min_length=1)]
NewPassword = Annotated[str, msgspec.Meta(min_length=6, max_length=128)]
# something that str.strip() leaves; what is a space differs between dialects of patterns
NON_BLANK = r"[^\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
FlagText = Literal["true", "false", "1", "0", "yes", "no", "on", "off", ""]
Flag = FlagText | bool | Literal[0, 1] | None


class Risk(msgspec.Struct, frozen=True):
    """One finding: what may go wrong, of what kind, and the sentence that says so."""

    risk: str
    category: str
    context: str


class Findings(msgspec.Struct, frozen=True):
    """What the AI service answers."""

    data: list[Risk]
    source: Source


class User(msgspec.Struct, frozen=True):
    """An account as its owner sees it."""

    id: Id
    email: str
    created_at: Time
    updated_at: Time


class TokenResponse(msgspec.Struct, frozen=True):
    """An access token (RFC 6749, section 5.1) and whose it is; `expires_in` in seconds."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int
    token: str
    user: User
    user_id: Id
    email: str


class Scan(msgspec.Struct, frozen=True):
    """Findings that were kept. `data` is the JSON text of a list of Risk, as it is stored."""

    scan_id: Id
    filename: str | None
    data: msgspec.Raw
    source: Source
    risk_count: int
    created_at: Time
    timestamp: Time

    @property
    def risks(self) -> list[Risk]:
        """Return `data` read."""
        return RISKS.decode(self.data)

    def each_risk(self) -> Iterator[Risk]:
        """Yield `data` read risk by risk; all at once they take three times the memory of their text."""
        return map(RISK.decode, RAW_LIST.decode(self.data))


class Comparison(msgspec.Struct, frozen=True):
    """What has changed in a scan since an earlier one; `same` has the risks as the later scan words them."""

    new: list[Risk]
    gone: list[Risk]
    same: list[Risk]


class ScanSummary(msgspec.Struct, frozen=True):
    """A scan as the list shows it."""

    scan_id: Id
    filename: str | None
    source: Source
    risk_count: int
    created_at: Time


class ScanList(msgspec.Struct, frozen=True):
    """A page of the user's scans, newest first; `next_cursor` is null on the last."""

    scans: list[ScanSummary]
    total: int
    limit: int
    offset: int
    next_cursor: str | None


class RegisterRow(msgspec.Struct, frozen=True):
    """A risk in a register: `ref` names it, now and in every later export; `link` is the page of its scan."""

    ref: str
    scan_date: Time
    file: str | None
    risk: str
    category: str
    context: str
    source: Source
    link: str


class CategoryRisks(msgspec.Struct, frozen=True):
    """How many risks are of a category."""

    category: str
    risks: int


class MonthRisks(msgspec.Struct, frozen=True):
    """How many risks of each category the scans of a month (of UTC, as `2026-11`) have."""

    month: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-[0-9]{2}$")]
    categories: dict[str, int]


class Stats(msgspec.Struct, frozen=True):
    """What some of the user's scans come to: most frequent category first, oldest month with a scan first."""

    scans: int
    risks: int
    newest: Time | None
    by_category: list[CategoryRisks]
    over_time: list[MonthRisks]


class ApiToken(msgspec.Struct, frozen=True):
    """A token for programs; without an end it lasts until it is deleted or the password is changed."""

    id: Id
    name: str
    scopes: list[Scope]
    created_at: Time
    last_used_at: Time | None
    expires_at: Time | None


class NewApiToken(ApiToken, frozen=True):
    """An API token with its secret, which is told this once."""

    token: str


class ApiTokenList(msgspec.Struct, frozen=True):
    """The user's API tokens, newest first."""

    tokens: list[ApiToken]


class Health(msgspec.Struct, frozen=True):
    """Whether RiskScan and what it needs are well."""

    status: Literal["ok", "degraded", "unavailable"]
    database: bool
    ai_service_healthy: bool
    version: str


class Liveness(msgspec.Struct, frozen=True):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Message(msgspec.Struct, frozen=True):
    """What was done, in words."""

    message: str


class Error(msgspec.Struct, frozen=True, omit_defaults=True):
    """Every refusal; `error_description` repeats `detail` for OAuth2 clients (RFC 6749, section 5.2)."""

    error: str
    detail: str
    fields: dict[str, str] = {}
    error_description: str | None = None


class Credentials(msgspec.Struct, frozen=True):
    """What registers an account."""

    email: Annotated[str, msgspec.Meta(extra_json_schema={"format": "email"})]
    password: NewPassword


class PasswordGrant(msgspec.Struct, frozen=True):
    """The OAuth2 password grant (RFC 6749, section 4.3.2); `username` is the e-mail address."""

    username: NonEmptyText
    password: NonEmptyText
    grant_type: Literal["password"] = "password"
    scope: str = ""
    client_id: str = ""
    client_secret: str = ""


class PasswordChange(msgspec.Struct, frozen=True):
    """What changes a password."""

    current_password: NonEmptyText
    new_password: NewPassword
    keep_api_tokens: Flag = None


class PasswordConfirmation(msgspec.Struct, frozen=True):
    """The password again, for what cannot be undone."""

    password: NonEmptyText


class ScanText(msgspec.Struct, frozen=True):
    """A text to scan; a file comes as multipart/form-data alone."""

    text: Annotated[str, msgspec.Meta(min_length=1, pattern=NON_BLANK)]
    force_llm: Flag = None
    file: Literal[""] | None = None


class ScanForm(ScanText, frozen=True):
    """A text to scan, as a form sends it."""

    force_llm: FlagText = ""
    file: Literal[""] = ""


class CreateApiToken(msgspec.Struct, frozen=True):
    """An API token to be made; without scopes it has both, without an end it has none."""

    name: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=100,
            pattern=f"^[^{CONTROL}]*[^{CONTROL}{SPACE}][^{CONTROL}]*$",
        ),
    ]
    scopes: Annotated[list[Scope], msgspec.Meta(min_length=1)] | ScopeText | None = None
    expires_at: Annotated[
        str | None,
        msgspec.Meta(description="In the future: an ISO 8601 time with its offset, or a day (UTC)"),
    ] = None


class CreateApiTokenForm(CreateApiToken, frozen=True):
    """An API token to be made, as a form sends it."""

    scopes: ScopeText = ""
    expires_at: str = ""


RISKS = msgspec.json.Decoder(list[Risk])
RAW_LIST, RISK = msgspec.json.Decoder(list[msgspec.Raw]), msgspec.json.Decoder(Risk)
